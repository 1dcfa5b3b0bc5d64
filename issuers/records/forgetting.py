"""An erasure in the issuers' books: what the records say of a person goes, and that each deed counts once stays.

A record's dedupe key stays, for the agency would send it again; nothing that leads from it to a resident, a grant or an
account does. Nothing notes the time: rows that were changed in one second would name each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, delete, or_, select, text, update
from sqlalchemy.orm import Session

from issuers.records import sql
from issuers.records.known import ERASED
from issuers.records.vault import RecordKeys, Seal, Vault
from issuers.rules.rulebook import Rulebook, in_force
from issuers.states import RecordState, ReviewState, change, sources
from ledger.custody.errors import CannotDecrypt
from ledger.residents.erasing import Erased
from ledger.standard.identifiers import normalise
from ledger.standard.ids import ProgrammeId
from ledger.store.models.issuance import (
    IssuanceCertificationRow,
    IssuanceCorrectionRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceRecordRow,
    IssuanceRefusalRow,
    IssuanceReviewRow,
    IssuanceRevocationRow,
    IssuanceUsageRow,
)

NO_RECORD: Final = 0
"""In a grant's place of a record, once the way from one to the other is gone; records count from 1."""
_RECORDS = cast(Table, IssuanceRecordRow.__table__)
_PAGE: Final = 1_000


def forget_records(
    session: Session,
    keys: RecordKeys,
    vault: Vault,
    books: Mapping[ProgrammeId, Sequence[Rulebook]],
    erased: Erased,
    random: Callable[[int], bytes] = os.urandom,
) -> int:
    """Forget a resident's records, grants, refused rows and certifications, and let what was used of the caps go on
    under the pseudonym. Returns how many records were erased. Again it finds what was written in between."""
    records = _records_of(session, erased)
    ids = [record.record_id for record in records]
    _erase_certifications(session, keys, erased, ids)
    _erase_records(session, keys, books, erased, records, random)
    for start in range(0, len(ids), _PAGE):
        _cut(session, ids[start : start + _PAGE])
    session.execute(
        update(IssuanceGrantRow)
        .where(IssuanceGrantRow.resident_id == erased.resident_id)
        .values(salt=None, record_id=NO_RECORD)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(IssuanceUsageRow)
        .where(IssuanceUsageRow.resident_id == erased.resident_id)
        .values(resident_id=erased.person)
        .execution_options(synchronize_session=False)
    )
    _erase_refused(session, vault, erased)
    return len(ids)


def _records_of(session: Session, erased: Erased) -> list[Any]:
    """Return the resident's records, and those that waited for the link or were refused without one."""
    columns = (
        IssuanceRecordRow.record_id,
        IssuanceRecordRow.programme,
        IssuanceRecordRow.activity,
        IssuanceRecordRow.deed_day,
        IssuanceRecordRow.status,
        IssuanceRecordRow.fingerprint,
    )
    found = list(session.execute(select(*columns).where(IssuanceRecordRow.resident_id == erased.resident_id)))
    for programme, digest in erased.sources:
        for status in (RecordState.AWAITING_LINK, RecordState.REFUSED):
            unowned = select(*columns).where(
                IssuanceRecordRow.programme == programme,
                IssuanceRecordRow.status == status,
                text(f"status <> '{RecordState.ACCEPTED}'"),  # as the index says it, which SQLite uses only then
                IssuanceRecordRow.source_hmac == digest,
                IssuanceRecordRow.resident_id.is_(None),
            )
            found += session.execute(unowned)
    return found


def _erase_records(
    session: Session,
    keys: RecordKeys,
    books: Mapping[ProgrammeId, Sequence[Rulebook]],
    erased: Erased,
    records: Sequence[Any],
    random: Callable[[int], bytes],
) -> None:
    changes = []
    for record in records:
        status = record.status
        if status != RecordState.ACCEPTED:
            # Nobody decides it any more; one that waits for funding has its grant, which goes on by itself.
            status = RecordState.ACCEPTED if status == RecordState.WAITING else RecordState.REFUSED
            if status != record.status:
                status = change(RecordState(record.status), status)
                sql.add_tallies(session, record.programme, {record.status: -1, status: 1})
        changes.append(
            {
                "at": record.record_id,
                "status": status,
                "source_hmac": random(32),
                "fingerprint": _fingerprint(keys, books, erased.person, record),
            }
        )
    if not changes:
        return
    session.connection().execute(
        _RECORDS.update()
        .where(_RECORDS.c.record_id == bindparam("at"))
        .values(
            reason=ERASED,
            resident_id=None,
            sealed=None,
            device_hmac=None,
            started_at=None,
            ended_at=None,
            pending_until=None,
            quantity_micro=0,
            granted_minor=0,
            counted_micro=0,
        ),
        changes,
    )


def _fingerprint(
    keys: RecordKeys, books: Mapping[ProgrammeId, Sequence[Rulebook]], person: int, record: Any
) -> bytes | None:
    """Return a deed's fingerprint for the pseudonym, so that the same deed is still seen in another programme."""
    book = in_force(books.get(record.programme, ()), record.deed_day)
    activity = None if book is None else book.activities.get(record.activity)
    if record.fingerprint is None or activity is None or activity.same_deed is None:
        return None
    return keys.fingerprint(person, record.deed_day, activity.same_deed)


def _cut(session: Session, ids: Sequence[int]) -> None:
    """Cut what ties records to grants, and take away what people wrote about them."""
    statements = (
        update(IssuanceCorrectionRow)
        .where(IssuanceCorrectionRow.record_id.in_(ids))
        .values(grant_id=None, delta_minor=0),
        update(IssuanceRevocationRow)
        .where(
            IssuanceRevocationRow.grant_id.in_(
                select(IssuanceGrantRow.grant_id).where(IssuanceGrantRow.record_id.in_(ids))
            )
        )
        .values(record_id=NO_RECORD, note=None),
        update(IssuanceReviewRow)
        .where(IssuanceReviewRow.record_id.in_(ids), IssuanceReviewRow.state.in_(sources(ReviewState.REJECTED)))
        .values(state=ReviewState.REJECTED),
        update(IssuanceReviewRow)
        .where(or_(IssuanceReviewRow.record_id.in_(ids), IssuanceReviewRow.other_record_id.in_(ids)))
        .values(note=None),
        update(IssuanceRefusalRow).where(IssuanceRefusalRow.record_id.in_(ids)).values(raw=None),
    )
    for statement in statements:
        session.execute(statement.execution_options(synchronize_session=False))


def _erase_certifications(session: Session, keys: RecordKeys, erased: Erased, ids: Sequence[int]) -> None:
    """Forget who certified the resident; as a certifier of others the resident is a pseudonym from now on."""
    for start in range(0, len(ids), _PAGE):
        session.execute(
            delete(IssuanceCertificationRow)
            .where(IssuanceCertificationRow.record_id.in_(ids[start : start + _PAGE]))
            .execution_options(synchronize_session=False)
        )
    for programme, digest in erased.sources:
        session.execute(
            update(IssuanceCertificationRow)
            .where(IssuanceCertificationRow.programme == programme, IssuanceCertificationRow.certifier == digest)
            .values(certifier=keys.fingerprint(erased.person, 0, "certifier"))
            .execution_options(synchronize_session=False)
        )


def _erase_refused(session: Session, vault: Vault, erased: Erased) -> None:
    """Erase the content of refused rows that name the resident, whether or not they ever became a record."""
    words: dict[ProgrammeId, list[str]] = {}
    for programme, source in erased.words:
        words.setdefault(programme, []).append(normalise(source))
    for programme, sought in words.items():
        for refusal_ids in _naming(session, vault, programme, sought):
            session.execute(
                update(IssuanceRefusalRow)
                .where(IssuanceRefusalRow.refusal_id.in_(refusal_ids))
                .values(raw=None)
                .execution_options(synchronize_session=False)
            )


def _naming(session: Session, vault: Vault, programme: ProgrammeId, sought: Sequence[str]) -> Iterable[list[int]]:
    """Yield, page by page, the refused rows of a programme in which one of the words stands, or that do not open."""
    seals: dict[int, Seal] = {}
    last = 0
    while True:
        rows = session.execute(
            select(
                IssuanceRefusalRow.refusal_id,
                IssuanceRefusalRow.raw,
                IssuanceDeliveryRow.delivery_id,
                IssuanceDeliveryRow.data_key,
            )
            .join(IssuanceDeliveryRow, IssuanceDeliveryRow.delivery_id == IssuanceRefusalRow.delivery_id)
            .where(
                IssuanceRefusalRow.programme == programme,
                IssuanceRefusalRow.refusal_id > last,
                IssuanceRefusalRow.raw.is_not(None),
            )
            .order_by(IssuanceRefusalRow.refusal_id)
            .limit(_PAGE)
        ).all()
        found = []
        for refusal_id, raw, delivery_id, data_key in rows:
            if delivery_id not in seals:
                seals[delivery_id] = vault.open(programme, bytes(data_key))
            if raw is not None and _names(seals[delivery_id], bytes(raw), sought):
                found.append(refusal_id)
        yield found
        if len(rows) < _PAGE:
            return
        last = rows[-1].refusal_id


def _names(seal: Seal, raw: bytes, sought: Sequence[str]) -> bool:
    try:
        content = normalise(seal.open(raw, b"refusal").decode("utf-8", "replace"))
    except CannotDecrypt:
        return True
    return any(word in content for word in sought)
