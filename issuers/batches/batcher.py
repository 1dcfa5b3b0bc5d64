"""Grants become batches: shuffled, at most 500, one programme and one expiry quarter, numbered once for ever, signed.

Three steps, each resumable: number and grants are fixed (``prepared``), by intake as far as a chunk fills batches, and
here for what was left over; the issuer signs, outside any transaction, for its key may be in another house; signature
and outbox message are stored together (``queued``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.orm import Session, defer

from issuers.agency.documents import mint_document
from issuers.batches import packing
from issuers.batches.evidence import LeafRow, batch_grants, grant_ids, leaf_rows, publish, tree_of, unpack_leaves
from issuers.batches.opening import Openings
from issuers.batches.packing import Validity, pack_batches, quarter_of, store_batches
from issuers.batches.signing import REASON_MAX, Signing
from issuers.records import sql
from issuers.states import BatchState, GrantState, RecordState, change, sources
from ledger.clock import Clock
from ledger.custody.errors import SignerError
from ledger.deployment.artifacts import call_data
from ledger.deployment.file import Deployment
from ledger.errors import InvariantViolation
from ledger.outbox.outbox import CallMessage, Outbox
from ledger.outbox.routes import mint_gas
from ledger.outbox.states import MessageState
from ledger.standard.ids import BatchNumber, ProgrammeId, address_bytes, programme_participant, token_id
from ledger.standard.keccak import keccak256
from ledger.standard.typed_data import MintBatch
from ledger.standard.value import MICROFEN_MINOR
from ledger.store.database import Database, bulk_insert_new, prefer_indexes
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceGrantRow,
    IssuanceReadyRow,
    IssuanceRecordRow,
    IssuanceRulebookRow,
)
from ledger.store.models.projection import BatchRow as ChainBatchRow
from ledger.store.models.projection import ChainProgrammeRow, PositionRow, SupplyRow
from ledger.webhooks.book import News, of_issuer
from ledger.webhooks.book import publish as tell

_LOG = logging.getLogger(__name__)
_TAKE_MAX = 5_000
_SIGNED_AT_ONCE = 64
_SETTLED_AT_ONCE = 64
_WITHOUT_GRANTS = defer(IssuanceBatchRow.packed)  # 14 KB a batch that only signing needs
_ENDS = {
    MessageState.DONE: BatchState.LANDED,
    MessageState.WAITING_FUNDING: BatchState.WAITING,
    MessageState.FAILED: BatchState.FAILED,
}
_PLACE_SQLITE = (
    f"UPDATE issuance_grants SET state = '{GrantState.BATCHED}', batch_number = ?, batch_position = ? "  # noqa: S608
    f"WHERE grant_id = ? AND state = '{GrantState.READY}'"
)
_PLACE_POSTGRES = (
    f"UPDATE issuance_grants AS g SET state = '{GrantState.BATCHED}', batch_number = %s, batch_position = k.position "  # noqa: S608
    "FROM (SELECT i AS position, substr(%s::bytea, i * 32 + 1, 32) AS id FROM generate_series(0, %s - 1) AS i) AS k "
    f"WHERE g.grant_id = k.id AND g.state = '{GrantState.READY}'"
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What `Batcher.settle` found out."""

    landed: int = 0
    waiting: int = 0
    failed: int = 0


def mint_key(programme: ProgrammeId, number: int) -> str:
    """Return the outbox key of a batch."""
    return f"mint:{programme}:{number}"


class _TakenByAnother(Exception):
    """Another gateway batches these grants."""


class _TakenBack(Exception):
    """Some of these grants were taken back; make the batches without them."""


class Batcher:
    """Makes, signs, sends and settles batches."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        clock: Clock,
        deployment: Deployment,
        signing: Signing,
        leaves_folder: Path | None = None,
        openings: Openings | None = None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._ledger = deployment.address("PointsLedger")
        self._signing = signing
        self._openings = openings
        self._leaves = leaves_folder

    # ------------------------------------------------------------------------------------------------- batches

    def due(self, *, flush: bool = True) -> set[int]:
        """Return the programmes for which `make` has something to do: one look instead of several at each of them."""
        ready = func.sum(IssuanceReadyRow.grants)
        with self._database.read() as session:
            waiting = session.scalars(
                select(IssuanceReadyRow.programme)
                .group_by(IssuanceReadyRow.programme)
                .having(ready >= (1 if flush else packing.GRANTS_MAX))
            )
            unsigned = session.scalars(
                select(IssuanceBatchRow.programme).where(IssuanceBatchRow.state == BatchState.PREPARED)
            )
            return {*waiting, *unsigned}

    def make(self, programme: ProgrammeId, validity: Validity, *, flush: bool = True) -> list[BatchNumber]:
        """Batch all ready grants of a programme, sign and enqueue them; return the numbers.

        ``validity``: quarters by rulebook version (None: the points never expire). Without ``flush`` grants that fill
        no batch wait for more. While the signer is away nothing more is batched: what is prepared waits for it, and
        says so.
        """
        numbers: list[BatchNumber] = []
        signed, is_there = self.sign_prepared(programme)
        while signed:
            numbers += signed
            signed, is_there = self.sign_prepared(programme)
        while is_there:
            prepared = self._prepare(programme, validity, flush)
            if not prepared:
                break
            _, is_there = self._sign_and_queue(programme, prepared)
            numbers += [BatchNumber(row.number) for row in prepared]
        return numbers

    def sign_prepared(self, programme: ProgrammeId) -> tuple[list[BatchNumber], bool]:
        """Sign and enqueue batches that intake made, or that a crash or a signer that was away left unsigned.

        Returns the numbers that were signed, of some at once, and whether the signer is there.
        """
        prepared = (IssuanceBatchRow.programme == programme, IssuanceBatchRow.state == BatchState.PREPARED)
        with self._database.read() as session:
            numbers = select(IssuanceBatchRow.number).where(*prepared).order_by(IssuanceBatchRow.number)
            waiting = session.scalars(numbers).all()
            if not waiting:
                return [], True
            if self._signing.is_away(programme):
                return [], False
            some = self._signing.not_refused(programme, waiting)[:_SIGNED_AT_ONCE]
            rows = session.scalars(
                select(IssuanceBatchRow)
                .where(*prepared, IssuanceBatchRow.number.in_(some))
                .order_by(IssuanceBatchRow.number)  # several gateways lock them in one order
            ).all()
            session.expunge_all()  # what follows is written with the signature, not here
            for row in rows:
                quarter = quarter_of(row.validity_quarters, self._clock.timestamp())
                if quarter != row.quarter:
                    row.quarter = quarter
                    leaves = leaf_rows(session, row.programme, row.number)
                    row.evidence_root = tree_of(leaves, token_id(row.programme, quarter)).root
        return self._sign_and_queue(programme, rows)

    def _prepare(self, programme: ProgrammeId, validity: Validity, flush: bool) -> list[IssuanceBatchRow]:
        """Make batches of what waits. Everything but the numbers is worked out before the transaction begins."""
        ready_ids, leaves = self._waiting(programme, flush)
        while leaves:
            made, left = pack_batches(programme, leaves, validity, self._clock.timestamp(), flush=flush)
            if not made:
                return []
            try:
                with self._database.transaction() as session:
                    return self._store(session, programme, ready_ids, made, left)
            except _TakenBack:
                with self._database.read() as session:
                    gone = sql.not_ready(session, [leaf.grant_id for leaf in leaves])
                leaves = [leaf for leaf in leaves if leaf.grant_id not in gone]
            except _TakenByAnother:
                return []
        if ready_ids:
            self._forget(ready_ids)
        return []

    def _waiting(self, programme: ProgrammeId, flush: bool) -> tuple[list[int], list[LeafRow]]:
        """Return what waits, oldest first, about as much as is batched at once; nothing if it fills no batch yet."""
        with self._database.read() as session:
            mine = select(IssuanceReadyRow.ready_id, IssuanceReadyRow.grants).where(
                IssuanceReadyRow.programme == programme
            )
            ready_ids: list[int] = []
            count = 0
            for ready_id, grants in session.execute(mine.order_by(IssuanceReadyRow.ready_id).limit(_TAKE_MAX)):
                ready_ids.append(ready_id)
                count += grants
                if count >= _TAKE_MAX:
                    break
            if count == 0 or (count < packing.GRANTS_MAX and not flush):
                return [], []
            packed = session.scalars(select(IssuanceReadyRow.leaves).where(IssuanceReadyRow.ready_id.in_(ready_ids)))
            return ready_ids, unpack_leaves(b"".join([bytes(one) for one in packed]))

    def _store(
        self,
        session: Session,
        programme: ProgrammeId,
        ready_ids: Sequence[int],
        made: Sequence[IssuanceBatchRow],
        left: Sequence[LeafRow],
    ) -> list[IssuanceBatchRow]:
        """Number the batches and place their grants. Raises _TakenByAnother or _TakenBack."""
        # Deleting the row is the claim: a second process finds nothing to delete.
        done: Any = session.execute(delete(IssuanceReadyRow).where(IssuanceReadyRow.ready_id.in_(ready_ids)))
        if done.rowcount != len(ready_ids):
            raise _TakenByAnother
        sql.add_ready(session, programme, [leaf.pack() for leaf in left])
        store_batches(session, programme, made)
        if self._place(session, made) != sum(row.grants for row in made):
            raise _TakenBack
        return list(made)

    def _place(self, session: Session, made: Sequence[IssuanceBatchRow]) -> int:
        """Note in which batch each grant is, and where; returns how many were still ready."""
        connection = session.connection()
        placed = [(row.number, grant_ids(row.leaves)) for row in made]
        if sql.is_sqlite(session):
            rows = [(number, at, grant) for number, grants in placed for at, grant in enumerate(grants)]
            return connection.exec_driver_sql(_PLACE_SQLITE, rows).rowcount
        prefer_indexes(session)
        # A statement a batch, its ids in one value: a statement a grant, or an array, costs several times as much.
        return sum(
            connection.exec_driver_sql(_PLACE_POSTGRES, (number, b"".join(grants), len(grants))).rowcount
            for number, grants in placed
        )

    def _forget(self, ready_ids: Sequence[int]) -> None:
        """All that waited in these rows was taken back."""
        with self._database.transaction() as session:
            session.execute(delete(IssuanceReadyRow).where(IssuanceReadyRow.ready_id.in_(ready_ids)))

    def _sign_and_queue(
        self, programme: ProgrammeId, rows: Sequence[IssuanceBatchRow]
    ) -> tuple[list[BatchNumber], bool]:
        """Sign and enqueue; what is refused, or cannot be signed now, keeps the reason. Returns as `sign_prepared`."""
        signed: list[tuple[IssuanceBatchRow, bytes]] = []
        unsigned: list[tuple[IssuanceBatchRow, str]] = []
        away: SignerError | None = None
        for row in rows:
            try:
                if away is None:
                    signed.append((row, self._sign(row)))
                    continue
            except SignerError as error:
                unsigned.append((row, str(error)))
                away = error if error.is_away else None
            else:
                unsigned.append((row, str(away)))
        calls = [
            CallMessage(
                "mint",
                mint_key(programme, row.number),
                self._ledger,
                mint_call(row, signature),
                mint_gas(row.grants),
            )
            for row, signature in signed
        ]
        unsigned = [(row, why[:REASON_MAX]) for row, why in unsigned if row.reason != why[:REASON_MAX]]
        if not signed and not unsigned and away is None:
            return [], True
        with self._database.transaction() as session:
            stored = [self._store_signature(session, row, signature) for row, signature in signed]
            # What was set aside while it was signed (see `voiding`) is not sent.
            self._outbox.enqueue_calls(session, [call for call, kept in zip(calls, stored, strict=True) if kept])
            for row, why in unsigned:
                session.execute(
                    update(IssuanceBatchRow)
                    .where(
                        IssuanceBatchRow.programme == programme,
                        IssuanceBatchRow.number == row.number,
                        IssuanceBatchRow.state == BatchState.PREPARED,
                    )
                    .values(reason=why, updated_at=self._clock.timestamp())
                )
            if away is not None:  # the others were not even asked for
                session.execute(
                    update(IssuanceBatchRow)
                    .where(
                        IssuanceBatchRow.programme == programme,
                        IssuanceBatchRow.state == BatchState.PREPARED,
                        IssuanceBatchRow.reason.is_(None),
                    )
                    .values(reason=str(away)[:REASON_MAX], updated_at=self._clock.timestamp())
                )
        return [BatchNumber(row.number) for row, _ in signed], away is None

    def _sign(self, row: IssuanceBatchRow) -> bytes:
        """Raises SignerError."""
        return self._signing.sign(self._message(row), self._document(row))

    def _document(self, row: IssuanceBatchRow) -> Callable[[], dict[str, Any]]:
        programme, number, quarter = row.programme, row.number, row.quarter

        def document() -> dict[str, Any]:
            with self._database.read() as session:
                opened = {} if self._openings is None else self._openings(session, programme, number)
                leaves = leaf_rows(session, programme, number)
            parts = [leaf.document(opened.get(leaf.grant_id)) for leaf in leaves]
            return mint_document(self._signing.domain, programme, quarter, number, parts)

        return document

    def _message(self, row: IssuanceBatchRow) -> MintBatch:
        return MintBatch(row.programme, row.quarter, row.number, bytes(row.evidence_root), keccak256(bytes(row.packed)))

    def _store_signature(self, session: Session, row: IssuanceBatchRow, signature: bytes) -> bool:
        done: Any = session.execute(
            update(IssuanceBatchRow)
            .where(
                IssuanceBatchRow.programme == row.programme,
                IssuanceBatchRow.number == row.number,
                IssuanceBatchRow.state.in_((BatchState.PREPARED, BatchState.QUEUED)),
            )
            .values(
                quarter=row.quarter,
                evidence_root=row.evidence_root,
                signer=address_bytes(self._signing.address(row.programme)),
                signature=signature,
                attempt=IssuanceBatchRow.attempt + 1,
                state=change(BatchState.PREPARED, BatchState.QUEUED),
                reason=None,
                updated_at=self._clock.timestamp(),
            )
        )
        return bool(done.rowcount)

    # ---------------------------------------------------------------------------------------------- settlement

    def settle(self) -> Settled:
        """Read batch outcomes from the outbox; publish leaves of what landed."""
        with self._database.read() as session:
            open_rows = session.scalars(
                select(IssuanceBatchRow)
                .where(IssuanceBatchRow.state.in_((BatchState.QUEUED, BatchState.WAITING, BatchState.FAILED)))
                .options(_WITHOUT_GRANTS)
            ).all()
            statuses = self._outbox.statuses(session, [mint_key(row.programme, row.number) for row in open_rows])
        ended = []
        for row in open_rows:
            status = statuses.get(mint_key(row.programme, row.number))
            if status is None:
                raise InvariantViolation(f"batch {row.number} of programme {row.programme} is not in the outbox")
            state = _ENDS.get(status.state)
            if state is not None and not (state == row.state and row.reason == status.reason):
                ended.append((row, state, status.reason))
        # Leaves are published before the batch counts as landed: a crash between publishes them once more.
        self._publish([row for row, state, _ in ended if state == BatchState.LANDED])
        counts = {BatchState.LANDED: 0, BatchState.WAITING: 0, BatchState.FAILED: 0}
        for start in range(0, len(ended), _SETTLED_AT_ONCE):
            part = ended[start : start + _SETTLED_AT_ONCE]
            with self._database.transaction() as session:
                moved = [row for row, state, reason in part if self._change(session, row, state, reason)]
                tell(session, map(_news, moved), self._clock.timestamp())
                for _, state, _ in part:
                    counts[state] += 1
        return Settled(**counts)

    def _change(self, session: Session, seen: IssuanceBatchRow, state: BatchState, reason: str | None) -> bool:
        """Take a batch over into a state; return whether it has landed by this."""
        row = session.execute(
            select(IssuanceBatchRow)
            .where(IssuanceBatchRow.programme == seen.programme, IssuanceBatchRow.number == seen.number)
            .options(_WITHOUT_GRANTS)
            .with_for_update()
        ).scalar_one()
        if row.state == state:
            row.reason = reason
            return False
        if row.state not in sources(BatchState.LANDED):
            return False  # set aside meanwhile: its void decides
        has_landed = state is BatchState.LANDED
        if has_landed:
            row.quarter, row.evidence_root = seen.quarter, seen.evidence_root
        before, after = RecordState.ACCEPTED, RecordState.WAITING
        if has_landed:
            before, after = after, before
        if not (has_landed and row.state == BatchState.QUEUED):
            ids = batch_grants(session, row.programme, row.number)
            records = (
                select(IssuanceGrantRow.record_id)
                .where(IssuanceGrantRow.grant_id.in_(ids), IssuanceGrantRow.batch_number == row.number)
                .scalar_subquery()
            )
            done: Any = session.execute(
                update(IssuanceRecordRow)
                .where(IssuanceRecordRow.record_id.in_(records), IssuanceRecordRow.status == before)
                .values(
                    status=change(before, after),
                    reason=None if has_landed else "funding",
                    updated_at=row.updated_at,
                )
                .execution_options(synchronize_session=False)
            )
            sql.add_tallies(session, row.programme, {before: -done.rowcount, after: done.rowcount})
        row.state = change(row.state, state)
        row.reason = reason
        row.updated_at = self._clock.timestamp()
        session.flush()
        return has_landed

    def _publish(self, landed: Sequence[IssuanceBatchRow]) -> None:
        """Write the leaf files of landed batches, by the evidence that landed."""
        for start in range(0, len(landed), _SETTLED_AT_ONCE):
            with self._database.read() as session:
                for row in landed[start : start + _SETTLED_AT_ONCE]:
                    leaves = leaf_rows(session, row.programme, row.number)
                    self._match_chain(session, row, leaves)
                    if self._leaves is not None:
                        publish(self._leaves, row, leaves)

    def _match_chain(self, session: Session, row: IssuanceBatchRow, leaves: Sequence[LeafRow]) -> None:
        """Take over the quarter in which the batch landed: bytes signed for an earlier one stay valid."""
        landed = session.get(ChainBatchRow, (row.programme, row.number))
        if landed is None or landed.evidence_root is None or landed.evidence_root == row.evidence_root:
            return
        root = tree_of(leaves, token_id(row.programme, landed.quarter or 0)).root
        if root != landed.evidence_root:
            raise InvariantViolation(f"batch {row.number} of programme {row.programme} landed with another's evidence")
        row.quarter = landed.quarter or 0
        row.evidence_root = root

    def retry_waiting(self, programme: ProgrammeId | None = None, *, only_funded: bool = False) -> int:
        """Send batches again that wait for funding or failed; re-sign where quarter or key has changed.

        Number and grants stay what they are. With ``only_funded``: only those that wait for funding and that the
        programme's funding covers by now, as far as the projection knows. Returns how many were sent again.
        """
        with self._database.read() as session:
            query = select(IssuanceBatchRow).where(IssuanceBatchRow.state.in_((BatchState.WAITING, BatchState.FAILED)))
            if programme is not None:
                query = query.where(IssuanceBatchRow.programme == programme)
            rows = session.scalars(query.order_by(IssuanceBatchRow.number)).all()
            if only_funded:
                rows = [*_covered(session, rows), *[row for row in rows if self._is_curable(row)]]
        sent = 0
        for row in rows:
            try:
                sent += self._send_again(row)
            except SignerError as error:
                _LOG.info("batch %d of programme %d waits: %s", row.number, row.programme, error)
        return sent

    def _send_again(self, row: IssuanceBatchRow) -> int:
        """Returns how many were sent: 0 or 1. Raises SignerError."""
        signer = address_bytes(self._signing.address(row.programme))
        quarter = quarter_of(row.validity_quarters, self._clock.timestamp())
        if quarter != row.quarter or signer != row.signer or row.state != BatchState.WAITING:
            return self._sign_again(row, quarter, signer)
        key = mint_key(row.programme, row.number)
        with self._database.transaction() as session:
            status = self._outbox.status(session, key)
            if status is None or status.state is not MessageState.WAITING_FUNDING:
                return 0
            self._outbox.requeue(session, key)
        return 1

    def _is_curable(self, row: IssuanceBatchRow) -> bool:
        """Whether signing it again fixes a batch that failed: its key was rotated, or its lot died, in flight."""
        if row.state != BatchState.FAILED or row.reason is None:
            return False
        if self._signing.is_rotated(row.programme, row.reason):
            return True
        return (
            row.reason.startswith("PointsLedgerLotDead")
            and quarter_of(row.validity_quarters, self._clock.timestamp()) != row.quarter
        )

    def _sign_again(self, row: IssuanceBatchRow, quarter: int, signer: bytes) -> int:
        with self._database.read() as session:
            leaves = leaf_rows(session, row.programme, row.number)
        row.quarter = quarter
        row.evidence_root = tree_of(leaves, token_id(row.programme, quarter)).root
        signature = self._sign(row)
        key = mint_key(row.programme, row.number)
        with self._database.transaction() as session:
            now = session.get_one(IssuanceBatchRow, (row.programme, row.number), with_for_update=True)
            status = self._outbox.status(session, key)
            if status is None or status.state not in (MessageState.WAITING_FUNDING, MessageState.FAILED):
                return 0
            if now.state not in (BatchState.WAITING, BatchState.FAILED):
                return 0
            self._outbox.replace_call(session, key, mint_call(row, signature), mint_gas(row.grants))
            session.execute(
                update(IssuanceBatchRow)
                .where(IssuanceBatchRow.programme == row.programme, IssuanceBatchRow.number == row.number)
                .values(
                    quarter=quarter,
                    evidence_root=row.evidence_root,
                    signer=signer,
                    signature=signature,
                    attempt=IssuanceBatchRow.attempt + 1,
                    updated_at=self._clock.timestamp(),
                )
            )
        return 1


def _news(row: IssuanceBatchRow) -> News:
    """Return what an agency's systems are told of a batch that landed."""
    data = {
        "programme": row.programme,
        "batch": str(row.number),
        "grants": row.grants,
        "amount_minor": str(row.amount_minor),
        "evidence_root": "0x" + row.evidence_root.hex(),
    }
    return News(of_issuer(row.programme), "batch.landed", data)


def _covered(session: Session, rows: Sequence[IssuanceBatchRow]) -> list[IssuanceBatchRow]:
    """Return the waiting batches, lowest number first, that the funding covers: supply · par − position ≤
    appropriated − paid must hold after them, as the contract checks it."""
    left: dict[int, int] = {}
    fitting = []
    for row in rows:
        if row.state != BatchState.WAITING:
            continue
        known = session.get(ChainProgrammeRow, row.programme)
        if known is None:
            continue
        if row.programme not in left:
            supply = session.scalar(
                select(func.sum(SupplyRow.supply_minor)).where(SupplyRow.programme == row.programme)
            )
            position = session.get(PositionRow, programme_participant(row.programme))
            available = known.appropriated_fen - known.paid_fen + (0 if position is None else position.position_fen)
            left[row.programme] = available * MICROFEN_MINOR - int(supply or 0) * known.par_microfen
        if row.amount_minor * known.par_microfen <= left[row.programme]:
            left[row.programme] -= row.amount_minor * known.par_microfen
            fitting.append(row)
    return fitting


def batch_argument(row: IssuanceBatchRow) -> tuple[ProgrammeId, int, int, bytes, bytes]:
    """Return a batch as the contracts' ``Batch`` struct."""
    return (row.programme, row.quarter, row.number, bytes(row.evidence_root), bytes(row.packed))


def mint_call(row: IssuanceBatchRow, signature: bytes) -> bytes:
    """Return the calldata of a signed batch."""
    return call_data(
        "PointsLedger",
        "mint",
        (batch_argument(row), signature),
    )


def store_rulebook(
    session: Session, programme: ProgrammeId, version: int, digest: bytes, content: str, now: int
) -> None:
    """Keep a rulebook version for ever. Raises InvariantViolation if that version was kept with other content."""
    bulk_insert_new(
        session,
        cast(Table, IssuanceRulebookRow.__table__),
        ["programme", "version", "rulebook_hash", "content", "created_at"],
        [(programme, version, digest, content, now)],
    )
    known = session.get_one(IssuanceRulebookRow, (programme, version))
    if known.rulebook_hash != digest:
        raise InvariantViolation(
            f"rulebook {version} of programme {programme} was changed after it was put in force; give it a new version"
        )
