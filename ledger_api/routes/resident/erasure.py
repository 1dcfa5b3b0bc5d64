"""Being erased: what is lost is said first, and is said back."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.residents.erasing import ask_for_sweep
from ledger.store.forgetting import forget_deleted
from ledger.store.models.api import ApiSubjectRow
from ledger_api.auth import scopes
from ledger_api.dependencies import Deps, ResidentToken, Write, own_resident, require
from ledger_api.errors import ErasureDiffers
from ledger_api.http.answers import cacheable
from ledger_api.http.idempotency import forget_answers
from ledger_api.schemas.residents import Done, EraseIn, ErasureLoss
from ledger_api.services import Services
from ledger_api.views.erasures import erasure_loss
from redemption.acts.erasing import forget_payer

router = APIRouter(tags=["Residents"])


@router.get("/v1/residents/me/erasure", operation_id="getErasureLoss", response_model=ErasureLoss)
def loss(request: Request, services: Deps, principal: ResidentToken) -> Response:
    """Return what the resident would give up by being erased now. It is said back to be erased."""
    with services.database.read() as session:
        found = _loss(session, services, own_resident(session, principal))
    return cacheable(request, found)


@router.post("/v1/residents/me/erase", operation_id="eraseResident", response_model=Done)
def erase(body: EraseIn, write: Write) -> Response:
    """Erase oneself: keys, links and what the records say are destroyed; what the chain has points to no person any
    more. `loses` is what `getErasureLoss` gave: where something has changed since, nothing is erased.

    Points left in a custodial account can never be spent again, so spend or exchange them first. What a shop refunds
    later reaches nobody, and is refused.
    """
    require(write.principal, scopes.RESIDENT)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        loses = _loss(session, services, resident_id)
        if body.loses != loses:
            raise ErasureDiffers(loses.model_dump(mode="json"))
        _forget(session, services, resident_id, write.key)
        return 200, Done()

    response = write.once(body, effect)
    forget_deleted(services.database)  # the workers do it again, for whoever reads an older snapshot just now
    return response


def _loss(session: Session, services: Services, resident_id: int) -> ErasureLoss:
    resident = services.registry.get(session, resident_id)
    held = services.orders.holdings(session, resident.account)
    return erasure_loss(session, resident, held, services.clock.timestamp())


def _forget(session: Session, services: Services, resident_id: int, key: str | None) -> None:
    resident = services.registry.get(session, resident_id)
    subjects = list(session.scalars(select(ApiSubjectRow.subject).where(ApiSubjectRow.resident_id == resident_id)))
    erased = services.registry.erase(session, resident_id)
    if erased is not None:
        services.issuers.erase(session, erased)
        programmes = [programme for programme, _ in (*erased.sources, *erased.words)]
        ask_for_sweep(session, resident_id, programmes, services.clock.timestamp())
    orders = forget_payer(session, resident_id, subjects)
    account = resident.account
    words = [str(resident_id), account, account.lower()]
    words += [f"0x{order.hex()}" for order in orders]
    forget_answers(session, subjects, [word.encode() for word in words], keep=key)
    for subject in subjects:
        services.sign_in.logins.forget(session, subject)
    session.execute(delete(ApiSubjectRow).where(ApiSubjectRow.resident_id == resident_id))
