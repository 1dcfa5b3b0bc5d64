"""Rows under a record number that is known: what the number stands for, and what is another deed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.rules.deeds import Deed
from issuers.rules.screens import Finding
from issuers.states import RecordState
from ledger.standard.ids import ProgrammeId
from ledger.store.models.issuance import IssuanceCorrectionRow, IssuanceRecordRow, IssuanceReviewRow

KNOWN_NUMBER: Final = "known_number"
"""The screen of a deed whose number another person's or another day's record has."""
ERASED: Final = "erased"
"""Reason of a record of somebody who was erased: what comes again under its number and day is a duplicate."""


def known_record(session: Session, dedupe_key: bytes) -> IssuanceRecordRow | None:
    """Return the record of a key, locked, as the database has it."""
    return session.execute(
        select(IssuanceRecordRow)
        .where(IssuanceRecordRow.dedupe_key == dedupe_key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()


def was_seen(session: Session, record_id: int, content_hash: bytes) -> bool:
    """Return whether a content was a version of the record before the present one."""
    seen = select(IssuanceCorrectionRow.correction_id).where(
        IssuanceCorrectionRow.record_id == record_id,
        IssuanceCorrectionRow.previous_content_hash == content_hash,
    )
    return session.execute(seen.limit(1)).first() is not None


def counts_already(session: Session, record: IssuanceRecordRow, content_hash: bytes) -> bool:
    """Return whether a row under a known number changes nothing: its content is, or was, the record's, or whose the
    record was is forgotten."""
    return (
        record.reason == ERASED
        or record.content_hash == content_hash
        or was_seen(session, record.record_id, content_hash)
    )


def stands_for(
    session: Session,
    record: IssuanceRecordRow,
    deed: Deed,
    content_hash: bytes,
    people: Sequence[bytes],
    *,
    day_may_change: bool,
) -> bool:
    """Return whether a row under a known number is a version of the deed that the number stands for.

    Another person, or another day, is another deed: systems begin their numbers anew with each quarter. Not so where
    nothing was earned (a refused record is sent again, corrected), for what was a version before, and where the
    mapping says that a later revision may bear another day. ``people``: the row's source id under every live key.
    """
    if record.reason == ERASED:  # whose it was is not known any more
        return record.deed_day == deed.day
    if record.content_hash == content_hash or was_seen(session, record.record_id, content_hash):
        return True
    if record.status == RecordState.REFUSED:
        return True
    if bytes(record.source_hmac) not in people:
        return False
    if record.deed_day == deed.day:
        return True
    before, after = record.revision, deed.revision
    return day_may_change and before is not None and after is not None and before != after


def known_number(programme: ProgrammeId, record_id: int) -> Finding:
    """Return why a deed is held that came under the number of another record."""
    return Finding(
        KNOWN_NUMBER,
        "The record's number is known, for another person or another day: a second deed, or a correction of the first?",
        "该记录编号已被使用，但人员或日期不同：是另一次行为，还是对原记录的更正？",
        programme,
        record_id,
    )


def first_of_number(session: Session, record_id: int) -> int | None:
    """Return the record whose number a held one came under; None: it was held for another reason, or never."""
    query = select(IssuanceReviewRow.other_record_id).where(
        IssuanceReviewRow.record_id == record_id, IssuanceReviewRow.screen == KNOWN_NUMBER
    )
    return session.scalars(query.limit(1)).first()
