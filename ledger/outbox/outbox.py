"""The outbox: rows that say what must reach the chain. Enqueueing commits with the business change that wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from sqlalchemy import Table, func, select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.outbox.errors import MessageInFlight, MessageNotFound
from ledger.outbox.states import MessageState
from ledger.standard.ids import Address, OrderId, address_bytes
from ledger.store.database import bulk_insert_new, fetch_by_keys
from ledger.store.models.outbox import OutboxMessageRow

MESSAGES = cast(Table, OutboxMessageRow.__table__)

_COLUMNS = [
    "kind",
    "dedupe_key",
    "is_order",
    "target",
    "payload",
    "gas",
    "order_id",
    "deadline",
    "state",
    "attempts",
    "not_before",
    "created_at",
    "updated_at",
]
_NEW = MessageState.QUEUED.value  # plain text, for a bulk write binds an enum's member markedly slower


class Enqueued(StrEnum):
    """The outcome of an idempotent request to enqueue."""

    CREATED = "created"
    EXISTS = "exists"
    EXISTS_WITH_DIFFERENT_PAYLOAD = "exists_with_different_payload"
    EXISTS_WITH_DIFFERENT_TARGET = "exists_with_different_target"


@dataclass(frozen=True, slots=True)
class CallMessage:
    """A call to a contract: a transaction of its own."""

    kind: str
    dedupe_key: str
    to: Address
    calldata: bytes
    gas: int


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """A signed order in packed form: it travels with others of its kind in one call. ``deadline`` in Unix seconds."""

    kind: str
    order_id: OrderId
    packed: bytes
    deadline: int | None = None


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """A message as others may see it."""

    dedupe_key: str
    kind: str
    state: MessageState
    reason: str | None
    attempts: int
    block_number: int | None
    transaction_id: int | None


def order_key(order_id: OrderId) -> str:
    """Return the dedupe key of an order."""
    return "order:" + order_id.hex()


class Outbox:
    """Writes and reads messages in the caller's transaction."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def enqueue_call(
        self, session: Session, kind: str, dedupe_key: str, to: Address, calldata: bytes, gas: int
    ) -> Enqueued:
        """Enqueue one call; see ``enqueue_calls``."""
        return self.enqueue_calls(session, [CallMessage(kind, dedupe_key, to, calldata, gas)])[0]

    def enqueue_calls(self, session: Session, calls: Sequence[CallMessage]) -> list[Enqueued]:
        """Enqueue calls; a repeat under the same key says so and changes nothing. Raises BadAddress."""
        now = self._clock.timestamp()
        rows = [
            (c.kind, c.dedupe_key, False, address_bytes(c.to), c.calldata, c.gas, None, None, _NEW, 0, 0, now, now)
            for c in calls
        ]
        return _insert(session, rows)

    def enqueue_order(
        self, session: Session, kind: str, order_id: OrderId, packed: bytes, deadline: int | None = None
    ) -> Enqueued:
        """Enqueue one signed order; see ``enqueue_orders``."""
        return self.enqueue_orders(session, [OrderMessage(kind, order_id, packed, deadline)])[0]

    def enqueue_orders(self, session: Session, orders: Sequence[OrderMessage]) -> list[Enqueued]:
        """Enqueue signed orders (``exchange``, ``redeem``, ``hold``, ``capture``, ``release``), once each."""
        now = self._clock.timestamp()
        rows = [
            (o.kind, order_key(o.order_id), True, None, o.packed, 0, o.order_id, o.deadline, _NEW, 0, 0, now, now)
            for o in orders
        ]
        return _insert(session, rows)

    def send_order_again(self, session: Session, order: OrderMessage) -> None:
        """Queue a signed order anew whose call has ended without effect, with fresh bytes.

        Raises MessageNotFound, or MessageInFlight while it is queued or under way.
        """
        key = order_key(order.order_id)
        row = session.scalar(select(OutboxMessageRow).where(OutboxMessageRow.dedupe_key == key).with_for_update())
        if row is None:
            raise MessageNotFound(key)
        if row.state in (MessageState.QUEUED, MessageState.SENT):
            raise MessageInFlight(key, row.state)
        row.payload = order.packed
        row.deadline = order.deadline
        row.state = MessageState.QUEUED
        row.attempts, row.not_before = 0, 0
        row.reason, row.transaction_id, row.block_number = None, None, None
        row.updated_at = self._clock.timestamp()
        session.flush()

    def requeue(self, session: Session, dedupe_key: str) -> None:
        """Send again what waits for funding or failed. Raises MessageNotFound or MessageInFlight."""
        row = self._changeable(session, dedupe_key)
        row.state = MessageState.QUEUED
        row.not_before = 0
        row.updated_at = self._clock.timestamp()
        session.flush()

    def requeue_waiting(self, session: Session, kind: str, key_prefix: str) -> int:
        """Send again all messages of a kind that wait for funding and whose key starts so; returns how many."""
        done = session.execute(
            update(OutboxMessageRow)
            .where(
                OutboxMessageRow.state == MessageState.WAITING_FUNDING,
                OutboxMessageRow.kind == kind,
                OutboxMessageRow.dedupe_key.startswith(key_prefix, autoescape=True),
            )
            .values(state=MessageState.QUEUED.value, not_before=0, updated_at=self._clock.timestamp())
        )
        return int(getattr(done, "rowcount", 0))

    def replace_call(self, session: Session, dedupe_key: str, calldata: bytes, gas: int) -> None:
        """Put re-signed calldata in the place of what is queued, waits or failed, and queue it.

        Raises MessageNotFound or MessageInFlight.
        """
        row = self._changeable(session, dedupe_key)
        row.payload = calldata
        row.gas = gas
        row.state = MessageState.QUEUED
        row.attempts = 0
        row.not_before = 0
        row.reason = None
        row.updated_at = self._clock.timestamp()
        session.flush()

    def withdraw(self, session: Session, dedupe_key: str, reason: str) -> bool:
        """Keep back what is queued, waits or failed, until it is queued anew; returns False for what is under way, done
        or not there."""
        row = session.scalar(
            select(OutboxMessageRow).where(OutboxMessageRow.dedupe_key == dedupe_key).with_for_update()
        )
        if row is None or row.state not in (MessageState.QUEUED, MessageState.WAITING_FUNDING, MessageState.FAILED):
            return False
        row.state = MessageState.FAILED
        row.reason = reason
        row.updated_at = self._clock.timestamp()
        session.flush()
        return True

    def status(self, session: Session, dedupe_key: str) -> MessageStatus | None:
        """Return where a message stands, or None if there is none."""
        return self.statuses(session, [dedupe_key]).get(dedupe_key)

    def statuses(self, session: Session, dedupe_keys: Sequence[str]) -> dict[str, MessageStatus]:
        """Return where messages stand, by key; unknown keys are left out."""
        columns = ["dedupe_key", "kind", "state", "reason", "attempts", "block_number", "transaction_id"]
        rows = fetch_by_keys(session, MESSAGES, columns, "dedupe_key", dedupe_keys)
        return {row[0]: MessageStatus(row[0], row[1], MessageState(row[2]), *row[3:]) for row in rows}

    def in_state(self, session: Session, state: MessageState, kind: str | None = None) -> list[MessageStatus]:
        """Return all messages in a state, oldest first (not meant for ``done``)."""
        query = select(OutboxMessageRow).where(OutboxMessageRow.state == state).order_by(OutboxMessageRow.message_id)
        if kind is not None:
            query = query.where(OutboxMessageRow.kind == kind)
        return [
            MessageStatus(
                row.dedupe_key,
                row.kind,
                MessageState(row.state),
                row.reason,
                row.attempts,
                row.block_number,
                row.transaction_id,
            )
            for row in session.scalars(query)
        ]

    def counts(self, session: Session) -> dict[str, int]:
        """Return how many messages are in each state but ``done``, whose number only grows."""
        query = (
            select(OutboxMessageRow.state, func.count())
            .where(OutboxMessageRow.state.in_([one.value for one in MessageState if one is not MessageState.DONE]))
            .group_by(OutboxMessageRow.state)
        )
        return {str(state): int(count) for state, count in session.execute(query)}

    def _changeable(self, session: Session, dedupe_key: str) -> OutboxMessageRow:
        row = session.scalar(
            select(OutboxMessageRow).where(OutboxMessageRow.dedupe_key == dedupe_key).with_for_update()
        )
        if row is None:
            raise MessageNotFound(dedupe_key)
        if row.state not in (MessageState.QUEUED, MessageState.WAITING_FUNDING, MessageState.FAILED):
            raise MessageInFlight(dedupe_key, row.state)
        return row


def _insert(session: Session, rows: Sequence[tuple[object, ...]]) -> list[Enqueued]:
    keys = [cast(str, row[1]) for row in rows]
    known = _known(session, keys)
    fresh: dict[str, tuple[object, ...]] = {}
    for key, row in zip(keys, rows, strict=True):
        if key not in known:
            fresh.setdefault(key, row)
    mine = set(fresh)
    if bulk_insert_new(session, MESSAGES, _COLUMNS, list(fresh.values())) != len(fresh):
        known = _known(session, keys)  # another process was first with some; then we claim none as ours
        mine -= known.keys()
    outcomes = []
    for key, row in zip(keys, rows, strict=True):
        if key in mine and fresh[key] is row:
            outcomes.append(Enqueued.CREATED)
            continue
        target, payload = known[key] if key in known else (fresh[key][3], fresh[key][4])
        if target != row[3]:
            outcomes.append(Enqueued.EXISTS_WITH_DIFFERENT_TARGET)
        elif payload != row[4]:
            outcomes.append(Enqueued.EXISTS_WITH_DIFFERENT_PAYLOAD)
        else:
            outcomes.append(Enqueued.EXISTS)
    return outcomes


def _known(session: Session, keys: list[str]) -> dict[str, tuple[bytes | None, bytes]]:
    rows = fetch_by_keys(session, MESSAGES, ["dedupe_key", "target", "payload"], "dedupe_key", keys)
    return {key: (None if target is None else bytes(target), bytes(payload)) for key, target, payload in rows}
