"""The public book: aggregates for everybody, and one order for who has its full id."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ledger.standard.contract import rejection_word
from ledger.standard.ids import OrderId, OrderIdText
from ledger_api.dependencies import Deps, Public
from ledger_api.errors import NotFound
from ledger_api.pages.public.charts import bar
from ledger_api.pages.public.figures import age, par_text, programme_figures, promised_until, totals
from ledger_api.pages.shell.route import PageRoute, shell_of
from ledger_api.pages.shell.words import Language
from ledger_api.schemas.common import ProgrammeNumber
from ledger_api.services import Services
from ledger_api.views import public_book, queries

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/book", dependencies=[Public])

BATCHES_SHOWN = 20
CYCLES_SHOWN = 12
_ORDER_ID = re.compile(r"0x[0-9a-f]{64}")


def overview(services: Services, language: Language) -> dict[str, Any]:
    """Return what first page and book show of all programmes, as of one block, and the last running check."""
    now = services.clock.timestamp()
    with services.database.read() as session:
        block = queries.projected_block(session)
        found = queries.programmes(session)
        positions_fen = sum(fen for _, fen in queries.positions(session))
        cycles = public_book.cycles(session, CYCLES_SHOWN)
    programmes = [programme_figures(one, services.names, language, now) for one in found]
    report = services.invariants()
    return {
        "block": block,
        "programmes": programmes,
        "totals": totals(programmes),
        "positions_fen": positions_fen,
        "cycles": cycles,
        "due_fen": sum(one.due_fen for one in found),
        "due_older_fen": sum(one.due_older_fen for one in found),
        "report": report,
        "holds": all(check.ok for check in report.checks),
        "age": age(now, report.timestamp),
        "now": now,
        "most_fen": max([1, *(max(one.worth_fen, one.funding_fen) for one in programmes)]),
        "bar": bar,
        "par_text": par_text,
    }


@router.get("")
def book(request: Request, services: Deps) -> Response:
    """Return the book: programmes, funding, positions' sum, cycles, invariants."""
    shell = shell_of(request)
    shown = overview(services, shell.preferences(request).language)
    return shell.page(request, "book.html", section="book", chain_id=services.deployment.get("chain_id", ""), **shown)


@router.get("/programmes/{programme}")
def programme_page(programme: ProgrammeNumber, request: Request, services: Deps) -> Response:
    """Return one programme: where its points came from and went, its lots and batches."""
    shell = shell_of(request)
    now = services.clock.timestamp()
    with services.database.read() as session:
        block = queries.projected_block(session)
        found = [one for one in queries.programmes(session) if one.programme == programme]
        lots = public_book.lots(session, programme)
        batches = public_book.batches(session, programme, BATCHES_SHOWN)
    if not found:
        raise NotFound("programme", str(programme))
    return shell.page(
        request,
        "programme.html",
        section="book",
        block=block,
        one=programme_figures(found[0], services.names, shell.preferences(request).language, now),
        lots=[(lot, promised_until(lot.quarter)) for lot in lots],
        most_minor=max([1, *(lot.supply_minor for lot in lots)]),
        batches=batches,
        quarter_end=promised_until,
        bar=bar,
        par_text=par_text,
    )


@router.get("/orders")
def find_order(request: Request, id: str = "") -> Response:  # noqa: A002  (the field's name in the address)
    """Go to the order whose full id was given, or say what an id looks like."""
    text = id.strip().lower()
    if _ORDER_ID.fullmatch(text):
        return RedirectResponse(f"/book/orders/{text}", status_code=303)
    return shell_of(request).page(
        request, "order.html", section="book", status=422 if text else 200, given=id[:80], is_malformed=bool(text)
    )


@router.get("/orders/{order_id}")
def order_page(order_id: OrderIdText, request: Request, services: Deps) -> Response:
    """Return what the chain says of one order: kind, outcome, value and block, but neither account nor lots."""
    if not _ORDER_ID.fullmatch(order_id):
        raise NotFound("order", order_id)
    height = services.chain.final_height()
    found = services.chain.order(OrderId(bytes.fromhex(order_id[2:])))
    return shell_of(request).page(
        request,
        "order.html",
        section="book",
        given=order_id,
        is_malformed=False,
        found=found,
        height=height,
        reason=None if found is None or not found.code else rejection_word(found.code),
    )
