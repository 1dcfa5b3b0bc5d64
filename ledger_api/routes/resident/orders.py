"""The outcome of an order, for those who may know: its resident, its merchant."""

from __future__ import annotations

import time
from typing import Annotated

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.ids import OrderId, order_id_text
from ledger_api.auth import scopes
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import Deps, OrderIdPath, Who, order_id_of, resident_of
from ledger_api.errors import NotFinal
from ledger_api.http.answers import cacheable
from ledger_api.schemas.orders import OrderOut
from ledger_api.schemas.verification import ReceiptIn
from ledger_api.services import Services
from ledger_api.views import exchanges, queries
from ledger_api.views.orders import exchange_out, is_settled, redemption_out
from redemption import lists
from redemption.errors import UnknownOrder

router = APIRouter(tags=["Orders"])

WAIT_MAX_S = 30
_POLL_S = 0.05


@router.get("/v1/orders/{order_id}", operation_id="getOrder", response_model=OrderOut)
async def get_order(
    order_id: OrderIdPath,
    request: Request,
    services: Deps,
    principal: Who,
    wait_s: Annotated[
        float, Query(ge=0, le=WAIT_MAX_S, description="Wait up to so many seconds for the final answer.")
    ] = 0,
) -> Response:
    """Return an order and what the chain made of it; with `wait_s` the answer comes as soon as it is final."""
    # The one asynchronous route: a hundred clients that wait must not take a hundred threads.
    key = order_id_of(order_id)
    until = time.monotonic() + wait_s
    order = await run_sync(read_order, services, principal, key)
    while not is_settled(order.state) and time.monotonic() < until:
        await anyio.sleep(_POLL_S)
        order = await run_sync(read_order, services, principal, key)
    return cacheable(request, order)


@router.get("/v1/orders/{order_id}/receipt", operation_id="getReceipt", response_model=ReceiptIn)
def receipt(order_id: OrderIdPath, services: Deps, principal: Who) -> Response:
    """Download the receipt that proves itself: `tongdui verify receipt.json` needs no network."""
    key = order_id_of(order_id)
    read_order(services, principal, key)
    found = services.receipts.for_order(key)
    if found is None:
        raise NotFinal(order_id)
    return Response(
        ReceiptIn.model_validate(found).model_dump_json(),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="receipt-{order_id[2:14]}.json"'},
    )


def read_order(services: Services, principal: Principal, key: OrderId) -> OrderOut:
    """Return an order that the principal may see. Raises UnknownOrder for all others, existing or not."""
    with services.database.read() as session:
        return _redemption(session, services, principal, key) or _exchange(session, services, principal, key)


def _redemption(session: Session, services: Services, principal: Principal, key: OrderId) -> OrderOut | None:
    try:
        found = lists.one(session, services.redemptions, services.acts, key)
    except UnknownOrder:
        return None
    order = found.order
    is_merchant = any(principal.has(one) for one in scopes.anybody_of_shop(order.merchant_id))
    is_desk = order.desk_id is not None and order.desk_id in scopes.desks(principal.scopes)
    if not is_merchant and not is_desk and not _is_own(session, principal, order.resident_id):
        raise UnknownOrder(order_id_text(key))
    return redemption_out(order, queries.order_outcome(session, key), queries.shop_names(session, [order]), found.act)


def _exchange(session: Session, services: Services, principal: Principal, key: OrderId) -> OrderOut:
    placed = exchanges.find(session, services.orders, key)
    if placed is None:
        raise UnknownOrder(order_id_text(key))
    resident = services.registry.by_account(session, placed.holder)
    if not _is_own(session, principal, resident.resident_id):
        raise UnknownOrder(order_id_text(key))
    return exchange_out(placed)


def _is_own(session: Session, principal: Principal, resident_id: int) -> bool:
    # Without an account of one's own nothing is one's own: the answer is the same as to an id that does not exist.
    return principal.has(scopes.RESIDENT) and resident_of(session, principal) == resident_id
