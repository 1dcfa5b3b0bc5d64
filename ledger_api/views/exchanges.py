"""Exchange orders that were placed here, found again by their id in the outbox."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.orders.desk import OrderDesk
from ledger.orders.outcomes import OrderState, OrderStatus
from ledger.standard.ids import Address, OrderId, address_bytes, to_address
from ledger.standard.packed import unpack_exchange_orders
from ledger.standard.typed_data import ExchangeOrder
from ledger.store.models.outbox import ExchangeOrderRow, OutboxMessageRow


@dataclass(frozen=True, slots=True)
class PlacedExchange:
    """An exchange order as it was signed, when (Unix seconds), and what is known of it now."""

    order_id: OrderId
    order: ExchangeOrder
    placed_at: int
    status: OrderStatus

    @property
    def holder(self) -> Address:
        """Who signed it."""
        return to_address(self.order.holder)


@dataclass(frozen=True, slots=True)
class ListedExchange:
    """An exchange order, and its place in the holder's list."""

    sequence: int
    placed: PlacedExchange


def page(session: Session, desk: OrderDesk, holder: Address, before: int | None, limit: int) -> list[ListedExchange]:
    """Return at most ``limit`` of a holder's exchange orders, newest first, those before a sequence number."""
    row = ExchangeOrderRow
    query = select(row.sequence, row.order_id).where(row.holder == address_bytes(holder))
    if before is not None:
        query = query.where(row.sequence < before)
    places = session.execute(query.order_by(row.sequence.desc()).limit(limit)).all()
    ids = [OrderId(order_id) for _, order_id in places]
    messages = {
        one.order_id: one for one in session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.order_id.in_(ids)))
    }
    statuses = desk.statuses(session, ids)
    return [
        ListedExchange(sequence, _placed(messages[order_id], statuses.get(OrderId(order_id))))
        for sequence, order_id in places
    ]


def find(session: Session, desk: OrderDesk, order_id: OrderId) -> PlacedExchange | None:
    """Return an exchange order that was placed here, or None."""
    row = session.scalar(
        select(OutboxMessageRow).where(OutboxMessageRow.order_id == order_id, OutboxMessageRow.kind == "exchange")
    )
    if row is None:
        return None
    return _placed(row, desk.status(session, OrderId(order_id)))


def _placed(row: OutboxMessageRow, status: OrderStatus | None) -> PlacedExchange:
    [(order, _)] = unpack_exchange_orders(row.payload)
    key = OrderId(row.order_id or b"")
    return PlacedExchange(key, order, row.created_at, status or OrderStatus(key, OrderState.QUEUED))
