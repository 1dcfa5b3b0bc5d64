"""Taking points back: what is not yet in a batch is cancelled, what is becomes an issuer-signed revocation."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.states import GrantState, RevocationState, change
from ledger.errors import InvariantViolation
from ledger.store.models.issuance import IssuanceGrantRow, IssuanceRevocationRow


def take_back(
    session: Session,
    record_id: int,
    amount_minor: int,
    *,
    reason_code: int,
    by: str | None,
    note: str | None,
    now: int,
) -> list[bytes]:
    """Take ``amount_minor`` back from a record's grants, the latest first, and return the grants touched.

    A grant keeps its leaf: a part of one that waits for its batch is revoked after it has landed, like any other.

    Raises:
        InvariantViolation: the record's grants hold less than that.
    """
    grants = session.scalars(
        select(IssuanceGrantRow)
        .where(IssuanceGrantRow.record_id == record_id, IssuanceGrantRow.state != GrantState.CANCELLED)
        .order_by(IssuanceGrantRow.created_at.desc(), IssuanceGrantRow.grant_id)
        .with_for_update()
    ).all()
    left = amount_minor
    touched = []
    for grant in grants:
        part = min(left, grant.amount_minor - grant.revoked_minor)
        if part <= 0:
            continue
        left -= part
        touched.append(bytes(grant.grant_id))
        grant.revoked_minor += part
        if grant.state == GrantState.READY and grant.revoked_minor == grant.amount_minor:
            grant.state = change(grant.state, GrantState.CANCELLED)
            continue
        session.add(
            IssuanceRevocationRow(
                programme=grant.programme,
                grant_id=grant.grant_id,
                record_id=record_id,
                revoked_total_minor=grant.revoked_minor,
                reason_code=reason_code,
                note=note,
                requested_by=by,
                state=RevocationState.WANTED,
                created_at=now,
                updated_at=now,
            )
        )
    if left:
        raise InvariantViolation(f"record {record_id} was to give back {left} minor more than its grants hold")
    session.flush()
    return touched
