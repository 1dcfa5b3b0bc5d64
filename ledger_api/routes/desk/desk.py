"""The community desk: a clerk serves a resident who has no phone, with the resident's PIN or a second clerk.

The clerk takes the order and prints the slip; the merchant hands over. The desk can do neither for the other.
"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.amounts import points_text
from ledger.standard.ids import order_id_text, split_token_id
from ledger_api.auth.tokens import Principal
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
    resident_of,
)
from ledger_api.http.answers import cacheable
from ledger_api.own.data import wallet_of
from ledger_api.own.orders import order_page
from ledger_api.routes.filters import OrderQuery, order_filter
from ledger_api.schemas.common import ResidentIdText, moment
from ledger_api.schemas.desk import (
    DeskApprovalIn,
    DeskApprovalOut,
    DeskOrderIn,
    DeskOrderOut,
    DeskPinConfirmIn,
    DeskPinIn,
    DeskPinOut,
    PinProof,
)
from ledger_api.schemas.orders import OrderPage
from ledger_api.schemas.redemption import SlipOut
from ledger_api.schemas.residents import Done
from ledger_api.schemas.wallet import WalletOut
from ledger_api.services import Services
from ledger_api.views.orders import redemption_out, slip_out
from ledger_api.views.queries import shop_names
from redemption.desk_approval import APPROVAL_LIFETIME_S, Purchase
from redemption.errors import BadSlipCode, DeskProofRefused, UnknownOrder
from redemption.fulfilment import Slip
from redemption.orders import Channel, RedemptionOrder
from redemption.orders import Purchase as OrderPurchase
from redemption.slips import SlipContent, SlipLine, qr_svg, slip_html

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
    desk_id = desk_of(write.principal)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        services.registry.get(session, int(body.resident_id))
        services.offers.get(session, body.offer)
        purchase = Purchase(desk_id, int(body.resident_id), body.offer, body.quantity)
        approval_id = services.approvals.approve(session, purchase, write.principal.subject)
        expires_at = services.clock.timestamp() + APPROVAL_LIFETIME_S
        return 201, DeskApprovalOut(approval_id=approval_id, expires_at=moment(expires_at))

    return write.once(body, effect)


@router.post("/v1/desk/orders", operation_id="redeemAtDesk", status_code=202, response_model=DeskOrderOut)
def redeem(body: DeskOrderIn, write: Write) -> Response:
    """Redeem an offer for a resident at the desk, who consents by PIN or before a second clerk; issues the slip."""
    desk_id = desk_of(write.principal)
    services = write.services
    resident_id = int(body.resident_id)
    if (again := write.answered(body)) is not None:
        return again  # a repeat is no new try of the PIN
    if isinstance(body.proof, PinProof):
        # In a transaction of its own: a wrong PIN is counted although the request fails.
        with services.database.transaction() as session:
            tried = services.approvals.try_pin(session, resident_id, body.proof.pin, write.principal.subject)
        tried.require()

    def effect(session: Session) -> tuple[int, BaseModel]:
        approver = None
        if not isinstance(body.proof, PinProof):
            asked = Purchase(desk_id, resident_id, body.offer, body.quantity)
            approver = services.approvals.use_approval(session, body.proof.approval_id, asked, write.principal.subject)
        note_look(session, services, write.principal, resident_id, "redeemAtDesk")
        placed = services.redemptions.place(
            session,
            OrderPurchase(
                resident_id=resident_id,
                offer_id=body.offer,
                quantity=body.quantity,
                channel=Channel.DESK,
                desk_id=desk_id,
                clerk=write.principal.subject,
                approver=approver,
            ),
        )
        slip = services.fulfilment.issue_slip(session, placed.order.order_id, write.principal.subject)
        return 202, DeskOrderOut(
            order=redemption_out(placed.order, None, shop_names(session, [placed.order])), slip=slip_out(slip)
        )

    return write.once(body, effect)


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
    desk_id = desk_of(write.principal)
    key = order_id_of(order_id)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        if services.redemptions.get(session, key).desk_id != desk_id:
            raise UnknownOrder(order_id)
        return 200, slip_out(services.fulfilment.issue_slip(session, key, write.principal.subject))

    return write.once(None, effect)


@router.post("/v1/desk/pins", operation_id="setPinAtDesk", response_model=DeskPinOut)
def set_pin(body: DeskPinIn, write: Write) -> Response:
    """Set a PIN for a resident who is at the desk with the identity document. The clerk who set it can never use it.

    In the place of an older PIN, locked or not, it holds once a second clerk has confirmed it.
    """
    desk_of(write.principal)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident = services.registry.get(session, int(body.resident_id))
        note_look(session, services, write.principal, resident.resident_id, "setPinAtDesk")
        until = services.approvals.reset_pin(session, resident.resident_id, body.pin, write.principal.subject)
        return 200, DeskPinOut(done=until is None, confirm_until=None if until is None else moment(until))

    return write.once(body, effect)


@router.post("/v1/desk/pins/confirm", operation_id="confirmPinAtDesk", response_model=Done)
def confirm_pin(body: DeskPinConfirmIn, write: Write) -> Response:
    """Confirm, as the second clerk who sees the resident, the new PIN that another clerk has set."""
    desk_of(write.principal)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = int(body.resident_id)
        if resident_of(session, write.principal) == resident_id:
            raise DeskProofRefused("nobody confirms a PIN for himself")
        note_look(session, services, write.principal, resident_id, "confirmPinAtDesk")
        services.approvals.confirm_pin(session, resident_id, write.principal.subject)
        return 200, Done()

    return write.once(body, effect)


@router.get(
    "/v1/slips/{slip_id}/page",
    operation_id="getSlipPage",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def slip_page(slip_id: str, services: Deps, principal: Who) -> Response:
    """Return the printable slip, for the desk that took the order or its resident."""
    with services.database.read() as session:
        slip, order = _slip_for(session, services, principal, slip_id)
        content = _content(session, services, slip, order)
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
        _slip_for(session, services, principal, slip_id)
    return Response(qr_svg(services.fulfilment.codes.code(slip_id)), media_type="image/svg+xml")


def _slip_for(session: Session, services: Services, principal: Principal, slip_id: str) -> tuple[Slip, RedemptionOrder]:
    slip = services.fulfilment.slip(session, slip_id)
    order = services.redemptions.get(session, slip.order_id)
    if order.desk_id is not None and f"desk:{order.desk_id}" in principal.scopes:
        return slip, order
    if not principal.has("resident:self") or resident_of(session, principal) != order.resident_id:
        raise BadSlipCode  # as for a slip that does not exist
    return slip, order


def _content(session: Session, services: Services, slip: Slip, order: RedemptionOrder) -> SlipContent:
    merchant = services.merchants.get(session, order.merchant_id)
    offer = services.offers.get(session, order.offer_id or "")
    lines = []
    for lot in order.lots:
        name = services.names[split_token_id(lot.id)[0]]
        lines.append(SlipLine(name.name_zh, name.name_en, points_text(lot.amount)))
    return SlipContent(
        code=services.fulfilment.codes.code(slip.slip_id),
        order_id=order_id_text(order.order_id),
        merchant_zh=merchant.name_zh,
        merchant_en=merchant.name_en,
        address_zh=merchant.address_zh,
        address_en=merchant.address_en,
        title_zh=offer.title_zh,
        title_en=offer.title_en,
        quantity=order.quantity,
        lines=lines,
        expires_at=slip.expires_at,
    )
