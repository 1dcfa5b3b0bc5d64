"""Becoming a resident: who the login is, asked once."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger_api.dependencies import resident_of
from ledger_api.own import registering
from ledger_api.pages.shell.forms import Form
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller, see
from ledger_api.pages.wallet.access import Newcomer, NewcomerForm, refusal
from ledger_api.schemas.residents import ResidentIn

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/wallet/register")
def form(caller: Newcomer) -> Response:
    """Return the form, or the wallet of who is registered."""
    with caller.services.database.read() as session:
        known = resident_of(session, caller.principal)
    return see("/wallet") if known is not None else _form(caller, {})


@router.post("/wallet/register")
def register(posted: NewcomerForm) -> Response:
    """Register: one person is one resident, and who was registered before finds the same account again."""
    form = posted.form
    given = {"document_number": form["document_number"], "name": form["name"]}
    try:
        body = ResidentIn.model_validate({key: value for key, value in given.items() if value.strip()})
        registering.register(posted.write, body)
    except ValidationError:
        return _form(posted, given, posted.text("register.malformed"), 422)
    except TongduiError as error:
        return _form(posted, given, *refusal(posted, error))
    return posted.see("/wallet/links")


def _form(caller: Caller, given: dict[str, str], problem: str = "", status: int = 200) -> Response:
    return caller.page(
        "register.html",
        status=status,
        section="wallet",
        given=Form(given),
        problem=problem,
        asks_document=caller.principal.identity is None,
    )
