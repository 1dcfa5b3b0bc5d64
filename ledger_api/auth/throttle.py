"""How often a sign-in may be tried: by name, by address, and by both together.

A stranger's attempts must not lock the owner out. So a name that is tried too often is refused only where nobody has
signed in to it before; from an address that its owner knows it stays open, until the attempts from there are too many.
Names that do not exist are counted in the same way. What is counted is in the database: several processes share it, and
a restart forgives nobody.

Each count is one moment (the generic cell rate algorithm): attempts are used up until then, and each adds its interval.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Table, delete
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.standard.civil_time import DAY_S
from ledger.store.database import bulk_insert_new
from ledger.store.models.logins import SignInMarkRow
from ledger_api.auth.errors import SignInThrottled

KNOWN_S = 180 * DAY_S
"""How long an address stays known to a name after a sign-in."""


@dataclass(frozen=True, slots=True)
class _Rate:
    """So many attempts at once, and then one an interval."""

    at_once: int
    interval_ms: int


_MARKS = cast(Table, SignInMarkRow.__table__)
BOTH = _Rate(5, 60_000)
ADDRESS = _Rate(30, 20_000)
NAME = _Rate(20, 60_000)


class SignInThrottle:
    """Counts attempts to sign in. ``secret`` keys the marks. Takes the session of the caller's transaction."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def take(self, session: Session, name: str, address: str) -> None:
        """Count an attempt, before the password is looked at. Raises SignInThrottled, and counts nothing then."""
        now = self._clock.timestamp() * 1_000
        place = network_of(address)
        known = session.get(SignInMarkRow, self._mark("known", name, place))
        counted = [(BOTH, self._mark("both", name, place)), (ADDRESS, self._mark("address", place))]
        if known is None or known.until_ms <= now:
            counted.append((NAME, self._mark("name", name)))
        rows = self._locked(session, {mark: rate for rate, mark in counted})
        waits = [row.until_ms - now - (rate.at_once - 1) * rate.interval_ms for row, rate in rows]
        if (wait := max(waits)) > 0:
            raise SignInThrottled(-(-wait // 1_000))
        for row, rate in rows:
            row.until_ms = max(now, row.until_ms) + rate.interval_ms

    def forgive(self, session: Session, name: str, address: str) -> None:
        """Take the attempt back that succeeded, and know the address from now on."""
        now = self._clock.timestamp() * 1_000
        place = network_of(address)
        both, known = self._mark("both", name, place), self._mark("known", name, place)
        counted = {self._mark("address", place): ADDRESS, self._mark("name", name): NAME, both: BOTH}
        for row, rate in self._locked(session, {**counted, known: _Rate(0, 0)}):
            if row.mark == known:
                row.until_ms = now + KNOWN_S * 1_000
            else:
                row.until_ms = 0 if row.mark == both else max(0, row.until_ms - rate.interval_ms)

    def _locked(self, session: Session, rates: Mapping[bytes, _Rate]) -> list[tuple[SignInMarkRow, _Rate]]:
        """Return the rows of marks, new ones among them, locked in one order so that nobody waits in a ring."""
        marks = sorted(rates)
        bulk_insert_new(session, _MARKS, ["mark", "until_ms"], [(mark, 0) for mark in marks])
        return [(session.get_one(SignInMarkRow, mark, with_for_update=True), rates[mark]) for mark in marks]

    def _mark(self, *parts: str) -> bytes:
        return hmac.digest(self._secret, "\0".join(parts).encode(errors="surrogatepass"), "sha256")


def sweep_marks(session: Session, now: int) -> None:
    """Drop what counts no more at a Unix time."""
    session.execute(delete(SignInMarkRow).where(SignInMarkRow.until_ms <= now * 1_000))


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 the network of 64 bits that one household has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
