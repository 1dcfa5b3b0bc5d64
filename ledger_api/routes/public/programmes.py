"""Programmes, supply and funding; positions and clearing. Aggregates only: nothing here tells about a person."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.clearing.appropriations import Appropriation
from ledger.clearing.views import next_cycle, payments_at
from ledger.standard.ids import merchant_participant, programme_participant
from ledger.store.models.projection import ChainProgrammeRow
from ledger_api.auth import scopes
from ledger_api.dependencies import Deps, Public, Who, Write, hash_of, require
from ledger_api.errors import NotFound
from ledger_api.http.answers import cacheable
from ledger_api.schemas.amounts import parse_yuan
from ledger_api.schemas.common import HASH, MerchantNumber, Moment, ProgrammeNumber, hex_text, moment, money
from ledger_api.schemas.programmes import (
    AppropriationIn,
    AppropriationList,
    AppropriationOut,
    ClearingOut,
    PaymentsOut,
    PositionOut,
    ProgrammeOut,
    ProgrammesOut,
)
from ledger_api.schemas.residents import Done
from ledger_api.services import Services
from ledger_api.views import queries
from ledger_api.views.common import as_of
from ledger_api.views.programmes import payments_out, position_out, programme_out

router = APIRouter()

PROGRAMMES: list[str | Enum] = ["Programmes"]
CLEARING: list[str | Enum] = ["Clearing"]

DocumentHash = Annotated[
    str, Path(description="`document_hash` of the appropriation.", json_schema_extra={"pattern": HASH})
]


@router.get(
    "/v1/programmes",
    operation_id="listProgrammes",
    response_model=ProgrammesOut,
    dependencies=[Public],
    tags=PROGRAMMES,
)
def list_programmes(request: Request, services: Deps) -> Response:
    """Return all programmes with their pars, flags, supply and flows.

    granted + exchanged in + refunded - exchanged out - redeemed - revoked - expired = outstanding.
    """
    with services.database.read() as session:
        block = queries.projected_block(session)
        found = queries.programmes(session)
    items = [programme_out(one, services.names, services.clock.timestamp(), shows_money=False) for one in found]
    return cacheable(request, ProgrammesOut(as_of=as_of(block), items=items), is_public=True, max_age_s=2)


@router.get("/v1/programmes/{programme}", operation_id="getProgramme", response_model=ProgrammeOut, tags=PROGRAMMES)
def get_programme(programme: ProgrammeNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return a programme with its funding, for its agency, the finance bureau and auditors."""
    require(principal, scopes.issuer(programme), scopes.FINANCE, scopes.AUDITOR)
    with services.database.read() as session:
        found = [one for one in queries.programmes(session) if one.programme == programme]
    if not found:
        raise NotFound("programme", str(programme))
    return cacheable(request, programme_out(found[0], services.names, services.clock.timestamp(), shows_money=True))


@router.post(
    "/v1/programmes/{programme}/appropriations",
    operation_id="recordAppropriation",
    status_code=202,
    response_model=AppropriationOut,
    tags=PROGRAMMES,
)
def record_appropriation(programme: ProgrammeNumber, body: AppropriationIn, write: Write) -> Response:
    """Propose what the finance bureau makes available to a programme.

    A second person confirms it within a week; until then nothing is sent, and it can be withdrawn. A document counts
    once: the same one again, under any key, is the same appropriation. Grants that waited for the money go on by
    themselves once it is final.
    """
    require(write.principal, scopes.FINANCE)
    amount_fen = parse_yuan("amount_yuan", body.amount_yuan)

    def effect(session: Session) -> tuple[int, BaseModel]:
        found = write.services.appropriations.record(
            session, programme, body.fiscal_year, amount_fen, body.document, write.principal.subject
        )
        return 202, _appropriation(found)

    return write.once(body, effect)


@router.post(
    "/v1/programmes/{programme}/appropriations/{document_hash}/confirm",
    operation_id="confirmAppropriation",
    status_code=202,
    response_model=AppropriationOut,
    tags=PROGRAMMES,
)
def confirm_appropriation(programme: ProgrammeNumber, document_hash: DocumentHash, write: Write) -> Response:
    """Have an appropriation recorded that another person of the finance bureau proposed."""
    require(write.principal, scopes.FINANCE)
    digest = hash_of("document_hash", document_hash)

    def effect(session: Session) -> tuple[int, BaseModel]:
        found = write.services.appropriations.confirm(session, programme, digest, write.principal.subject)
        return 202, _appropriation(found)

    return write.once(None, effect)


@router.post(
    "/v1/programmes/{programme}/appropriations/{document_hash}/withdraw",
    operation_id="withdrawAppropriation",
    response_model=Done,
    tags=PROGRAMMES,
)
def withdraw_appropriation(programme: ProgrammeNumber, document_hash: DocumentHash, write: Write) -> Response:
    """Take a proposed appropriation back before it is confirmed; either person may."""
    require(write.principal, scopes.FINANCE)
    digest = hash_of("document_hash", document_hash)

    def effect(session: Session) -> tuple[int, BaseModel]:
        write.services.appropriations.withdraw(session, programme, digest)
        return 200, Done()

    return write.once(None, effect)


@router.get(
    "/v1/programmes/{programme}/appropriations",
    operation_id="listAppropriations",
    response_model=AppropriationList,
    tags=PROGRAMMES,
)
def list_appropriations(programme: ProgrammeNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return a programme's appropriations, for the finance bureau, its agency and auditors."""
    require(principal, scopes.FINANCE, scopes.AUDITOR, scopes.issuer(programme))
    with services.database.read() as session:
        if session.get(ChainProgrammeRow, programme) is None:
            raise NotFound("programme", str(programme))
        found = services.appropriations.page(session, programme)
    return cacheable(request, AppropriationList(items=[_appropriation(one) for one in found]))


@router.get("/v1/clearing", operation_id="getClearing", response_model=ClearingOut, tags=CLEARING)
def clearing(request: Request, services: Deps, principal: Who) -> Response:
    """Return every position; their sum is 0, and a sum that is not is the first thing to look for."""
    require(principal, scopes.FINANCE, scopes.AUDITOR)
    with services.database.read() as session:
        block = queries.projected_block(session)
        positions = queries.positions(session)
        merchants = {one.merchant_id: one for one in services.merchants.page(session, None, 10_000)}
    return cacheable(
        request,
        ClearingOut(
            as_of=as_of(block),
            sum=money(sum(fen for _, fen in positions)),
            positions=[position_out(who, fen, services.names, merchants) for who, fen in positions],
        ),
    )


@router.get("/v1/clearing/payments", operation_id="previewPayments", response_model=PaymentsOut, tags=CLEARING)
def payments(
    request: Request,
    services: Deps,
    principal: Who,
    until: Annotated[Moment | None, Query(description="RFC 3339, with its offset; by default now.")] = None,
) -> Response:
    """Return who would pay whom if a cycle closed now, or had closed first at `until`: the merchants' total split once
    over the debtors, by what they owe.

    A preview: what binds is what the contract lists when the cycle is closed.
    """
    require(principal, scopes.FINANCE, scopes.AUDITOR)
    end = services.clock.timestamp() + 1 if until is None else int(until.timestamp())
    with services.database.read() as session:
        lines = next_cycle(session) if until is None else payments_at(session, end)
        merchants = {one.merchant_id: one for one in services.merchants.page(session, None, 10_000)}
    return cacheable(request, payments_out(lines, end, services.names, merchants))


@router.get(
    "/v1/clearing/programmes/{programme}",
    operation_id="getProgrammePosition",
    response_model=PositionOut,
    tags=CLEARING,
)
def programme_position(programme: ProgrammeNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return what one programme is owed or owes."""
    require(principal, scopes.issuer(programme), scopes.FINANCE, scopes.AUDITOR)
    with services.database.read() as session:
        if session.get(ChainProgrammeRow, programme) is None:
            raise NotFound("programme", str(programme))
    return cacheable(request, _position(services, programme_participant(programme)))


@router.get(
    "/v1/clearing/merchants/{merchant_id}",
    operation_id="getMerchantPosition",
    response_model=PositionOut,
    tags=CLEARING,
)
def merchant_position(merchant_id: MerchantNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return what one merchant has to get."""
    require(principal, *scopes.of_shop(merchant_id), scopes.FINANCE, scopes.AUDITOR)
    participant = merchant_participant(merchant_id)
    with services.database.read() as session:
        if not services.merchants.exists(session, merchant_id) and participant not in dict(queries.positions(session)):
            raise NotFound("merchant", str(merchant_id))
    return cacheable(request, _position(services, participant))


def _appropriation(found: Appropriation) -> AppropriationOut:
    return AppropriationOut(
        document_hash=hex_text(found.document_hash),
        document=found.document,
        fiscal_year=found.fiscal_year,
        amount=money(found.amount_fen),
        state=found.state,
        reason=found.reason,
        recorded_at=None if found.recorded_at is None else moment(found.recorded_at),
    )


def _position(services: Services, participant: int) -> PositionOut:
    with services.database.read() as session:
        fen = dict(queries.positions(session)).get(participant, 0)
        found = {one.merchant_id: one for one in services.merchants.page(session, None, 10_000)}
    return position_out(participant, fen, services.names, found)
