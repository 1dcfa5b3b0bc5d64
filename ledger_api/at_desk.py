"""What a community desk does for a resident who is there, for the API's routes and the pages alike: one set of rules.

The clerk takes the order and prints the slip; the merchant hands over. The desk can do neither for the other. Each
function asks for the desk's scope itself.
"""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.standard.amounts import points_text
from ledger.standard.ids import OrderId, order_id_text, split_token_id
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import Writer, desk_of, note_look, resident_of
from ledger_api.schemas.amounts import parse_points
from ledger_api.schemas.common import moment
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
from ledger_api.schemas.exchange import ExchangeIn
from ledger_api.schemas.residents import Done
from ledger_api.services import Services
from ledger_api.views.orders import redemption_out, slip_out
from ledger_api.views.queries import shop_names
from redemption.acts.table import Act
from redemption.desk_approval import APPROVAL_LIFETIME_S, Purchase
from redemption.errors import BadSlipCode, DeskProofRefused, UnknownOrder
from redemption.fulfilment import Slip
from redemption.orders import Channel, Kind, RedemptionOrder
from redemption.orders import Purchase as OrderPurchase
from redemption.slips import SlipContent, SlipLine

CANCELLED = "cancelled by the resident at a desk"


def require_pin(services: Services, principal: Principal, resident_id: int, pin: str) -> None:
    """Raise DeskProofRefused or PinLocked unless a resident's PIN is right.

    In a transaction of its own: a wrong PIN is counted although the request fails.
    """
    with services.database.transaction() as session:
        tried = services.approvals.try_pin(session, resident_id, pin, principal.subject)
    tried.require()


def approve(write: Writer, body: DeskApprovalIn) -> Response:
    """Approve, as the second clerk, one purchase of one resident. Good once, for a quarter of an hour."""
    desk_id = desk_of(write.principal)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        services.registry.get(session, int(body.resident_id))
        note_look(session, services, write.principal, int(body.resident_id), "approveAtDesk")
        services.offers.get(session, body.offer)
        purchase = Purchase(desk_id, int(body.resident_id), body.offer, body.quantity)
        approval_id = services.approvals.approve(session, purchase, write.principal.subject)
        expires_at = services.clock.timestamp() + APPROVAL_LIFETIME_S
        return 201, DeskApprovalOut(approval_id=approval_id, expires_at=moment(expires_at))

    return write.once(body, effect)


def redeem(write: Writer, body: DeskOrderIn) -> Response:
    """Redeem an offer for a resident at the desk, who consents by PIN or before a second clerk; issues the slip."""
    desk_id = desk_of(write.principal)
    services = write.services
    resident_id = int(body.resident_id)
    if (again := write.answered(body)) is not None:
        return again  # a repeat is no new try of the PIN
    if isinstance(body.proof, PinProof):
        require_pin(services, write.principal, resident_id, body.proof.pin)

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
                kind=Kind(body.mode),
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


def reissue(write: Writer, key: OrderId) -> Response:
    """Issue a new slip for one that was lost; the old one becomes void."""
    desk_id = desk_of(write.principal)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        if services.redemptions.get(session, key).desk_id != desk_id:
            raise UnknownOrder(order_id_text(key))
        return 200, slip_out(services.fulfilment.issue_slip(session, key, write.principal.subject))

    return write.once(None, effect)


def set_pin(write: Writer, body: DeskPinIn) -> Response:
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


def confirm_pin(write: Writer, body: DeskPinConfirmIn) -> Response:
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


def slip_for(session: Session, services: Services, principal: Principal, slip_id: str) -> tuple[Slip, RedemptionOrder]:
    """Return a slip and its order, for the desk that took it or its resident. Raises BadSlipCode."""
    slip = services.fulfilment.slip(session, slip_id)
    order = services.redemptions.get(session, slip.order_id)
    if order.desk_id is not None and f"desk:{order.desk_id}" in principal.scopes:
        return slip, order
    if not principal.has("resident:self") or resident_of(session, principal) != order.resident_id:
        raise BadSlipCode  # as for a slip that does not exist
    return slip, order


def slip_content(session: Session, services: Services, slip: Slip, order: RedemptionOrder) -> SlipContent:
    """Return what a slip says."""
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


def cancel(write: Writer, resident_id: int, order_id: OrderId, pin: str) -> None:
    """Take a hold back for a resident who is at the desk and consents by PIN; see `Fulfilment.cancel`."""
    desk_of(write.principal)
    services, by = write.services, write.principal.subject
    wish = write.wish(Act.CANCEL, order_id, CANCELLED)
    with services.database.read() as session:
        if services.acts.known(session, wish) is not None:
            return
    require_pin(services, write.principal, resident_id, pin)
    with services.database.transaction() as session:
        note_look(session, services, write.principal, resident_id, "cancelAtDesk")
        services.fulfilment.cancel(session, resident_id, order_id, CANCELLED, by, wish.key)
    services.after_write()


def exchange(write: Writer, resident_id: int, body: ExchangeIn, pin: str) -> None:
    """Exchange for a resident who is at the desk and consents by PIN; a repeat finds the first."""
    desk_of(write.principal)
    services = write.services
    if write.answered(body) is not None:
        return  # a repeat is no new try of the PIN
    amount = parse_points("amount", body.amount)
    least = 1 if body.min_out is None else parse_points("min_out", body.min_out)
    require_pin(services, write.principal, resident_id, pin)

    def effect(session: Session) -> tuple[int, BaseModel]:
        note_look(session, services, write.principal, resident_id, "exchangeAtDesk")
        signer = services.registry.signer(session, resident_id)
        services.orders.place_exchange(
            session, signer, body.from_programme, body.to_programme, amount, min_out_minor=least
        )
        return 202, Done()

    write.once(body, effect)
