"""Redeeming an offer, and the code that shows it at the counter."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledger_api.dependencies import (
    DEFAULT_LIMIT,
    Cursor,
    Deps,
    Limit,
    OrderIdPath,
    ResidentToken,
    Write,
    order_id_of,
    own_resident,
)
from ledger_api.own import orders as own_orders
from ledger_api.own.orders import order_page
from ledger_api.routes.filters import OrderQuery, order_filter
from ledger_api.schemas.orders import OrderOut, OrderPage
from ledger_api.schemas.redemption import RedeemIn, RedeemQuoteOut, SlipCodeOut, SlipOut
from ledger_api.views.orders import order_lots_out

router = APIRouter(tags=["Redemption"])


@router.post("/v1/redemptions/quotes", operation_id="quoteRedemption", response_model=RedeemQuoteOut)
def quote(body: RedeemIn, services: Deps, principal: ResidentToken) -> RedeemQuoteOut:
    """Say which points a redemption would take now. Changes nothing."""
    found = own_orders.quote(services, principal, body)
    return RedeemQuoteOut(
        offer=found.offer.offer_id,
        quantity=found.quantity,
        merchant=found.offer.merchant_id,
        lots=order_lots_out(found.lots),
    )


@router.post("/v1/redemptions", operation_id="redeem", status_code=202, response_model=OrderOut)
def redeem(body: RedeemIn, write: Write) -> Response:
    """Redeem an offer: signs the order, reserves the pieces, sends it. Wait for it with `GET /v1/orders/{order_id}`.

    Refused to whoever acts for that shop.
    """
    return own_orders.redeem(write, body)


@router.get("/v1/redemptions", operation_id="listRedemptions", response_model=OrderPage)
def list_own(
    services: Deps, principal: ResidentToken, wanted: OrderQuery, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> OrderPage:
    """Return the resident's redemption orders, newest first; exchanges: `GET /v1/exchange/orders`."""
    with services.database.read() as session:
        asked = order_filter(wanted, resident_id=own_resident(session, principal))
        return order_page(session, services, asked, cursor, limit)


@router.post("/v1/redemptions/{order_id}/code", operation_id="issueCode", response_model=SlipOut)
def issue_code(order_id: OrderIdPath, write: Write) -> Response:
    """Issue a one-time code to show at the counter; it is good for a quarter of an hour and voids the one before."""
    return own_orders.issue_code(write, order_id_of(order_id))


@router.get("/v1/slips/{slip_id}", operation_id="getSlip", response_model=SlipCodeOut)
def slip_code(slip_id: str, services: Deps, principal: ResidentToken) -> SlipCodeOut:
    """Return a slip's code, for its resident's own screen."""
    return own_orders.slip_code(services, principal, slip_id)


@router.post("/v1/redemptions/{order_id}/cancel", operation_id="cancelHold", status_code=202, response_model=OrderOut)
def cancel(order_id: OrderIdPath, write: Write) -> Response:
    """Give a hold back to oneself, where the order allows it or the merchant let its time pass."""
    return own_orders.cancel(write, order_id_of(order_id))
