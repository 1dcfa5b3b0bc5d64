"""Lists of orders, newest first: a resident's, a shop's, a desk's, by what they ask for. A page costs three queries,
however many orders are on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from ledger.standard.ids import MerchantId, OrderId
from ledger.store.models.redemption import RedemptionActRow, RedemptionOrderRow
from redemption.acts.book import ActBook, ActRecord, ActState
from redemption.orders import Kind, RedemptionOrder, Redemptions
from redemption.states import State


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders. None leaves a question open; times are Unix seconds of placing, ``placed_before`` not included."""

    resident_id: int | None = None
    merchant_id: MerchantId | None = None
    desk_id: str | None = None
    states: Collection[State] | None = None
    kind: Kind | None = None
    offer_id: str | None = None
    placed_from: int | None = None
    placed_before: int | None = None
    is_under_way: bool | None = None
    """Whether the order itself, or an act on it, is under way: what somebody waits for."""
    is_handed_over: bool | None = None


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """An order, and the last act on it: the one that is under way, where one is."""

    order: RedemptionOrder
    act: ActRecord | None


def page(
    session: Session, redemptions: Redemptions, acts: ActBook, wanted: OrderFilter, before: int | None, limit: int
) -> list[ListedOrder]:
    """Return at most ``limit`` orders, newest first, those before the sequence number ``before``."""
    query = select(RedemptionOrderRow).where(*_conditions(wanted))
    if before is not None:
        query = query.where(RedemptionOrderRow.sequence < before)
    rows = session.scalars(query.order_by(RedemptionOrderRow.sequence.desc()).limit(limit)).all()
    return _with_acts(session, acts, redemptions.many(session, rows))


def one(session: Session, redemptions: Redemptions, acts: ActBook, order_id: OrderId) -> ListedOrder:
    """Return an order as lists have it. Raises UnknownOrder."""
    return _with_acts(session, acts, [redemptions.get(session, order_id)])[0]


def _with_acts(session: Session, acts: ActBook, orders: Sequence[RedemptionOrder]) -> list[ListedOrder]:
    last = acts.last(session, [order.order_id for order in orders]) if orders else {}
    return [ListedOrder(order, last.get(order.order_id)) for order in orders]


def _conditions(wanted: OrderFilter) -> list[ColumnElement[bool]]:
    row = RedemptionOrderRow
    found: list[ColumnElement[bool]] = []
    if wanted.resident_id is not None:
        found.append(row.resident_id == wanted.resident_id)
    if wanted.merchant_id is not None:
        found.append(row.merchant_id == wanted.merchant_id)
    if wanted.desk_id is not None:
        found.append(row.desk_id == wanted.desk_id)
    if wanted.states is not None:
        found.append(row.state.in_([state.value for state in wanted.states]))
    if wanted.kind is not None:
        found.append(row.kind == wanted.kind)
    if wanted.offer_id is not None:
        found.append(row.offer_id == wanted.offer_id)
    if wanted.placed_from is not None:
        found.append(row.created_at >= wanted.placed_from)
    if wanted.placed_before is not None:
        found.append(row.created_at < wanted.placed_before)
    if wanted.is_handed_over is not None:
        found.append(row.handed_over_at.is_not(None) if wanted.is_handed_over else row.handed_over_at.is_(None))
    if wanted.is_under_way is not None:
        acting = select(RedemptionActRow.act_id).where(
            RedemptionActRow.order_id == row.order_id, RedemptionActRow.state == ActState.UNDER_WAY
        )
        waits = (row.state == State.PLACED) | acting.exists()
        found.append(waits if wanted.is_under_way else ~waits)
    return found
