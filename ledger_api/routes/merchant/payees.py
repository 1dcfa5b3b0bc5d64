"""Where a shop's money goes: two people change it, three days pass, both contacts are told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger_api.auth import scopes
from ledger_api.dependencies import DEFAULT_LIMIT, Cursor, Deps, Limit, Who, Write, require
from ledger_api.http.answers import cacheable
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.routes.merchant.applications import payee_of
from ledger_api.schemas.common import MerchantNumber
from ledger_api.schemas.merchants import NoticePage, PayeeChangeOut, PayeeIn, PayeeStandingOut
from ledger_api.views.shops import contact_out, notice_out, payee_change_out, payee_out

router = APIRouter(tags=["Merchants"])

ChangeId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/v1/merchants/{merchant_id}/payee", operation_id="getPayee", response_model=PayeeStandingOut)
def get_payee(merchant_id: MerchantNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return where the shop's money goes, the change that waits, and the contacts.

    The account's whole number is for the finance bureau, which pays, and for the operator where a change waits for a
    second person.
    """
    require(principal, scopes.merchant(merchant_id), scopes.FINANCE, scopes.OPERATOR)
    payees = services.applications.payees
    pays = principal.has(scopes.FINANCE)
    with services.database.read() as session:
        services.merchants.get(session, merchant_id)
        current, waiting = payees.current(session, merchant_id), payees.waiting(session, merchant_id)
        contacts = payees.contacts(session, merchant_id)
    compares = pays or principal.has(scopes.OPERATOR)
    answer = PayeeStandingOut(
        current=None if current is None else payee_out(current, whole=pays),
        waiting=None if waiting is None else payee_change_out(waiting, names_people=True, whole=compares),
        contacts=[contact_out(one) for one in contacts or ()],
    )
    return cacheable(request, answer)


@router.post(
    "/v1/merchants/{merchant_id}/payee", operation_id="proposePayee", status_code=202, response_model=PayeeChangeOut
)
def propose(merchant_id: MerchantNumber, body: PayeeIn, write: Write) -> Response:
    """Propose another payee. A second person confirms it within a week; three days later it takes effect.

    It takes the place of a proposal that waits. Both contacts are told.
    """
    require(write.principal, scopes.merchant(merchant_id))
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        services.merchants.get(session, merchant_id)
        found = services.applications.payees.propose(session, merchant_id, payee_of(body), write.principal.subject)
        return 202, payee_change_out(found)

    return write.once(body, effect)


@router.post(
    "/v1/merchants/{merchant_id}/payee/{change_id}/confirm",
    operation_id="confirmPayee",
    status_code=202,
    response_model=PayeeChangeOut,
)
def confirm(merchant_id: MerchantNumber, change_id: ChangeId, write: Write) -> Response:
    """Confirm another payee that another person proposed: it takes effect in three days. Both contacts are told."""
    require(write.principal, scopes.merchant(merchant_id), scopes.OPERATOR)

    def effect(session: Session) -> tuple[int, BaseModel]:
        payees = write.services.applications.payees
        return 202, payee_change_out(payees.confirm(session, merchant_id, change_id, write.principal.subject))

    return write.once(None, effect)


@router.post("/v1/merchants/{merchant_id}/payee/withdraw", operation_id="withdrawPayee", response_model=PayeeChangeOut)
def withdraw(merchant_id: MerchantNumber, write: Write) -> Response:
    """Take back a change of the payee that has not taken effect: one person is enough. Both contacts are told."""
    require(write.principal, scopes.merchant(merchant_id), scopes.OPERATOR, scopes.FINANCE)

    def effect(session: Session) -> tuple[int, BaseModel]:
        payees = write.services.applications.payees
        return 200, payee_change_out(payees.withdraw(session, merchant_id, write.principal.subject))

    return write.once(None, effect)


@router.get("/v1/merchants/{merchant_id}/notices", operation_id="listNotices", response_model=NoticePage)
def list_notices(
    merchant_id: MerchantNumber,
    request: Request,
    services: Deps,
    principal: Who,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Return what the shop's contacts have to be told, newest first; no account is in it."""
    require(principal, *scopes.of_shop(merchant_id), scopes.OPERATOR)
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        services.merchants.get(session, merchant_id)
        found = services.applications.payees.notices(session, merchant_id, place[0] if place else None, limit + 1)
    next_cursor = encode_cursor(found[limit - 1].notice_id) if len(found) > limit else None
    return cacheable(request, NoticePage(items=[notice_out(one) for one in found[:limit]], next_cursor=next_cursor))
