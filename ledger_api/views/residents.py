"""A resident, as the API shows them. Pure functions."""

from __future__ import annotations

from ledger.residents.registry import Registration, Resident
from ledger_api.auth.sessions import SignedIn
from ledger_api.schemas.common import moment
from ledger_api.schemas.logins import SessionOut
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


def session_out(one: SignedIn, this: str | None) -> SessionOut:
    """Return a session as its owner sees it; ``this`` is the one that asks."""
    return SessionOut(
        session_id=one.session_id,
        agent=one.agent,
        created_at=moment(one.created_at),
        seen_at=moment(one.seen_at),
        good_until=moment(one.good_until),
        is_this=one.session_id == this,
    )
