"""``shops …``: applications of shops; who decides about them, and how far their registration has come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.errors import ConfigurationError
from tongdui.cli.console import Output
from tongdui.cli.options import AsJson, StateDir, installed, readable, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from redemption.shops.applications import Application, MerchantApplications

shops = typer.Typer(help="Shops that want to be paid with points: apply, approve, register.", no_args_is_help=True)

ApplicationId = Annotated[str, typer.Argument(help="The application's id.")]
By = Annotated[str, typer.Option("--by", help="Who applies or decides; it is kept, and two people are needed.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    shops.command("apply")(apply)
    shops.command("list")(listing)
    shops.command("show")(show)
    shops.command("approve")(approve)
    shops.command("refuse")(refuse)
    shops.command("resume")(resume)
    app.add_typer(shops, name="shops")


def apply(
    file: Annotated[Path, typer.Argument(help="A JSON file: the body of POST /v1/merchant-applications.")],
    by: By,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Apply for a shop. A second person approves it."""
    import pydantic

    from ledger_api.routes.merchant.applications import new_application
    from ledger_api.schemas.merchants import ApplicationIn

    try:
        body = ApplicationIn.model_validate_json(readable(file, "the application").read_bytes())
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{file}: {place}: {first['msg']}") from None
    _change(state_dir, as_json, by, lambda book, session, who: book.apply(session, new_application(body), who))


def listing(
    state: Annotated[str | None, typer.Option("--state", help="Only those in this state.")] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """List the applications, newest first."""
    from redemption.shops.applications import ApplicationState

    output = Output(as_json=as_json)
    if state is not None and state not in set(ApplicationState):
        raise typer.BadParameter(f"there are {', '.join(ApplicationState)}", param_hint="--state")
    chosen = None if state is None else ApplicationState(state)
    with _book(state_dir) as (session, book, _):
        found = book.page(session, applied_by=None, state=chosen, before=None, limit=1000)
    rows = [(one.application_id, one.state.value, one.merchant_id or "", one.new.name_zh) for one in found]
    output.listing(None, ["application", "state", "merchant", "name"], rows)
    output.result({"ok": True, "items": [_shown(one) for one in found]})


def show(application_id: ApplicationId, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show an application; its contacts and bank account are shown by the API alone, to who is signed in."""
    with _book(state_dir) as (session, book, _):
        _say(Output(as_json=as_json), book.get(session, application_id))


def approve(application_id: ApplicationId, by: By, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Approve what another person applied for; the gateway registers the shop on the chain."""
    _change(state_dir, as_json, by, lambda book, session, who: book.approve(session, application_id, who))


def refuse(
    application_id: ApplicationId,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why; the applicant reads it.")],
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Refuse an application."""
    _change(state_dir, as_json, by, lambda book, session, who: book.refuse(session, application_id, who, reason))


def resume(application_id: ApplicationId, by: By, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Order a registration again that failed or was cancelled."""
    _change(state_dir, as_json, by, lambda book, session, who: book.resume(session, application_id, who))


def _change(
    state_dir: Path | None,
    as_json: bool,
    by: str,
    act: Callable[[MerchantApplications, Session, str], Application],
) -> None:
    with _book(state_dir) as (session, book, issuer):
        done = act(book, session, f"{issuer} {by}")
    _say(Output(as_json=as_json), done)


@contextmanager
def _book(state_dir: Path | None) -> Iterator[tuple[Session, MerchantApplications, str]]:
    """Open the applications of an installation in one transaction, also while a gateway runs on it.

    The third is what stands before the name in the subjects of the installation's own tokens: a person who decides here
    and by the API is one person.
    """
    from ledger.clearing.office import REGISTRAR, FinanceOffice
    from ledger.deployment.file import FILE_NAME, Deployment
    from ledger.outbox.outbox import Outbox
    from redemption.merchants import MerchantDirectory
    from tongdui.api import token_issuer_name
    from tongdui.offline import applications_of, open_database, open_keys

    chosen = installed(settings(state_dir))
    clock = clock_of(chosen.state_dir)
    deployment = Deployment.read(chosen.deployment_file or chosen.state_dir / FILE_NAME)
    with ExitStack() as stack:
        keys, database = open_keys(chosen), open_database(stack, chosen)
        kept = REGISTRAR in keys.keystore.names(REGISTRAR)
        address = keys.keystore.address(REGISTRAR) if kept else None
        office = FinanceOffice(database, None, deployment, Outbox(clock), clock, address, REGISTRAR)
        book = applications_of(office, MerchantDirectory(clock), keys, deployment, clock)
        with database.transaction() as session:
            yield session, book, token_issuer_name(chosen)


def _say(output: Output, found: Application) -> None:
    shop = "" if found.merchant_id is None else f", merchant {found.merchant_id}"
    reason = "" if found.reason is None else f": {found.reason}"
    output.say(f"{found.application_id} ({found.new.name_zh}) is {found.state.value}{shop}{reason}")
    if found.call is not None:
        output.say(f"the registrar sends to {found.call[0]}: 0x{found.call[1].hex()}")
    output.result({"ok": True, **_shown(found)})


def _shown(found: Application) -> dict[str, object]:
    from ledger_api.views.shops import application_out

    return application_out(found).model_dump(mode="json")
