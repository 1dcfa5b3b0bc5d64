"""``token``: bearer tokens of the local issuer, issued and withdrawn."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tongdui.cli.console import Output, UsageError
from tongdui.cli.options import AsJson, StateDir, installed, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from tongdui.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("token")(token)


def token(
    subject: Annotated[str, typer.Argument(help="Who the token is for.")],
    role: Annotated[
        list[str] | None, typer.Option("--role", help="resident, finance, auditor or operator; may be repeated.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="A scope: issuer:<n>, merchant:<n>, desk:<name> …; may be repeated."),
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=744, help="How long it lives.")] = 1.0,
    identity: Annotated[
        str | None, typer.Option(help="The identity document that was checked, if this issuer vouches for one.")
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Refuse every token of the subject that was issued until now.")
    ] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Issue a bearer token of the local issuer, for the embedded default; prints the token alone.

    Works while a gateway runs on the same state directory. Real people log in at an identity provider instead; with
    --withdraw their tokens and sessions are ended too (the subject as the provider names it).
    """
    from tongdui.api import open_token_issuer

    chosen = settings(state_dir)
    if withdraw:
        if role or scope:
            raise UsageError("--withdraw takes a subject alone; what was issued to it is refused whatever its scopes")
        _withdraw(installed(chosen), subject, Output(as_json=as_json))
        return
    if chosen.uses_oidc:
        raise UsageError("tokens come from the identity provider of TONGDUI_OIDC_JWKS_URL; the local issuer is off")
    scopes = scopes_of(role, scope)
    installed(chosen)
    issued = open_token_issuer(chosen, clock_of(chosen.state_dir)).issue(
        subject, scopes, lifetime=timedelta(hours=hours), identity=identity
    )
    if as_json:
        Output(as_json=True).result(
            {"ok": True, "token": issued, "jti": _token_id(issued), "subject": subject, "scopes": sorted(set(scopes))}
        )
    else:
        print(issued)
        print(f"jti {_token_id(issued)}", file=sys.stderr)


def scopes_of(role: Iterable[str] | None, scope: Iterable[str] | None) -> list[str]:
    """Return the scopes that roles and scopes of a command line stand for. Raises UsageError."""
    from ledger_api.auth.scopes import ROLES, UnknownScope, check_scopes

    scopes = list(scope or ())
    for one in role or ():
        if one not in ROLES:
            raise UsageError(f"--role {one!r} is none of {', '.join(ROLES)}; issuers, merchants and desks use --scope")
        scopes += ROLES[one]
    if not scopes:
        raise UsageError("say what it is good for: --role resident, or --scope merchant:1")
    try:
        return sorted(check_scopes(scopes))
    except UnknownScope as error:
        raise UsageError(f"--scope: {error}") from error


def _token_id(issued: str) -> str:
    import jwt

    found: str = jwt.decode(issued, options={"verify_signature": False})["jti"]
    return found


def _withdraw(chosen: Settings, subject: str, output: Output) -> None:
    from ledger_api.auth.withdrawal import withdraw_subject
    from tongdui.api import token_issuer_name
    from tongdui.offline import open_database

    full = subject if " " in subject else f"{token_issuer_name(chosen)} {subject}"
    with ExitStack() as stack:
        database = open_database(stack, chosen)
        with database.transaction() as session:
            ended = withdraw_subject(session, full, clock_of(chosen.state_dir).timestamp())
    output.say(f"every token of {full!r} issued until now is refused; {ended} sessions were ended")
    output.result({"ok": True, "subject": full, "sessions_ended": ended})
