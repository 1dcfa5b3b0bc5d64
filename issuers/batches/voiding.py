"""Giving up a batch number: an issuer-signed void, and only when it is final do the grants get new numbers.

Bytes that were signed for a batch stay valid until its number is void on chain. So the order is fixed: the number is
set aside and its message withdrawn; the void is signed and sent like a batch; once it is final the grants are ready
again. If the batch lands first, the void fails, and the batch counts as landed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from issuers.agency.documents import void_document
from issuers.batches.batcher import mint_key
from issuers.batches.calls import IssuerCalls
from issuers.batches.evidence import batch_grants, leaf_rows
from issuers.batches.signing import REASON_MAX, Signing
from issuers.errors import BatchLanded, BatchNotFound
from issuers.records import sql
from issuers.states import BatchState, GrantState, RecordState, RevocationState, VoidState, change, sources
from ledger.clock import Clock
from ledger.custody.errors import SignerError
from ledger.deployment.artifacts import call_data
from ledger.deployment.file import Deployment
from ledger.outbox.outbox import MessageStatus, Outbox
from ledger.outbox.states import MessageState
from ledger.standard.ids import Address, ProgrammeId, address_bytes
from ledger.standard.typed_data import VoidBatch
from ledger.store.database import Database
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceGrantRow,
    IssuanceRecordRow,
    IssuanceRevocationRow,
    IssuanceVoidRow,
)

_LOG = logging.getLogger(__name__)
_GAS_VOID = 200_000
_LANDED_FIRST = "PointsLedgerBatchLanded"


@dataclass(frozen=True, slots=True)
class VoidStatus:
    """Where a void stands, with the problem if there is one."""

    programme: ProgrammeId
    number: int
    state: VoidState
    reason: str
    problem: str | None


def void_key(programme: ProgrammeId, number: int) -> str:
    """Return the outbox key of a void."""
    return f"void:{programme}:{number}"


class Voiding:
    """Requests, signs, sends and settles voids."""

    def __init__(
        self, database: Database, outbox: Outbox, clock: Clock, deployment: Deployment, signing: Signing
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._calls = IssuerCalls(outbox, "void", deployment.address("PointsLedger"), _GAS_VOID)
        self._signing = signing

    def request(self, programme: ProgrammeId, number: int, by: str, reason: str) -> VoidStatus:
        """Set a batch aside and ask for its void; the same request again changes nothing.

        Raises BatchNotFound, or BatchLanded: then only revocations take its grants back.
        """
        now = self._clock.timestamp()
        with self._database.transaction() as session:
            batch = _locked(session, programme, number)
            if batch is None:
                raise BatchNotFound(programme, number)
            if batch.state == BatchState.LANDED:
                raise BatchLanded(programme, number)
            void = session.get(IssuanceVoidRow, (programme, number), with_for_update=True)
            if void is None:
                void = IssuanceVoidRow(
                    programme=programme,
                    number=number,
                    reason=reason,
                    requested_by=by,
                    signer=None,
                    state=VoidState.WANTED,
                    problem=None,
                    created_at=now,
                    updated_at=now,
                )
                session.add(void)
            elif void.state == VoidState.FAILED:
                void.state, void.problem, void.updated_at = change(void.state, VoidState.WANTED), None, now
            if batch.state not in (BatchState.VOID, BatchState.VOIDING):
                batch.state = change(batch.state, BatchState.VOIDING)
                batch.reason, batch.updated_at = f"void: {reason}"[:REASON_MAX], now
                self._outbox.withdraw(session, mint_key(programme, number), "its number is to be void")
            session.flush()
            return _status(void)

    def give_up_overtaken(self, programme: ProgrammeId) -> int:
        """Ask for the voids of batches that are not signed yet and that hold a grant that was taken back as a whole
        since they were made: its points need never be minted, and its record says something else by now, so that an
        agency could not derive it. Returns how many batches were given up."""
        overtaken = (
            select(IssuanceGrantRow.batch_number)
            .join(IssuanceRevocationRow, IssuanceRevocationRow.grant_id == IssuanceGrantRow.grant_id)
            .join(
                IssuanceBatchRow,
                (IssuanceBatchRow.programme == IssuanceGrantRow.programme)
                & (IssuanceBatchRow.number == IssuanceGrantRow.batch_number),
            )
            .where(
                IssuanceRevocationRow.state == RevocationState.WANTED,
                IssuanceRevocationRow.programme == programme,
                IssuanceGrantRow.revoked_minor == IssuanceGrantRow.amount_minor,
                IssuanceBatchRow.state == BatchState.PREPARED,
                IssuanceBatchRow.attempt == 0,
            )
            .distinct()
        )
        with self._database.read() as session:
            numbers = sorted(number for number in session.scalars(overtaken) if number is not None)
        for number in numbers:
            self.request(programme, number, "intake", "a grant was taken back before the batch was signed")
        return len(numbers)

    def status(self, programme: ProgrammeId, number: int) -> VoidStatus | None:
        """Return where the void of a batch stands, if one was asked for."""
        with self._database.read() as session:
            void = session.get(IssuanceVoidRow, (programme, number))
            return None if void is None else _status(void)

    def send(self) -> int:
        """Sign and enqueue wanted voids; returns how many. A signer that is away is asked again."""
        with self._database.read() as session:
            open_rows = session.scalars(
                select(IssuanceVoidRow).where(IssuanceVoidRow.state.in_((VoidState.WANTED, VoidState.FAILED)))
            ).all()
        sent = 0
        for void in open_rows:
            if void.state == VoidState.FAILED and not self._signing.is_rotated(void.programme, void.problem):
                continue
            message = VoidBatch(void.programme, void.number)
            try:
                signer = self._signing.address(void.programme)
                document = void_document(self._signing.domain, void.programme, void.number)
                signature = self._signing.sign(message, document.copy)
            except SignerError as error:
                self._note(void, str(error)[:REASON_MAX])
                continue
            sent += self._enqueue(void, signer, signature)
        return sent

    def settle(self) -> int:
        """Read the outcomes of voids, and release the grants of final voids; returns how many ended."""
        with self._database.read() as session:
            queued = session.scalars(select(IssuanceVoidRow).where(IssuanceVoidRow.state == VoidState.QUEUED)).all()
            outcomes = self._calls.ended(session, [void_key(row.programme, row.number) for row in queued])
        ended = 0
        for void in queued:
            status = outcomes.get(void_key(void.programme, void.number))
            if status is None:
                continue
            with self._database.transaction() as session:
                ended += self._end(session, void.programme, void.number, status)
        return ended

    # -------------------------------------------------------------------------------------------------- inside

    def _enqueue(self, void: IssuanceVoidRow, signer: Address, signature: bytes) -> int:
        key = void_key(void.programme, void.number)
        data = call_data("PointsLedger", "voidBatch", (void.programme, void.number, signature))
        with self._database.transaction() as session:
            row = session.get_one(IssuanceVoidRow, (void.programme, void.number), with_for_update=True)
            if row.state not in (VoidState.WANTED, VoidState.FAILED):
                return 0
            self._calls.enqueue(session, key, data)
            row.state, row.problem = change(row.state, VoidState.QUEUED), None
            row.signer = address_bytes(signer)
            row.updated_at = self._clock.timestamp()
        return 1

    def _note(self, void: IssuanceVoidRow, problem: str) -> None:
        if void.problem == problem:
            return
        with self._database.transaction() as session:
            session.execute(
                update(IssuanceVoidRow)
                .where(
                    IssuanceVoidRow.programme == void.programme,
                    IssuanceVoidRow.number == void.number,
                    IssuanceVoidRow.state == VoidState.WANTED,
                )
                .values(problem=problem, updated_at=self._clock.timestamp())
            )

    def _end(self, session: Session, programme: ProgrammeId, number: int, status: MessageStatus) -> int:
        void = session.get_one(IssuanceVoidRow, (programme, number), with_for_update=True)
        batch = _locked(session, programme, number)
        if void.state != VoidState.QUEUED or batch is None:
            return 0
        now = self._clock.timestamp()
        void.updated_at = batch.updated_at = now
        why = status.reason or ""
        if status.state is MessageState.DONE:
            void.state = change(void.state, VoidState.FINAL)
            batch.state = change(batch.state, BatchState.VOID)
            self._give_back(session, programme, number, now)
        elif why.startswith(_LANDED_FIRST):
            void.state = change(void.state, VoidState.FAILED)
            void.problem = "the batch landed first; revoke what shall be taken back"
            self._count_as_sent(session, batch)
        else:
            void.state, void.problem = change(void.state, VoidState.FAILED), why[:REASON_MAX]
            _LOG.error("the void of batch %d of programme %d failed: %s", number, programme, why)
        session.flush()
        return 1

    def _count_as_sent(self, session: Session, batch: IssuanceBatchRow) -> None:
        """Let the batch be settled like any other: its own message says so once it is sent again."""
        key = mint_key(batch.programme, batch.number)
        status = self._outbox.status(session, key)
        self._wait_no_more(session, batch.programme, batch.number, batch.updated_at)
        batch.reason = None
        if status is None:
            batch.state = change(batch.state, BatchState.PREPARED)
            return
        batch.state = change(batch.state, BatchState.QUEUED)
        if status.state is MessageState.FAILED:
            self._outbox.requeue(session, key)

    def _give_back(self, session: Session, programme: ProgrammeId, number: int, now: int) -> None:
        """Make the grants ready for new numbers; what was wholly taken back meanwhile never gets one."""
        self._wait_no_more(session, programme, number, now)
        mine = _grants_of(session, programme, number)
        taken_back = IssuanceGrantRow.revoked_minor == IssuanceGrantRow.amount_minor
        session.execute(
            update(IssuanceRevocationRow)
            .where(
                IssuanceRevocationRow.grant_id.in_(select(IssuanceGrantRow.grant_id).where(*mine, taken_back)),
                IssuanceRevocationRow.state.in_(sources(RevocationState.NEEDLESS)),
            )
            .values(state=RevocationState.NEEDLESS, updated_at=now)
            .execution_options(synchronize_session=False)
        )
        given_back = set(session.scalars(select(IssuanceGrantRow.grant_id).where(*mine, ~taken_back)))
        leaves = leaf_rows(session, programme, number)
        sql.add_ready(session, programme, [leaf.pack() for leaf in leaves if leaf.grant_id in given_back])
        for condition, state in ((taken_back, GrantState.CANCELLED), (~taken_back, GrantState.READY)):
            session.execute(
                update(IssuanceGrantRow)
                .where(*mine, condition, IssuanceGrantRow.state.in_(sources(state)))
                .values(state=state, batch_number=None, batch_position=None)
                .execution_options(synchronize_session=False)
            )

    def _wait_no_more(self, session: Session, programme: ProgrammeId, number: int, now: int) -> None:
        """Records whose batch waited for funding do not wait for that any more."""
        done: Any = session.execute(
            update(IssuanceRecordRow)
            .where(
                IssuanceRecordRow.record_id.in_(
                    select(IssuanceGrantRow.record_id).where(*_grants_of(session, programme, number))
                ),
                IssuanceRecordRow.status == RecordState.WAITING,
            )
            .values(status=change(RecordState.WAITING, RecordState.ACCEPTED), reason=None, updated_at=now)
            .execution_options(synchronize_session=False)
        )
        sql.add_tallies(session, programme, {RecordState.WAITING: -done.rowcount, RecordState.ACCEPTED: done.rowcount})


def _grants_of(
    session: Session, programme: ProgrammeId, number: int
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    ids = batch_grants(session, programme, number)
    return (IssuanceGrantRow.grant_id.in_(ids), IssuanceGrantRow.batch_number == number)


def _locked(session: Session, programme: ProgrammeId, number: int) -> IssuanceBatchRow | None:
    return session.get(IssuanceBatchRow, (programme, number), with_for_update=True)


def _status(void: IssuanceVoidRow) -> VoidStatus:
    return VoidStatus(void.programme, void.number, VoidState(void.state), void.reason, void.problem)


__all__ = ["VoidStatus", "Voiding", "void_key"]
