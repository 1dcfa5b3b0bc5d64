"""Held records and false declarations: what two people decide, and what is taken back."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.batches.grants import Writer
from issuers.batches.opening import delivery_of, unsealed
from issuers.errors import ReviewClosed, ReviewNotFound, SameApprover
from issuers.intake.chunks import FALSE_DECLARATION, REVOKED, Pipeline
from issuers.records.revoking import take_back
from issuers.records.vault import RecordKeys, Vault
from issuers.rules.refusals import Fault, RefusalCode
from issuers.states import RecordState, ReviewState, change
from ledger.clock import Clock
from ledger.custody.master import RandomBytes
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceRecordRow, IssuanceReviewRow


class Reviewing:
    """Decides held records, and revokes what false declarations earned."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        pipeline: Pipeline,
        keys: RecordKeys,
        vault: Vault,
        random: RandomBytes = os.urandom,
    ) -> None:
        self._database = database
        self._clock = clock
        self._pipeline = pipeline
        self._keys = keys
        self._vault = vault
        self._random = random

    def approve(self, review_id: int, approver: str) -> str:
        """Approve a held record. The second of two different people releases it to the rules.

        Returns ``first`` or the record's new status. Raises ReviewNotFound, ReviewClosed or SameApprover.
        """
        now = self._clock.timestamp()
        with self._database.transaction() as session:
            review = self._open_review(session, review_id)
            if review.approver_first is None:
                review.approver_first = approver
                return "first"
            if review.approver_first == approver:
                raise SameApprover(review_id, approver)
            review.approver_second = approver
            review.state = change(review.state, ReviewState.APPROVED)
            review.decided_at = now
            record = session.get_one(IssuanceRecordRow, review.record_id, with_for_update=True)
            if record.status != RecordState.HELD:
                return record.status
            deed = unsealed(record, delivery_of(session, self._vault, record))
            writer = Writer(session, record.programme, self._keys, now, self._random)
            delivery = delivery_of(session, self._vault, record)
            self._pipeline.reconsider(session, writer, delivery, [(record, deed)], now, is_screened=True)
            writer.flush()
            return record.status

    def reject(self, review_id: int, approver: str, note: str | None = None) -> None:
        """Reject a held record: it is refused. Raises ReviewNotFound or ReviewClosed."""
        now = self._clock.timestamp()
        with self._database.transaction() as session:
            review = self._open_review(session, review_id)
            review.state = change(review.state, ReviewState.REJECTED)
            review.note = note
            review.approver_first = review.approver_first or approver
            if review.approver_first != approver:
                review.approver_second = approver
            review.decided_at = now
            record = session.get_one(IssuanceRecordRow, review.record_id, with_for_update=True)
            if record.status != RecordState.HELD:
                return
            record.status = change(record.status, RecordState.REFUSED)
            record.reason, record.updated_at = RefusalCode.REVIEW_REJECTED.value, now
            writer = Writer(session, record.programme, self._keys, now, self._random)
            fault = Fault(record.row_number, None, None, RefusalCode.REVIEW_REJECTED)
            writer.fault(delivery_of(session, self._vault, record), fault, record.record_id)
            writer.tallies[RecordState.HELD] -= 1
            writer.tallies[RecordState.REFUSED] += 1
            writer.flush()

    def revoke_false(
        self,
        programme: ProgrammeId,
        systems: Sequence[str],
        record_ids: Sequence[str],
        by: str,
        note: str | None = None,
    ) -> int:
        """Revoke all that declarations earned which proved false, by their natural ids in the source system.

        Grants that landed are revoked on chain (`send_revocations`), others never get there; caps stay used, and later
        versions of the records are refused. ``systems``: the source systems that may know the ids.
        Returns how many records lost points; a second call finds nothing left.
        """
        now = self._clock.timestamp()
        revoked = 0
        with self._database.transaction() as session:
            writer = Writer(session, programme, self._keys, now, self._random)
            for one in record_ids:
                keys = [self._keys.dedupe(programme, name, one) for name in systems]
                record = session.scalars(
                    select(IssuanceRecordRow).where(IssuanceRecordRow.dedupe_key.in_(keys)).with_for_update()
                ).first()
                if (
                    record is None
                    or record.status not in (RecordState.ACCEPTED, RecordState.WAITING)
                    or record.reason == REVOKED
                ):
                    continue
                amount = record.granted_minor
                record.granted_minor = 0
                record.reason = REVOKED
                record.updated_at = now
                if amount:
                    take_back(
                        session, record.record_id, amount, reason_code=FALSE_DECLARATION, by=by, note=note, now=now
                    )
                    writer.tallies["revoked_minor"] += amount
                    revoked += 1
            writer.flush()
        return revoked

    def _open_review(self, session: Session, review_id: int) -> IssuanceReviewRow:
        review = session.get(IssuanceReviewRow, review_id, with_for_update=True)
        if review is None:
            raise ReviewNotFound(review_id)
        if review.state != ReviewState.OPEN:
            raise ReviewClosed(review_id, review.state)
        return review
