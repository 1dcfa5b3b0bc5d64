"""Opening kept records: their delivery's seal, the deed that is sealed, and what a batch's agency may see of them."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.batches.evidence import batch_grants
from issuers.errors import ErasedRecord
from issuers.records.vault import Delivery, Seal, Vault
from issuers.rules.deeds import Deed
from issuers.rules.units import UNITS
from ledger.standard.ids import ProgrammeId
from ledger.standard.keccak import keccak256
from ledger.store.models.issuance import IssuanceDeliveryRow, IssuanceGrantRow, IssuanceRecordRow

Openings = Callable[[Session, ProgrammeId, int], dict[bytes, tuple[bytes, bytes]]]
"""(salt, canonical record) by grant id, of a batch of a programme."""


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


def openings_of(vault: Vault) -> Openings:
    """Return what opens the records of a batch.

    Left out: what was erased, and a record that was corrected since, for its grant vouches for the earlier version.
    """

    def openings(session: Session, programme: ProgrammeId, number: int) -> dict[bytes, tuple[bytes, bytes]]:
        rows = session.execute(
            select(
                IssuanceGrantRow.grant_id,
                IssuanceGrantRow.salt,
                IssuanceGrantRow.commitment,
                IssuanceRecordRow.sealed,
                IssuanceRecordRow.dedupe_key,
                IssuanceDeliveryRow.delivery_id,
                IssuanceDeliveryRow.data_key,
            )
            .join(IssuanceRecordRow, IssuanceRecordRow.record_id == IssuanceGrantRow.record_id)
            .join(IssuanceDeliveryRow, IssuanceDeliveryRow.delivery_id == IssuanceRecordRow.delivery_id)
            .where(
                IssuanceGrantRow.grant_id.in_(batch_grants(session, programme, number)),
                IssuanceGrantRow.batch_number == number,
                IssuanceGrantRow.salt.is_not(None),
                IssuanceRecordRow.sealed.is_not(None),
            )
        )
        seals: dict[int, Seal] = {}
        found: dict[bytes, tuple[bytes, bytes]] = {}
        for grant_id, salt, commitment, sealed, dedupe_key, delivery_id, data_key in rows:
            if salt is None or sealed is None:
                continue
            if delivery_id not in seals:
                seals[delivery_id] = vault.open(programme, bytes(data_key))
            canonical = seals[delivery_id].open(bytes(sealed), bytes(dedupe_key))
            if keccak256(bytes(salt) + canonical) == bytes(commitment):
                found[bytes(grant_id)] = (bytes(salt), canonical)
        return found

    return openings
