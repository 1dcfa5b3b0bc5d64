"""Signing in and out: a password form, one click in the demo's city, and a new login for a resident.

These forms have no token, for there is no session yet: `check_origin` has seen that a page of ours sent them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger_api.auth import errors
from ledger_api.auth.sessions import Begun
from ledger_api.auth.tokens import BadToken
from ledger_api.dependencies import Deps, Public, bearer_session_id, of_session
from ledger_api.errors import NotFound
from ledger_api.http import problems
from ledger_api.pages.shell.forms import Posted
from ledger_api.pages.shell.guard import is_here, own_path
from ledger_api.pages.shell.homes import home_of
from ledger_api.pages.shell.policy import Surface
from ledger_api.pages.shell.route import PageRoute, shell_of
from ledger_api.pages.shell.session import (
    Posting,
    address_of,
    cookie_name,
    drop_session,
    keep_session,
    posting,
    see,
)
from ledger_api.ports import StoryPerson
from ledger_api.services import Services

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_FORGETS = {"Clear-Site-Data": '"cache", "storage"'}
"""What was kept of the person who signs out. Not ``cookies``: language and size of type are the device's."""

_EXPECTED = (
    errors.SignInRefused,
    errors.SignInThrottled,
    errors.PasswordsOff,
    errors.WeakPassword,
    errors.BadLoginName,
    errors.LoginNameTaken,
)


@router.get("/sign-in", dependencies=[Public])
def sign_in_page(request: Request, services: Deps, next: str = "") -> Response:  # noqa: A002  (what the address calls it)
    """Return the form, or go on where one has signed in already."""
    try:
        held = of_session(services, request.cookies.get(cookie_name(request, services.pages), ""))
    except BadToken:
        return _form(request, services, "sign_in.html", next)
    return see(_onward(next, home_of(held.scopes)))


@router.post("/sign-in", dependencies=[Public])
def sign_in(request: Request, services: Deps, form: Posted) -> Response:
    """Begin a session for who knows the password, and go on."""
    try:
        begun = _begin(request, services, form["name"], form["password"])
    except _EXPECTED as error:
        return _form(request, services, "sign_in.html", form["next"], form["name"], error)
    return _begun(request, services, begun, form["next"])


@router.get("/join", dependencies=[Public])
def join_page(request: Request, services: Deps) -> Response:
    """Return the form for a new login."""
    return _form(request, services, "join.html", "")


@router.post("/join", dependencies=[Public])
def join(request: Request, services: Deps, form: Posted) -> Response:
    """Make a resident's login and sign it in; who that is the wallet asks next."""
    try:
        services.sign_in.register(form["name"], form["password"], address=address_of(request))
        begun = _begin(request, services, form["name"], form["password"])
    except _EXPECTED as error:
        return _form(request, services, "join.html", "", form["name"], error)
    return _begun(request, services, begun, "")


@router.post("/sign-in/story", dependencies=[Public])
def sign_in_as(request: Request, services: Deps, form: Posted) -> Response:
    """Sign in as somebody of the demo's story, without a password. Raises NotFound anywhere but at this machine."""
    if form["who"] not in {one.login for one in story_people(request, services)}:
        raise NotFound("person of the story", form["who"])
    with services.database.transaction() as session:
        login = services.sign_in.logins.get(session, form["who"])
        begun = services.sessions.begin(session, login.subject, login.scopes, request.headers.get("user-agent", ""))
    return _begun(request, services, begun, form["next"])


@router.post("/sign-out")
def sign_out(posted: Annotated[Posting, Depends(posting())]) -> Response:
    """End the session, and what the browser keeps of it."""
    this = bearer_session_id(posted.principal)
    if this is not None:
        with posted.services.database.transaction() as session:
            posted.services.sessions.end(session, posted.principal.subject, this)
    answer = see("/", _FORGETS)
    drop_session(posted.request, answer, posted.services)
    return answer


def story_people(request: Request, services: Services) -> tuple[StoryPerson, ...]:
    """Return as whom one may sign in with one click: nobody, but in the demo's city and at this machine."""
    return services.pages.people if is_here(request) else ()


def _begin(request: Request, services: Services, name: str, password: str) -> Begun:
    agent = request.headers.get("user-agent", "")
    return services.sign_in.sign_in(name, password, address=address_of(request), agent=agent)


def _begun(request: Request, services: Services, begun: Begun, wanted: str) -> Response:
    """Go on with a session that has just begun; the one that the browser had before ends."""
    _end_the_one_before(request, services)
    answer = see(_onward(wanted, home_of(begun.session.scopes)))
    keep_session(request, answer, services, begun)
    return answer


def _end_the_one_before(request: Request, services: Services) -> None:
    before = services.sessions.find(request.cookies.get(cookie_name(request, services.pages), ""))
    if before is not None:
        with services.database.transaction() as session:
            services.sessions.end(session, before.subject, before.session_id)


def _onward(wanted: str, home: str) -> str:
    path = own_path(wanted)
    return home if path == "/" else path


def _form(
    request: Request, services: Services, template: str, wanted: str, name: str = "", error: TongduiError | None = None
) -> Response:
    shell = shell_of(request)
    problem, status = "", 200
    if error is not None:
        kind = problems.problem_type(error)
        status = kind.status
        is_chinese = shell.preferences(request).language == "zh-CN"
        problem = problems.body(kind, request_id="", chinese=is_chinese, error=error)["detail"]
    answer = shell.page(
        request,
        template,
        status=status,
        surface=Surface.SIGNED_IN,  # what was typed in is not to be kept
        section="sign_in",
        next=own_path(wanted) if wanted else "",
        given=name,
        problem=problem,
        is_on=services.sign_in.is_on,
        is_open=services.sign_in.is_on and services.sign_in.is_open,
        people=story_people(request, services),
    )
    if isinstance(error, errors.SignInThrottled):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer
