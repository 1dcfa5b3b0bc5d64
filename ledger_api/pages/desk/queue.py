"""The desk's queue: the orders that it took, each with where it stands, and their slips to print."""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger_api import at_desk
from ledger_api.dependencies import OrderIdPath, desk_of, order_id_of
from ledger_api.pages.counter.sales import sale_of
from ledger_api.pages.desk.access import Clerk, ClerkForm, desk_page
from ledger_api.pages.shell.forms import FORM_REFUSED
from ledger_api.pages.shell.paper import qr_printed
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller
from ledger_api.views.queries import shop_names
from redemption import lists
from redemption.acts.table import Act
from redemption.codes import QR_PREFIX, grouped
from redemption.lists import OrderFilter

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/desk")

ORDERS_SHOWN = 30


@router.get("/queue")
def queue(caller: Clerk) -> Response:
    """Return the desk's last orders, newest first. Nothing in them tells who the residents are."""
    return _queue(caller)


@router.post("/orders/{order_id}/slip")
def reissue(order_id: OrderIdPath, posted: ClerkForm) -> Response:
    """Issue a new slip for one that was lost; the old one becomes void."""
    try:
        answer = at_desk.reissue(posted.write, order_id_of(order_id))
    except TongduiError as error:
        return _queue(posted, error)
    return posted.see(f"/desk/slips/{json.loads(bytes(answer.body))['slip_id']}")


@router.get("/slips/{slip_id}")
def slip_page(slip_id: str, caller: Clerk) -> Response:
    """Return a slip in large type, to print and to give to the resident. There is no name and no account on it."""
    desk_of(caller.principal)
    services = caller.services
    with services.database.read() as session:
        slip, order = at_desk.slip_for(session, services, caller.principal, slip_id)
        content = at_desk.slip_content(session, services, slip, order)
    return desk_page(
        caller,
        "desk_slip.html",
        "queue",
        slip=content,
        code=grouped(content.code),
        qr=qr_printed(QR_PREFIX + content.code, caller.text("desk.slip_code")),
        state=order.state.value,
        is_void=slip.is_replaced or slip.used_at is not None,
    )


def _queue(caller: Caller, error: TongduiError | None = None) -> Response:
    services = caller.services
    wanted = OrderFilter(desk_id=desk_of(caller.principal))
    with services.database.read() as session:
        found = lists.page(session, services.redemptions, services.acts, wanted, None, ORDERS_SHOWN)
        names = shop_names(session, [one.order for one in found])
    shops = {number: name.zh if caller.is_chinese else name.en for number, name in names.merchants.items()}
    orders = [
        (sale, shops.get(one.order.merchant_id, ""), sale.allows(Act.CODE))
        for one in found
        for sale in [sale_of(one, names, is_chinese=caller.is_chinese)]
    ]
    return desk_page(
        caller,
        "desk_queue.html",
        "queue",
        status=200 if error is None else FORM_REFUSED,
        orders=orders,
        problem=None if error is None else caller.what_is_wrong(error),
    )
