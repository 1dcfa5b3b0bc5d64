"""Whether two logins are two people: what is decided by two takes two of them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.errors import TongduiError
from ledger.store.models.api import ApiSubjectRow
from ledger.store.models.logins import LoginRow

_GENERATIONS_MAX = 16


class OnePerson(TongduiError):
    """Whoever proposed it confirms it too, or somebody who may be the same person."""

    def __init__(self) -> None:
        super().__init__("whoever proposed it cannot confirm it; a second person has to")


def require_two(session: Session, first: str, second: str) -> None:
    """Let two subjects pass as two people. Raises OnePerson."""
    if are_one_person(session, first, second):
        raise OnePerson


def are_one_person(session: Session, first: str, second: str) -> bool:
    """Return whether two subjects count as one person.

    They do where they are one login, where both are bound to one resident, and where one shop's owner made them, the
    owner's own login included: whoever gave a password out may use it. See `answers_for`.
    """
    if first == second or answers_for(session, first) == answers_for(session, second):
        return True
    bound = set(session.scalars(select(ApiSubjectRow.resident_id).where(ApiSubjectRow.subject.in_((first, second)))))
    both = session.scalars(select(ApiSubjectRow.subject).where(ApiSubjectRow.subject.in_((first, second)))).all()
    return len(both) == 2 and len(bound) == 1


def answers_for(session: Session, subject: str) -> str:
    """Return who answers for a login: the subject itself, or for staff the owner who made it."""
    for _ in range(_GENERATIONS_MAX):
        row = session.get(LoginRow, subject)
        if row is None or row.merchant_id is None:
            return subject
        subject = row.created_by
    return subject
