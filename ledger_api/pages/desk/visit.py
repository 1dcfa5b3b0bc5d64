"""A resident at the desk: found by document or card, what they have, what they can get, and what is under way."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select
from starlette.responses import Response

from ledger.residents.errors import EmptyIdentifier, ResidentNotFound
from ledger.standard.ids import order_id_text
from ledger.store.models.api import IdentityLookRow
from ledger_api import at_desk
from ledger_api.dependencies import NOBODY, OrderIdPath, desk_of, note_look, order_id_of
from ledger_api.pages.desk.access import OPERATIONS, Clerk, ClerkForm, desk_page
from ledger_api.pages.desk.menu import menu, points_of, totals_by_programme
from ledger_api.pages.shell.forms import FORM_REFUSED
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller
from ledger_api.schemas.common import ResidentIdText
from ledger_api.views.queries import shop_names
from redemption import lists
from redemption.acts.book import ActState
from redemption.acts.table import TABLE, Act, Takes, standing
from redemption.errors import RedemptionError
from redemption.lists import OrderFilter

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/desk")

ORDERS_SHOWN = 10
LOOKS_SHOWN = 50
_CARD_DIGITS = range(1, 20)


@router.get("")
def home(caller: Clerk) -> Response:
    """Return the field for a card or a document."""
    return desk_page(caller, "desk_find.html", "find", problem=None)


@router.post("/find")
def find(posted: ClerkForm) -> Response:
    """Find a resident by card or document. Every try is logged, one that finds nobody too."""
    desk_of(posted.principal)
    services = posted.services
    text = posted.form["who"].strip().replace(" ", "").upper()
    with services.database.transaction() as session:
        try:
            if posted.form["by"] == "document":
                resident = services.registry.by_document(session, text)
            elif text.isascii() and text.isdecimal() and len(text) in _CARD_DIGITS and int(text) < 2**63:
                resident = services.registry.get(session, int(text))
            else:
                raise ResidentNotFound("with this card")
        except (ResidentNotFound, EmptyIdentifier):
            note_look(session, services, posted.principal, NOBODY, OPERATIONS["find"])
            found = None
        else:
            found = resident.resident_id
    if found is None:
        return desk_page(posted, "desk_find.html", "find", status=FORM_REFUSED, problem=posted.text("desk.nobody"))
    return posted.see(f"/desk/residents/{found}")


@router.get("/residents/{resident_id}")
def resident_page(resident_id: ResidentIdText, caller: Clerk) -> Response:
    """Return what a resident has and can get. The look is logged with the clerk's name."""
    return visit_page(caller, int(resident_id))


@router.post("/residents/{resident_id}/orders/{order_id}/cancel")
def cancel(resident_id: ResidentIdText, order_id: OrderIdPath, posted: ClerkForm) -> Response:
    """Take a hold back for the resident, who consents by PIN."""
    desk_of(posted.principal)
    try:
        at_desk.cancel(posted.write, int(resident_id), order_id_of(order_id), posted.form["pin"])
    except RedemptionError as error:
        return visit_page(posted, int(resident_id), posted.what_is_wrong(error))
    return posted.see(f"/desk/residents/{resident_id}")


@router.get("/looks")
def looks(caller: Clerk) -> Response:
    """Return the last looks of this desk's clerks: who, when, for what; of the resident the card's last four digits."""
    desk = desk_of(caller.principal)
    row = IdentityLookRow
    with caller.services.database.read() as session:
        found = session.scalars(
            select(row).where(row.institution == f"desk:{desk}").order_by(row.look_id.desc()).limit(LOOKS_SHOWN)
        ).all()
    shown = [(one, "" if one.resident_id == NOBODY else f"…{one.resident_id % 10_000:04d}") for one in found]
    return desk_page(caller, "desk_looks.html", "looks", looks=shown)


def visit_page(caller: Caller, resident_id: int, problem: str | None = None) -> Response:
    """Return a resident's page at the desk, and log the look."""
    desk_of(caller.principal)
    services, chinese = caller.services, caller.is_chinese
    now = services.clock.timestamp()
    with services.database.transaction() as session:
        resident = services.registry.get(session, resident_id)
        note_look(session, services, caller.principal, resident_id, OPERATIONS["look"])
        held = services.orders.holdings(session, resident.account)
        choices = menu(session, caller, resident)
        wanted = OrderFilter(resident_id=resident_id)
        orders = lists.page(session, services.redemptions, services.acts, wanted, None, ORDERS_SHOWN)
        names = shop_names(session, [one.order for one in orders])
    shown = []
    for one in orders:
        order, act = one.order, one.act
        under_way = act.act if act is not None and act.state is ActState.UNDER_WAY else None
        stands = standing(order.state, is_handed_over=order.handed_over_at is not None, under_way=under_way)
        title = names.offers.get(order.offer_id or "")
        shown.append(
            {
                "id": order_id_text(order.order_id),
                "title": "" if title is None else (title.zh if chinese else title.en),
                "quantity": order.quantity,
                "at": order.created_at,
                "standing": stands.value,
                "takes": totals_by_programme(order.lots, services.names, is_chinese=chinese),
                "can_cancel": order.is_cancellable and isinstance(TABLE[stands][Act.CANCEL], Takes),
            }
        )
    return desk_page(
        caller,
        "desk_resident.html",
        "find",
        status=FORM_REFUSED if problem else 200,
        resident=resident,
        points=points_of(held, services.names, now, is_chinese=chinese),
        choices=choices,
        orders=shown,
        problem=problem,
    )
