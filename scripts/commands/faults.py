"""``faults``: break things under load, and count what is lost or done twice."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from tongdui.cli.console import ExitCode, Output
from tongdui.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("faults")(faults)


def faults(
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of what is hit, and when.")] = 1,
    first: Annotated[int, typer.Option(min=1, help="Number of the first round: to run one again.")] = 1,
    jobs: Annotated[int, typer.Option(min=0, max=64, help="Rounds at a time [0: one a core].")] = 0,
    people: Annotated[int, typer.Option(min=60, max=2_000, help="How many residents the city has.")] = 60,
    records: Annotated[int, typer.Option(min=60, max=5_000, help="About how many records a programme has.")] = 60,
    keep: Annotated[Path, typer.Option(help="Where the state of damaged rounds is left.")] = Path("build/faults"),
    as_json: AsJson = False,
) -> None:
    """Break things without warning while a city works, start them again, and compare.

    A small city's records come in, points are exchanged and redeemed, false declarations are revoked. Gateway, worker,
    node and database are killed; the line to the node is cut, loses, delays, repeats and garbles; the node's answers
    are wrong; the disk is full; the clock is set. In every case the end must be that of an undisturbed run: every
    accepted record minted exactly once, every refused one explained, the auditor's verdict PASS. Every other round runs
    on PostgreSQL where it is installed, every other on a network instead of the embedded chain.

    Exit code 0: so it is; 1: something was lost, doubled or not explained, or an audit failed.
    """
    from scripts.faults.campaign import run
    from scripts.faults.workload import Town

    output = Output(as_json=as_json)
    output.progress_console.print(f"seed {seed}", soft_wrap=True)
    # An interrupted run must not leave servers, nodes and mounts behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.INTERRUPTED))
    with output.bars() as bars:
        found = run(
            rounds,
            seed,
            Town(people, records, 2026),
            lambda text: output.progress_console.print(text, markup=False, soft_wrap=True),
            keep=keep,
            first=first,
            jobs=jobs or os.cpu_count() or 1,
            on_round=lambda done, total: bars.set("rounds", done, total),
        )
    hits = ", ".join(f"{what} {count}×" for what, count in found.injections.items()) or "nothing"
    output.say(
        f"{found.rounds} rounds, hit: {hits}; {found.mishaps} mishaps of lines and nodes. Lost {found.lost}, doubled"
        f" {found.duplicated}, unexplained {found.unexplained}, audits failed {found.audit_failures}.",
        style="bold green" if found.is_clean else "bold red",
    )
    output.result(
        {
            "rounds": found.rounds,
            "lost": found.lost,
            "duplicated": found.duplicated,
            "unexplained": found.unexplained,
            "audit_failures": found.audit_failures,
            "failed_rounds": list(found.failed_rounds),
            "seed": seed,
            "strikes": found.injections,
            "mishaps": found.mishaps,
            "seconds": round(found.seconds, 1),
        }
    )
    if not found.is_clean:
        raise typer.Exit(ExitCode.NO)
