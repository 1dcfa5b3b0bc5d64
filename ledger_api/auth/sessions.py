"""Sessions: who has signed in, from what, and until when. No HTTP: pages and API call the same service.

The secret (256 random bits) is given once, to the browser or app; the database keeps its hash. A session ends by its
owner, by lying unused, and at the latest some time after it began. Whoever may do more than look after an own wallet
has the short limits, for counters and consoles are left unattended.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.standard.civil_time import DAY_S
from ledger.store.database import Database
from ledger.store.models.logins import SessionRow
from ledger_api.auth.errors import UnknownSession
from ledger_api.auth.logins import end_sessions
from ledger_api.auth.scopes import REGISTER, RESIDENT

PREFIX = "tds_"
"""Begins every secret, so that a scanner of leaked secrets knows one."""

WALLET_SCOPES = frozenset({RESIDENT, REGISTER})
SEEN_EVERY_S = 60
"""How often a session in use is written to."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long sessions last: unused, and at the longest."""

    idle_s: int = 15 * 60
    """Of counters and consoles."""
    idle_wallet_s: int = 30 * DAY_S
    longest_s: int = 12 * 3_600
    longest_wallet_s: int = 180 * DAY_S


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session: who, what for, and until when."""

    session_id: str
    subject: str
    scopes: frozenset[str]
    created_at: int
    seen_at: int
    idle_s: int
    ends_at: int
    agent: str

    @property
    def good_until(self) -> int:
        """When it ends if it is not used."""
        return min(self.ends_at, self.seen_at + self.idle_s)


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has just begun, and its secret, which is shown this once."""

    session: SignedIn
    secret: str


class Sessions:
    """The only writer of sessions."""

    def __init__(self, database: Database, clock: Clock, limits: SessionLimits) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits

    def begin(self, session: Session, subject: str, scopes: Iterable[str], agent: str = "") -> Begun:
        """Begin a session in the caller's transaction, for whom a password or a provider has shown to be ``subject``.

        ``agent`` is the browser's User-Agent; of it only browser and system are kept.
        """
        now = self._clock.timestamp()
        wanted = frozenset(scopes)
        is_wallet = wanted <= WALLET_SCOPES
        secret = PREFIX + secrets.token_urlsafe(32)
        row = SessionRow(
            session_id=secrets.token_urlsafe(12),
            secret_hash=_digest(secret),
            subject=subject,
            scopes=" ".join(sorted(wanted)),
            created_at=now,
            seen_at=now,
            idle_s=self._limits.idle_wallet_s if is_wallet else self._limits.idle_s,
            ends_at=now + (self._limits.longest_wallet_s if is_wallet else self._limits.longest_s),
            agent=short_words(agent),
        )
        session.add(row)
        session.flush()
        return Begun(_signed_in(row), secret)

    def find(self, secret: str) -> SignedIn | None:
        """Return the session of a secret, or None if there is none or it has ended. Counts as use.

        Opens a transaction of its own, at most once a minute.
        """
        now = self._clock.timestamp()
        with self._database.read() as session:
            row = session.scalar(select(SessionRow).where(SessionRow.secret_hash == _digest(secret)))
        if row is None or now >= _signed_in(row).good_until:
            return None
        if now - row.seen_at >= SEEN_EVERY_S:
            with self._database.transaction() as session:
                session.execute(update(SessionRow).where(SessionRow.session_id == row.session_id).values(seen_at=now))
            row.seen_at = now
        return _signed_in(row)

    def renew(self, session: Session, begun: SignedIn) -> Begun:
        """Give a session a new secret and a new id, as after a step-up: the old ones open nothing more.

        Raises UnknownSession.
        """
        row = self._own(session, begun.subject, begun.session_id)
        secret = PREFIX + secrets.token_urlsafe(32)
        row.session_id = secrets.token_urlsafe(12)
        row.secret_hash = _digest(secret)
        row.seen_at = self._clock.timestamp()
        session.flush()
        return Begun(_signed_in(row), secret)

    def of_subject(self, session: Session, subject: str) -> list[SignedIn]:
        """Return a subject's sessions that have not ended, the last used first."""
        now = self._clock.timestamp()
        rows = session.scalars(
            select(SessionRow).where(SessionRow.subject == subject).order_by(SessionRow.seen_at.desc())
        )
        return [one for one in map(_signed_in, rows) if now < one.good_until]

    def end(self, session: Session, subject: str, session_id: str) -> None:
        """End one of a subject's sessions. Raises UnknownSession, for another's too."""
        session.delete(self._own(session, subject, session_id))
        session.flush()

    def end_all(self, session: Session, subject: str) -> int:
        """End all sessions of a subject and return how many."""
        return end_sessions(session, subject)

    def _own(self, session: Session, subject: str, session_id: str) -> SessionRow:
        row = session.get(SessionRow, session_id)
        if row is None or row.subject != subject:
            raise UnknownSession
        return row


def sweep_sessions(session: Session, now: int) -> None:
    """Drop the rows of sessions that have ended."""
    session.execute(
        delete(SessionRow).where((SessionRow.ends_at <= now) | (SessionRow.seen_at + SessionRow.idle_s <= now))
    )


_BROWSERS = (
    ("micromessenger", "WeChat"),
    ("edg", "Edge"),
    ("firefox", "Firefox"),
    ("chrom", "Chrome"),
    ("safari", "Safari"),
    ("curl", "curl"),
    ("python", "Python"),
)
_SYSTEMS = (
    ("harmony", "HarmonyOS"),
    ("android", "Android"),
    ("iphone", "iPhone"),
    ("ipad", "iPad"),
    ("windows", "Windows"),
    ("mac os", "macOS"),
    ("linux", "Linux"),
)


def short_words(agent: str) -> str:
    """Return browser and system of a User-Agent, such as ``Chrome, Android``: enough to know one's own sessions."""
    text = agent[:512].casefold()
    browser = next((name for mark, name in _BROWSERS if mark in text), "")
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    return ", ".join(word for word in (browser, system) if word)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _signed_in(row: SessionRow) -> SignedIn:
    return SignedIn(
        row.session_id,
        row.subject,
        frozenset(row.scopes.split()),
        row.created_at,
        row.seen_at,
        row.idle_s,
        row.ends_at,
        row.agent,
    )
