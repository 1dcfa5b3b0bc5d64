"""Logs to changes, as a pure function; the hot path slices hexadecimal text and never builds an ABI object.

Kinds of transfers: the ledger says only who gave what to whom. Why is said by the event that the module emits after the
transfers of one order, so transfers wait until that event, or the end of their transaction, names their kind. The other
way round an order's event says neither holder nor lots: the transfers before it, in signed order, do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.indexer.errors import InconsistentAnswer, MalformedLog, Undecodable, UnknownEvent
from ledger.indexer.logs import (
    Log,
    account,
    address_at,
    bytes32,
    has_shape,
    hash_at,
    merchant_at,
    order_at,
    signed,
    topic,
    words,
)
from ledger.standard.ids import MerchantId, OrderId, ProgrammeId, is_merchant, merchant_participant, programme_of
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_lots, unpack_prefix
from ledger.standard.typed_data import Lot, lots_hash

TRANSFER = "0x" + keccak256(b"Transfer(address,address,address,uint256,uint256)").hex()
_FIRST_MERCHANT = merchant_participant(MerchantId(0))
_ZERO_TOPIC = "0x" + "0" * 64


@dataclass(frozen=True, slots=True)
class Header:
    """What the projection needs of a block."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    bloom: int = 0
    """The filter over the addresses and topics of its logs; see `ledger.indexer.completeness`."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """Our contracts (address as 0x and lower-case digits → name), and the events each may emit (topic → name)."""

    names: Mapping[str, str]
    events: Mapping[str, Mapping[str, str]]
    ledger: str
    """The PointsLedger's address; what it holds itself is escrow."""


Entry = tuple[int, int, int, bytes, int, int, str, bytes | None, bytes, int]
"""(block, log index, side, account, token id, delta, kind, reference, transaction hash, block timestamp)."""


_Transfer = tuple[int, bytes | None, bytes | None, int, int]
"""(log index, sender, receiver, token id, amount); None is the zero address."""


@dataclass(slots=True)
class Changes:
    """Rows and sums of a range of blocks, ready to be written. Tuples have the columns' order of their tables."""

    entries: list[Entry] = field(default_factory=list)
    balances: dict[tuple[bytes, int], int] = field(default_factory=dict)
    supplies: dict[int, list[int]] = field(default_factory=dict)
    """Token id → [supply change, escrow change]."""
    flows: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    """(programme, kind) → [amount, events]."""
    positions: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Participant → (position, block)."""
    position_changes: list[tuple[Any, ...]] = field(default_factory=list)
    funding: list[tuple[Any, ...]] = field(default_factory=list)
    payouts: list[tuple[Any, ...]] = field(default_factory=list)
    cycles: list[tuple[Any, ...]] = field(default_factory=list)
    dues: list[tuple[Any, ...]] = field(default_factory=list)
    locks: list[tuple[Any, ...]] = field(default_factory=list)
    batches: list[tuple[Any, ...]] = field(default_factory=list)
    outcomes: list[tuple[Any, ...]] = field(default_factory=list)
    revocations: list[tuple[Any, ...]] = field(default_factory=list)
    """The token id, at `REVOKED_TOKEN`, is 0: the batch's row has the quarter."""
    collections: list[tuple[Any, ...]] = field(default_factory=list)
    redemption_batches: list[tuple[Any, ...]] = field(default_factory=list)
    holds_opened: dict[bytes, list[Any]] = field(default_factory=dict)
    holds_closed: dict[bytes, tuple[str, int, int, int]] = field(default_factory=dict)
    """Hold id → (state, kept lots, last amount, block)."""
    successors: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    events: list[tuple[int, int, str, str, bytes, bytes, int]] = field(default_factory=list)
    """(block, log index, contract, event, topics, data, timestamp): rare events, raw."""
    logs: int = 0


REVOKED_TOKEN = 5
"""Place of the token id in a row of `Changes.revocations`."""

_Handler = Callable[["Decoder", Log, int, int], None]


def decode(
    contracts: Contracts, headers: Sequence[Header], logs: Sequence[Log], retired: Collection[bytes] = ()
) -> Changes:
    """Return the changes of a range of blocks; ``logs`` are all of theirs, in chain order. Pure.

    ``retired`` are the accounts that had a successor before these blocks.

    Raises:
        InconsistentAnswer: a log has not the shape of one, or the logs do not belong together; ask again.
        UnknownEvent, MalformedLog, Undecodable: somebody must look.
    """
    try:
        return Decoder(contracts, headers, retired).decode(logs)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        # Shapes are examined only now: this is the hot path, and a node hardly ever breaks them.
        if not all(has_shape(log) for log in logs):
            raise InconsistentAnswer(headers[0].number, f"a log has not the shape of one: {error!r}") from error
        raise Undecodable(headers[0].number, headers[-1].number, error) from error


class Decoder:
    """Decodes the logs of one range of blocks. Make a new one for each range."""

    def __init__(self, contracts: Contracts, headers: Sequence[Header], retired: Collection[bytes] = ()) -> None:
        self._contracts = contracts
        self._retired = retired
        self._retired_now: set[bytes] = set()
        self._times = {header.number: header.timestamp for header in headers}
        self._hashes = {header.number: "0x" + header.hash.hex() for header in headers}
        self._escrow = bytes.fromhex(contracts.ledger[2:])
        self.changes = Changes()
        self._waiting: list[_Transfer] = []
        self._transaction = ""
        self._transaction_hash = b""
        self._block = -1
        self._time = 0
        self._debits: dict[int, int] = {}
        """Merchant → place of the change that took from its claim, until the event after it says why."""

    def decode(self, logs: Sequence[Log]) -> Changes:
        """Return the changes of all logs, which must be in chain order.

        Raises UnknownEvent, MalformedLog or InconsistentAnswer.
        """
        ledger = self._contracts.ledger
        last = (-1, -1)
        for log in logs:
            block_number, log_index = int(log["blockNumber"], 16), int(log["logIndex"], 16)
            if log["transactionHash"] != self._transaction:
                self._begin(log, block_number)
            if (block_number, log_index) <= last:
                raise InconsistentAnswer(block_number, f"log {log_index} is out of order")
            last = (block_number, log_index)
            topics = log["topics"]
            if topics and topics[0] == TRANSFER and log["address"] == ledger:
                data = log["data"]
                if len(topics) != 4 or len(data) != 130:
                    raise MalformedLog("Transfer", block_number, log_index)
                sender, receiver = topics[1], topics[2]
                self._waiting.append(
                    (
                        log_index,
                        None if sender == _ZERO_TOPIC else bytes.fromhex(sender[26:]),
                        None if receiver == _ZERO_TOPIC else bytes.fromhex(receiver[26:]),
                        int(topics[3], 16),
                        int(data[66:], 16),
                    )
                )
            else:
                self._other(log, block_number, log_index)
        self._end_transaction()
        self.changes.logs += len(logs)
        return self.changes

    def _begin(self, log: Log, block_number: int) -> None:
        self._end_transaction()
        if log["blockHash"] != self._hashes.get(block_number):
            raise InconsistentAnswer(block_number, f"a log says block hash {log['blockHash']}, the header another")
        if log.get("removed"):
            raise InconsistentAnswer(block_number, "a log of a block that was removed")
        self._transaction = log["transactionHash"]
        self._transaction_hash = bytes.fromhex(self._transaction[2:])
        self._block = block_number
        self._time = self._times[block_number]

    def _end_transaction(self) -> None:
        if self._waiting:
            self._flush("transfer", None)
        self._debits.clear()

    def _other(self, log: Log, block_number: int, log_index: int) -> None:
        address = log["address"]
        name = self._contracts.names.get(address) or self._contracts.names.get(address.lower(), "")
        topic = log["topics"][0] if log["topics"] else "(none)"
        event = self._contracts.events.get(name, {}).get(topic)
        if event is None:
            raise UnknownEvent(name or address, topic, block_number, log_index)
        handler = _HANDLERS.get(event)
        try:
            if handler is None:
                self._keep(log, name, event, log_index)
            else:
                handler(self, log, block_number, log_index)
        except (IndexError, ValueError) as error:
            raise MalformedLog(event, block_number, log_index) from error

    def _keep(self, log: Log, contract: str, event: str, log_index: int) -> None:
        topics = b"".join(bytes.fromhex(topic[2:]) for topic in log["topics"])
        data = bytes.fromhex(log["data"][2:])
        self.changes.events.append((self._block, log_index, contract, event, topics, data, self._time))

    def _flush(self, kind: str, reference: bytes | None) -> None:
        """Name the kind of the transfers that wait, and add them to rows and sums."""
        waiting, self._waiting = self._waiting, []
        self._name_all(waiting, kind, reference)

    def _flush_last(self, kind: str) -> None:
        """Name the kind of the last transfer alone; those before it wait on."""
        if not self._waiting:
            raise InconsistentAnswer(self._block, f"a {kind} without its transfer")
        self._name_all([self._waiting.pop()], kind, None)

    def _name_all(self, transfers: Sequence[_Transfer], kind: str, reference: bytes | None) -> None:
        entries, balances, flows = self.changes.entries, self.changes.balances, self.changes.flows
        block, transaction, time = self._block, self._transaction_hash, self._time
        for log_index, sender, receiver, token_id, amount in transfers:
            named = self._name(kind, sender, receiver)
            if receiver is not None:
                entries.append((block, log_index, 0, receiver, token_id, amount, named, reference, transaction, time))
                key = (receiver, token_id)
                balances[key] = balances.get(key, 0) + amount
            if sender is not None:
                entries.append((block, log_index, 1, sender, token_id, -amount, named, reference, transaction, time))
                key = (sender, token_id)
                balances[key] = balances.get(key, 0) - amount
            self._add_supply(sender, receiver, token_id, amount)
            add_flow(flows, programme_of(token_id), named, amount)

    def _name(self, kind: str, sender: bytes | None, receiver: bytes | None) -> str:
        if kind == "capture":  # what a capture does not keep goes back in the same call
            return "capture" if receiver is None else "release"
        if kind == "exchange":
            return "exchange_in" if sender is None else "exchange_out"
        if kind != "transfer":
            return kind
        if sender is None:
            return "mint"
        if receiver is None:
            return "burn"
        return "succession" if sender in self._retired or sender in self._retired_now else "transfer"

    def _add_supply(self, sender: bytes | None, receiver: bytes | None, token_id: int, amount: int) -> None:
        supply = self.changes.supplies.get(token_id)
        if supply is None:
            supply = self.changes.supplies[token_id] = [0, 0]
        if sender is None:
            supply[0] += amount
        elif sender == self._escrow:
            supply[1] -= amount
        if receiver is None:
            supply[0] -= amount
        elif receiver == self._escrow:
            supply[1] += amount

    # Handlers: one event each. Fields are 32-byte words of the data, after the indexed ones among the topics. --------

    def _batch_minted(self, log: Log, block_number: int, log_index: int) -> None:
        programme, number = ProgrammeId(topic(log, 1)), topic(log, 2)
        quarter, root, count, amount, signer, word = words(log, 6)
        if (len(self._waiting), sum(transfer[4] for transfer in self._waiting)) != (count, amount):
            raise InconsistentAnswer(block_number, f"batch {number} has {count} grants, its transfers are others")
        self._flush("mint", batch_reference(programme, number))
        self._batch(
            programme,
            stored_number(number),
            "landed",
            quarter,
            bytes32(root),
            count,
            amount,
            account(signer),
            bytes32(word),
        )
        _ = log_index

    def _batch_voided(self, log: Log, block_number: int, log_index: int) -> None:
        (signer,) = words(log, 1)
        self._batch(topic(log, 1), stored_number(topic(log, 2)), "void", None, None, 0, 0, account(signer), None)
        _ = (block_number, log_index)

    def _batch(self, *row: Any) -> None:
        self.changes.batches.append((*row, self._transaction_hash, self._block, self._time))

    def _revoked(self, log: Log, block_number: int, log_index: int) -> None:
        programme, number, account = topic(log, 1), topic(log, 2), address_at(log, 3)
        index, total, reason, taken, owed = words(log, 5)
        self._flush("revoke", batch_reference(ProgrammeId(programme), number))
        self.changes.revocations.append(
            (block_number, log_index, programme, stored_number(number), index, 0, account, total, taken, owed, reason,
             self._transaction_hash, self._time)
        )  # fmt: skip

    def _owed_collected(self, log: Log, block_number: int, log_index: int) -> None:
        (amount,) = words(log, 1)
        self._flush_last("collect")
        self.changes.collections.append(
            (block_number, log_index, address_at(log, 1), topic(log, 2), address_at(log, 3), amount, self._time)
        )

    def _exchanged(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, holder = order_at(log), address_at(log, 2)
        (fen,) = words(log, 1)
        if len(self._waiting) != 2:
            raise InconsistentAnswer(block_number, f"an exchange has {len(self._waiting)} transfers before it")
        (_, _, _, from_id, amount_in), (_, _, _, to_id, amount_out) = self._waiting
        self._flush("exchange", order_id)
        self._outcome(
            log_index,
            order_id,
            "exchange",
            holder=holder,
            from_id=from_id,
            amount_in=amount_in,
            to_id=to_id,
            amount_out=amount_out,
            fen=fen,
        )

    def _redeemed(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, merchant = order_at(log), merchant_at(log, 2)
        fen, digest = words(log, 2)
        lots = self._lots()
        if lots_hash(lots) != bytes32(digest):
            raise InconsistentAnswer(block_number, "the transfers before a Redeemed are not its lots")
        holder = self._waiting[0][1]
        self._flush("redeem", order_id)
        self._outcome(
            log_index,
            order_id,
            "redeem",
            holder=holder,
            merchant=merchant,
            fen=fen,
            kept=(len(lots), lots[-1].amount),
        )

    def _captured(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, merchant = order_at(log), merchant_at(log, 2)
        fen, prefix, _lots_hash = words(log, 3)
        kept = unpack_prefix(prefix)
        burned = sum(1 for transfer in self._waiting if transfer[2] is None)
        if burned != kept[0]:
            raise InconsistentAnswer(block_number, f"a capture of {kept[0]} lots has {burned} transfers that burn")
        self._flush("capture", order_id)
        self.changes.holds_closed[order_id] = ("captured", *kept, block_number)
        self._outcome(log_index, order_id, "capture", merchant=merchant, fen=fen, kept=kept)

    def _held(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, merchant = order_at(log), merchant_at(log, 2)
        capture_by, cancellable = words(log, 2)
        if not self._waiting:
            raise InconsistentAnswer(block_number, "a Held without its transfers")
        lots, holder = pack_lots(self._lots()), self._waiting[0][1]
        self._flush("hold", order_id)
        self.changes.holds_opened[order_id] = [
            order_id, holder, merchant, lots, capture_by, cancellable != 0, "open", 0, 0, block_number, None,
        ]  # fmt: skip
        self._outcome(log_index, order_id, "hold", holder=holder, merchant=merchant)

    def _lots(self) -> list[Lot]:
        """The lots of an order: what the transfers that wait moved, in signed order."""
        return [Lot(token_id, amount) for _, _, _, token_id, amount in self._waiting]

    def _released(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, merchant = order_at(log), merchant_at(log, 2)
        if not self._waiting:
            raise InconsistentAnswer(block_number, "a release without its transfers")
        receiver = self._waiting[0][2]
        self._flush("release", order_id)
        self.changes.holds_closed[order_id] = ("released", 0, 0, block_number)
        self._outcome(log_index, order_id, "release", holder=receiver, merchant=merchant)

    def _refunded(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, receiver, merchant = order_at(log), address_at(log, 2), merchant_at(log, 3)
        prefix, fen, by_arbiter = words(log, 3)
        self._flush("refund", order_id)
        self._explain(merchant, fen, "refunded", order_id)
        self._outcome(
            log_index,
            order_id,
            "refund",
            holder=receiver,
            merchant=merchant,
            fen=fen,
            kept=unpack_prefix(prefix),
            is_by_arbiter=by_arbiter != 0,
        )
        _ = block_number

    def _rejected(self, log: Log, block_number: int, log_index: int) -> None:
        (code,) = words(log, 1)
        self._outcome(log_index, order_at(log), "rejected", code, holder=address_at(log, 2))
        _ = block_number

    def _redemption_batch(self, log: Log, block_number: int, log_index: int) -> None:
        root, count = words(log, 2)
        self.changes.redemption_batches.append(
            (topic(log, 1), bytes32(root), count, self._transaction_hash, block_number)
        )
        _ = log_index

    def _swept(self, log: Log, block_number: int, log_index: int) -> None:
        self._flush("sweep", None)
        _ = (log, block_number, log_index)

    def _successor_set(self, log: Log, block_number: int, log_index: int) -> None:
        holder, successor = address_at(log, 1), address_at(log, 2)
        self._retired_now.add(holder)
        self.changes.successors.append((holder, successor, block_number))
        _ = log_index

    # Clearing --------------------------------------------------------------------------------------------------

    def _position_changed(self, log: Log, block_number: int, log_index: int) -> None:
        participant = topic(log, 1)
        delta, position = (signed(word) for word in words(log, 2))
        changes = self.changes.position_changes
        is_claim = is_merchant(participant)
        if is_claim and delta < 0:
            self._debits[participant - _FIRST_MERCHANT] = len(changes)
        cause = "earned" if is_claim and delta > 0 else None
        self.changes.positions[participant] = (position, block_number)
        changes.append((block_number, log_index, participant, delta, position, self._time, cause, None))

    def _explain(self, merchant: MerchantId, fen: int, cause: str, reference: bytes) -> None:
        """Say why a merchant's claim became less by ``fen``: the book's event was before the one that tells."""
        place = self._debits.pop(merchant, None)
        changes = self.changes.position_changes
        if (0 if place is None else -changes[place][3]) != fen:
            raise InconsistentAnswer(self._block, f"{fen} fen {cause} are not what merchant {merchant}'s claim lost")
        if place is not None:
            changes[place] = (*changes[place][:6], cause, reference)

    def _paid_out(self, log: Log, block_number: int, log_index: int) -> None:
        merchant, reference = merchant_at(log, 1), hash_at(log, 2)
        (fen,) = words(log, 1)
        self._explain(merchant, fen, "paid_out", reference)
        self.changes.payouts.append(
            (block_number, log_index, merchant, fen, reference, self._transaction_hash, self._time)
        )

    def _appropriation_recorded(self, log: Log, block_number: int, log_index: int) -> None:
        fiscal_year, fen, total = words(log, 3)
        self._fund(log, log_index, "recorded", fiscal_year, fen, total, document=hash_at(log, 2))
        _ = block_number

    def _appropriation_lapsed(self, log: Log, block_number: int, log_index: int) -> None:
        fiscal_year, fen, total = words(log, 3)
        self._fund(log, log_index, "lapsed", fiscal_year, fen, total)
        _ = block_number

    def _appropriation_reclaimed(self, log: Log, block_number: int, log_index: int) -> None:
        fen, total = words(log, 2)
        self._fund(log, log_index, "reclaimed", 0, fen, total, payment=hash_at(log, 2))
        _ = block_number

    def _funded(self, log: Log, block_number: int, log_index: int) -> None:
        fen, total = words(log, 2)
        self._fund(log, log_index, "paid", 0, fen, total, payment=hash_at(log, 2))
        _ = block_number

    def _fund(
        self,
        log: Log,
        log_index: int,
        kind: str,
        fiscal_year: int,
        fen: int,
        total: int,
        *,
        document: bytes | None = None,
        payment: bytes | None = None,
    ) -> None:
        self.changes.funding.append(
            (self._block, log_index, topic(log, 1), kind, fiscal_year, fen, total, document, payment, self._time)
        )

    def _cycle_opened(self, log: Log, block_number: int, log_index: int) -> None:
        total, due_by = words(log, 2)
        self.changes.cycles.append((topic(log, 1), total, due_by, block_number, self._time))
        _ = log_index

    def _due_set(self, log: Log, block_number: int, log_index: int) -> None:
        fen, older = words(log, 2)
        self.changes.dues.append((topic(log, 1), topic(log, 2), fen, older, block_number, log_index))

    def _order_locked(self, log: Log, block_number: int, log_index: int) -> None:
        fen, until, complaint = words(log, 3)
        self._lock(log, log_index, fen, until, bytes32(complaint))
        _ = block_number

    def _order_unlocked(self, log: Log, block_number: int, log_index: int) -> None:
        (fen,) = words(log, 1)
        self._lock(log, log_index, -fen, None, None)
        _ = block_number

    def _lock(self, log: Log, log_index: int, delta: int, until: int | None, complaint: bytes | None) -> None:
        self.changes.locks.append(
            (self._block, log_index, hash_at(log, 1), topic(log, 2), delta, until, complaint, self._time)
        )

    def _nothing(self, log: Log, block_number: int, log_index: int) -> None:
        """Says nothing that another event does not say too."""
        _ = (log, block_number, log_index)

    def _outcome(
        self,
        log_index: int,
        order_id: OrderId,
        kind: str,
        code: int = 0,
        *,
        holder: bytes | None = None,
        merchant: MerchantId | None = None,
        from_id: int | None = None,
        amount_in: int | None = None,
        to_id: int | None = None,
        amount_out: int | None = None,
        fen: int | None = None,
        kept: tuple[int | None, int | None] = (None, None),
        is_by_arbiter: bool = False,
    ) -> None:
        self.changes.outcomes.append(
            (self._block, log_index, order_id, kind, code, holder, merchant, from_id, amount_in, to_id, amount_out, fen,
             *kept, is_by_arbiter, self._transaction_hash, self._time)
        )  # fmt: skip


_HANDLERS: dict[str, _Handler] = {
    "BatchMinted": Decoder._batch_minted,
    "BatchVoided": Decoder._batch_voided,
    "Revoked": Decoder._revoked,
    "OwedCollected": Decoder._owed_collected,
    "Exchanged": Decoder._exchanged,
    "Rejected": Decoder._rejected,
    "Redeemed": Decoder._redeemed,
    "Captured": Decoder._captured,
    "Held": Decoder._held,
    "Released": Decoder._released,
    "Refunded": Decoder._refunded,
    "RedemptionBatch": Decoder._redemption_batch,
    "Swept": Decoder._swept,
    "SuccessorSet": Decoder._successor_set,
    "Approval": Decoder._nothing,
    "OperatorSet": Decoder._nothing,
    "PositionChanged": Decoder._position_changed,
    "AppropriationRecorded": Decoder._appropriation_recorded,
    "AppropriationLapsed": Decoder._appropriation_lapsed,
    "AppropriationReclaimed": Decoder._appropriation_reclaimed,
    "Funded": Decoder._funded,
    "PaidOut": Decoder._paid_out,
    "CycleOpened": Decoder._cycle_opened,
    "DueSet": Decoder._due_set,
    "OrderLocked": Decoder._order_locked,
    "OrderUnlocked": Decoder._order_unlocked,
}
"""By the event's name: the ABIs say which contract may emit it, and a name means the same wherever it is inherited."""


def add_flow(
    flows: dict[tuple[int, str], list[int]], programme: ProgrammeId, kind: str, amount: int, events: int = 1
) -> None:
    """Add one movement to the running totals of a programme."""
    flow = flows.get((programme, kind))
    if flow is None:
        flows[(programme, kind)] = [amount, events]
    else:
        flow[0] += amount
        flow[1] += events


def stored_number(number: int) -> int:
    """Return a batch number as tables keep it: those of 2^63 and more, which their issuer is free to choose, less
    2^64, for a column of 64 bits has a sign."""
    return number - (1 << 64) if number >> 63 else number


def batch_reference(programme: ProgrammeId, number: int) -> bytes:
    """Return what the entries of a mint refer to: programme 4 bytes, batch number 8 bytes."""
    return programme.to_bytes(4, "big") + number.to_bytes(8, "big")
