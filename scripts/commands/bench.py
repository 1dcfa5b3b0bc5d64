"""``bench``: how fast issuance is on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.options import AsJson
from scripts.console import Output


class Kind(StrEnum):
    """The databases that can be measured."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Measure throughput on this machine.", no_args_is_help=True)
    group.command("issue")(issue)
    app.add_typer(group, name="bench")


def issue(
    records: Annotated[int, typer.Option(min=1_000, help="How many records.")] = 200_000,
    residents: Annotated[int, typer.Option(min=100, help="How many residents they belong to.")] = 50_000,
    database: Annotated[Kind, typer.Option(help="Which database; PostgreSQL is started for the run.")] = Kind.SQLITE,
    naive_seconds: Annotated[
        float, typer.Option(min=0, help="How long to measure one web3.py transaction a mint; 0: not at all.")
    ] = 10.0,
    workers: Annotated[
        int, typer.Option(min=0, max=16, help="Intake processes beside the gateway; 0: it takes the files in itself.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the made-up records.")] = 2026,
    folder: Annotated[
        Path | None, typer.Option(help="Keep state and files here, in an empty folder [default: thrown away].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take source files in, from reading to the projection of every grant, on a real engine and database.

    Four programmes' files are made from the seed, residents are registered and linked, and a warm-up runs first; none
    of that counts. Every record must end as planted, and every accepted one on chain, or the run fails.
    """
    from scripts.bench.issue import Sizes, bench_issue

    output = Output(as_json=as_json)
    sizes = Sizes(records, residents, database.value, naive_seconds, seed, workers)
    result = bench_issue(sizes, folder, output.progress_console.print)
    output.table(
        f"{result['records']} records, {result['database']}",
        ["stage", "seconds at work"],
        [(name, f"{spent:.2f}") for name, spent in result["stages"].items()],
    )
    ratio = f", {result['ratio']}× the naive way ({result['naive_per_s']}/s)" if result["ratio"] is not None else ""
    output.say(f"{result['records_per_s']} records/s{ratio}; peak memory {result['peak_rss_mib']} MiB", style="bold")
    output.result(result)
