"""The systems that may push, and their secrets: several live ones each, so that a rotation loses no push."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from issuers.errors import UnknownSource, WebhookRefused
from issuers.sources.webhooks.signatures import SECRET_BYTES
from issuers.states import SourceState, change
from ledger.clock import Clock
from ledger.custody.master import Envelope, RandomBytes
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import ProgrammeId
from ledger.store.models.issuance import WebhookSecretRow, WebhookSourceRow

KEEP_S = DAY_S
"""How long the former secret stays good after a rotation."""


@dataclass(frozen=True, slots=True)
class WebhookSource:
    """A system that may push, and how its records are read."""

    system: str
    programme: ProgrammeId
    mapping: str
    """A mapping's name, or the path of its file."""
    secrets: tuple[bytes, ...] = ()
    """All live ones, newest first; empty where none were created."""
    is_active: bool = True


class WebhookSources:
    """The only door to pushing systems and their secrets. Takes the session of the caller's transaction."""

    def __init__(self, envelope: Envelope, clock: Clock, random: RandomBytes = os.urandom) -> None:
        self._envelope = envelope
        self._clock = clock
        self._random = random

    def create(self, session: Session, system: str, programme: ProgrammeId, mapping: str) -> bytes:
        """Let a system push (or change its mapping, or let it push again) and return a new secret: shown once."""
        now = self._clock.timestamp()
        session.merge(
            WebhookSourceRow(
                system=system, programme=programme, mapping=mapping, state=SourceState.ACTIVE, created_at=now
            )
        )
        session.flush()
        return self._draw(session, system, now)

    def rotate(self, session: Session, system: str, keep_s: int = KEEP_S) -> bytes:
        """Return a new secret; the former ones stay good for ``keep_s`` seconds. Raises UnknownSource."""
        self._row(session, system)
        now = self._clock.timestamp()
        session.execute(
            update(WebhookSecretRow)
            .where(WebhookSecretRow.system == system, WebhookSecretRow.ends_at.is_(None))
            .values(ends_at=now + keep_s)
        )
        return self._draw(session, system, now)

    def close(self, session: Session, system: str) -> None:
        """Refuse a system's pushes from now on, and destroy its secrets. Raises UnknownSource."""
        source = self._row(session, system)
        source.state = change(source.state, SourceState.CLOSED)
        for row in session.scalars(select(WebhookSecretRow).where(WebhookSecretRow.system == system)):
            session.delete(row)
        session.flush()

    def sources(self, session: Session) -> list[WebhookSource]:
        """Return all systems, without their secrets."""
        rows = session.scalars(select(WebhookSourceRow).order_by(WebhookSourceRow.system))
        return [WebhookSource(r.system, r.programme, r.mapping, is_active=r.state == SourceState.ACTIVE) for r in rows]

    def open(self, session: Session, system: str) -> WebhookSource:
        """Return a system with its live secrets. Raises WebhookRefused: who asks learns nothing else."""
        row = session.get(WebhookSourceRow, system)
        if row is None or row.state != SourceState.ACTIVE:
            raise WebhookRefused("no such source")
        now = self._clock.timestamp()
        secrets = session.scalars(
            select(WebhookSecretRow.sealed)
            .where(
                WebhookSecretRow.system == system,
                WebhookSecretRow.ends_at.is_(None) | (WebhookSecretRow.ends_at > now),
            )
            .order_by(WebhookSecretRow.secret_id.desc())
        )
        opened = tuple(self._envelope.unwrap(bytes(one), _context(system)) for one in secrets)
        return WebhookSource(system, row.programme, row.mapping, opened)

    def _draw(self, session: Session, system: str, now: int) -> bytes:
        secret = self._random(SECRET_BYTES)
        session.add(
            WebhookSecretRow(system=system, sealed=self._envelope.wrap(secret, _context(system)), created_at=now)
        )
        session.flush()
        return secret

    def _row(self, session: Session, system: str) -> WebhookSourceRow:
        row = session.get(WebhookSourceRow, system)
        if row is None:
            raise UnknownSource(system)
        return row


def _context(system: str) -> bytes:
    return b"webhook:" + system.encode()
