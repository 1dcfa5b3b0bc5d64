"""Logins: who signs in here with name and password, and what for. The embedded default's; a city has a provider.

Everything takes the session of the caller's transaction; hashes are computed before it (`ledger_api.auth.passwords`).
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.standard.ids import MerchantId
from ledger.store.models.logins import LoginRow, SessionRow
from ledger_api.auth.errors import BadLoginName, LoginNameTaken, UnknownLogin
from ledger_api.auth.scopes import check_scopes

LOGIN_ISSUER = "urn:tongdui:login"
"""Stands before the subjects of logins: none of them is ever the subject of a token that the operator issued."""

_NAME = re.compile(r"[\w.@+-]{3,64}")


class LoginState(StrEnum):
    """Whether a login opens anything."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class NewLogin:
    """A login to make. ``password_hash`` comes from `Passwords.hash_new`."""

    name: str
    password_hash: str
    scopes: frozenset[str]
    created_by: str
    merchant_id: MerchantId | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A login as it is shown: without its password's hash."""

    subject: str
    name: str
    scopes: frozenset[str]
    state: LoginState
    merchant_id: MerchantId | None
    created_by: str
    created_at: int


def fold_name(name: str) -> str:
    """Return a name as it is compared. Raises BadLoginName."""
    folded = unicodedata.normalize("NFKC", name.strip()).casefold()
    if not _NAME.fullmatch(folded):
        raise BadLoginName
    return folded


class Logins:
    """The only writer of logins."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def add(self, session: Session, new: NewLogin) -> Login:
        """Make a login. Raises BadLoginName, LoginNameTaken or UnknownScope."""
        now = self._clock.timestamp()
        row = LoginRow(
            subject=f"{LOGIN_ISSUER} {secrets.token_urlsafe(12)}",
            name=fold_name(new.name),
            password_hash=new.password_hash,
            scopes=_joined(check_scopes(new.scopes)),
            state=LoginState.ACTIVE,
            merchant_id=new.merchant_id,
            created_by=new.created_by,
            created_at=now,
            password_set_at=now,
        )
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:
            raise LoginNameTaken from None
        return _login(row)

    def row(self, session: Session, name: str) -> LoginRow | None:
        """Return the row of a name, for who checks the password; a name that cannot be one has none."""
        try:
            folded = fold_name(name)
        except BadLoginName:
            return None
        return session.scalar(select(LoginRow).where(LoginRow.name == folded))

    def get(self, session: Session, name: str) -> Login:
        """Return a login. Raises UnknownLogin."""
        return _login(self._row(session, name))

    def of_subject(self, session: Session, subject: str) -> Login | None:
        """Return a subject's login, if it has one here."""
        row = session.get(LoginRow, subject)
        return None if row is None else _login(row)

    def all(self, session: Session, merchant_id: MerchantId | None = None) -> list[Login]:
        """Return all logins, or those of a shop's staff, by name."""
        query = select(LoginRow).order_by(LoginRow.name)
        if merchant_id is not None:
            query = query.where(LoginRow.merchant_id == merchant_id)
        return [_login(row) for row in session.scalars(query)]

    def grant(self, session: Session, subject: str, scope: str) -> bool:
        """Give a subject's login one scope more, from its next sign-in on; return whether it has a login here."""
        row = session.get(LoginRow, subject)
        if row is None:
            return False
        row.scopes = _joined(check_scopes({*row.scopes.split(), scope}))
        session.flush()
        return True

    def set_password(self, session: Session, name: str, password_hash: str) -> Login:
        """Give a login another password; its sessions end. Raises UnknownLogin."""
        row = self._row(session, name)
        row.password_hash = password_hash
        row.password_set_at = self._clock.timestamp()
        end_sessions(session, row.subject)
        return _login(row)

    def set_state(self, session: Session, name: str, state: LoginState) -> Login:
        """Disable a login, which ends its sessions, or enable it again. Raises UnknownLogin."""
        row = self._row(session, name)
        row.state = state
        if state is LoginState.DISABLED:
            end_sessions(session, row.subject)
        return _login(row)

    def forget(self, session: Session, subject: str) -> None:
        """Drop a subject's login, if it has one here, and its sessions: for who is erased."""
        end_sessions(session, subject)
        session.execute(delete(LoginRow).where(LoginRow.subject == subject))

    def _row(self, session: Session, name: str) -> LoginRow:
        row = self.row(session, name)
        if row is None:
            raise UnknownLogin(name)
        return row


def end_sessions(session: Session, subject: str) -> int:
    """End all sessions of a subject and return how many there were."""
    found = session.scalars(select(SessionRow.session_id).where(SessionRow.subject == subject)).all()
    session.execute(delete(SessionRow).where(SessionRow.session_id.in_(found)))
    return len(found)


def _joined(scopes: Iterable[str]) -> str:
    return " ".join(sorted(scopes))


def _login(row: LoginRow) -> Login:
    return Login(
        row.subject,
        row.name,
        frozenset(row.scopes.split()),
        LoginState(row.state),
        row.merchant_id,
        row.created_by,
        row.created_at,
    )
