"""``issuers webhook …``: which source systems may push their records, and the secrets they sign with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ledger.errors import ConfigurationError
from tongdui.cli.console import Output, UsageError
from tongdui.cli.options import AsJson, StateDir, open_beside, programme_of, readable

webhook = typer.Typer(help="Let source systems push their records, and rotate their secrets.", no_args_is_help=True)

System = Annotated[str, typer.Argument(help="The source system, as its mapping names it.")]
To = Annotated[
    Path | None, typer.Option("--to", help="Write the secret to a new file (mode 0600) instead of showing it.")
]


def register(issuers: typer.Typer) -> None:
    """Add the commands."""
    webhook.command("create")(create)
    webhook.command("rotate")(rotate)
    webhook.command("close")(close)
    webhook.command("list")(show)
    issuers.add_typer(webhook, name="webhook")


def create(
    programme: Annotated[str, typer.Argument(help="Slug or number of the programme.")],
    mapping: Annotated[str, typer.Argument(help="Name of a mapping or a YAML file; it names the system.")],
    to: To = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Let a source system push to POST /v1/sources/SYSTEM/records. The secret is shown once.

    One that may push already gets no second secret here: see `rotate`.
    """
    output = Output(as_json=as_json)
    _is_new(to)
    chosen: str | Path = readable(Path(mapping), "the mapping").resolve() if mapping.endswith(".yaml") else mapping
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        number = books.issuers.programme_id(programme_of(programme))
        system = books.issuers.mapping(number, chosen, None).system
        with books.database.transaction() as session:
            if any(one.system == system and one.is_active for one in books.webhooks.sources(session)):
                raise UsageError(
                    f"{system} may push already; `webhook rotate` gives it a new secret, and `webhook close` ends it"
                )
            secret = books.webhooks.create(session, system, number, str(chosen))
    _hand_over(output, system, secret, to)


def rotate(
    system: System,
    keep_hours: Annotated[int, typer.Option(min=0, max=720, help="How long the former secret stays good.")] = 24,
    to: To = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Generate a new secret for a system; the former one stays good for a while, so that no push is lost."""
    output = Output(as_json=as_json)
    _is_new(to)
    with (
        output.bars() as bars,
        open_beside(state_dir, bars) as books,
        books.database.transaction() as session,
    ):
        secret = books.webhooks.rotate(session, system, keep_hours * 3600)
    _hand_over(output, system, secret, to)


def close(system: System, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Refuse a system's pushes from now on, and destroy its secrets."""
    output = Output(as_json=as_json)
    with (
        output.bars() as bars,
        open_beside(state_dir, bars) as books,
        books.database.transaction() as session,
    ):
        books.webhooks.close(session, system)
    output.say(f"{system} may push no more")
    output.result({"ok": True, "system": system})


def show(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """List the systems that may push; no secret is shown."""
    output = Output(as_json=as_json)
    with (
        output.bars() as bars,
        open_beside(state_dir, bars) as books,
        books.database.read() as session,
    ):
        found = books.webhooks.sources(session)
    rows = [(one.system, one.programme, one.mapping, "yes" if one.is_active else "no") for one in found]
    output.listing(None, ["system", "programme", "mapping", "may push"], rows)
    items = [
        {"system": one.system, "programme": one.programme, "mapping": one.mapping, "is_active": one.is_active}
        for one in found
    ]
    output.result({"ok": True, "items": items})


def _is_new(to: Path | None) -> None:
    """Raise where the output file exists, before a secret is generated that could not be written."""
    if to is not None and to.exists():
        raise ConfigurationError(f"{to} exists; name a new file")


def _hand_over(output: Output, system: str, secret: bytes, to: Path | None) -> None:
    from issuers.sources.webhooks.signatures import secret_text

    text = secret_text(secret)
    if to is not None:
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
    shown = text if to is None else f"in {to}"
    output.say(f"{system} pushes to POST /v1/sources/{system}/records; its secret, shown once: {shown}")
    output.result(
        {"ok": True, "system": system, "secret": text if to is None else None, "file": str(to) if to else None}
    )
