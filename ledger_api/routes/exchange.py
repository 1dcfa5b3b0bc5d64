"""Turning points of one programme into another's at fixed par: no spread, and a lot keeps its expiry quarter."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger_api import scopes, views
from ledger_api.amounts import parse_points
from ledger_api.dependencies import Deps, ResidentToken, Write, own_resident, require
from ledger_api.schemas import ExchangeIn, ExchangeQuoteOut, OrdersPlaced, points
from ledger_api.services import ExchangePart

router = APIRouter(tags=["Exchange"])


@router.post("/v1/exchange/quotes", operation_id="quoteExchange", response_model=ExchangeQuoteOut)
def quote(body: ExchangeIn, services: Deps, principal: ResidentToken) -> ExchangeQuoteOut:
    """Say what an exchange would give now. Changes nothing, so it needs no Idempotency-Key."""
    amount = parse_points("amount", body.amount)
    with services.database.read() as session:
        resident = services.registry.get(session, own_resident(session, principal))
        parts = services.exchanges.quote(session, resident.account, body.from_programme, body.to_programme, amount)
    return _quote(body, parts)


@router.post("/v1/exchange/orders", operation_id="placeExchange", status_code=202, response_model=OrdersPlaced)
def place(body: ExchangeIn, write: Write) -> Response:
    """Exchange. Makes one signed order for each lot; wait for each with `GET /v1/orders/{order_id}?wait_s=10`."""
    require(write.principal, scopes.RESIDENT)
    services = write.services
    amount = parse_points("amount", body.amount)
    min_out = None if body.min_out is None else parse_points("min_out", body.min_out)

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        orders = services.exchanges.place(session, resident_id, body.from_programme, body.to_programme, amount, min_out)
        return 202, OrdersPlaced(orders=[views.exchange(order, None) for order in orders])

    return write.once(body, effect)


def _quote(body: ExchangeIn, parts: Sequence[ExchangePart]) -> ExchangeQuoteOut:
    return ExchangeQuoteOut(
        from_programme=body.from_programme,
        to_programme=body.to_programme,
        amount_in=points(sum(part.amount_in for part in parts)),
        amount_out=points(sum(part.amount_out for part in parts)),
        parts=[views.exchange_part(part) for part in parts],
    )
