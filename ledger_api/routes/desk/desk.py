"""The community desk: a clerk serves a resident who has no phone, with the resident's PIN or a second clerk.

The clerk takes the order and prints the slip; the merchant hands over. The desk can do neither for the other.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ledger_api import at_desk
from ledger_api.dependencies import (
    DEFAULT_LIMIT,
    Cursor,
    Deps,
    Limit,
    OrderIdPath,
    Who,
    Write,
    desk_of,
    note_look,
    order_id_of,
)
from ledger_api.http.answers import cacheable
from ledger_api.own.data import wallet_of
from ledger_api.own.orders import order_page
from ledger_api.routes.filters import OrderQuery, order_filter
from ledger_api.schemas.common import ResidentIdText
from ledger_api.schemas.desk import (
    DeskApprovalIn,
    DeskApprovalOut,
    DeskOrderIn,
    DeskOrderOut,
    DeskPinConfirmIn,
    DeskPinIn,
    DeskPinOut,
)
from ledger_api.schemas.orders import OrderPage
from ledger_api.schemas.redemption import SlipOut
from ledger_api.schemas.residents import Done
from ledger_api.schemas.wallet import WalletOut
from redemption.slips import qr_svg, slip_html

router = APIRouter(tags=["Community desk"])


@router.get("/v1/desk/residents/{resident_id}/wallet", operation_id="getWalletAtDesk", response_model=WalletOut)
def wallet(resident_id: ResidentIdText, request: Request, services: Deps, principal: Who) -> Response:
    """Return the wallet of a resident who is at the desk. Every look is logged with the clerk's name."""
    desk_of(principal)
    with services.database.transaction() as session:
        resident = services.registry.get(session, int(resident_id))
        note_look(session, services, principal, resident.resident_id, "getWalletAtDesk")
        return cacheable(request, wallet_of(session, services, resident.account))


@router.post("/v1/desk/approvals", operation_id="approveAtDesk", status_code=201, response_model=DeskApprovalOut)
def approve(body: DeskApprovalIn, write: Write) -> Response:
    """Approve, as the second clerk, one purchase of one resident. Good once, for a quarter of an hour."""
    return at_desk.approve(write, body)


@router.post("/v1/desk/orders", operation_id="redeemAtDesk", status_code=202, response_model=DeskOrderOut)
def redeem(body: DeskOrderIn, write: Write) -> Response:
    """Redeem an offer for a resident at the desk, who consents by PIN or before a second clerk; issues the slip."""
    return at_desk.redeem(write, body)


@router.get("/v1/desk/orders", operation_id="listDeskOrders", response_model=OrderPage)
def list_orders(
    services: Deps, principal: Who, wanted: OrderQuery, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> OrderPage:
    """Return the orders that this desk took, newest first. Nothing in them tells who the residents are."""
    desk_id = desk_of(principal)
    with services.database.read() as session:
        return order_page(session, services, order_filter(wanted, desk_id=desk_id), cursor, limit)


@router.post("/v1/desk/orders/{order_id}/slip", operation_id="reissueSlip", response_model=SlipOut)
def reissue(order_id: OrderIdPath, write: Write) -> Response:
    """Issue a new slip for one that was lost; the old one becomes void."""
    return at_desk.reissue(write, order_id_of(order_id))


@router.post("/v1/desk/pins", operation_id="setPinAtDesk", response_model=DeskPinOut)
def set_pin(body: DeskPinIn, write: Write) -> Response:
    """Set a PIN for a resident who is at the desk with the identity document. The clerk who set it can never use it.

    In the place of an older PIN, locked or not, it holds once a second clerk has confirmed it.
    """
    return at_desk.set_pin(write, body)


@router.post("/v1/desk/pins/confirm", operation_id="confirmPinAtDesk", response_model=Done)
def confirm_pin(body: DeskPinConfirmIn, write: Write) -> Response:
    """Confirm, as the second clerk who sees the resident, the new PIN that another clerk has set."""
    return at_desk.confirm_pin(write, body)


@router.get(
    "/v1/slips/{slip_id}/page",
    operation_id="getSlipPage",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def slip_page(slip_id: str, services: Deps, principal: Who) -> Response:
    """Return the printable slip, for the desk that took the order or its resident."""
    with services.database.read() as session:
        slip, order = at_desk.slip_for(session, services, principal, slip_id)
        content = at_desk.slip_content(session, services, slip, order)
    return Response(slip_html(content), media_type="text/html; charset=utf-8")


@router.get(
    "/v1/slips/{slip_id}/qr",
    operation_id="getSlipQr",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}}},
)
def slip_qr(slip_id: str, services: Deps, principal: Who) -> Response:
    """Return the slip's QR code alone, as SVG."""
    with services.database.read() as session:
        at_desk.slip_for(session, services, principal, slip_id)
    return Response(qr_svg(services.fulfilment.codes.code(slip_id)), media_type="image/svg+xml")
