"""Exchange orders that were placed here, found again by their id in the outbox."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.orders.desk import OrderDesk, OrderState, OrderStatus
from ledger.standard.ids import Address, OrderId, to_address
from ledger.standard.packed import unpack_exchange_orders
from ledger.standard.typed_data import ExchangeOrder
from ledger.store.models.outbox import OutboxMessageRow


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


def find(session: Session, desk: OrderDesk, order_id: OrderId) -> PlacedExchange | None:
    """Return an exchange order that was placed here, or None."""
    row = session.scalar(
        select(OutboxMessageRow).where(OutboxMessageRow.order_id == order_id, OutboxMessageRow.kind == "exchange")
    )
    if row is None:
        return None
    [(order, _)] = unpack_exchange_orders(row.payload)
    key = OrderId(order_id)
    status = desk.status(session, key) or OrderStatus(key, OrderState.QUEUED)
    return PlacedExchange(key, order, row.created_at, status)
