"""Which tokens were withdrawn, and which resident a token's subject is, for many callers at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from ledger.standard.ids import AccountBytes
from ledger.store.database import fetch_by_keys
from ledger.store.models.api import ApiSubjectRow, WithdrawnSubjectRow, WithdrawnTokenRow
from ledger.store.models.residents import ResidentRow
from ledger_api.auth.tokens import BadToken, Principal

_WITHDRAWN = cast(Table, WithdrawnTokenRow.__table__)
_WITHDRAWN_SUBJECTS = cast(Table, WithdrawnSubjectRow.__table__)
_SUBJECTS = cast(Table, ApiSubjectRow.__table__)
_RESIDENTS = cast(Table, ResidentRow.__table__)


def withdrawn_among(session: Session, principals: Collection[Principal]) -> set[Principal]:
    """Return those whose token was withdrawn, by its id or with all that its subject had until some moment."""
    tokens = fetch_by_keys(
        session, _WITHDRAWN, ["token_id"], "token_id", [principal.token_id for principal in principals]
    )
    subjects = fetch_by_keys(
        session,
        _WITHDRAWN_SUBJECTS,
        ["subject", "issued_until"],
        "subject",
        [principal.subject for principal in principals],
    )
    gone, until = {row[0] for row in tokens}, dict(subjects)
    return {one for one in principals if one.token_id in gone or one.issued_at <= until.get(one.subject, -1)}


def withdrawn() -> BadToken:
    """Return the refusal of a withdrawn token."""
    return BadToken("it was withdrawn")


def residents_of(session: Session, subjects: Collection[str]) -> dict[str, int]:
    """Return the residents that tokens' subjects are bound to; those bound to nobody are left out."""
    return dict(fetch_by_keys(session, _SUBJECTS, ["subject", "resident_id"], "subject", list(subjects)))


def accounts_of(session: Session, residents: Collection[int]) -> dict[int, AccountBytes]:
    """Return residents' accounts."""
    found = fetch_by_keys(session, _RESIDENTS, ["resident_id", "account"], "resident_id", list(residents))
    return {number: AccountBytes(bytes(account)) for number, account in found}
