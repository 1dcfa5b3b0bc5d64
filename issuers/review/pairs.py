"""The two records of a review, side by side, opened for the people who decide."""

from __future__ import annotations

import orjson
from sqlalchemy.orm import Session

from issuers.answers import HeldPair, HeldRecord, Review
from issuers.batches.opening import delivery_of
from issuers.records.vault import Vault
from issuers.states import RecordState
from ledger.standard.civil_time import day_text
from ledger.standard.ids import ProgrammeId
from ledger.store.models.issuance import IssuanceDeliveryRow, IssuanceRecordRow


def held_pair(session: Session, vault: Vault, programme: ProgrammeId, found: Review, record_id: int) -> HeldPair:
    """Return a review's record and the one it clashes with, where that is of the same programme."""
    held = _record(session, vault, session.get_one(IssuanceRecordRow, record_id))
    other = None if found.other_record_id is None else session.get(IssuanceRecordRow, found.other_record_id)
    is_own = other is not None and other.programme == programme
    return HeldPair(found, held, _record(session, vault, other) if other is not None and is_own else None)


def _record(session: Session, vault: Vault, row: IssuanceRecordRow) -> HeldRecord:
    delivery = session.get_one(IssuanceDeliveryRow, row.delivery_id)
    content = None
    if row.sealed is not None:
        seal = delivery_of(session, vault, row).seal
        content = orjson.loads(seal.open(bytes(row.sealed), bytes(row.dedupe_key)))
    return HeldRecord(
        row.record_id,
        delivery.name,
        row.row_number,
        RecordState(row.status),
        day_text(row.deed_day),
        row.activity,
        row.granted_minor,
        content,
    )
