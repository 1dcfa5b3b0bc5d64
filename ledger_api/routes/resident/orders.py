"""The outcome of an order, for those who may know: its resident, its merchant."""

from __future__ import annotations

import time
from typing import Annotated

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from ledger_api.dependencies import Deps, OrderIdPath, Who, order_id_of
from ledger_api.errors import NotFinal
from ledger_api.http.answers import cacheable
from ledger_api.own.orders import read_order
from ledger_api.schemas.orders import OrderOut
from ledger_api.schemas.verification import ReceiptIn
from ledger_api.views.orders import is_settled

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
