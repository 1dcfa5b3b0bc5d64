"""Opening kept records: their delivery's seal, and the deed that is sealed."""

from __future__ import annotations

import orjson
from sqlalchemy.orm import Session

from issuers.deeds import Deed
from issuers.errors import ErasedRecord
from issuers.pipeline import Delivery
from issuers.units import UNITS
from issuers.vault import Vault
from ledger.store.models.issuance import IssuanceDeliveryRow, IssuanceRecordRow


def delivery_of(session: Session, vault: Vault, record: IssuanceRecordRow) -> Delivery:
    """Return the delivery that a record's current version came with."""
    row = session.get_one(IssuanceDeliveryRow, record.delivery_id)
    return Delivery(row.delivery_id, row.programme, vault.open(row.programme, bytes(row.data_key)))


def unsealed(record: IssuanceRecordRow, delivery: Delivery) -> Deed:
    """Open a record's seal and return its deed. Raises ErasedRecord or CannotDecrypt."""
    if record.sealed is None:
        raise ErasedRecord(record.record_id)
    canonical = delivery.seal.open(bytes(record.sealed), bytes(record.dedupe_key))
    content = orjson.loads(canonical)
    return Deed(
        record.row_number,
        None,
        content["record_id"],
        content["source_id"],
        record.activity,
        record.deed_day,
        record.started_at,
        record.ended_at,
        record.quantity_micro,
        UNITS[content["unit"]].dimension,
        record.revision,
        content.get("device"),
        canonical,
        frozenset(content),
    )
