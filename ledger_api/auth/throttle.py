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
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.standard.civil_time import DAY_S
from ledger.store.models.logins import SignInMarkRow
from ledger_api.auth.errors import SignInThrottled

KNOWN_S = 180 * DAY_S
"""How long an address stays known to a name after a sign-in."""


@dataclass(frozen=True, slots=True)
class _Rate:
    """So many attempts at once, and then one an interval."""

    at_once: int
    interval_ms: int


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
        rows = [(rate, mark, session.get(SignInMarkRow, mark, with_for_update=True)) for rate, mark in counted]
        waits = [row.until_ms - now - (rate.at_once - 1) * rate.interval_ms for rate, _, row in rows if row is not None]
        if (wait := max(waits, default=0)) > 0:
            raise SignInThrottled(-(-wait // 1_000))
        for rate, mark, row in rows:
            start = now if row is None else max(now, row.until_ms)
            session.merge(SignInMarkRow(mark=mark, until_ms=start + rate.interval_ms))

    def forgive(self, session: Session, name: str, address: str) -> None:
        """Take the attempt back that succeeded, and know the address from now on."""
        now = self._clock.timestamp() * 1_000
        place = network_of(address)
        for rate, mark in ((ADDRESS, self._mark("address", place)), (NAME, self._mark("name", name))):
            row = session.get(SignInMarkRow, mark, with_for_update=True)
            if row is not None:
                row.until_ms -= rate.interval_ms
        session.execute(delete(SignInMarkRow).where(SignInMarkRow.mark == self._mark("both", name, place)))
        session.merge(SignInMarkRow(mark=self._mark("known", name, place), until_ms=now + KNOWN_S * 1_000))

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
