"""``accounts …``: the logins with which people sign in here by name and password (the embedded default)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tongdui.cli.console import Output, UsageError
from tongdui.cli.options import AsJson, StateDir, installed, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from ledger_api.auth.logins import Login, Logins, LoginState

accounts = typer.Typer(help="Logins with name and password: who may sign in here.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name that the person signs in with.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    accounts.command("add")(add)
    accounts.command("list")(show)
    accounts.command("passwd")(passwd)
    accounts.command("disable")(disable)
    accounts.command("enable")(enable)
    app.add_typer(accounts, name="accounts")


def add(
    name: Name,
    role: Annotated[
        list[str] | None, typer.Option("--role", help="resident, finance, auditor or operator; may be repeated.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="A scope: issuer:<n>, merchant:<n>, desk:<name> …; may be repeated."),
    ] = None,
    password_stdin: FromStdin = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a login. The password is asked for, or comes from standard input; it is never an argument."""
    from ledger_api.auth.logins import NewLogin, fold_name
    from ledger_api.auth.passwords import Passwords
    from tongdui.cli.people.tokens import scopes_of

    output = Output(as_json=as_json)
    wanted = scopes_of(role, scope)
    folded = fold_name(name)
    with _logins(state_dir) as (session, logins):
        hashed = Passwords().hash_new(folded, _password(password_stdin))
        made = logins.add(session, NewLogin(folded, hashed, frozenset(wanted), "command line"))
    output.say(f"{made.name} may sign in, for {', '.join(sorted(made.scopes))}")
    output.result({"ok": True, **_shown(made)})


def show(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """List the logins. Neither passwords nor their hashes are shown."""
    output = Output(as_json=as_json)
    with _logins(state_dir) as (session, logins):
        found = logins.all(session)
    output.listing(
        None,
        ["name", "scopes", "state", "made by"],
        [(one.name, " ".join(sorted(one.scopes)), one.state.value, one.created_by) for one in found],
    )
    output.result({"ok": True, "items": [_shown(one) for one in found]})


def passwd(name: Name, password_stdin: FromStdin = False, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Give a login another password; whoever is signed in with it is signed out."""
    from ledger_api.auth.logins import fold_name
    from ledger_api.auth.passwords import Passwords

    output = Output(as_json=as_json)
    with _logins(state_dir) as (session, logins):
        logins.get(session, name)
        changed = logins.set_password(session, name, Passwords().hash_new(fold_name(name), _password(password_stdin)))
    output.say(f"{changed.name} has another password, and its sessions have ended")
    output.result({"ok": True, **_shown(changed)})


def disable(name: Name, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Let a login open nothing any more; its sessions end."""
    from ledger_api.auth.logins import LoginState

    _set_state(name, LoginState.DISABLED, state_dir, as_json)


def enable(name: Name, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Let a disabled login sign in again."""
    from ledger_api.auth.logins import LoginState

    _set_state(name, LoginState.ACTIVE, state_dir, as_json)


def _set_state(name: str, state: LoginState, state_dir: Path | None, as_json: bool) -> None:
    output = Output(as_json=as_json)
    with _logins(state_dir) as (session, logins):
        changed = logins.set_state(session, name, state)
    output.say(f"{changed.name} is {changed.state.value}")
    output.result({"ok": True, **_shown(changed)})


@contextmanager
def _logins(state_dir: Path | None) -> Iterator[tuple[Session, Logins]]:
    """Open the logins of an installation in one transaction, also while a gateway runs on it."""
    from ledger_api.auth.logins import Logins
    from tongdui.offline import open_database

    chosen = installed(settings(state_dir))
    if chosen.uses_oidc:
        raise UsageError("people sign in at the identity provider of TONGDUI_OIDC_ISSUER; there are no logins here")
    with ExitStack() as stack:
        database = open_database(stack, chosen)
        with database.transaction() as session:
            yield session, Logins(clock_of(chosen.state_dir))


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for the password on; use --password-stdin")
    asked: str = typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def _shown(login: Login) -> dict[str, object]:
    return {
        "name": login.name,
        "subject": login.subject,
        "scopes": sorted(login.scopes),
        "state": login.state.value,
        "merchant": login.merchant_id,
        "created_at": login.created_at,
    }
