"""Exchanges and redemptions, as their residents see them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.orders.outcomes import OrderState
from ledger.orders.quote import LotQuote
from ledger.standard.contract import rejection_text
from ledger.standard.ids import split_token_id
from ledger.standard.quarters import NEVER, quarter_end_timestamp
from ledger.standard.typed_data import Lot
from ledger_api.schemas.common import hex_text, moment, points
from ledger_api.schemas.exchange import ExchangePart
from ledger_api.schemas.orders import ActOut, OrderLot, OrderOut
from ledger_api.schemas.orders import OrderState as ExchangeState
from ledger_api.schemas.redemption import SlipOut
from ledger_api.views import queries
from ledger_api.views.exchanges import PlacedExchange
from redemption.acts.book import ActOutcome, ActRecord
from redemption.fulfilment import Slip
from redemption.orders import Kind, RedemptionOrder
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


def act_out(act: ActRecord) -> ActOut:
    """Return an act as the resident sees it."""
    return ActOut(
        act_id=str(act.act_id),
        act=act.act.value,
        state=act.state.value,
        failure=act.failure,
        requested_at=moment(act.created_at),
        ended_at=None if act.ended_at is None else moment(act.ended_at),
    )


def redemption_out(
    order: RedemptionOrder,
    last: queries.OrderOutcome | None,
    names: queries.ShopNames,
    act: ActRecord | None = None,
    outcome: ActOutcome | None = None,
) -> OrderOut:
    """Return a redemption order as its resident sees it. ``last``: what the chain said of it last."""
    name = hex_text(order.order_id)
    merchant, title = names.merchants.get(order.merchant_id), names.offers.get(order.offer_id or "")
    return OrderOut(
        order_id=name,
        kind=order.kind.value,
        state=order.state.value,
        is_final=order.state in FINAL,
        reject_code=order.reject_code,
        reject_reason=None if order.reject_code is None else rejection_text(order.reject_code),
        lots=order_lots_out(order.lots),
        taken=order_lots_out(order.taken_lots),
        merchant=order.merchant_id,
        merchant_zh=None if merchant is None else merchant.zh,
        merchant_en=None if merchant is None else merchant.en,
        offer=order.offer_id,
        title_zh=None if title is None else title.zh,
        title_en=None if title is None else title.en,
        quantity=order.quantity,
        placed_at=moment(order.created_at),
        capture_by=None if order.capture_by is None else moment(order.capture_by),
        is_cancellable=order.is_cancellable if order.kind is Kind.HOLD else None,
        handed_over_at=None if order.handed_over_at is None else moment(order.handed_over_at),
        act=None if act is None else act_out(act),
        outcome=None if outcome is None else outcome.value,
        final_at=None if order.final_at is None else moment(order.final_at),
        deadline=moment(order.deadline),
        transaction=None if last is None else hex_text(last.transaction_hash),
        receipt=f"/v1/orders/{name}/receipt" if last is not None and last.code == 0 else None,
    )


_EXCHANGE_STATES: dict[OrderState, ExchangeState] = {
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


def slip_out(slip: Slip) -> SlipOut:
    """Return a slip without its code."""
    return SlipOut(
        slip_id=slip.slip_id,
        order_id=hex_text(slip.order_id),
        expires_at=moment(slip.expires_at),
        html=f"/v1/slips/{slip.slip_id}/page",
        svg=f"/v1/slips/{slip.slip_id}/qr",
    )
