"""Passwords: what may be one, and Argon2id over it (RFC 9106), by argon2-cffi.

A look at a password costs the same whether the name exists or not: where there is no hash, one that no password fits
is tried. At most two are computed at once, for each takes 64 MiB.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from ledger.errors import Unavailable
from ledger_api.auth.errors import WeakPassword

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LENGTH_MIN = 10
LENGTH_MAX = 256
AT_ONCE_MAX = 2
WAIT_S = 5.0


_Found = TypeVar("_Found")


class PasswordsBusy(Unavailable):
    """Too many passwords wait to be looked at."""

    def __init__(self) -> None:
        super().__init__("too many people sign in at once")


class Passwords:
    """Makes and tries hashes of passwords."""

    def __init__(self, *, memory_kib: int = 65_536, rounds: int = 3) -> None:
        self._memory_kib = memory_kib
        self._rounds = rounds
        self._turns = threading.BoundedSemaphore(AT_ONCE_MAX)

    def hash_new(self, name: str, password: str) -> str:
        """Return the hash of a password that somebody chose. Raises WeakPassword."""
        text = _normal(password)
        if not LENGTH_MIN <= len(text) <= LENGTH_MAX:
            raise WeakPassword("length", LENGTH_MIN)
        if len(set(text)) < 4 or name.casefold() in text.casefold():
            raise WeakPassword("guessable", LENGTH_MIN)
        return self._in_turn(lambda: self._hasher.hash(text))

    def fits(self, stored: str | None, password: str) -> bool:
        """Return whether a password fits a hash, in the same time where there is none (None)."""
        from argon2.exceptions import VerifyMismatchError

        text = _normal(password[: LENGTH_MAX * 2])
        nobodys = self._nobodys  # made before it is known whether it is needed

        def tried() -> bool:
            try:
                return self._hasher.verify(nobodys if stored is None else stored, text)
            except VerifyMismatchError:
                return False

        return self._in_turn(tried) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Return whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def rehash(self, password: str) -> str:
        """Return a new hash of a password that fits."""
        return self._in_turn(lambda: self._hasher.hash(_normal(password)))

    def _in_turn(self, work: Callable[[], _Found]) -> _Found:
        if not self._turns.acquire(timeout=WAIT_S):
            raise PasswordsBusy
        try:
            return work()
        finally:
            self._turns.release()

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        return PasswordHasher(time_cost=self._rounds, memory_cost=self._memory_kib, parallelism=1)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(32))


def _normal(password: str) -> str:
    """Keyboards write the same letter in several ways; NFKC is what RFC 8265 asks for beside its refusals."""
    return unicodedata.normalize("NFKC", password)
