"""Held records and false declarations: what two people decide, and what is taken back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.batches.grants import Prepared, Writer
from issuers.batches.opening import delivery_of, unsealed
from issuers.errors import NoCorrection, ReviewClosed, ReviewNotFound, SameApprover, SeveralDeeds
from issuers.intake.chunks import FALSE_DECLARATION, REVOKED, Pipeline
from issuers.records.known import KNOWN_NUMBER
from issuers.records.revoking import take_back
from issuers.records.vault import Delivery, RecordKeys, Vault
from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault, RefusalCode
from issuers.states import RecordState, ReviewState, change
from ledger.clock import Clock
from ledger.custody.master import RandomBytes
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceRecordRow, IssuanceReviewRow


class Verdict(StrEnum):
    """What an approval says a held record is."""

    DEED = "deed"
    """A deed of its own."""
    CORRECTION = "correction"
    """Of the record whose number it came under."""


CORRECTED = "correction"
"""The outcome of a held record that corrects another one, and the reason of its own row."""


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

    def approve(self, review_id: int, approver: str, *, as_correction: bool = False) -> str:
        """Approve a held record. The second of two different people releases it to the rules.

        ``as_correction``: a record under a known number corrects the record that has it, whose points are taken back
        as far as they differ; otherwise it is a deed of its own, and nobody loses anything. Both people must say the
        same: whoever says otherwise is the first of two.

        Returns ``first`` or the record's new status (``correction``). Raises ReviewNotFound, ReviewClosed,
        SameApprover or NoCorrection.
        """
        now = self._clock.timestamp()
        verdict = Verdict.CORRECTION if as_correction else Verdict.DEED
        with self._database.transaction() as session:
            review = self._open_review(session, review_id)
            if as_correction and review.screen != KNOWN_NUMBER:
                raise NoCorrection(review_id)
            if review.approver_first is None or review.verdict != verdict:
                review.approver_first, review.verdict = approver, verdict
                return "first"
            if review.approver_first == approver:
                raise SameApprover(review_id, approver)
            review.approver_second = approver
            review.state = change(review.state, ReviewState.APPROVED)
            review.decided_at = now
            record = session.get_one(IssuanceRecordRow, review.record_id, with_for_update=True)
            if record.status != RecordState.HELD:
                return record.status
            delivery = delivery_of(session, self._vault, record)
            deed = unsealed(record, delivery)
            writer = Writer(session, record.programme, self._keys, now, self._random)
            if as_correction and review.other_record_id is not None:
                self._correct(session, writer, delivery, record, deed, review.other_record_id)
                writer.flush()
                return CORRECTED
            self._pipeline.reconsider(session, writer, delivery, [(record, deed)], now, is_screened=True)
            writer.flush()
            return record.status

    def _correct(
        self,
        session: Session,
        writer: Writer,
        delivery: Delivery,
        held: IssuanceRecordRow,
        deed: Deed,
        first: int,
    ) -> None:
        """Let a held record correct the one whose number it came under; it is no record of its own any more."""
        record = session.get_one(IssuanceRecordRow, first, with_for_update=True)
        one = Prepared(
            deed,
            bytes(record.dedupe_key),
            bytes(held.content_hash),
            bytes(held.source_hmac),
            held.device_hmac,
            delivery.seal.seal(deed.canonical, bytes(record.dedupe_key)),
            writer.opening(deed, bytes(record.dedupe_key), 1),
        )
        held.status = change(held.status, RecordState.REFUSED)
        held.reason, held.sealed, held.updated_at = CORRECTED, None, writer.now
        writer.tallies[RecordState.HELD] -= 1
        self._pipeline.replace(session, writer, delivery, record, one, writer.now)

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
        source_id: str | None = None,
    ) -> int:
        """Revoke all that declarations earned which proved false, by their natural ids in the source system.

        Grants that landed are revoked on chain (`send_revocations`), others never get there; caps stay used, and later
        versions of the records are refused. ``systems``: the source systems that may know the ids; ``source_id``: only
        this person's, where a number stands for the deeds of several.
        Returns how many records lost points; a second call finds nothing left. Raises SeveralDeeds, and nothing is
        revoked.
        """
        now = self._clock.timestamp()
        revoked = 0
        with self._database.transaction() as session:
            writer = Writer(session, programme, self._keys, now, self._random)
            for one in record_ids:
                for record in self._declared(session, programme, systems, one, source_id):
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

    def _declared(
        self, session: Session, programme: ProgrammeId, systems: Sequence[str], number: str, source_id: str | None
    ) -> list[IssuanceRecordRow]:
        """Return the accepted records of a number that are not revoked yet. Raises SeveralDeeds."""
        keys = [self._keys.dedupe(programme, name, number) for name in systems]
        query = select(IssuanceRecordRow).with_for_update()
        first = session.scalars(query.where(IssuanceRecordRow.dedupe_key.in_(keys))).first()
        if first is None:
            return []
        apart = select(IssuanceReviewRow.record_id).where(
            IssuanceReviewRow.programme == programme,
            IssuanceReviewRow.other_record_id == first.record_id,
            IssuanceReviewRow.screen == KNOWN_NUMBER,
        )
        found = [first, *session.scalars(query.where(IssuanceRecordRow.record_id.in_(apart)))]
        if source_id is not None:
            whose = self._keys.source_live(programme, source_id)
            found = [one for one in found if bytes(one.source_hmac) in whose]
        accepted = [one for one in found if one.status in (RecordState.ACCEPTED, RecordState.WAITING)]
        if source_id is None and len(accepted) > 1:
            raise SeveralDeeds(number, len(accepted))
        return [one for one in accepted if one.reason != REVOKED]

    def _open_review(self, session: Session, review_id: int) -> IssuanceReviewRow:
        review = session.get(IssuanceReviewRow, review_id, with_for_update=True)
        if review is None:
            raise ReviewNotFound(review_id)
        if review.state != ReviewState.OPEN:
            raise ReviewClosed(review_id, review.state)
        return review
