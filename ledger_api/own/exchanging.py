"""Turning points of one programme into another's at fixed par."""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.orders.quote import Quote
from ledger_api.auth import scopes
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import Writer, own_resident, require
from ledger_api.schemas.amounts import parse_points
from ledger_api.schemas.exchange import ExchangeIn
from ledger_api.schemas.orders import OrdersPlaced
from ledger_api.services import Services
from ledger_api.views import exchanges
from ledger_api.views.orders import exchange_out


def quote(services: Services, principal: Principal, body: ExchangeIn) -> Quote:
    """Return what an exchange would give now. Changes nothing."""
    amount = parse_points("amount", body.amount)
    with services.database.read() as session:
        account = services.registry.get(session, own_resident(session, principal)).account
        return services.orders.quote_exchange(session, account, body.from_programme, body.to_programme, amount)


def place(write: Writer, body: ExchangeIn) -> Response:
    """Exchange: one signed order for each lot."""
    require(write.principal, scopes.RESIDENT)
    services = write.services
    amount = parse_points("amount", body.amount)
    min_out = 1 if body.min_out is None else parse_points("min_out", body.min_out)

    def effect(session: Session) -> tuple[int, BaseModel]:
        signer = services.registry.signer(session, own_resident(session, write.principal))
        placed = services.orders.place_exchange(
            session, signer, body.from_programme, body.to_programme, amount, min_out_minor=min_out
        )
        found = [exchanges.find(session, services.orders, order.order_id) for order in placed.orders]
        return 202, OrdersPlaced(orders=[exchange_out(one) for one in found if one is not None])

    return write.once(body, effect)
