"""Everybody's own: where one has signed in, and another password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from ledger_api.auth import errors
from ledger_api.dependencies import bearer_session_id
from ledger_api.http import problems
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller, Posting, address_of, drop_session, posting, see, signed_in

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Anybody = Annotated[Caller, Depends(signed_in())]
AnybodysForm = Annotated[Posting, Depends(posting())]


@router.get("/account")
def account(caller: Anybody) -> Response:
    """Return where one has signed in, and the form for another password."""
    return _page(caller)


@router.post("/account/sessions/end")
def end_one(posted: AnybodysForm) -> Response:
    """End one of one's own sessions. Raises UnknownSession, for another's too."""
    services = posted.services
    with services.database.transaction() as session:
        services.sessions.end(session, posted.principal.subject, posted.form["session"])
    return posted.see("/account")


@router.post("/account/sessions/end-all")
def end_all(posted: AnybodysForm) -> Response:
    """End all of one's own sessions, this one too."""
    with posted.services.database.transaction() as session:
        posted.services.sessions.end_all(session, posted.principal.subject)
    return _out(posted)


@router.post("/account/password")
def change_password(posted: AnybodysForm) -> Response:
    """Set another password, for who knows the one that is good now. All sessions end, this one too."""
    form, subject = posted.form, posted.principal.subject
    try:
        posted.services.sign_in.change_password(
            subject, form["password"], form["new"], address=address_of(posted.request)
        )
    except (errors.SignInRefused, errors.SignInThrottled, errors.WeakPassword) as error:
        return _page(posted, posted.what_is_wrong(error), problems.problem_type(error).status)
    return _out(posted)


def _page(caller: Caller, problem: str = "", status: int = 200) -> Response:
    with caller.services.database.read() as session:
        found = caller.services.sessions.of_subject(session, caller.principal.subject)
    return caller.page(
        "account.html",
        status=status,
        section="account",
        problem=problem,
        sessions=found,
        this=bearer_session_id(caller.principal),
    )


def _out(posted: Posting) -> Response:
    answer = see("/sign-in", {"Clear-Site-Data": '"cache", "storage"'})
    drop_session(posted.request, answer, posted.services)
    return answer
