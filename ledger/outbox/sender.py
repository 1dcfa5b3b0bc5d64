"""The sender: the shell around ``decide``. It loads, decides, records, and calls the node between transactions.

One pass is *settle* (ask for receipts, record outcomes), *plan* (sign what is queued and persist the bytes) and
*broadcast* (submit what no node has, or has had too long). Each is safe to repeat and to lose at any point: a crash
after signing finds the bytes in SQL, a crash after broadcasting submits the same bytes again.

Several senders may share a database (PostgreSQL): each leases its relayers and takes only rows that are not locked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ledger.blocks.verified import VerifiedBlocks
from ledger.chain.engine import Engine, SubmitOutcome
from ledger.chain.rpc import RpcError
from ledger.chain.transactions import DigestSigner, sign_legacy
from ledger.clock import Clock
from ledger.outbox import decide
from ledger.outbox.decide import (
    AfterSubmit,
    InFlight,
    Planned,
    Queued,
    Receipt,
    RelayerLoad,
    TransactionOutcome,
)
from ledger.outbox.leases import Leases
from ledger.outbox.liveness import Waiting, read_waiting
from ledger.outbox.pace import Pace, PaceLimits
from ledger.outbox.receipts import ReceiptReader
from ledger.outbox.reverts import RevertExplainer
from ledger.outbox.routes import Routes
from ledger.outbox.rows import (
    AHEAD_S,
    NewTransaction,
    OpenTransaction,
    apply_verdict,
    insert_new_transactions,
    insert_transactions,
    is_message_due,
    set_messages,
    set_transactions,
)
from ledger.outbox.states import OPEN_STATES, MessageState, TransactionState
from ledger.standard.ids import AccountBytes, address_bytes, to_address
from ledger.store.database import Database, lease_clause
from ledger.store.models.outbox import OutboxMessageRow, OutboxTransactionRow, RelayerRow

_LOG = logging.getLogger(__name__)

OFFICE_KINDS = frozenset({"finance", "arbiter"})
"""Kinds of messages that only a key with that duty may send."""

_SIGNED = TransactionState.SIGNED.value  # plain text, for a bulk write binds an enum's member markedly slower
_FILLER_GAS = 21_000
_BROADCAST_MAX = 1_000
_SETTLE_MAX = 2_000
_RETRY_S = 0.5
_RETRY_MAX_S = 10.0
_ATTEMPTS_SILENT = 20
"""Attempts after which even a passing cause becomes an alarm: two minutes of refusals are somebody's business."""
_GAP_MAX = 64
_REFUSALS_BEFORE_GIVING_UP = 3
_REFUSED_FOR_S = 5.0


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """How much is under way at once."""

    in_flight_max: int = 16
    """Unsettled transactions a relayer; Besu's pool takes 200 of one account by default, Anvil any number."""
    calls_max: int = 64
    """Calls signed in one pass."""
    orders_max: int = 4_000
    """Orders signed in one pass."""
    patience_s: float = 5.0
    """How long a transaction may be unseen before its bytes are submitted again; doubles with each time."""
    lease_s: int = 30
    """How long a relayer stays ours without a sign of life."""
    pace: PaceLimits = field(default_factory=PaceLimits)
    """How much gas is under way at once, over all relayers of the database."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What one pass did."""

    signed: int
    submitted: int
    settled: int
    alarms: tuple[str, ...]

    @property
    def is_idle(self) -> bool:
        """Whether nothing happened."""
        return not (self.signed or self.submitted or self.settled)


@dataclass(slots=True)
class _Watch:
    """What this process remembers of a transaction. A crash forgets it, and then everything is submitted once more."""

    sent_s: float
    attempts: int
    first_s: float
    checked_height: int = -1


class Sender:
    """Sends what is in the outbox with the keys it is given. ``owner`` names this process in the leases.

    A lease ends by the wall clock, so with several gateways each needs an owner's name of its own and a running clock;
    where one lock already keeps others out (the embedded engine) the name stays the same over restarts. Waiting and
    trying again go by ``steady``, for the wall clock may jump, or stand still in a demonstration.

    ``offices`` are keys with a duty of their own, by kind of message: calls that the chain takes from one account alone
    (the finance bureau's) are sent by its key, which sends nothing else. Messages of `OFFICE_KINDS` whose key is not
    here are left to a gateway that has it.

    For ``witnesses`` and ``topics`` see `ReceiptReader`.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        relayers: Sequence[DigestSigner],
        routes: Routes,
        clock: Clock,
        *,
        owner: str,
        limits: SenderLimits | None = None,
        witnesses: Sequence[str] = (),
        topics: Sequence[str] = (),
        offices: Mapping[str, DigestSigner] | None = None,
        blocks: VerifiedBlocks | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._engine = engine
        self._offices = {kind: address_bytes(key.address) for kind, key in (offices or {}).items()}
        self._elsewhere = OFFICE_KINDS - self._offices.keys()
        self._keys = {address_bytes(key.address): key for key in [*relayers, *(offices or {}).values()]}
        self._routes = routes
        self._clock = clock
        self._limits = limits or SenderLimits()
        self._steady = steady
        self._receipts = ReceiptReader(engine, witnesses, topics, blocks)
        self._leases = Leases(
            database, list(self._keys), self._nonces, clock, owner=owner, lease_s=self._limits.lease_s, steady=steady
        )
        self._gaps: dict[bytes, tuple[int, float]] = {}
        self._watched: dict[int, _Watch] = {}
        self._alarms: dict[str, str] = {}
        self._unreadable: dict[bytes, int] = {}
        self._reverts = RevertExplainer(database, engine, routes)
        self._pace = Pace.start(self._limits.pace)
        self._was_held_back = False

    @property
    def alarms(self) -> tuple[str, ...]:
        """What a person should look at: submissions that nodes refuse for a cause that waiting does not cure."""
        return tuple(self._alarms.values())

    def step(self) -> SenderReport:
        """Settle, plan and broadcast once.

        Raises:
            RpcError: the node cannot be reached; what was persisted stays and the next pass goes on.
        """
        self._leases.renew()
        settled = self.settle()
        signed = self.plan()
        submitted = self.broadcast()
        return SenderReport(signed, submitted, settled, self.alarms)

    def give_up_leases(self) -> None:
        """See `Leases.give_up`."""
        self._leases.give_up()

    def _nonces(self, relayers: Sequence[bytes]) -> dict[bytes, int]:
        return self._receipts.nonces_certain(relayers, self._engine.final_height())

    @property
    def gas_budget(self) -> int:
        """How much gas may be under way now; see ``pace``."""
        return self._pace.budget

    def waiting(self) -> Waiting:
        """Return what waits for an outcome, whichever gateway sends it."""
        with self._database.read() as session:
            return read_waiting(session, self._clock.timestamp(), self._elsewhere)

    def unsettled(self) -> int:
        """Return how many messages are queued and due, and how many of our transactions have no outcome."""
        with self._database.read() as session:
            queued = session.scalar(
                select(func.count())
                .select_from(OutboxMessageRow)
                .where(OutboxMessageRow.state == MessageState.QUEUED, is_message_due(self._clock.timestamp()))
            )
            under_way = session.scalar(
                select(func.count())
                .select_from(OutboxTransactionRow)
                .where(
                    OutboxTransactionRow.state.in_(OPEN_STATES),
                    OutboxTransactionRow.relayer.in_(list(self._keys)),
                )
            )
        return int(queued or 0) + int(under_way or 0)

    def plan(self) -> int:
        """Sign transactions for what is queued, and persist them with their nonces; returns how many."""
        if not self._leases.held:
            self._leases.renew()
        now = self._clock.timestamp()
        if not self._has_queued(now):
            return 0
        with self._database.transaction() as session:
            loads, gas_in_flight = self._loads(session, now)
            limit = decide.Limit(self._limits.in_flight_max, self._pace.room(gas_in_flight))
            has_room = limit.gas > 0 and any(load.in_flight < limit.in_flight for load in loads)
            queued = self._queued(session, now) if has_room else []
            decided = decide.plan_by_office(queued, loads, self._offices, self._routes, now, limit)
            self._was_held_back |= limit.gas <= 0 or decided.is_held_back
            if decided.expired:
                set_messages(
                    session, decided.expired, now, state=MessageState.EXPIRED, reason="its deadline passed unsent"
                )
            rows = [self._sign(planned, now) for planned in decided.transactions]
            self._record(session, decided.transactions, rows, now)
        return len(decided.transactions)

    def _has_queued(self, now: int) -> bool:
        """Look before taking the write lock: an idle sender must not stand in the way of those who work."""
        with self._database.read() as session:
            due = select(OutboxMessageRow.message_id).where(
                OutboxMessageRow.state == MessageState.QUEUED, is_message_due(now)
            )
            return session.scalar(due.limit(1)) is not None

    def _queued(self, session: Session, now: int) -> list[Queued]:
        columns = "message_id, kind, is_order, target, payload, gas, deadline, attempts"
        connection = session.connection()
        queued: list[Queued] = []
        mark = "?" if self._database.is_sqlite else "%s"
        elsewhere = "".join(f" AND kind <> '{kind}'" for kind in sorted(self._elsewhere))
        for is_order, limit in ((True, self._limits.orders_max), (False, self._limits.calls_max)):
            rows = connection.exec_driver_sql(
                f"SELECT {columns} FROM outbox_messages WHERE state = '{MessageState.QUEUED}' AND is_order = {mark} "  # noqa: S608
                f"AND (not_before <= {mark} OR not_before > {mark}){elsewhere} ORDER BY message_id LIMIT {limit}"
                + lease_clause(session),
                (is_order, now, now + AHEAD_S),
            )
            queued += [
                Queued(number, kind, bool(is_order), target and bytes(target), bytes(payload), gas, deadline, attempts)
                for number, kind, is_order, target, payload, gas, deadline, attempts in rows
            ]
        return queued

    def _loads(self, session: Session, now: int) -> tuple[list[RelayerLoad], int]:
        """Return our relayers' loads, and the gas under way of all there are: the network's blocks are everybody's."""
        rows = self._leases.rows(session, now)
        counts = session.execute(
            select(OutboxTransactionRow.relayer, func.count(), func.sum(OutboxTransactionRow.gas))
            .where(OutboxTransactionRow.state.in_(OPEN_STATES))
            .group_by(OutboxTransactionRow.relayer)
        ).all()
        in_flight = {relayer: count for relayer, count, _ in counts}
        loads = [RelayerLoad(row.address, row.next_nonce, in_flight.get(row.address, 0)) for row in rows]
        return loads, sum(int(gas) for _, _, gas in counts)

    def _sign(self, planned: Planned, now: int) -> NewTransaction:
        raw, digest = sign_legacy(
            self._keys[planned.relayer],
            self._engine.chain_id,
            planned.nonce,
            to_address(planned.target),
            planned.data,
            planned.gas,
        )
        count = len(planned.message_ids)
        return NewTransaction(
            planned.relayer, planned.nonce, planned.kind, digest, raw, planned.gas, _SIGNED, count, 0, 0, now
        )

    def _record(self, session: Session, planned: Sequence[Planned], rows: list[NewTransaction], now: int) -> None:
        if not rows:
            return
        ids = insert_transactions(session, rows)
        next_nonces: dict[bytes, int] = {}
        for transaction, row in zip(planned, rows, strict=True):
            next_nonces[row.relayer] = max(next_nonces.get(row.relayer, 0), row.nonce + 1)
            set_messages(session, transaction.message_ids, now, state=MessageState.SENT, transaction_id=ids[row.hash])
        for address, nonce in next_nonces.items():
            session.execute(update(RelayerRow).where(RelayerRow.address == address).values(next_nonce=nonce))

    def broadcast(self) -> int:
        """Submit what is signed and unsent; returns how many transactions. Raises RpcError."""
        with self._database.read() as session:
            signed = session.execute(
                select(OutboxTransactionRow.transaction_id, OutboxTransactionRow.raw)
                .where(
                    OutboxTransactionRow.state == TransactionState.SIGNED,
                    OutboxTransactionRow.relayer.in_(self._leases.held),
                )
                .order_by(OutboxTransactionRow.relayer, OutboxTransactionRow.nonce)
                .limit(_BROADCAST_MAX)
            ).all()
        due = [(row.transaction_id, row.raw) for row in signed if self._is_retry_due(row.transaction_id)]
        if not due:
            return 0
        outcomes = self._engine.submit([raw for _, raw in due])
        self._judge([transaction_id for transaction_id, _ in due], outcomes)
        return len(due)

    def _is_retry_due(self, transaction_id: int) -> bool:
        watch = self._watched.get(transaction_id)
        return watch is None or self._steady() >= watch.sent_s + min(_RETRY_S * watch.attempts, _RETRY_MAX_S)

    def _judge(self, ids: Sequence[int], outcomes: Sequence[SubmitOutcome]) -> None:
        now = self._clock.timestamp()
        waiting, abandoned = [], []
        for transaction_id, outcome in zip(ids, outcomes, strict=True):
            watch = self._watched.setdefault(transaction_id, _Watch(0.0, 0, self._steady()))
            watch.sent_s = self._steady()
            watch.attempts += 1
            match decide.after_submit(outcome.reason):
                case AfterSubmit.WAIT:
                    waiting.append(transaction_id)
                case AfterSubmit.RETRY:
                    _LOG.info("transaction %d is submitted again later: %s", transaction_id, outcome.reason)
                    if watch.attempts >= _ATTEMPTS_SILENT:
                        self._alarm(outcome)
                case AfterSubmit.RETRY_WITH_ALARM:
                    self._alarm(outcome)
                case AfterSubmit.ABANDON if self._may_be_mistaken(watch):
                    # What is given up is lost, so no single answer decides it.
                    _LOG.warning("transaction %d is submitted again: %s", transaction_id, outcome.reason)
                case AfterSubmit.ABANDON:
                    abandoned.append((transaction_id, f"{outcome.reason}: {outcome.message}"))
        with self._database.transaction() as session:
            set_transactions(session, waiting, state=TransactionState.PENDING, sent_at=now)
            set_transactions(session, ids, attempts=OutboxTransactionRow.attempts + 1)
            for transaction_id, reason in abandoned:
                self._abandon(session, transaction_id, reason, now)

    def _may_be_mistaken(self, watch: _Watch) -> bool:
        since_s = self._steady() - watch.first_s
        return watch.attempts < _REFUSALS_BEFORE_GIVING_UP or since_s < _REFUSED_FOR_S

    def _alarm(self, outcome: SubmitOutcome) -> None:
        text = f"a node refuses our transactions: {outcome.reason}: {outcome.message}"
        if text not in self._alarms:
            _LOG.error(text)
        self._alarms[text] = text

    def _abandon(self, session: Session, transaction_id: int, reason: str, now: int) -> None:
        """Give the nonce to an empty transaction of our own; the messages fail, for their bytes can never land."""
        _LOG.error("transaction %d can never be accepted: %s", transaction_id, reason)
        row = session.get_one(OutboxTransactionRow, transaction_id)
        row.state = TransactionState.REPLACED
        row.reason = reason[:512]
        session.execute(
            update(OutboxMessageRow)
            .where(OutboxMessageRow.transaction_id == transaction_id)
            .values(state=MessageState.FAILED, reason=reason[:512], updated_at=now)
        )
        session.flush()
        insert_new_transactions(session, [self._filler(row.relayer, row.nonce)])

    def settle(self) -> int:
        """Ask for the receipts of what is under way, and record the outcomes; returns how many. Raises RpcError."""
        height = self._engine.final_height()
        rows = self._to_check(height)
        if not rows:
            self._receipts.nothing_new(height)
            return 0
        # In this order: a nonce used at a height, and no receipt asked for later, means that another one used it.
        used = self._receipts.nonces_used(sorted({row.relayer for row in rows}), height)
        looked = self._receipts.receipts([row.hash for row in rows], height)
        self._set_aside(looked.unreadable)
        receipts = looked.receipts
        outcomes: dict[TransactionOutcome, list[OpenTransaction]] = {one: [] for one in TransactionOutcome}
        for row in rows:
            watch = self._watched.setdefault(row.transaction_id, _Watch(self._steady(), 1, self._steady()))
            watch.checked_height = height
            unseen_s = self._steady() - watch.sent_s
            if row.hash in looked.unreadable:
                outcomes[TransactionOutcome.OPEN].append(row)
                continue
            known = InFlight(row.transaction_id, row.relayer, row.nonce, unseen_s, watch.attempts)
            outcomes[
                decide.transaction_outcome(known, receipts[row.hash], height, used, self._limits.patience_s)
            ].append(row)
        if outcomes[TransactionOutcome.REPLACED]:
            # A receipt that the node has mislaid for a moment would send the same messages a second time.
            asked = [(row.hash, row.relayer, row.nonce) for row in outcomes[TransactionOutcome.REPLACED]]
            gone = self._receipts.are_gone(asked, height)
            outcomes[TransactionOutcome.REPLACED] = [
                row for row in outcomes[TransactionOutcome.REPLACED] if row.hash in gone
            ]
        explained = self._reverts.explain(outcomes[TransactionOutcome.REVERTED], receipts)
        self._record_outcomes(outcomes, receipts, explained)
        ended = [
            *outcomes[TransactionOutcome.MINED],
            *outcomes[TransactionOutcome.REVERTED],
            *outcomes[TransactionOutcome.REPLACED],
        ]
        self._keep_pace(ended, [*outcomes[TransactionOutcome.OPEN], *outcomes[TransactionOutcome.RESUBMIT]])
        for row in ended:
            self._watched.pop(row.transaction_id, None)
        if outcomes[TransactionOutcome.MINED]:
            self._alarms.clear()
        self._fill_gaps(used, outcomes[TransactionOutcome.OPEN] + outcomes[TransactionOutcome.RESUBMIT])
        return len(ended)

    def _set_aside(self, unreadable: Mapping[bytes, RpcError]) -> None:
        """Note whose outcome cannot be read; the others go on, and one that stays so gets an alarm by name."""
        self._unreadable = {one: self._unreadable.get(one, 0) + 1 for one in unreadable}
        for one, error in unreadable.items():
            _LOG.info("the outcome of transaction 0x%s cannot be read now: %s", one.hex(), error)
            if self._unreadable[one] >= _ATTEMPTS_SILENT:
                text = f"the outcome of transaction 0x{one.hex()} cannot be read: {error}"
                self._alarms[one.hex()] = text

    def _keep_pace(self, ended: Sequence[OpenTransaction], still_open: Sequence[OpenTransaction]) -> None:
        """Let the gas under way follow the time that outcomes take."""
        if ended:
            self._pace = self._pace.after(self._slowest_s(ended), was_full=self._was_held_back)
            self._was_held_back = False
        if still_open:
            self._pace = self._pace.while_waiting(self._slowest_s(still_open))

    def _slowest_s(self, rows: Sequence[OpenTransaction]) -> float:
        return self._steady() - min(self._watched[row.transaction_id].first_s for row in rows)

    def _record_outcomes(
        self,
        outcomes: Mapping[TransactionOutcome, Sequence[OpenTransaction]],
        receipts: Mapping[bytes, Receipt | None],
        explained: Mapping[int, tuple[str | None, bool]],
    ) -> None:
        if not any(outcomes[one] for one in TransactionOutcome if one is not TransactionOutcome.OPEN):
            return
        now = self._clock.timestamp()
        with self._database.transaction() as session:
            self._record_mined(session, outcomes[TransactionOutcome.MINED], receipts, now)
            for row in outcomes[TransactionOutcome.REVERTED]:
                self._record_revert(session, row, receipts[row.hash], explained[row.transaction_id], now)
            for row in outcomes[TransactionOutcome.REPLACED]:
                self._record_replaced(session, row, now)
            set_transactions(
                session,
                [row.transaction_id for row in outcomes[TransactionOutcome.RESUBMIT]],
                state=TransactionState.SIGNED,
            )

    def _fill_gaps(self, used: Mapping[bytes, int], still_open: Sequence[OpenTransaction]) -> None:
        """Fill unsent nonces with empty transactions, for what comes after them can never be mined.

        A node's wrong count at our start, or a pool that another process filled, leaves such a gap. It counts once it
        has been seen for longer than ``patience_s``.
        """
        now_s = self._steady()
        for relayer in {row.relayer for row in still_open}:
            with self._database.read() as session:
                lowest = session.scalar(
                    select(func.min(OutboxTransactionRow.nonce)).where(
                        OutboxTransactionRow.relayer == relayer, OutboxTransactionRow.state.in_(OPEN_STATES)
                    )
                )
            begin = used.get(relayer)
            if lowest is None or begin is None or begin >= lowest:
                self._gaps.pop(relayer, None)
                continue
            known = self._gaps.setdefault(relayer, (begin, now_s))
            if known[0] != begin:
                self._gaps[relayer] = (begin, now_s)
            elif now_s - known[1] > self._limits.patience_s:
                del self._gaps[relayer]
                self._insert_fillers(relayer, range(begin, min(lowest, begin + _GAP_MAX)))

    def _insert_fillers(self, relayer: AccountBytes, nonces: range) -> None:
        _LOG.error(
            "relayer %s: nobody sent nonces %d to %d; they are filled", to_address(relayer), nonces[0], nonces[-1]
        )
        rows = [self._filler(relayer, nonce) for nonce in nonces]
        with self._database.transaction() as session:
            insert_new_transactions(session, rows)

    def _filler(self, relayer: AccountBytes, nonce: int) -> NewTransaction:
        """Return the row of an empty transaction to ourselves."""
        raw, digest = sign_legacy(
            self._keys[relayer], self._engine.chain_id, nonce, to_address(relayer), b"", _FILLER_GAS
        )
        now = self._clock.timestamp()
        return NewTransaction(relayer, nonce, "filler", digest, raw, _FILLER_GAS, _SIGNED, 0, 0, 0, now)

    def _to_check(self, height: int) -> list[OpenTransaction]:
        """What is submitted and open, and was not looked at since the last final block, or is unseen for too long."""
        with self._database.read() as session:
            rows = session.execute(
                select(
                    OutboxTransactionRow.transaction_id,
                    OutboxTransactionRow.relayer,
                    OutboxTransactionRow.nonce,
                    OutboxTransactionRow.hash,
                    OutboxTransactionRow.gas,
                    OutboxTransactionRow.kind,
                )
                .where(
                    # A node may refuse what it mined, or its answer was lost: what was sent once may have landed.
                    (OutboxTransactionRow.state == TransactionState.PENDING) | (OutboxTransactionRow.attempts > 0),
                    OutboxTransactionRow.state.in_(OPEN_STATES),
                    OutboxTransactionRow.relayer.in_(self._leases.held),
                )
                .order_by(OutboxTransactionRow.transaction_id)
                .limit(_SETTLE_MAX)
            )
            found = [OpenTransaction(*row) for row in rows]
        patience_s = self._limits.patience_s
        to_check = []
        for row in found:
            watch = self._watched.get(row.transaction_id)
            if watch is None or watch.checked_height != height or self._steady() - watch.sent_s >= patience_s:
                to_check.append(row)
        return to_check

    def _record_mined(
        self,
        session: Session,
        rows: Sequence[OpenTransaction],
        receipts: Mapping[bytes, Receipt | None],
        now: int,
    ) -> None:
        by_block: dict[int, list[int]] = {}
        for row in rows:
            receipt = receipts[row.hash]
            if receipt is not None:
                by_block.setdefault(receipt.block_number, []).append(row.transaction_id)
        for block, ids in by_block.items():
            set_transactions(session, ids, state=TransactionState.MINED, block_number=block)
            session.execute(
                update(OutboxMessageRow)
                .where(OutboxMessageRow.transaction_id.in_(ids), OutboxMessageRow.state == MessageState.SENT)
                .values(state=MessageState.DONE, reason=None, block_number=block, updated_at=now)
            )

    def _record_revert(
        self,
        session: Session,
        row: OpenTransaction,
        receipt: Receipt | None,
        explained: tuple[str | None, bool],
        now: int,
    ) -> None:
        error, out_of_gas = explained
        set_transactions(
            session,
            [row.transaction_id],
            state=TransactionState.REVERTED,
            block_number=receipt and receipt.block_number,
            reason=(error or ("out of gas" if out_of_gas else "unexplained"))[:512],
        )
        messages = session.scalars(
            select(OutboxMessageRow).where(
                OutboxMessageRow.transaction_id == row.transaction_id, OutboxMessageRow.state == MessageState.SENT
            )
        ).all()
        for message in messages:
            attempts = message.attempts + 1
            verdict = decide.after_revert(message.kind, message.is_order, error, out_of_gas, attempts, message.gas, now)
            apply_verdict(message, verdict, attempts, receipt, now)
        # What waits for money is no fault: reports and readiness tell of it.
        waits = bool(messages) and all(one.state == MessageState.WAITING_FUNDING for one in messages)
        _LOG.log(logging.INFO if waits else logging.WARNING, "%s reverted: %s", row.kind, error or "no reason")
        session.flush()

    def _record_replaced(self, session: Session, row: OpenTransaction, now: int) -> None:
        _LOG.warning("nonce %d of a relayer was used by another transaction; its messages are sent anew", row.nonce)
        set_transactions(
            session, [row.transaction_id], state=TransactionState.REPLACED, reason="its nonce was used by another"
        )
        session.execute(
            update(OutboxMessageRow)
            .where(OutboxMessageRow.transaction_id == row.transaction_id, OutboxMessageRow.state == MessageState.SENT)
            .values(state=MessageState.QUEUED, transaction_id=None, updated_at=now)
        )
