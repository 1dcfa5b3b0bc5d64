"""Registering and linking: who a subject is, and which source ids are whose."""

from __future__ import annotations

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.residents.account_proof import AccountProof
from ledger.residents.claims import Proof
from ledger.residents.erasing import stretch_document
from ledger.residents.errors import AccountUnproven, EmptyIdentifier
from ledger.residents.registry import NewResident, Registration
from ledger.standard.ids import ZERO_ADDRESS, Address, to_address
from ledger.store.models.api import ApiSubjectRow
from ledger_api.auth import scopes
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import Writer, own_resident, require
from ledger_api.errors import IdentityMismatch, IdentityUnproven, NotRegistered, SubjectBound, UnusableAccount
from ledger_api.schemas.residents import (
    Done,
    PinIn,
    ResidentIn,
    SourceLinkIn,
    SourceLinkOut,
    SourceLinksOut,
    SourcesIn,
)
from ledger_api.services import Services
from ledger_api.views.residents import resident_out


def register(write: Writer, body: ResidentIn) -> Response:
    """Register the caller as a resident and link source ids, in one step."""
    require(write.principal, scopes.REGISTER)
    services = write.services
    document = _document(services, body, write.principal)
    account = None if body.account is None else _usable(services, body, write.principal)
    if (answered := write.answered(body)) is not None:
        return answered
    stretched = stretch_document(services.database, services.registry.identities, document)

    def effect(session: Session) -> tuple[int, BaseModel]:
        profile = {} if body.name is None else {"name": body.name}
        registration = services.registry.register(session, NewResident(document, profile, account, stretched))
        _bind(session, services, write.principal, registration)
        links = _link(session, services, registration.resident.resident_id, body.links)
        answer = resident_out(registration.resident, registration).model_copy(update={"links": links})
        return (201 if registration.outcome == "created" else 200), answer

    response = write.once(body, effect)
    services.after_link()
    return response


def link(write: Writer, body: SourcesIn) -> Response:
    """Link source ids. Records of theirs that waited are granted soon after."""
    require(write.principal, scopes.RESIDENT)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        return 200, SourceLinksOut(links=_link(session, services, resident_id, body.links))

    response = write.once(body, effect)
    services.after_link()
    return response


def unlink(write: Writer, body: SourceLinkIn) -> Response:
    """Withdraw a link. What was granted stays."""
    require(write.principal, scopes.RESIDENT)

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id = own_resident(session, write.principal)
        write.services.registry.unlink(session, resident_id, body.programme, body.source_id)
        return 200, Done()

    return write.once(body, effect)


def set_pin(write: Writer, body: PinIn) -> Response:
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
