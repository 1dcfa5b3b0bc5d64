"""One's orders: what became of each, the code to show, what to do next, and the receipt to keep."""

from __future__ import annotations

from io import BytesIO

import segno
from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger.standard.ids import OrderId, OrderIdText
from ledger_api.dependencies import OrderIdPath, order_id_of, own_account, own_resident
from ledger_api.errors import MalformedId, NotFinal, NotFound
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.own import orders
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller
from ledger_api.pages.wallet.access import Resident, ResidentForm, name_of, refusal
from ledger_api.pages.wallet.home import receipt_file
from ledger_api.schemas.orders import OrderOut, OrderPage
from ledger_api.schemas.redemption import SlipOut
from ledger_api.schemas.verification import ReceiptIn
from ledger_api.views import exchanges
from ledger_api.views.orders import exchange_out
from redemption.lists import OrderFilter

router = APIRouter(route_class=PageRoute, include_in_schema=False)

ORDERS = 20
WAITS = frozenset({"placed"})
HAS_CODE = frozenset({"paid", "held"})


@router.get("/wallet/orders")
def listed(caller: Resident, kind: str = "shop", cursor: str | None = None) -> Response:
    """Return purchases, or exchanges, newest first."""
    services, principal = caller.services, caller.principal
    with services.database.read() as session:
        if kind == "exchange":
            place = decode_cursor(cursor, 1)
            account = own_account(session, principal)
            found = exchanges.page(session, services.orders, account, place[0] if place else None, ORDERS + 1)
            following = encode_cursor(found[ORDERS - 1].sequence) if len(found) > ORDERS else None
            page = OrderPage(items=[exchange_out(one.placed) for one in found[:ORDERS]], next_cursor=following)
        else:
            wanted = OrderFilter(resident_id=own_resident(session, principal))
            page = orders.order_page(session, services, wanted, cursor, ORDERS)
    return caller.page(
        "orders.html",
        section="wallet",
        kind="exchange" if kind == "exchange" else "shop",
        orders=page.items,
        next_cursor=page.next_cursor,
        waits=any(one.state in WAITS for one in page.items),
        name=lambda programme: name_of(caller, programme),
        zh=caller.is_chinese,
    )


@router.get("/wallet/orders/{order_id}")
def order(caller: Resident, order_id: OrderIdPath) -> Response:
    """Return one order; while it is on its way the page looks again by itself."""
    return _page(caller, order_id)


@router.post("/wallet/orders/{order_id}/code")
def issue(posted: ResidentForm, order_id: OrderIdPath) -> Response:
    """Issue a code, which voids the one before, and show it."""
    try:
        answer = orders.issue_code(posted.write, _key(order_id))
    except TongduiError as error:
        return _page(posted, order_id, *refusal(posted, error))
    slip = SlipOut.model_validate_json(bytes(answer.body))
    return posted.see(f"/wallet/orders/{order_id}/code/{slip.slip_id}")


@router.get("/wallet/orders/{order_id}/code/{slip_id}")
def code(caller: Resident, order_id: OrderIdPath, slip_id: str) -> Response:
    """Return the code for the shop; once it has been used, the order. An address without its resident shows nothing."""
    found = orders.read_order(caller.services, caller.principal, _key(order_id))
    if found.handed_over_at is not None or found.state not in HAS_CODE:
        return _page(caller, order_id)
    shown = orders.slip_code(caller.services, caller.principal, slip_id)
    now = caller.services.clock.timestamp()
    return caller.page(
        "code.html",
        section="wallet",
        order=found,
        code=shown,
        qr=qr(shown.qr_content, caller.text("code.qr")),
        minutes_left=max(0, int(shown.expires_at.timestamp()) - now) // 60,
        is_over=shown.expires_at.timestamp() <= now,
        zh=caller.is_chinese,
    )


@router.post("/wallet/orders/{order_id}/cancel")
def cancel(posted: ResidentForm, order_id: OrderIdPath) -> Response:
    """Take a hold back."""
    try:
        orders.cancel(posted.write, _key(order_id))
    except TongduiError as error:
        return _page(posted, order_id, *refusal(posted, error))
    return posted.see(f"/wallet/orders/{order_id}")


@router.get("/wallet/orders/{order_id}/receipt")
def receipt(caller: Resident, order_id: OrderIdPath) -> Response:
    """Download the receipt that proves itself. Raises NotFinal."""
    key = _key(order_id)
    orders.read_order(caller.services, caller.principal, key)
    found = caller.services.receipts.for_order(key)
    if found is None:
        raise NotFinal(order_id)
    return receipt_file(ReceiptIn.model_validate(found), f"receipt-{order_id[2:14]}.json")


def qr(content: str, title: str) -> Markup:
    """Return a QR code as SVG that scales with its box; dark on white whatever the colours of the page."""
    out = BytesIO()
    segno.make(content, error="m", micro=False).save(
        out,
        kind="svg",
        border=4,
        xmldecl=False,
        nl=False,
        light="#fff",
        svgclass="qr",
        lineclass=None,
        omitsize=True,
        title=title,
    )
    return Markup(out.getvalue().decode())  # noqa: S704  (drawn here; the drawer escapes the title)


def _page(caller: Caller, order_id: OrderIdText, problem: str = "", status: int = 200) -> Response:
    found: OrderOut = orders.read_order(caller.services, caller.principal, _key(order_id))
    return caller.page(
        "order_own.html",
        status=status,
        section="wallet",
        order=found,
        problem=problem,
        waits=found.state in WAITS or (found.act is not None and found.act.state == "under_way"),
        has_code=found.state in HAS_CODE and found.kind != "exchange" and found.handed_over_at is None,
        paid=[(name_of(caller, one.programme), int(one.amount.minor)) for one in found.taken or found.lots],
        name=lambda programme: name_of(caller, programme),
        zh=caller.is_chinese,
    )


def _key(text: OrderIdText) -> OrderId:
    try:
        return order_id_of(text)
    except MalformedId:
        raise NotFound("order", text[:80]) from None
