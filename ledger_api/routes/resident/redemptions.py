"""Redeeming an offer, and the code that shows it at the counter."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.standard.ids import OrderIdText, order_id_text
from ledger_api.auth import scopes
from ledger_api.dependencies import (
    DEFAULT_LIMIT,
    Cursor,
    Deps,
    Limit,
    ResidentToken,
    Write,
    order_id_of,
    own_resident,
    require,
)
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.schemas.common import hex_text, moment
from ledger_api.schemas.orders import OrderOut, OrderPage
from ledger_api.schemas.redemption import RedeemIn, RedeemQuoteOut, SlipCodeOut, SlipOut
from ledger_api.schemas.residents import Done
from ledger_api.views.orders import order_lots_out, redemption_out
from ledger_api.views.queries import order_outcome
from redemption.codes import QR_PREFIX, grouped
from redemption.errors import UnknownOrder
from redemption.fulfilment import SCREEN_CODE_LIFETIME_S, Slip
from redemption.orders import Kind, Purchase

router = APIRouter(tags=["Redemption"])


@router.post("/v1/redemptions/quotes", operation_id="quoteRedemption", response_model=RedeemQuoteOut)
def quote(body: RedeemIn, services: Deps, principal: ResidentToken) -> RedeemQuoteOut:
    """Say which points a redemption would take now. Changes nothing."""
    # A write transaction is not wanted for a question; the catalogue's lock is for those who buy.
    with services.database.read() as session:
        found = services.redemptions.quote(session, _purchase(body, own_resident(session, principal)))
    return RedeemQuoteOut(
        offer=found.offer.offer_id,
        quantity=found.quantity,
        merchant=found.offer.merchant_id,
        lots=order_lots_out(found.lots),
    )


@router.post("/v1/redemptions", operation_id="redeem", status_code=202, response_model=OrderOut)
def redeem(body: RedeemIn, write: Write) -> Response:
    """Redeem an offer: signs the order, reserves the pieces, sends it. Wait for it with `GET /v1/orders/{order_id}`."""
    require(write.principal, scopes.RESIDENT)

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        placed = write.services.redemptions.place(session, _purchase(body, resident_id))
        return 202, redemption_out(placed.order, None)

    return write.once(body, effect)


@router.get("/v1/redemptions", operation_id="listRedemptions", response_model=OrderPage)
def list_own(
    services: Deps, principal: ResidentToken, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> OrderPage:
    """Return the resident's redemption orders, newest first."""
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        resident_id = own_resident(session, principal)
        orders = services.redemptions.of_resident(session, resident_id, place[0] if place else None, limit + 1)
        items = [redemption_out(order, order_outcome(session, order.order_id)) for order in orders[:limit]]
    next_cursor = encode_cursor(orders[limit - 1].sequence) if len(orders) > limit else None
    return OrderPage(items=items, next_cursor=next_cursor)


@router.post("/v1/redemptions/{order_id}/code", operation_id="issueCode", response_model=SlipOut)
def issue_code(order_id: OrderIdText, write: Write) -> Response:
    """Issue a one-time code to show at the counter; it is good for a quarter of an hour and voids the one before."""
    require(write.principal, scopes.RESIDENT)
    key = order_id_of(order_id)

    def effect(session: Session) -> tuple[int, BaseModel]:
        order = write.services.redemptions.get(session, key)
        if order.resident_id != own_resident(session, write.principal):
            raise UnknownOrder(order_id)
        slip = write.services.fulfilment.issue_slip(
            session, key, write.principal.subject, lifetime_s=SCREEN_CODE_LIFETIME_S
        )
        return 200, slip_out(slip)

    return write.once(None, effect)


@router.get("/v1/slips/{slip_id}", operation_id="getSlip", response_model=SlipCodeOut)
def slip_code(slip_id: str, services: Deps, principal: ResidentToken) -> SlipCodeOut:
    """Return a slip's code, for its resident's own screen."""
    with services.database.read() as session:
        slip = services.fulfilment.slip(session, slip_id)
        order = services.redemptions.get(session, slip.order_id)
        if order.resident_id != own_resident(session, principal):
            raise UnknownOrder(order_id_text(slip.order_id))
    code = services.fulfilment.codes.code(slip_id)
    return SlipCodeOut(
        slip_id=slip_id,
        order_id=hex_text(slip.order_id),
        code=grouped(code),
        qr_content=QR_PREFIX + code,
        expires_at=moment(slip.expires_at),
    )


@router.post("/v1/redemptions/{order_id}/cancel", operation_id="cancelHold", response_model=Done)
def cancel(order_id: OrderIdText, write: Write) -> Response:
    """Give a hold back to oneself, where the order allows it or the merchant let its time pass."""
    require(write.principal, scopes.RESIDENT)
    key = order_id_of(order_id)

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        write.services.fulfilment.cancel(session, resident_id, key, "cancelled by the resident")
        return 202, Done()

    return write.once(None, effect)


def slip_out(slip: Slip) -> SlipOut:
    """Return a slip without its code."""
    return SlipOut(
        slip_id=slip.slip_id,
        order_id=hex_text(slip.order_id),
        expires_at=moment(slip.expires_at),
        html=f"/v1/slips/{slip.slip_id}/page",
        svg=f"/v1/slips/{slip.slip_id}/qr",
    )


def _purchase(body: RedeemIn, resident_id: int) -> Purchase:
    return Purchase(
        resident_id=resident_id,
        offer_id=body.offer,
        quantity=body.quantity,
        programmes=None if body.programmes is None else frozenset(body.programmes),
        kind=Kind(body.mode),
    )
