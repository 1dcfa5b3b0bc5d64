"""Being erased: what is lost is said first, and is said back."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ledger_api.dependencies import Deps, ResidentToken, Write, own_resident
from ledger_api.http.answers import cacheable
from ledger_api.own import erasing
from ledger_api.schemas.residents import Done, EraseIn, ErasureLoss

router = APIRouter(tags=["Residents"])


@router.get("/v1/residents/me/erasure", operation_id="getErasureLoss", response_model=ErasureLoss)
def loss(request: Request, services: Deps, principal: ResidentToken) -> Response:
    """Return what the resident would give up by being erased now. It is said back to be erased."""
    with services.database.read() as session:
        found = erasing.loss(session, services, own_resident(session, principal))
    return cacheable(request, found)


@router.post("/v1/residents/me/erase", operation_id="eraseResident", response_model=Done)
def erase(body: EraseIn, write: Write) -> Response:
    """Erase oneself: keys, links and what the records say are destroyed; what the chain has points to no person any
    more. `loses` is what `getErasureLoss` gave: where something has changed since, nothing is erased.

    Points left in a custodial account can never be spent again, so spend or exchange them first. What a shop refunds
    later reaches nobody, and is refused.
    """
    return erasing.erase(write, body)
