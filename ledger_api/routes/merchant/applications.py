"""A shop's way in: it applies, a second person approves, the chain registers it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.ids import to_address
from ledger_api.auth import scopes
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import DEFAULT_LIMIT, Cursor, Deps, Limit, Who, Write, require
from ledger_api.http.answers import cacheable
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.schemas.merchants import (
    ApplicationIn,
    ApplicationOut,
    ApplicationPage,
    ApplicationStateText,
    ContactIn,
    PayeeIn,
    RefusalIn,
)
from ledger_api.views.shops import application_out
from redemption.errors import UnknownApplication
from redemption.shops.applications import Application, ApplicationState, NewApplication
from redemption.shops.sealing import Contact, Payee, ShopSecrets

router = APIRouter(tags=["Merchants"])

_APPLICANTS = (scopes.RESIDENT, scopes.REGISTER, scopes.OPERATOR)
ApplicationId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]


@router.post(
    "/v1/merchant-applications", operation_id="applyAsMerchant", status_code=201, response_model=ApplicationOut
)
def apply(body: ApplicationIn, write: Write) -> Response:
    """Apply for a shop that points can pay. A second person approves it, and the registrar registers it on the chain.

    Whoever applies becomes the shop's owner, if the login is one of this installation's. The operator may apply for a
    shop that has none; another operator approves that.
    """
    require(write.principal, *_APPLICANTS)

    def effect(session: Session) -> tuple[int, BaseModel]:
        made = write.services.applications.apply(session, new_application(body), write.principal.subject)
        return 201, application_out(made)

    return write.once(body, effect)


@router.get("/v1/merchant-applications", operation_id="listMerchantApplications", response_model=ApplicationPage)
def list_applications(
    request: Request,
    services: Deps,
    principal: Who,
    state: Annotated[ApplicationStateText | None, Query(description="Only those in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Return one's own applications, or for the operator all, newest first."""
    require(principal, *_APPLICANTS)
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        found = services.applications.page(
            session,
            applied_by=None if principal.has(scopes.OPERATOR) else principal.subject,
            state=None if state is None else ApplicationState(state),
            before=place[0] if place else None,
            limit=limit + 1,
        )
    items = [application_out(one, names_people=True) for one in found[:limit]]
    next_cursor = encode_cursor(found[limit - 1].sequence) if len(found) > limit else None
    return cacheable(request, ApplicationPage(items=items, next_cursor=next_cursor))


@router.get(
    "/v1/merchant-applications/{application_id}", operation_id="getMerchantApplication", response_model=ApplicationOut
)
def get_application(application_id: ApplicationId, request: Request, services: Deps, principal: Who) -> Response:
    """Return an application, for its applicant and the operator."""
    require(principal, *_APPLICANTS)
    with services.database.read() as session:
        found = _seen_by(principal, services.applications.get(session, application_id))
    is_operator = principal.has(scopes.OPERATOR)
    return cacheable(request, application_out(found, names_people=True, for_operator=is_operator))


@router.post(
    "/v1/merchant-applications/{application_id}/approve",
    operation_id="approveMerchantApplication",
    status_code=202,
    response_model=ApplicationOut,
)
def approve(application_id: ApplicationId, write: Write) -> Response:
    """Approve an application that another person made; the shop's registration is on its way to the chain then."""
    require(write.principal, scopes.OPERATOR)
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        found = services.applications.approve(session, application_id, write.principal.subject)
        logins = services.sign_in.logins
        applicant = logins.of_subject(session, found.applied_by)
        if applicant is not None and found.merchant_id is not None and scopes.OPERATOR not in applicant.scopes:
            logins.grant(session, applicant.subject, scopes.merchant(found.merchant_id))
        return 202, application_out(found)

    return write.once(None, effect)


@router.post(
    "/v1/merchant-applications/{application_id}/refuse",
    operation_id="refuseMerchantApplication",
    response_model=ApplicationOut,
)
def refuse(application_id: ApplicationId, body: RefusalIn, write: Write) -> Response:
    """Refuse an application, with the reason."""
    require(write.principal, scopes.OPERATOR)

    def effect(session: Session) -> tuple[int, BaseModel]:
        found = write.services.applications.refuse(session, application_id, write.principal.subject, body.reason)
        return 200, application_out(found)

    return write.once(body, effect)


@router.post(
    "/v1/merchant-applications/{application_id}/withdraw",
    operation_id="withdrawMerchantApplication",
    response_model=ApplicationOut,
)
def withdraw(application_id: ApplicationId, write: Write) -> Response:
    """Take one's own application back before it is decided."""
    require(write.principal, *_APPLICANTS)

    def effect(session: Session) -> tuple[int, BaseModel]:
        found = write.services.applications.withdraw(session, application_id, write.principal.subject)
        return 200, application_out(found)

    return write.once(None, effect)


@router.post(
    "/v1/merchant-applications/{application_id}/resume",
    operation_id="resumeMerchantApplication",
    status_code=202,
    response_model=ApplicationOut,
)
def resume(application_id: ApplicationId, write: Write) -> Response:
    """Order a registration again that failed or was cancelled."""
    require(write.principal, scopes.OPERATOR)

    def effect(session: Session) -> tuple[int, BaseModel]:
        found = write.services.applications.resume(session, application_id, write.principal.subject)
        return 202, application_out(found)

    return write.once(None, effect)


def _seen_by(principal: Principal, found: Application) -> Application:
    """Raise UnknownApplication for another's, as for what does not exist."""
    if found.applied_by != principal.subject and not principal.has(scopes.OPERATOR):
        raise UnknownApplication
    return found


def new_application(body: ApplicationIn) -> NewApplication:
    """Return an application from a request."""
    return NewApplication(
        licence=body.licence,
        name_zh=body.name_zh,
        name_en=body.name_en,
        category=body.category,
        address_zh=body.address_zh,
        address_en=body.address_en,
        scopes=tuple(dict.fromkeys(body.scopes)),
        own_key=None if body.own_key is None else to_address(body.own_key),
        said=ShopSecrets((_contact(body.first_contact), _contact(body.second_contact)), payee_of(body.payee)),
    )


def _contact(body: ContactIn) -> Contact:
    return Contact(body.name, body.address)


def payee_of(body: PayeeIn) -> Payee:
    """Return a payee from a request."""
    return Payee(body.holder, body.bank, body.bank_account)
