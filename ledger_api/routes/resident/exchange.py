"""Turning points of one programme into another's at fixed par: no spread, and a lot keeps its expiry quarter."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledger_api.dependencies import DEFAULT_LIMIT, Cursor, Deps, Limit, ResidentToken, Write, own_resident
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.own import exchanging
from ledger_api.schemas.common import points
from ledger_api.schemas.exchange import ExchangeIn, ExchangeQuoteOut
from ledger_api.schemas.orders import OrderPage, OrdersPlaced
from ledger_api.views import exchanges
from ledger_api.views.orders import exchange_out, exchange_part_out

router = APIRouter(tags=["Exchange"])


@router.post("/v1/exchange/quotes", operation_id="quoteExchange", response_model=ExchangeQuoteOut)
def quote(body: ExchangeIn, services: Deps, principal: ResidentToken) -> ExchangeQuoteOut:
    """Say what an exchange would give now. Changes nothing, so it needs no Idempotency-Key."""
    quoted = exchanging.quote(services, principal, body)
    return ExchangeQuoteOut(
        from_programme=body.from_programme,
        to_programme=body.to_programme,
        amount_in=points(quoted.amount_in_minor),
        amount_out=points(quoted.amount_out_minor),
        parts=[exchange_part_out(lot) for lot in quoted.lots],
    )


@router.post("/v1/exchange/orders", operation_id="placeExchange", status_code=202, response_model=OrdersPlaced)
def place(body: ExchangeIn, write: Write) -> Response:
    """Exchange. Makes one signed order for each lot; wait for each with `GET /v1/orders/{order_id}?wait_s=10`."""
    return exchanging.place(write, body)


@router.get("/v1/exchange/orders", operation_id="listExchanges", response_model=OrderPage)
def list_own(
    services: Deps, principal: ResidentToken, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> OrderPage:
    """Return the resident's exchange orders, newest first, each with what came of it."""
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        account = services.registry.get(session, own_resident(session, principal)).account
        found = exchanges.page(session, services.orders, account, place[0] if place else None, limit + 1)
    shown = found[:limit]
    next_cursor = encode_cursor(shown[-1].sequence) if len(found) > limit else None
    return OrderPage(items=[exchange_out(one.placed) for one in shown], next_cursor=next_cursor)
