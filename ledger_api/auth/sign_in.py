"""Signing in with name and password. No HTTP: the API and the pages call the same service.

An unknown name, a wrong password and a disabled login get one answer, after the same work.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.store.database import Database
from ledger_api.auth.errors import BadLoginName, PasswordsOff, SignInRefused, UnknownLogin
from ledger_api.auth.logins import Login, Logins, LoginState, NewLogin, fold_name
from ledger_api.auth.passwords import Passwords
from ledger_api.auth.scopes import REGISTER, RESIDENT
from ledger_api.auth.sessions import Begun, Sessions
from ledger_api.auth.throttle import SignInThrottle


@dataclass(frozen=True, slots=True)
class SignIn:
    """What needs a password. It keeps its own transactions, for a password is looked at outside of any."""

    database: Database
    logins: Logins
    sessions: Sessions
    passwords: Passwords
    throttle: SignInThrottle
    is_on: bool = True
    """Whether people sign in with passwords at all; where an identity provider is set they do not."""
    is_open: bool = True
    """Whether residents make their own logins."""

    def sign_in(self, name: str, password: str, *, address: str, agent: str = "") -> Begun:
        """Begin a session for who knows the password.

        ``address`` is where the request comes from, and ``agent`` the browser's User-Agent.
        Raises SignInRefused, SignInThrottled, PasswordsOff or PasswordsBusy.
        """
        if not self.is_on:
            raise PasswordsOff("people sign in at the identity provider")
        folded = self._counted(name, address)
        with self.database.read() as session:
            row = self.logins.row(session, folded)
        stored = None if row is None else row.password_hash
        if not self.passwords.fits(stored, password):
            raise SignInRefused
        fresh = self.passwords.rehash(password) if stored and self.passwords.is_outdated(stored) else None
        with self.database.transaction() as session:
            now = self.logins.row(session, folded)
            if now is None or now.state != LoginState.ACTIVE or now.password_hash != stored:
                raise SignInRefused
            if fresh is not None:
                now.password_hash = fresh
            self.throttle.forgive(session, folded, address)
            return self.sessions.begin(session, now.subject, now.scopes.split(), agent)

    def confirm(self, subject: str, password: str, *, address: str) -> None:
        """Check the password once more of who has signed in, before a step that is hard to take back.

        Raises SignInRefused, SignInThrottled, UnknownLogin or PasswordsBusy.
        """
        name, stored = self._known(subject)
        self._counted(name, address)
        if not self.passwords.fits(stored, password):
            raise SignInRefused
        with self.database.transaction() as session:
            self.throttle.forgive(session, name, address)

    def register(self, name: str, password: str, *, address: str) -> Login:
        """Make a resident's login: it can register one person and act for that one.

        Raises PasswordsOff, SignInThrottled, BadLoginName, LoginNameTaken, WeakPassword or PasswordsBusy.
        """
        if not self.is_on or not self.is_open:
            raise PasswordsOff("the operator makes the logins here")
        folded = fold_name(name)
        self._counted(folded, address)
        new = NewLogin(folded, self.passwords.hash_new(folded, password), frozenset({RESIDENT, REGISTER}), "itself")
        with self.database.transaction() as session:
            return self.logins.add(session, new)

    def change_password(self, subject: str, old: str, new: str, *, address: str) -> None:
        """Give a login another password, for who knows the old one; all its sessions end.

        Raises SignInRefused, SignInThrottled, WeakPassword, UnknownLogin or PasswordsBusy.
        """
        name, stored = self._known(subject)
        self._counted(name, address)
        if not self.passwords.fits(stored, old):
            raise SignInRefused
        made = self.passwords.hash_new(name, new)
        with self.database.transaction() as session:
            self.throttle.forgive(session, name, address)
            self.logins.set_password(session, name, made)

    def _known(self, subject: str) -> tuple[str, str]:
        with self.database.read() as session:
            login = self.logins.of_subject(session, subject)
            row = None if login is None else self.logins.row(session, login.name)
        if row is None:
            raise UnknownLogin("of this subject")
        return row.name, row.password_hash

    def _counted(self, name: str, address: str) -> str:
        try:
            folded = fold_name(name)
        except BadLoginName:
            folded = name[:64]  # nobody's, and counted like any other
        with self.database.transaction() as session:
            self.throttle.take(session, folded, address)
        return folded
