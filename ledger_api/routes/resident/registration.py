"""Registering and linking: who a token's subject is, and which source ids are whose."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.residents.account_proof import AccountProof
from ledger.residents.claims import Proof
from ledger.residents.errors import AccountUnproven, EmptyIdentifier
from ledger.residents.registry import NewResident, Registration
from ledger.standard.ids import ZERO_ADDRESS, Address, to_address
from ledger.store.models.api import ApiSubjectRow
from ledger_api.auth import scopes
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import Deps, ResidentToken, Write, own_resident, require
from ledger_api.errors import IdentityMismatch, IdentityUnproven, NotRegistered, SubjectBound, UnusableAccount
from ledger_api.http.answers import cacheable
from ledger_api.schemas.residents import (
    Done,
    PinIn,
    ResidentIn,
    ResidentOut,
    SourceLinkIn,
    SourceLinkOut,
    SourceLinksOut,
    SourceOut,
    SourcesIn,
    SourcesOut,
)
from ledger_api.services import Services
from ledger_api.views.residents import resident_out

router = APIRouter(tags=["Residents"])


@router.post("/v1/residents", operation_id="registerResident", status_code=201, response_model=ResidentOut)
def register(body: ResidentIn, write: Write) -> Response:
    """Register the token's subject as a resident and link source ids, in one step.

    One verified person is one resident: a person who was registered before finds the same account again. The document
    number comes from the token, where the identity provider puts it (claim `identity`). Only the local token issuer of
    a single machine does without: then it comes from the body, and opens no account that another login uses.
    """
    require(write.principal, scopes.REGISTER)
    services = write.services
    document = _document(services, body, write.principal)
    account = None if body.account is None else _usable(services, body, write.principal)

    def effect(session: Session) -> tuple[int, BaseModel]:
        profile = {} if body.name is None else {"name": body.name}
        registration = services.registry.register(session, NewResident(document, profile, account))
        _bind(session, services, write.principal, registration)
        links = _link(session, services, registration.resident.resident_id, body.links)
        answer = resident_out(registration.resident, registration).model_copy(update={"links": links})
        return (201 if registration.outcome == "created" else 200), answer

    response = write.once(body, effect)
    services.after_link()
    return response


@router.get("/v1/residents/me", operation_id="getResident", response_model=ResidentOut)
def me(request: Request, services: Deps, principal: ResidentToken) -> Response:
    """Return the resident that the token's subject is."""
    with services.database.read() as session:
        found = services.registry.get(session, own_resident(session, principal))
    return cacheable(request, resident_out(found))


@router.get("/v1/residents/me/sources", operation_id="listSources", response_model=SourcesOut)
def sources(request: Request, services: Deps, principal: ResidentToken) -> Response:
    """Return the source ids that the resident has linked, decrypted for the resident alone."""
    with services.database.read() as session:
        linked = services.registry.linked_sources(session, own_resident(session, principal))
    items = [SourceOut(programme=programme, source_id=source, state=state) for programme, source, state in linked]
    return cacheable(request, SourcesOut(items=items))


@router.post("/v1/residents/me/sources", operation_id="linkSources", response_model=SourceLinksOut)
def link(body: SourcesIn, write: Write) -> Response:
    """Link source ids. Records of theirs that waited are granted soon after."""
    require(write.principal, scopes.RESIDENT)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        return 200, SourceLinksOut(links=_link(session, services, resident_id, body.links))

    response = write.once(body, effect)
    services.after_link()
    return response


@router.post("/v1/residents/me/sources/unlink", operation_id="unlinkSource", response_model=Done)
def unlink(body: SourceLinkIn, write: Write) -> Response:
    """Withdraw a link. What was granted stays."""
    require(write.principal, scopes.RESIDENT)

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        write.services.registry.unlink(session, resident_id, body.programme, body.source_id)
        return 200, Done()

    return write.once(body, effect)


@router.post("/v1/residents/me/pin", operation_id="setDeskPin", response_model=Done)
def set_pin(body: PinIn, write: Write) -> Response:
    """Set the PIN with which a community desk may serve the resident."""
    require(write.principal, scopes.RESIDENT)

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        write.services.approvals.set_pin(session, resident_id, body.pin, write.principal.subject)
        return 200, Done()

    return write.once(body, effect)


def _usable(services: Services, body: ResidentIn, principal: Principal) -> Address:
    """Return the account that a resident brings along, shown to be theirs.

    The ledger reverts a whole batch for one grant to the zero address or itself, so such an account
    is refused.
    """
    account = to_address(body.account or "")
    if account in {ZERO_ADDRESS, to_address(services.redemptions.domain.ledger_address)}:
        raise UnusableAccount(account)
    given = body.account_proof
    if given is None:
        raise AccountUnproven(account)
    proof = AccountProof(account, principal.subject, int(given.deadline))
    proof.check(services.redemptions.domain, bytes.fromhex(given.signature[2:]), services.clock.timestamp())
    return account


def _document(services: Services, body: ResidentIn, principal: Principal) -> str:
    if principal.identity is None:
        if services.local_issuer is None:
            raise IdentityUnproven
        if body.document_number is None:
            raise EmptyIdentifier("document_number")
        return body.document_number
    if body.document_number is not None and body.document_number != principal.identity:
        raise IdentityMismatch
    return principal.identity


def _bind(session: Session, services: Services, principal: Principal, registration: Registration) -> None:
    resident = registration.resident
    bound = session.get(ApiSubjectRow, principal.subject)
    if bound is not None and bound.resident_id != resident.resident_id:
        raise SubjectBound
    if registration.outcome == "exists_with_different_account" or resident.status != "active":
        raise NotRegistered
    if bound is None:
        others = select(ApiSubjectRow.subject).where(ApiSubjectRow.resident_id == resident.resident_id)
        if principal.identity is None and session.scalar(others.limit(1)) is not None:
            raise IdentityUnproven  # a person who knows a document number is not yet that person
        now = services.clock.timestamp()
        session.add(ApiSubjectRow(subject=principal.subject, resident_id=resident.resident_id, bound_at=now))
        session.flush()


def _link(session: Session, services: Services, resident_id: int, links: list[SourceLinkIn]) -> list[SourceLinkOut]:
    for link in links:
        if link.code is not None:
            services.link_codes.check(link.programme, link.source_id, link.code)
    outcomes = services.registry.link_many(
        session,
        [(resident_id, link.programme, link.source_id) for link in links],
        [Proof.BARE if link.code is None else Proof.CODE for link in links],
    )
    services.registry.check_claims(session, resident_id)
    return [
        SourceLinkOut(programme=link.programme, state=outcome.value)
        for link, outcome in zip(links, outcomes, strict=True)
    ]
