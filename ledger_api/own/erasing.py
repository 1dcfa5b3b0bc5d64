"""Being erased: what is lost is said first, and is said back."""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.residents.erasing import Stretched, ask_for_sweep, stretch_resident
from ledger.store.forgetting import forget_deleted
from ledger.store.models.api import ApiSubjectRow
from ledger_api.auth import scopes
from ledger_api.dependencies import Writer, own_resident, require
from ledger_api.errors import ErasureDiffers
from ledger_api.http.idempotency import forget_answers
from ledger_api.schemas.residents import Done, EraseIn, ErasureLoss
from ledger_api.services import Services
from ledger_api.views.erasures import erasure_loss
from redemption.acts.erasing import forget_payer


def erase(write: Writer, body: EraseIn) -> Response:
    """Erase oneself; `body.loses` is what `loss` gave: where something has changed since, nothing is erased."""
    require(write.principal, scopes.RESIDENT)
    services = write.services
    if (answered := write.answered(body)) is not None:
        return answered
    with services.database.read() as session:
        own = own_resident(session, write.principal)
    stretched = stretch_resident(services.database, services.registry.identities, own)

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        loses = loss(session, services, resident_id)
        if body.loses != loses:
            raise ErasureDiffers(loses.model_dump(mode="json"))
        _forget(session, services, resident_id, write.key, stretched)
        return 200, Done()

    response = write.once(body, effect)
    forget_deleted(services.database)  # the workers do it again, for whoever reads an older snapshot just now
    return response


def loss(session: Session, services: Services, resident_id: int) -> ErasureLoss:
    """Return what a resident would give up by being erased now."""
    resident = services.registry.get(session, resident_id)
    held = services.orders.holdings(session, resident.account)
    return erasure_loss(session, resident, held, services.clock.timestamp())


def _forget(session: Session, services: Services, resident_id: int, key: str | None, stretched: Stretched) -> None:
    resident = services.registry.get(session, resident_id)
    subjects = list(session.scalars(select(ApiSubjectRow.subject).where(ApiSubjectRow.resident_id == resident_id)))
    erased = services.registry.erase(session, resident_id, stretched)
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
