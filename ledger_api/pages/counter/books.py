"""A shop's books: what it took by day, its offers with their fixed codes to print, and its statement."""

from __future__ import annotations

import re

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.civil_time import DAY_S, city_moment, civil_day, day_start, month_start
from ledger.standard.ids import order_id_text
from ledger_api.dependencies import Public
from ledger_api.http.csv_text import ROWS_MAX
from ledger_api.pages.counter.access import Staff, require_manager, shop_page
from ledger_api.pages.counter.charts import columns
from ledger_api.pages.shell.paper import qr_printed
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import see
from ledger_api.schemas.common import MerchantNumber, OfferIdText
from ledger_api.services import Services
from redemption import statements
from redemption.errors import UnknownOffer
from redemption.till.takings import by_day

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/counter")
codes = APIRouter(route_class=PageRoute, include_in_schema=False)

DAYS_SHOWN = 28
OFFERS_SHOWN = 100
MONTHS_SHOWN = 6
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


@router.get("/{merchant_id}/takings")
def takings(merchant_id: MerchantNumber, caller: Staff) -> Response:
    """Return what the shop took in the last four weeks, day by day."""
    require_manager(caller, merchant_id)
    today = civil_day(caller.services.clock.timestamp())
    with caller.services.database.read() as session:
        days = by_day(session, merchant_id, day_start(today - DAYS_SHOWN + 1), day_start(today + 1))
    return shop_page(
        caller,
        merchant_id,
        "counter_takings.html",
        "takings",
        days=[(day, day_start(day.day)) for day in reversed(days)],
        chart=columns(days, caller.text("counter.takings.chart")),
        sales=sum(day.sales for day in days),
        paid_fen=sum(day.paid_fen for day in days),
        refunded_fen=sum(day.refunded_fen for day in days),
        count=DAYS_SHOWN,
    )


@router.get("/{merchant_id}/offers")
def offers(merchant_id: MerchantNumber, caller: Staff) -> Response:
    """Return the shop's offers, paused and future ones too, each with its code to print."""
    require_manager(caller, merchant_id)
    services = caller.services
    with services.database.read() as session:
        found = services.offers.page(session, merchant_id=merchant_id, after=None, limit=OFFERS_SHOWN, only_open=False)
    return shop_page(caller, merchant_id, "counter_offers.html", "offers", offers=found)


@router.get("/{merchant_id}/offers/{offer_id}")
def fixed_code(merchant_id: MerchantNumber, offer_id: OfferIdText, caller: Staff) -> Response:
    """Return an offer's fixed code, to print and to lay on the counter: a phone that reads it opens the offer."""
    require_manager(caller, merchant_id)
    services = caller.services
    with services.database.read() as session:
        offer = services.offers.get(session, offer_id)
    if offer.merchant_id != merchant_id:
        raise UnknownOffer(offer_id)
    address = f"{_address(caller.request, services)}/o/{offer_id}"
    return shop_page(
        caller,
        merchant_id,
        "counter_code.html",
        "offers",
        offer=offer,
        address=address,
        qr=qr_printed(address, caller.text("counter.offers.code")),
    )


@codes.get("/o/{offer_id}", dependencies=[Public])
def scanned(offer_id: OfferIdText) -> Response:
    """Lead whoever scanned a fixed code to the offer in the wallet."""
    return see(f"/wallet/shop/{offer_id}")


@router.get("/{merchant_id}/statement")
def statement(merchant_id: MerchantNumber, caller: Staff, month: str = "") -> Response:
    """Return a month's statement: each line is a movement of the shop's claim on chain, and the sums are the API's."""
    require_manager(caller, merchant_id)
    now = caller.services.clock.timestamp()
    starts = _months(now)
    names = [_month_name(start) for start in starts]
    since = starts[names.index(month)] if _MONTH.fullmatch(month) and month in names else starts[0]
    until = month_start(since + 32 * DAY_S)
    with caller.services.database.read() as session:
        found = statements.statement(session, merchant_id, since, until, None, ROWS_MAX)
    return shop_page(
        caller,
        merchant_id,
        "counter_statement.html",
        "statement",
        months=names,
        month=_month_name(since),
        found=found,
        last=min(until, now) - 1,
        lines=[(line, None if line.order_id is None else order_id_text(line.order_id)) for line in found.lines],
    )


def _months(now: int) -> list[int]:
    """Return where the last months begin, this one first."""
    starts = [month_start(now)]
    while len(starts) < MONTHS_SHOWN:
        starts.append(month_start(starts[-1] - 1))
    return starts


def _month_name(start: int) -> str:
    return f"{city_moment(start):%Y-%m}"


def _address(request: Request, services: Services) -> str:
    """Return where people reach the pages: what is declared, else this machine."""
    return services.pages.public_url.rstrip("/") if services.pages.public_url else f"http://{request.headers['host']}"
