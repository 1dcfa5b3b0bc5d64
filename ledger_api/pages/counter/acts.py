"""What is done with one sale: capture a hold in part, give it back, refund it; the rules are the services' own."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger.standard.amounts import yuan_text
from ledger.standard.ids import MerchantId, OrderIdText
from ledger_api.dependencies import OrderIdPath, actor_of, order_id_of
from ledger_api.errors import MalformedAmount
from ledger_api.pages.counter.access import (
    Staff,
    StaffForm,
    require_refunds,
    require_staff,
    require_till,
    shop_page,
)
from ledger_api.pages.counter.sales import Sale
from ledger_api.pages.counter.till import REFRESH_S, sale_at
from ledger_api.pages.shell.forms import FORM_REFUSED
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller, Posting
from ledger_api.schemas.amounts import parse_yuan
from ledger_api.schemas.common import MerchantNumber
from redemption.acts.table import Act
from redemption.errors import RedemptionError, RefundNeedsSecond
from redemption.fulfilment import CAPTURED
from redemption.refunds import propose

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/counter")

_FEN_DIGITS_MAX, _REASON_MAX = 10, 200

REASONS = ("faulty", "wrong", "unwanted", "not_there")
"""What a reason is called in the catalogues; one tap each. A reason of one's own is typed."""


@router.get("/{merchant_id}/sales/{order_id}")
def sale_page(merchant_id: MerchantNumber, order_id: OrderIdPath, caller: Staff) -> Response:
    """Return one sale: where it stands, what was done with it, and what can be."""
    require_staff(caller, merchant_id)
    return _page(caller, merchant_id, sale_at(caller, merchant_id, order_id))


@router.post("/{merchant_id}/sales/{order_id}/capture")
def capture(merchant_id: MerchantNumber, order_id: OrderIdPath, posted: StaffForm) -> Response:
    """Capture part of a hold; the rest goes back to the resident in the same call on chain."""
    require_till(posted, merchant_id)
    services, key = posted.services, order_id_of(order_id)
    try:
        keep_fen = parse_yuan("keep", posted.form["keep"].strip())
        wish = posted.write.wish(Act.CAPTURE, key, CAPTURED, keep_fen)
        with services.database.transaction() as session:
            actor = actor_of(session, posted.principal)
            services.fulfilment.capture_part(session, merchant_id, key, keep_fen, actor, wish.key)
    except (RedemptionError, MalformedAmount) as error:
        return _page(posted, merchant_id, sale_at(posted, merchant_id, order_id), error, field="keep")
    return _done(posted, merchant_id, order_id)


@router.post("/{merchant_id}/sales/{order_id}/release")
def release(merchant_id: MerchantNumber, order_id: OrderIdPath, posted: StaffForm) -> Response:
    """Give a hold back to the resident."""
    require_till(posted, merchant_id)
    services, key = posted.services, order_id_of(order_id)
    reason = _reason(posted)
    try:
        wish = posted.write.wish(Act.RELEASE, key, reason)
        with services.database.transaction() as session:
            actor = actor_of(session, posted.principal)
            services.fulfilment.release(session, merchant_id, key, actor, reason, wish.key)
    except RedemptionError as error:
        return _page(posted, merchant_id, sale_at(posted, merchant_id, order_id), error, field="release")
    return _done(posted, merchant_id, order_id)


@router.get("/{merchant_id}/sales/{order_id}/refund")
def refund_page(merchant_id: MerchantNumber, order_id: OrderIdPath, caller: Staff) -> Response:
    """Ask how much goes back, and why: the second tap of a refund."""
    require_refunds(caller, merchant_id)
    return _refund_page(caller, merchant_id, sale_at(caller, merchant_id, order_id))


@router.post("/{merchant_id}/sales/{order_id}/refund")
def refund(merchant_id: MerchantNumber, order_id: OrderIdPath, posted: StaffForm) -> Response:
    """Give back, at most what the shop has of the sale. Above the city's limit another login proposes it first."""
    require_refunds(posted, merchant_id)
    services, key = posted.services, order_id_of(order_id)
    sale = sale_at(posted, merchant_id, order_id)
    try:
        keep_fen, reason = _keep_fen(posted, sale), _reason(posted)
        wish = posted.write.wish(Act.REFUND, key, reason, keep_fen)
        with services.database.read() as session:
            known = services.acts.known(session, wish)
        if known is None:
            services.refunds.require_open(merchant_id, key)
            proof = services.refunds.prove(key)  # asks the chain, so before the transaction
            with services.database.transaction() as session:
                actor = actor_of(session, posted.principal)
                services.refunds.refund(session, merchant_id, proof, keep_fen, actor, reason, wish.key)
    except (RedemptionError, MalformedAmount) as error:
        return _refund_page(posted, merchant_id, sale, error)
    return _done(posted, merchant_id, order_id)


@router.post("/{merchant_id}/sales/{order_id}/propose")
def propose_refund(merchant_id: MerchantNumber, order_id: OrderIdPath, posted: StaffForm) -> Response:
    """Propose a refund above what one login gives back alone; another login then carries it out."""
    require_refunds(posted, merchant_id)
    services, key = posted.services, order_id_of(order_id)
    sale = sale_at(posted, merchant_id, order_id)
    try:
        keep_fen, reason = _keep_fen(posted, sale), _reason(posted)
        with services.database.transaction() as session:
            actor = actor_of(session, posted.principal)
            propose(
                session,
                services.redemptions,
                services.acts,
                services.refund_approvals,
                merchant_id,
                key,
                keep_fen,
                actor,
                reason,
            )
    except (RedemptionError, MalformedAmount) as error:
        return _refund_page(posted, merchant_id, sale, error)
    return posted.see(f"/counter/{merchant_id}")


def _keep_fen(posted: Posting, sale: Sale) -> int:
    """Return what the shop keeps of a sale after what the form gives back. Raises MalformedAmount above what it has."""
    proposed = posted.form["keep_fen"]
    if proposed.isascii() and proposed.isdecimal() and len(proposed) <= _FEN_DIGITS_MAX:
        return int(proposed)  # a proposal is carried out as it was made
    back_fen = parse_yuan("back", posted.form["back"].strip())
    if back_fen > sale.paid_fen:
        raise MalformedAmount("back")
    return sale.paid_fen - back_fen


def _reason(posted: Posting) -> str:
    """Return the reason as text, in the words of who gives it: what is typed, else the button's."""
    chosen = posted.form["reason"]
    if chosen in REASONS:
        return posted.text(f"counter.reason.{chosen}")
    typed = " ".join("".join(sign for sign in posted.form["other"] or chosen if sign.isprintable()).split())
    return typed[:_REASON_MAX] or posted.text("counter.reason.none")


def _done(posted: Posting, merchant_id: MerchantId, order_id: OrderIdText) -> Response:
    posted.services.after_write()
    return posted.see(f"/counter/{merchant_id}/sales/{order_id}")


def _page(
    caller: Caller, merchant_id: MerchantId, sale: Sale, error: TongduiError | None = None, field: str = ""
) -> Response:
    with caller.services.database.read() as session:
        acts = caller.services.acts.of_order(session, order_id_of(sale.order_id))
    return shop_page(
        caller,
        merchant_id,
        "counter_sale.html",
        "till",
        status=200 if error is None else FORM_REFUSED,
        sale=sale,
        acts=acts,
        Act=Act,
        reasons=REASONS,
        problem=None if error is None else caller.what_is_wrong(error),
        field=field,
        refresh_s=REFRESH_S if sale.is_moving and error is None else None,
    )


def _refund_page(caller: Caller, merchant_id: MerchantId, sale: Sale, error: TongduiError | None = None) -> Response:
    given = caller.form if isinstance(caller, Posting) else {}
    return shop_page(
        caller,
        merchant_id,
        "counter_refund.html",
        "till",
        status=200 if error is None else FORM_REFUSED,
        sale=sale,
        reasons=REASONS,
        back=given.get("back") or yuan_text(sale.paid_fen),
        given=given,
        can_be=sale.allows(Act.REFUND) and sale.paid_fen > 0,
        needs_second=isinstance(error, RefundNeedsSecond),
        problem=None if error is None else caller.what_is_wrong(error),
    )
