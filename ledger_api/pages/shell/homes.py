"""Where somebody's own pages begin, by what they may do. A room of pages adds its line here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger_api.auth.scopes import RESIDENT


@dataclass(frozen=True, slots=True)
class Home:
    """A room of pages. ``name`` is its section, with a text ``nav.{name}``."""

    name: str
    path: str
    scope: str
    """The scope that opens it, or what such scopes begin with if it ends with a colon."""

    def is_open_to(self, scopes: Iterable[str]) -> bool:
        """Whether one of the scopes opens it."""
        return any(one == self.scope or (self.scope.endswith(":") and one.startswith(self.scope)) for one in scopes)


HOMES: tuple[Home, ...] = (
    Home("wallet", "/wallet", RESIDENT),
    Home("counter", "/counter", "merchant:"),
    Home("desk", "/desk", "desk:"),
)


def homes_of(scopes: Iterable[str]) -> list[Home]:
    """Return the rooms that somebody's scopes open."""
    held = list(scopes)
    return [home for home in HOMES if home.is_open_to(held)]


def home_of(scopes: Iterable[str]) -> str:
    """Return where to go after signing in."""
    found = homes_of(scopes)
    return found[0].path if found else "/"
