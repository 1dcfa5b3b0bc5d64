"""Logins with name and password, signing in, and one's own sessions.

What carries a password needs no Idempotency-Key and its answer is not stored: neither a password nor a session's token
belongs into a table of answers. Whose answer was lost signs in again.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger_api.auth.logins import Login
from ledger_api.dependencies import Deps, Public, Who, Write, bearer_session_id
from ledger_api.http.answers import cacheable
from ledger_api.schemas.common import moment
from ledger_api.schemas.logins import (
    EndedOut,
    LoginIn,
    LoginOut,
    PasswordChangeIn,
    SessionBegunOut,
    SessionsOut,
)
from ledger_api.schemas.residents import Done
from ledger_api.views.residents import session_out

router = APIRouter(tags=["Sign-in"])


def _address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


Address = Annotated[str, Depends(_address_of)]


@router.post("/v1/logins", operation_id="createLogin", status_code=201, response_model=LoginOut, dependencies=[Public])
def create_login(body: LoginIn, services: Deps, address: Address) -> LoginOut:
    """Make a login for a resident: name and password. Then sign in, and register with `POST /v1/residents`.

    Only where no identity provider is set and the operator lets residents make their own.
    """
    return login_out(services.sign_in.register(body.name, body.password, address=address))


@router.post("/v1/logins/me/password", operation_id="changePassword", response_model=Done)
def change_password(body: PasswordChangeIn, services: Deps, principal: Who, address: Address) -> Done:
    """Set another password, with the one that is good now. All sessions end, this one too."""
    services.sign_in.change_password(principal.subject, body.password, body.new_password, address=address)
    return Done()


@router.post(
    "/v1/sessions", operation_id="signIn", status_code=201, response_model=SessionBegunOut, dependencies=[Public]
)
def sign_in(body: LoginIn, request: Request, services: Deps, address: Address) -> SessionBegunOut:
    """Sign in. The answer's token is a bearer token for every request, until the session ends.

    An unknown name and a wrong password are told apart neither by the answer nor by its time. A session that may do
    more than look after an own wallet ends after 15 minutes without use.
    """
    agent = request.headers.get("user-agent", "")
    begun = services.sign_in.sign_in(body.name, body.password, address=address, agent=agent)
    return SessionBegunOut(
        session_id=begun.session.session_id,
        token=begun.secret,
        scopes=sorted(begun.session.scopes),
        good_until=moment(begun.session.good_until),
    )


@router.get("/v1/sessions", operation_id="listSessions", response_model=SessionsOut)
def list_sessions(request: Request, services: Deps, principal: Who) -> Response:
    """Return where one is signed in, the last used first."""
    this = bearer_session_id(principal)
    with services.database.read() as session:
        found = services.sessions.of_subject(session, principal.subject)
    return cacheable(request, SessionsOut(items=[session_out(one, this) for one in found]))


@router.post("/v1/sessions/{session_id}/end", operation_id="endSession", response_model=Done)
def end_session(session_id: str, write: Write) -> Response:
    """End one of one's own sessions."""

    def effect(session: Session) -> tuple[int, BaseModel]:
        write.services.sessions.end(session, write.principal.subject, session_id)
        return 200, Done()

    return write.once(None, effect)


@router.post("/v1/sessions/end", operation_id="endSessions", response_model=EndedOut)
def end_sessions(write: Write) -> Response:
    """End all of one's own sessions, this one too."""

    def effect(session: Session) -> tuple[int, BaseModel]:
        return 200, EndedOut(ended=write.services.sessions.end_all(session, write.principal.subject))

    return write.once(None, effect)


def login_out(login: Login) -> LoginOut:
    """Return a login as it is shown."""
    return LoginOut(name=login.name, scopes=sorted(login.scopes))
