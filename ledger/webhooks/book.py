"""Who is told what: endpoints with their secrets, and the messages to them, an outbox beside what they tell.

A message is written in the transaction in which what it tells becomes true here, so none is lost and none tells what is
not so. It is delivered at least once under one ``webhook-id``, in no promised order; who receives it looks at the id.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.master import Envelope, RandomBytes
from ledger.errors import TongduiError
from ledger.outgoing import Outgoing
from ledger.standard.civil_time import DAY_S, city_moment
from ledger.standard.ids import MerchantId, ProgrammeId
from ledger.store.models.webhooks import WebhookDeliveryRow, WebhookEndpointRow, WebhookEndpointSecretRow
from ledger.webhooks.signing import SECRET_BYTES, secret_text

ENDPOINTS_MAX = 5
"""Endpoints of one institution."""
KEEP_S = DAY_S
"""How long the former secret signs too after a new one is made."""
RETRY_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, DAY_S)
"""How long after each failure a message is tried again; after the last of them it is given up."""
LEASE_S = 60
"""How long a worker may take over one message before another tries it too."""
_FAILURE_MAX = 200


class EndpointState(StrEnum):
    """Whether an endpoint is told anything."""

    NEW = "new"
    """It has no secret yet."""
    ACTIVE = "active"
    GONE = "gone"
    """It answered 410: nothing is sent until a new secret is made for it."""
    ENDED = "ended"


class DeliveryState(StrEnum):
    """Where a message to an endpoint stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class UnknownEndpoint(TongduiError):
    """No endpoint, or message to it, of this institution has this id."""

    def __init__(self) -> None:
        super().__init__("no such endpoint, or no such message to it, is known")


class TooManyEndpoints(TongduiError):
    """An institution has as many endpoints as it may."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"at most {limit} endpoints of one institution are told")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that is told."""

    endpoint_id: str
    url: str
    state: EndpointState
    created_at: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to an endpoint, as it stands."""

    delivery_id: int
    message_id: str
    kind: str
    state: DeliveryState
    attempts: int
    next_at: int
    status: int | None
    failure: str | None
    created_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Due:
    """A message to be sent now."""

    delivery_id: int
    attempt: int
    url: str
    message_id: str
    body: bytes
    secrets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class News:
    """What became final, for one institution."""

    owner: str
    kind: str
    data: dict[str, Any]


def of_merchant(merchant_id: MerchantId) -> str:
    """Return the owner's name of a shop."""
    return f"merchant:{merchant_id}"


def of_issuer(programme: ProgrammeId) -> str:
    """Return the owner's name of a programme's agency and its systems."""
    return f"issuer:{programme}"


def publish(session: Session, news: Iterable[News], now: int) -> int:
    """Write a message to each endpoint that is to hear of it, in the caller's transaction; return how many."""
    rows = session.execute(
        select(WebhookEndpointRow.owner, WebhookEndpointRow.endpoint_id).where(
            WebhookEndpointRow.state == EndpointState.ACTIVE
        )
    ).all()
    if not rows:
        return 0
    listening: dict[str, list[str]] = {}
    for owner, endpoint_id in rows:
        listening.setdefault(owner, []).append(endpoint_id)
    written = 0
    for one in news:
        if one.owner not in listening:
            continue
        message_id = f"msg_{secrets.token_hex(16)}"
        body = orjson.dumps({"type": one.kind, "timestamp": city_moment(now).isoformat(), "data": one.data})
        for endpoint_id in listening[one.owner]:
            session.add(
                WebhookDeliveryRow(
                    endpoint_id=endpoint_id,
                    message_id=message_id,
                    kind=one.kind,
                    body=body,
                    state=DeliveryState.WAITING,
                    attempts=0,
                    next_at=now,
                    created_at=now,
                )
            )
            written += 1
    return written


class WebhookBook:
    """The only writer of endpoints and of what came of messages. Takes the session of the caller's transaction."""

    def __init__(self, envelope: Envelope, outgoing: Outgoing, clock: Clock, random: RandomBytes = os.urandom) -> None:
        self._envelope = envelope
        self._outgoing = outgoing
        self._clock = clock
        self._random = random

    def check(self, url: str) -> None:
        """Look at an address before it is kept, outside any transaction. Raises AddressRefused."""
        self._outgoing.check(url)

    def add(self, session: Session, owner: str, url: str, subject: str) -> Endpoint:
        """Keep an endpoint, which is told nothing before it has a secret. Raises TooManyEndpoints."""
        count = session.scalar(
            select(func.count())
            .select_from(WebhookEndpointRow)
            .where(WebhookEndpointRow.owner == owner, WebhookEndpointRow.state != EndpointState.ENDED)
        )
        if (count or 0) >= ENDPOINTS_MAX:
            raise TooManyEndpoints(ENDPOINTS_MAX)
        row = WebhookEndpointRow(
            endpoint_id=f"ep-{secrets.token_hex(12)}",
            owner=owner,
            url=url,
            state=EndpointState.NEW,
            created_by=subject,
            created_at=self._clock.timestamp(),
        )
        session.add(row)
        session.flush()
        return _endpoint(row)

    def new_secret(self, session: Session, owner: str, endpoint_id: str) -> str:
        """Return a new secret, shown once; the one before signs too for a day, older ones no more.

        Raises UnknownEndpoint.
        """
        row = self._row(session, owner, endpoint_id)
        now = self._clock.timestamp()
        kept = WebhookEndpointSecretRow
        session.execute(delete(kept).where(kept.endpoint_id == endpoint_id, kept.ends_at.is_not(None)))
        session.execute(update(kept).where(kept.endpoint_id == endpoint_id).values(ends_at=now + KEEP_S))
        secret = self._random(SECRET_BYTES)
        session.add(
            kept(endpoint_id=endpoint_id, sealed=self._envelope.wrap(secret, _context(endpoint_id)), created_at=now)
        )
        row.state = EndpointState.ACTIVE
        session.flush()
        return secret_text(secret)

    def end(self, session: Session, owner: str, endpoint_id: str) -> Endpoint:
        """Tell an endpoint nothing more, and destroy its secrets. Raises UnknownEndpoint."""
        row = self._row(session, owner, endpoint_id)
        kept = WebhookEndpointSecretRow
        session.execute(delete(kept).where(kept.endpoint_id == endpoint_id))
        row.state = EndpointState.ENDED
        session.execute(
            update(WebhookDeliveryRow)
            .where(WebhookDeliveryRow.endpoint_id == endpoint_id, WebhookDeliveryRow.state == DeliveryState.WAITING)
            .values(state=DeliveryState.GIVEN_UP, failure="the endpoint was ended", ended_at=self._clock.timestamp())
        )
        session.flush()
        return _endpoint(row)

    def endpoints(self, session: Session, owner: str) -> list[Endpoint]:
        """Return an institution's endpoints, those that were ended left out, oldest first."""
        rows = session.scalars(
            select(WebhookEndpointRow)
            .where(WebhookEndpointRow.owner == owner, WebhookEndpointRow.state != EndpointState.ENDED)
            .order_by(WebhookEndpointRow.created_at, WebhookEndpointRow.endpoint_id)
        )
        return [_endpoint(row) for row in rows]

    def deliveries(
        self, session: Session, owner: str, endpoint_id: str, before: int | None, limit: int
    ) -> Sequence[Delivery]:
        """Return the messages to an endpoint, newest first, those older than ``before``. Raises UnknownEndpoint."""
        self._row(session, owner, endpoint_id, locks=False)
        query = (
            select(WebhookDeliveryRow)
            .where(WebhookDeliveryRow.endpoint_id == endpoint_id)
            .order_by(WebhookDeliveryRow.delivery_id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(WebhookDeliveryRow.delivery_id < before)
        return [_delivery(row) for row in session.scalars(query)]

    def replay(self, session: Session, owner: str, endpoint_id: str, message_id: str) -> Delivery:
        """Send a message once more, under its own id, whatever became of it. Raises UnknownEndpoint."""
        self._row(session, owner, endpoint_id)
        row = session.scalar(
            select(WebhookDeliveryRow)
            .where(WebhookDeliveryRow.endpoint_id == endpoint_id, WebhookDeliveryRow.message_id == message_id)
            .with_for_update()
        )
        if row is None:
            raise UnknownEndpoint
        row.state, row.attempts, row.ended_at = DeliveryState.WAITING, 0, None
        row.next_at = self._clock.timestamp()
        session.flush()
        return _delivery(row)

    # What the worker does ---------------------------------------------------------------------------------------------

    def has_due(self, session: Session) -> bool:
        """Return whether `take` would find anything."""
        found = session.scalar(
            select(WebhookDeliveryRow.delivery_id)
            .where(
                WebhookDeliveryRow.state == DeliveryState.WAITING,
                WebhookDeliveryRow.next_at <= self._clock.timestamp(),
            )
            .limit(1)
        )
        return found is not None

    def take(self, session: Session, limit: int) -> list[Due]:
        """Return messages whose time has come, and keep other workers from them for a while."""
        now = self._clock.timestamp()
        rows = session.execute(
            select(WebhookDeliveryRow, WebhookEndpointRow.url)
            .join(WebhookEndpointRow, WebhookEndpointRow.endpoint_id == WebhookDeliveryRow.endpoint_id)
            .where(
                WebhookDeliveryRow.state == DeliveryState.WAITING,
                WebhookDeliveryRow.next_at <= now,
                WebhookEndpointRow.state == EndpointState.ACTIVE,
            )
            .order_by(WebhookDeliveryRow.next_at, WebhookDeliveryRow.delivery_id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=WebhookDeliveryRow)
        ).all()
        found = []
        for row, url in rows:
            row.attempts += 1
            row.next_at = now + LEASE_S
            live = self._live(session, row.endpoint_id, now)
            found.append(Due(row.delivery_id, row.attempts, url, row.message_id, bytes(row.body), live))
        session.flush()
        return found

    def ended(self, session: Session, due: Due, status: int | None, failure: str | None) -> None:
        """Record an attempt's outcome: delivered on 2xx, the endpoint gone on 410, else once more or given up."""
        row = session.get(WebhookDeliveryRow, due.delivery_id, with_for_update=True)
        if row is None or row.state != DeliveryState.WAITING or row.attempts != due.attempt:
            return  # ended, replayed, or tried by another meanwhile: its own outcome counts
        now = self._clock.timestamp()
        row.status, row.failure = status, None if failure is None else failure[:_FAILURE_MAX]
        if status is not None and 200 <= status < 300:
            row.state, row.ended_at = DeliveryState.DELIVERED, now
        elif due.attempt > len(RETRY_S):
            row.state, row.ended_at = DeliveryState.GIVEN_UP, now
        else:
            row.next_at = now + RETRY_S[due.attempt - 1]
        if status == 410:
            session.get_one(WebhookEndpointRow, row.endpoint_id).state = EndpointState.GONE
        session.flush()

    def _live(self, session: Session, endpoint_id: str, now: int) -> tuple[bytes, ...]:
        kept = WebhookEndpointSecretRow
        sealed = session.scalars(
            select(kept.sealed)
            .where(kept.endpoint_id == endpoint_id, kept.ends_at.is_(None) | (kept.ends_at > now))
            .order_by(kept.secret_id.desc())
        )
        return tuple(self._envelope.unwrap(bytes(one), _context(endpoint_id)) for one in sealed)

    def _row(self, session: Session, owner: str, endpoint_id: str, *, locks: bool = True) -> WebhookEndpointRow:
        row = session.get(WebhookEndpointRow, endpoint_id, with_for_update=locks)
        if row is None or row.owner != owner or row.state == EndpointState.ENDED:
            raise UnknownEndpoint
        return row


def _context(endpoint_id: str) -> bytes:
    return b"webhook endpoint:" + endpoint_id.encode()


def _endpoint(row: WebhookEndpointRow) -> Endpoint:
    return Endpoint(row.endpoint_id, row.url, EndpointState(row.state), row.created_at)


def _delivery(row: WebhookDeliveryRow) -> Delivery:
    return Delivery(
        row.delivery_id,
        row.message_id,
        row.kind,
        DeliveryState(row.state),
        row.attempts,
        row.next_at,
        row.status,
        row.failure,
        row.created_at,
        row.ended_at,
    )
