"""Exchanges and redemptions, as their residents see them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.orders.desk import OrderState
from ledger.orders.quote import LotQuote
from ledger.standard.contract import rejection_text
from ledger.standard.ids import split_token_id
from ledger.standard.quarters import NEVER, quarter_end_timestamp
from ledger.standard.typed_data import Lot
from ledger_api.schemas.common import hex_text, moment, points
from ledger_api.schemas.exchange import ExchangePart
from ledger_api.schemas.orders import OrderLot, OrderOut
from ledger_api.views import queries
from ledger_api.views.exchanges import PlacedExchange
from redemption.orders import RedemptionOrder
from redemption.states import FINAL, State


def exchange_part_out(part: LotQuote) -> ExchangePart:
    """Return one lot's part of an exchange."""
    quarter = split_token_id(part.from_id)[1]
    return ExchangePart(
        from_token_id=str(part.from_id),
        amount_in=points(part.amount_in_minor),
        amount_out=points(part.amount_out_minor),
        expires_at=None if quarter == NEVER else moment(quarter_end_timestamp(quarter)),
    )


def order_lots_out(lots: Iterable[Lot]) -> list[OrderLot]:
    """Return the lots of an order."""
    return [
        OrderLot(token_id=str(one.id), programme=split_token_id(one.id)[0], amount=points(one.amount)) for one in lots
    ]


def redemption_out(order: RedemptionOrder, outcome: queries.OrderOutcome | None) -> OrderOut:
    """Return a redemption order as its resident sees it."""
    name = hex_text(order.order_id)
    is_paid = order.paid_fen > 0
    return OrderOut(
        order_id=name,
        kind=order.kind.value,
        state=order.state.value,
        is_final=order.state in FINAL,
        reject_code=order.reject_code,
        reject_reason=None if order.reject_code is None else rejection_text(order.reject_code),
        lots=order_lots_out(order.lots),
        merchant=order.merchant_id,
        offer=order.offer_id,
        quantity=order.quantity,
        placed_at=moment(order.created_at),
        final_at=None if order.final_at is None else moment(order.final_at),
        deadline=moment(order.deadline),
        transaction=None if outcome is None else hex_text(outcome.transaction_hash),
        receipt=f"/v1/orders/{name}/receipt" if is_paid else None,
    )


_EXCHANGE_STATES = {
    OrderState.QUEUED: "placed",
    OrderState.SENT: "placed",
    OrderState.ACCEPTED: "done",
    OrderState.REJECTED: "rejected",
    OrderState.EXPIRED: "expired",
    OrderState.FAILED: "failed",
}


def exchange_out(placed: PlacedExchange) -> OrderOut:
    """Return an exchange order: the chain's word where there is one, else our own."""
    name = hex_text(placed.order_id)
    order, status = placed.order, placed.status
    landed = status.state is OrderState.ACCEPTED
    return OrderOut(
        order_id=name,
        kind="exchange",
        state=_EXCHANGE_STATES[status.state],
        is_final=status.is_final,
        reject_code=status.code,
        reject_reason=None if status.code is None else rejection_text(status.code),
        lots=order_lots_out([Lot(order.from_id, order.amount)]),
        to_programme=order.to_programme,
        amount_out=None if status.amount_out_minor is None or not landed else points(status.amount_out_minor),
        placed_at=moment(placed.placed_at),
        final_at=None if status.block_timestamp is None else moment(status.block_timestamp),
        deadline=moment(order.deadline),
        transaction=None if status.transaction_hash is None else hex_text(status.transaction_hash),
        receipt=f"/v1/orders/{name}/receipt" if landed else None,
    )


def is_settled(state: str) -> bool:
    """Return whether a client that waits for an order has its answer (a hold is one)."""
    return state != State.PLACED
