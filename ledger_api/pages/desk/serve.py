"""What a desk does for a resident: an order with its slip, a second clerk's approval, an exchange, a new PIN."""

from __future__ import annotations

import json

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger.standard.amounts import points_text, to_minor
from ledger.standard.errors import MalformedAmountText
from ledger.standard.ids import ProgrammeId
from ledger_api import at_desk
from ledger_api.dependencies import desk_of, note_look
from ledger_api.pages.desk.access import OPERATIONS, Clerk, ClerkForm, desk_page
from ledger_api.pages.desk.menu import choice, points_of
from ledger_api.pages.shell.forms import FORM_REFUSED
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller, Posting
from ledger_api.schemas.common import OfferIdText, ResidentIdText
from ledger_api.schemas.desk import (
    DeskApprovalIn,
    DeskOrderIn,
    DeskPinConfirmIn,
    DeskPinIn,
    PinProof,
    SecondClerkProof,
)
from ledger_api.schemas.exchange import ExchangeIn
from redemption.desk_approval import Purchase
from redemption.errors import DeskProofRefused, PinLocked, WeakPin

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/desk/residents/{resident_id}")

QUANTITY_MAX = 100


@router.get("/offers/{offer_id}")
def offer_page(resident_id: ResidentIdText, offer_id: OfferIdText, caller: Clerk, quantity: str = "1") -> Response:
    """Return an offer with what it would take, to be read back to the resident, and how the resident consents."""
    return _offer_page(caller, resident_id, offer_id, _quantity(quantity))


@router.post("/offers/{offer_id}/order")
def order(resident_id: ResidentIdText, offer_id: OfferIdText, posted: ClerkForm) -> Response:
    """Take the order, with the resident's PIN or a second clerk's approval, and go to its slip."""
    quantity = _quantity(posted.form["quantity"])
    try:
        body = DeskOrderIn(
            resident_id=resident_id,
            offer=offer_id,
            quantity=quantity,
            mode="hold" if posted.form["mode"] == "hold" else "redeem",
            proof=_proof(posted),
        )
        answer = at_desk.redeem(posted.write, body)
    except ValidationError:
        return _offer_page(posted, resident_id, offer_id, quantity, DeskProofRefused("the PIN has six digits"))
    except TongduiError as error:
        return _offer_page(posted, resident_id, offer_id, quantity, error)
    return posted.see(f"/desk/slips/{json.loads(bytes(answer.body))['slip']['slip_id']}")


@router.post("/offers/{offer_id}/approve")
def approve(resident_id: ResidentIdText, offer_id: OfferIdText, posted: ClerkForm) -> Response:
    """Approve, as the second clerk, this purchase: the first clerk's page finds it by itself."""
    quantity = _quantity(posted.form["quantity"])
    try:
        at_desk.approve(posted.write, DeskApprovalIn(resident_id=resident_id, offer=offer_id, quantity=quantity))
    except TongduiError as error:
        return _offer_page(posted, resident_id, offer_id, quantity, error)
    return _offer_page(posted, resident_id, offer_id, quantity, done="desk.approved")


@router.get("/exchange")
def exchange_page(
    resident_id: ResidentIdText, caller: Clerk, source: int = 0, target: int = 0, amount: str = ""
) -> Response:
    """Ask which points turn into which; with all three given, show what comes out, to be read back."""
    return _exchange_page(caller, resident_id, source, target, amount)


@router.post("/exchange")
def exchange(resident_id: ResidentIdText, posted: ClerkForm) -> Response:
    """Exchange for the resident, who consents by PIN."""
    desk_of(posted.principal)
    form = posted.form
    source, target = (_number(form[name]) for name in ("source", "target"))
    try:
        body = ExchangeIn(
            from_programme=source, to_programme=target, amount=form["amount"].strip(), min_out=form["least"] or None
        )
        at_desk.exchange(posted.write, int(resident_id), body, form["pin"])
    except ValidationError:
        return _exchange_page(posted, resident_id, source, target, form["amount"])
    except TongduiError as error:
        return _exchange_page(posted, resident_id, source, target, form["amount"], error)
    return posted.see(f"/desk/residents/{resident_id}")


@router.get("/pin")
def pin_page(resident_id: ResidentIdText, caller: Clerk) -> Response:
    """Return the forms for a new PIN, and for the second clerk who confirms one."""
    return _pin_page(caller, resident_id)


@router.post("/pin")
def set_pin(resident_id: ResidentIdText, posted: ClerkForm) -> Response:
    """Set a PIN; in the place of another it waits for a second clerk."""
    try:
        if posted.form["pin"] != posted.form["again"]:
            return _pin_page(posted, resident_id, problem=posted.text("desk.pin_differs"))
        answer = at_desk.set_pin(posted.write, DeskPinIn(resident_id=resident_id, pin=posted.form["pin"]))
    except ValidationError:
        return _pin_page(posted, resident_id, problem=posted.what_is_wrong(WeakPin()))
    except TongduiError as error:
        return _pin_page(posted, resident_id, problem=posted.what_is_wrong(error))
    is_set = json.loads(bytes(answer.body))["done"]
    return _pin_page(posted, resident_id, done="desk.pin_set" if is_set else "desk.pin_waits")


@router.post("/pin/confirm")
def confirm_pin(resident_id: ResidentIdText, posted: ClerkForm) -> Response:
    """Confirm, as the second clerk, the PIN that another clerk has set."""
    try:
        at_desk.confirm_pin(posted.write, DeskPinConfirmIn(resident_id=resident_id))
    except TongduiError as error:
        return _pin_page(posted, resident_id, problem=posted.what_is_wrong(error))
    return _pin_page(posted, resident_id, done="desk.pin_set")


def _proof(posted: Posting) -> PinProof | SecondClerkProof:
    if posted.form["approval"]:
        return SecondClerkProof(kind="second_clerk", approval_id=posted.form["approval"])
    return PinProof(kind="pin", pin=posted.form["pin"])


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0


def _quantity(text: str) -> int:
    return min(max(_number(text), 1), QUANTITY_MAX)


def _offer_page(
    caller: Caller,
    resident_id: str,
    offer_id: str,
    quantity: int,
    error: TongduiError | None = None,
    *,
    done: str | None = None,
) -> Response:
    desk = desk_of(caller.principal)
    services, subject = caller.services, caller.principal.subject
    with services.database.transaction() as session:
        resident = services.registry.get(session, int(resident_id))
        note_look(session, services, caller.principal, resident.resident_id, OPERATIONS["look"])
        offer = services.offers.get(session, offer_id)
        found = choice(session, caller, services, resident, offer, quantity)
        purchase = Purchase(desk, resident.resident_id, offer_id, quantity)
        approvals = services.approvals.waiting(session, purchase, subject)
    return desk_page(
        caller,
        "desk_offer.html",
        "find",
        status=200 if error is None else FORM_REFUSED,
        resident=resident,
        choice=found,
        quantity=quantity,
        approvals=approvals,
        problem=None if error is None else caller.what_is_wrong(error),
        is_locked=isinstance(error, PinLocked),
        done=done,
    )


def _exchange_page(
    caller: Caller, resident_id: str, source: int, target: int, amount: str, error: TongduiError | None = None
) -> Response:
    desk_of(caller.principal)
    services, chinese = caller.services, caller.is_chinese
    now = services.clock.timestamp()
    quoted = None
    with services.database.transaction() as session:
        resident = services.registry.get(session, int(resident_id))
        note_look(session, services, caller.principal, resident.resident_id, OPERATIONS["look"])
        held = services.orders.holdings(session, resident.account)
        if source and target and amount and error is None:
            try:
                quoted = services.orders.quote_exchange(
                    session, resident.account, ProgrammeId(source), ProgrammeId(target), to_minor(amount.strip())
                )
            except (TongduiError, MalformedAmountText) as refused:
                error = refused
    targets = [
        (one.programme, caller.services.names[one.programme])
        for one in held.terms.programmes.values()
        if one.programme in services.names and one.par_microfen
    ]
    return desk_page(
        caller,
        "desk_exchange.html",
        "find",
        status=200 if error is None else FORM_REFUSED,
        resident=resident,
        points=[one for one in points_of(held, services.names, now, is_chinese=chinese) if one.can_spend],
        targets=[(number, name.name_zh if chinese else name.name_en) for number, name in targets],
        source=source,
        target=target,
        amount=amount,
        quoted=quoted,
        least="" if quoted is None else points_text(quoted.amount_out_minor),
        problem=None if error is None else caller.what_is_wrong(error),
    )


def _pin_page(caller: Caller, resident_id: str, *, problem: str | None = None, done: str | None = None) -> Response:
    desk_of(caller.principal)
    services = caller.services
    with services.database.transaction() as session:
        resident = services.registry.get(session, int(resident_id))
        note_look(session, services, caller.principal, resident.resident_id, OPERATIONS["look"])
    return desk_page(
        caller,
        "desk_pin.html",
        "find",
        status=FORM_REFUSED if problem else 200,
        resident=resident,
        problem=problem,
        done=done,
    )
