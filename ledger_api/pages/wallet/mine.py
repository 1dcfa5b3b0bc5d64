"""What is one's own: numbers at agencies, the desk's PIN, who looked, all that is kept, and being erased."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger_api.dependencies import own_resident
from ledger_api.own import data, erasing, registering
from ledger_api.pages.shell.forms import Form
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller, Posting, drop_session, see
from ledger_api.pages.shell.sign_in import story_people
from ledger_api.pages.wallet.access import Resident, ResidentForm, name_of, names_of, refusal
from ledger_api.schemas.residents import EraseIn, ErasureLoss, PinIn, SourceLinkIn, SourceLinksOut, SourcesIn

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LOOKS = 50


@router.get("/wallet/links")
def links(caller: Resident) -> Response:
    """Return one's numbers at agencies, and the form for another."""
    return _links(caller)


@router.post("/wallet/links")
def link(posted: ResidentForm) -> Response:
    """Link a number; what its agency has recorded for it is granted soon after."""
    form = posted.form
    given = {"programme": form["programme"], "source_id": form["source_id"], "code": form["code"]}
    try:
        one = SourceLinkIn.model_validate(
            {
                "programme": int(form["programme"] or 0),
                "source_id": form["source_id"],
                "code": form["code"].strip().upper() or None,
            }
        )
        answer = registering.link(posted.write, SourcesIn(links=[one]))
    except (ValidationError, ValueError):
        return _links(posted, given, posted.text("links.malformed"), 422)
    except TongduiError as error:
        return _links(posted, given, *refusal(posted, error))
    [made] = SourceLinksOut.model_validate_json(bytes(answer.body)).links
    return posted.see(f"/wallet/links?done={made.state}")


@router.post("/wallet/links/withdraw")
def withdraw(posted: ResidentForm) -> Response:
    """Withdraw a link; what was granted stays."""
    form = posted.form
    try:
        body = SourceLinkIn.model_validate({"programme": int(form["programme"] or 0), "source_id": form["source_id"]})
        registering.unlink(posted.write, body)
    except (ValidationError, ValueError):
        return _links(posted, {}, posted.text("links.malformed"), 422)
    except TongduiError as error:
        return _links(posted, {}, *refusal(posted, error))
    return posted.see("/wallet/links?done=withdrawn")


@router.get("/wallet/mine")
def mine(caller: Resident) -> Response:
    """Return what is kept about oneself, and what one may do about it."""
    with caller.services.database.read() as session:
        resident = caller.services.registry.get(session, own_resident(session, caller.principal))
        found = data.looks(session, resident.resident_id, None, LOOKS)
    return caller.page("mine.html", section="wallet", resident=resident, looks=[data.look_out(one) for one in found])


@router.get("/wallet/mine/data.json")
def export(caller: Resident) -> Response:
    """Download all that is kept about oneself."""
    return data.export(caller.services, caller.principal)


@router.get("/wallet/mine/history.csv")
def history_csv(caller: Resident) -> Response:
    """Download the account's lines for a spreadsheet."""
    return data.history_csv(caller.services, caller.principal, chinese=caller.is_chinese)


@router.get("/wallet/mine/pin")
def pin_form(caller: Resident) -> Response:
    """Return the form for the desk's PIN."""
    return caller.page("pin.html", section="wallet", problem="", story_password=_story_password(caller))


@router.post("/wallet/mine/pin")
def set_pin(posted: ResidentForm) -> Response:
    """Set the PIN with which a desk may serve one, after the password was given once more."""
    form = posted.form
    try:
        if form["pin"] != form["again"]:
            raise ValueError("the two PINs differ")
        body = PinIn.model_validate({"pin": form["pin"]})
        posted.confirm_password()
        registering.set_pin(posted.write, body)
    except (ValidationError, ValueError):
        return _refused(posted, "pin.html", posted.text("pin.malformed"), 422)
    except TongduiError as error:
        return _refused(posted, "pin.html", *refusal(posted, error))
    return posted.see("/wallet/mine?done=pin", posted.renewed())


@router.get("/wallet/mine/erase")
def erase_form(caller: Resident) -> Response:
    """Return what would be lost for good, before anything is done."""
    return _erase(caller)


@router.post("/wallet/mine/erase")
def erase(posted: ResidentForm) -> Response:
    """Erase oneself, after the password was given once more and the loss was said back as it was shown."""
    form = posted.form
    try:
        if form["confirm"] != "erase":
            return _erase(posted, posted.text("erase.confirm_first"), 422)
        body = EraseIn(confirm="erase", loses=ErasureLoss.model_validate_json(form["loses"]))
        posted.confirm_password()
        erasing.erase(posted.write, body)
    except ValidationError:
        return _erase(posted, posted.text("erase.confirm_first"), 422)
    except TongduiError as error:
        return _erase(posted, *refusal(posted, error))
    answer = see("/", {"Clear-Site-Data": '"cache", "storage"'})
    drop_session(posted.request, answer, posted.services)
    return answer


def _links(caller: Caller, given: dict[str, str] | None = None, problem: str = "", status: int = 200) -> Response:
    with caller.services.database.read() as session:
        resident_id = own_resident(session, caller.principal)
        linked = caller.services.registry.linked_sources(session, resident_id)
    return caller.page(
        "links.html",
        status=status,
        section="wallet",
        linked=[(programme, name_of(caller, programme), source, state) for programme, source, state in linked],
        names=names_of(caller),
        given=Form(given or {}),
        problem=problem,
        done=caller.request.query_params.get("done", ""),
    )


def _erase(caller: Caller, problem: str = "", status: int = 200) -> Response:
    with caller.services.database.read() as session:
        loses = erasing.loss(session, caller.services, own_resident(session, caller.principal))
    return caller.page(
        "erase.html",
        status=status,
        section="wallet",
        loses=loses,
        loses_text=loses.model_dump_json(),
        names=names_of(caller),
        problem=problem,
        story_password=_story_password(caller),
    )


def _refused(posted: Posting, template: str, problem: str, status: int) -> Response:
    return posted.page(
        template, status=status, section="wallet", problem=problem, story_password=_story_password(posted)
    )


def _story_password(caller: Caller) -> str:
    """Return the password of the demo's person, which some steps ask for again: shown on this machine alone."""
    people = {one.login: one.password for one in story_people(caller.request, caller.services)}
    if not people:
        return ""
    with caller.services.database.read() as session:
        login = caller.services.sign_in.logins.of_subject(session, caller.principal.subject)
    return "" if login is None else people.get(login.name, "")
