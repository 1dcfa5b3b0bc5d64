"""A shop's staff: logins with rights of their own, made and ended by its owner."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.ids import MerchantId
from ledger_api.auth import scopes
from ledger_api.auth.errors import PasswordsOff, UnknownLogin
from ledger_api.auth.logins import Login, LoginState, NewLogin
from ledger_api.dependencies import Deps, Who, Write, require
from ledger_api.http.answers import cacheable
from ledger_api.schemas.common import MerchantNumber, moment
from ledger_api.schemas.logins import LoginNamePath, NewPasswordIn, StaffIn, StaffListOut, StaffOut
from ledger_api.services import Services

router = APIRouter(tags=["Merchants"])


@router.get("/v1/merchants/{merchant_id}/staff", operation_id="listStaff", response_model=StaffListOut)
def list_staff(merchant_id: MerchantNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return the shop's staff with their rights, those who left included."""
    require(principal, scopes.merchant(merchant_id))
    with services.database.read() as session:
        found = services.sign_in.logins.all(session, merchant_id)
    return cacheable(request, StaffListOut(items=[_staff_out(one) for one in found]))


@router.post("/v1/merchants/{merchant_id}/staff", operation_id="createStaff", status_code=201, response_model=StaffOut)
def create_staff(merchant_id: MerchantNumber, body: StaffIn, write: Write) -> Response:
    """Make a login for one of the shop's staff, with one right: `till`, `refunds` or `manager`."""
    require(write.principal, scopes.merchant(merchant_id))
    if (answered := write.answered(body)) is not None:
        return answered
    services = write.services
    hashed = _hashed(services, body.name, body.password)
    scope = scopes.staff(merchant_id, scopes.Right(body.right))

    def effect(session: Session) -> tuple[int, BaseModel]:
        services.merchants.get(session, merchant_id)
        new = NewLogin(body.name, hashed, frozenset({scope}), write.principal.subject, merchant_id)
        return 201, _staff_out(services.sign_in.logins.add(session, new))

    return write.once(body, effect)


@router.post("/v1/merchants/{merchant_id}/staff/{name}/end", operation_id="endStaff", response_model=StaffOut)
def end_staff(merchant_id: MerchantNumber, name: LoginNamePath, write: Write) -> Response:
    """Let one of the shop's staff in no more; where they are signed in they are signed out."""
    require(write.principal, scopes.merchant(merchant_id))
    logins = write.services.sign_in.logins

    def effect(session: Session) -> tuple[int, BaseModel]:
        _own(logins.get(session, name), merchant_id)
        return 200, _staff_out(logins.set_state(session, name, LoginState.DISABLED))

    return write.once(None, effect)


@router.post(
    "/v1/merchants/{merchant_id}/staff/{name}/password", operation_id="setStaffPassword", response_model=StaffOut
)
def set_password(merchant_id: MerchantNumber, name: LoginNamePath, body: NewPasswordIn, write: Write) -> Response:
    """Give one of the shop's staff another password; where they are signed in they are signed out."""
    require(write.principal, scopes.merchant(merchant_id))
    if (answered := write.answered(body)) is not None:
        return answered
    logins = write.services.sign_in.logins
    hashed = _hashed(write.services, name, body.new_password)

    def effect(session: Session) -> tuple[int, BaseModel]:
        _own(logins.get(session, name), merchant_id)
        return 200, _staff_out(logins.set_password(session, name, hashed))

    return write.once(body, effect)


def _hashed(services: Services, name: str, password: str) -> str:
    if not services.sign_in.is_on:
        raise PasswordsOff("people sign in at the identity provider, which gives them their rights")
    return services.sign_in.passwords.hash_new(name, password)


def _own(login: Login, merchant_id: MerchantId) -> None:
    """Raise UnknownLogin for whoever is not of this shop's staff, as for who does not exist."""
    if login.merchant_id != merchant_id:
        raise UnknownLogin(login.name)


def _staff_out(login: Login) -> StaffOut:
    [scope] = login.scopes
    return StaffOut(
        name=login.name,
        right=scopes.Right(scope.rpartition(":")[2]).value,
        is_active=login.state is LoginState.ACTIVE,
        created_at=moment(login.created_at),
    )
