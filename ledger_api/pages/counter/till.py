"""The counter: one field for camera, six digits and scanner gun; the hand-over; and the last sales with their state."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger.standard.ids import MerchantId, OrderId, OrderIdText
from ledger_api.dependencies import OrderIdPath, actor_of, order_id_of
from ledger_api.errors import Forbidden
from ledger_api.pages.counter.access import (
    Staff,
    StaffForm,
    require_staff,
    require_till,
    shop_of,
    shop_page,
    shops_of,
)
from ledger_api.pages.counter.sales import Sale, doubtful_first, sale_of
from ledger_api.pages.shell.forms import FORM_REFUSED
from ledger_api.pages.shell.policy import Surface
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller, see
from ledger_api.schemas.common import MerchantNumber
from ledger_api.views.merchants import refusal_word
from ledger_api.views.queries import order_lock, shop_names
from redemption import lists
from redemption.acts.table import Act, Standing
from redemption.errors import RedemptionError, UnknownOrder
from redemption.fulfilment import HANDED_OVER
from redemption.lists import OrderFilter

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/counter")

SALES_SHOWN = 20
REFRESH_S = 2
"""How often a screen that waits for the chain looks again."""


@router.get("")
def home(caller: Staff) -> Response:
    """Go to the caller's shop, or let one choose among several. Raises Forbidden for whoever has none."""
    found = shops_of(caller.principal.scopes)
    if not found:
        raise Forbidden(("merchant:{merchant_id}",))
    if len(found) == 1:
        return see(f"/counter/{found[0]}")
    shops = [shop_of(caller, merchant_id) for merchant_id in found]
    return caller.page("counter_shops.html", section="counter", shops=shops)


@router.get("/{merchant_id}")
def till(merchant_id: MerchantNumber, caller: Staff) -> Response:
    """Return the field and the last sales."""
    require_staff(caller, merchant_id)
    return till_page(caller, merchant_id)


@router.post("/{merchant_id}/check")
def check(merchant_id: MerchantNumber, posted: StaffForm) -> Response:
    """Show the order behind a code, and whether it would be handed over. Changes nothing, so a reload is harmless."""
    require_till(posted, merchant_id)
    services = posted.services
    try:
        with services.database.read() as session:
            actor = actor_of(session, posted.principal)
            checked = services.fulfilment.check(session, merchant_id, posted.form["code"], actor)
            sale = _sale(session, posted, checked.order.order_id)
    except RedemptionError as error:
        return till_page(posted, merchant_id, error)
    refusal = None if checked.refusal is None else refusal_word(checked.refusal)
    return shop_page(posted, merchant_id, "counter_check.html", "till", sale=sale, code=checked.code, refusal=refusal)


@router.post("/{merchant_id}/hand-over")
def hand_over(merchant_id: MerchantNumber, posted: StaffForm) -> Response:
    """Use up a code. A second tap, and a form sent again, find the first one's act."""
    require_till(posted, merchant_id)
    services, code = posted.services, posted.form["code"]
    try:
        with services.database.read() as session:
            order_id = services.fulfilment.order_of(session, merchant_id, code)
        wish = posted.write.wish(Act.HAND_OVER, order_id, HANDED_OVER)
        with services.database.transaction() as session:
            actor = actor_of(session, posted.principal)
            done = services.fulfilment.hand_over(session, merchant_id, code, actor, wish.key)
    except RedemptionError as error:
        return till_page(posted, merchant_id, error)
    services.after_write()
    return posted.see(f"/counter/{merchant_id}/sales/0x{done.record.order_id.hex()}/paid")


@router.get("/{merchant_id}/sales/{order_id}/paid")
def paid(merchant_id: MerchantNumber, order_id: OrderIdPath, caller: Staff) -> Response:
    """Fill the screen with what came of a hand-over until somebody taps it."""
    require_staff(caller, merchant_id)
    sale = sale_at(caller, merchant_id, order_id)
    if sale.standing not in _OUT:
        return see(f"/counter/{merchant_id}/sales/{order_id}")
    return caller.page(
        "counter_paid.html",
        surface=Surface.SCANNING,
        shop=shop_of(caller, merchant_id),
        sale=sale,
        is_paid=sale.standing is Standing.HANDED_OVER,
        refresh_s=REFRESH_S if sale.is_moving else None,
    )


_OUT = (Standing.HANDED_OVER, Standing.HANDING_OVER, Standing.UNPAID)


def till_page(caller: Caller, merchant_id: MerchantId, error: TongduiError | None = None) -> Response:
    """Return the field and the last sales, and what was wrong with the code before."""
    services = caller.services
    with services.database.read() as session:
        wanted = OrderFilter(merchant_id=merchant_id)
        found = lists.page(session, services.redemptions, services.acts, wanted, None, SALES_SHOWN)
        names = shop_names(session, [one.order for one in found])
        sales = [
            sale_of(one, names, is_chinese=caller.is_chinese, lock=order_lock(session, one.order.order_id))
            for one in found
        ]
        proposals = services.refund_approvals.of_merchant(session, merchant_id)
    return shop_page(
        caller,
        merchant_id,
        "counter_till.html",
        "till",
        status=200 if error is None else FORM_REFUSED,
        sales=doubtful_first(sales),
        doubtful=sum(1 for sale in sales if sale.is_doubtful),
        proposals=proposals,
        problem=None if error is None else caller.what_is_wrong(error),
    )


def sale_at(caller: Caller, merchant_id: MerchantId, order_id: OrderIdText) -> Sale:
    """Return a sale of this shop. Raises UnknownOrder, for another's too."""
    key = order_id_of(order_id)
    with caller.services.database.read() as session:
        if caller.services.redemptions.get(session, key).merchant_id != merchant_id:
            raise UnknownOrder(order_id)
        return _sale(session, caller, key)


def _sale(session: Session, caller: Caller, order_id: OrderId) -> Sale:
    services = caller.services
    found = lists.one(session, services.redemptions, services.acts, order_id)
    names = shop_names(session, [found.order])
    return sale_of(found, names, is_chinese=caller.is_chinese, lock=order_lock(session, order_id))
