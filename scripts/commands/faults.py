"""``faults``: break things under load, and count what is lost or done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.options import AsJson
from scripts.console import ExitCode, Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("faults")(faults)


def faults(
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of what is hit, and when.")] = 1,
    people: Annotated[int, typer.Option(min=60, max=2_000, help="How many residents the city has.")] = 120,
    records: Annotated[int, typer.Option(min=60, max=5_000, help="About how many records a programme has.")] = 80,
    keep: Annotated[
        Path | None, typer.Option(help="Leave the state of damaged rounds in this folder [default: thrown away].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Kill gateway, node and database without warning while a city works, start them again, and compare.

    A small city's records come in, points are exchanged and redeemed, false declarations are revoked. Whatever is hit,
    the end must be that of an undisturbed run: every accepted record minted exactly once, every refused one explained,
    the auditor's verdict PASS. Every other round runs on PostgreSQL where it is installed.

    Exit code 0: so it is; 1: something was lost, doubled or not explained, or an audit failed.
    """
    from scripts.faults.play import Town
    from scripts.faults.strikes import run

    output = Output(as_json=as_json)
    found = run(rounds, seed, Town(people, records, 2026), output.progress_console.print, keep=keep)
    hits = ", ".join(f"{what} {count}×" for what, count in found.strikes.items()) or "nothing"
    output.say(
        f"{found.rounds} rounds, hit: {hits}. Lost {found.lost}, doubled {found.duplicated},"
        f" unexplained {found.unexplained}, audits failed {found.audit_failures}.",
        style="bold green" if found.is_clean else "bold red",
    )
    output.result(
        {
            "rounds": found.rounds,
            "lost": found.lost,
            "duplicated": found.duplicated,
            "unexplained": found.unexplained,
            "audit_failures": found.audit_failures,
            "seed": seed,
            "strikes": found.strikes,
            "seconds": round(found.seconds, 1),
        }
    )
    if not found.is_clean:
        raise typer.Exit(ExitCode.NO)
