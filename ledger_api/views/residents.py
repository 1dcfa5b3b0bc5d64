"""A resident, as the API shows them. Pure functions."""

from __future__ import annotations

from ledger.residents.registry import Registration, Resident
from ledger_api.schemas.common import moment
from ledger_api.schemas.residents import ResidentOut


def resident_out(found: Resident, registration: Registration | None = None) -> ResidentOut:
    """Return a resident."""
    return ResidentOut(
        resident_id=str(found.resident_id),
        account=found.account,
        is_custodial=found.is_custodial,
        status=found.status,
        registered_at=moment(found.created_at),
        outcome=None if registration is None else registration.outcome.value,
    )
