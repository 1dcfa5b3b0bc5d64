"""Withdrawing everything that a subject may still hold: for who left, and for what was stolen."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ledger.store.models.api import WithdrawnSubjectRow
from ledger_api.auth.logins import end_sessions


def withdraw_subject(session: Session, subject: str, now: int) -> int:
    """Refuse every token of a subject that was issued until ``now`` (Unix seconds), and end its sessions.

    Returns how many sessions were ended. A token that is issued in a later second is good again.
    """
    session.merge(WithdrawnSubjectRow(subject=subject, issued_until=now))
    return end_sessions(session, subject)
