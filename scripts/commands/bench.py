"""``bench``: how fast issuance, orders and wallet reads are on this machine."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tongdui.cli.console import ExitCode, Output
from tongdui.cli.options import AsJson


class Kind(StrEnum):
    """The databases that can be measured."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Measure throughput on this machine.", no_args_is_help=True)
    group.command("issue")(issue)
    group.command("curve")(curve)
    group.command("redeem")(redeem)
    group.command("pages")(pages)
    group.command("network")(network)
    app.add_typer(group, name="bench")


def issue(
    records: Annotated[int, typer.Option(min=1_000, help="How many records.")] = 200_000,
    residents: Annotated[int, typer.Option(min=100, help="How many residents they belong to.")] = 50_000,
    database: Annotated[Kind, typer.Option(help="Which database; PostgreSQL is started for the run.")] = Kind.SQLITE,
    naive_seconds: Annotated[
        float, typer.Option(min=0, help="How long to measure one web3.py transaction a mint; 0: not at all.")
    ] = 10.0,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=16,
            help="Intake processes beside the gateway; 0: it takes the files in itself "
            "(default: 2 on SQLite, which has one writer at a time; one more than there are cores on PostgreSQL).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made-up records.")] = 2026,
    rpc: Annotated[
        str | None,
        typer.Option(
            "--rpc", metavar="URL[,URL…]", help="Nodes of a network, at the wall clock's time (default: embedded)."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Keep state and files here, in an empty folder (default: thrown away).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take source files in, from reading to the projection of every grant, on a real engine and database.

    Four programmes' files are made from the seed, residents are registered and linked, and a warm-up runs first; none
    of that counts. Every record must end as planted, and every accepted one on chain, or the run fails.
    """
    from scripts.bench.issue import Sizes, bench_issue

    output = Output(as_json=as_json)
    sizes = Sizes(records, residents, database.value, naive_seconds, seed, _workers(workers, database.value), rpc)
    result = bench_issue(sizes, folder, output.progress_console.print)
    output.table(
        f"{result['records']} records, {result['database']}",
        ["stage", "seconds at work"],
        [(name, f"{spent:.2f}") for name, spent in result["stages"].items()],
    )
    ratio = f", {result['ratio']}× the naive way ({result['naive_per_s']}/s)" if result["ratio"] is not None else ""
    output.say(f"{result['records_per_s']} records/s{ratio}; peak memory {result['peak_rss_mib']} MiB", style="bold")
    output.result(result)


def network(
    records: Annotated[int, typer.Option(min=1_000, help="How many records.")] = 20_000,
    residents: Annotated[int, typer.Option(min=100, help="How many residents.")] = 5_000,
    orders: Annotated[int, typer.Option(min=100, help="How many orders.")] = 500,
    folder: Annotated[
        Path | None, typer.Option(help="Keep state and files here, in an empty folder (default: thrown away).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the same work on the embedded engine and on a network of four signers and a node, in one run.

    Records and orders a second, seconds until an order is final, and bytes of chain a grant. All processes share this
    machine. Needs `make engine`.
    """
    from scripts.bench.network import NetworkSizes, bench_network

    output = Output(as_json=as_json)
    found = bench_network(NetworkSizes(records, residents, orders), folder, output.progress_console.print)
    output.table(
        f"{records} records, {orders} orders",
        ["", "embedded", "network"],
        [(name, str(found["embedded"][name]), str(found["network"][name])) for name in found["embedded"]],
    )
    output.result(found)


def curve(
    sizes: Annotated[str, typer.Option(help="Numbers of records, with commas between them.")] = "10000,100000,1000000",
    holders: Annotated[str, typer.Option(help="Numbers of residents, with commas between them.")] = "5000,50000,200000",
    records: Annotated[int, typer.Option(min=1_000, help="How many records where residents differ.")] = 100_000,
    residents: Annotated[int, typer.Option(min=100, help="How many residents where records differ.")] = 50_000,
    database: Annotated[Kind | None, typer.Option(help="Only this database (default: both).")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, max=16, help="Intake processes beside the gateway (default: as in issue).")
    ] = None,
    results: Annotated[Path, typer.Option(help="Results; what is in it is not measured again.")] = Path(
        "docs/pictures/throughput.json"
    ),
    drawing: Annotated[Path, typer.Option("--picture", help="The SVG to write.")] = Path(
        "docs/pictures/throughput.svg"
    ),
    as_json: AsJson = False,
) -> None:
    """Measure issuance at several sizes and plot what a record costs: with the work, or with the history?

    The development node's own share is plotted apart.
    """
    from scripts.bench.curve import measure, picture, points_of

    output = Output(as_json=as_json)
    by_size, by_holder = _numbers(sizes), _numbers(holders)
    databases = [one.value for one in Kind] if database is None else [database.value]
    wanted = points_of(by_size, by_holder, records, residents, databases)
    found = measure(wanted, results, lambda name: _workers(workers, name), output.progress_console.print)
    drawing.parent.mkdir(parents=True, exist_ok=True)
    drawing.write_text(picture(found, by_size, by_holder), encoding="utf-8")
    output.table(
        str(drawing),
        ["database", "records", "residents", "records/s", "µs a record", "of them the node", "peak MiB"],
        [
            (
                one["database"],
                f"{one['records']:,}",
                f"{one['residents']:,}",
                f"{one['records_per_s']:,.0f}",
                f"{one['cpu_us_per_record']:.0f}",
                f"{one['cpu_s'].get('node', 0) / one['records'] * 1e6:.0f}",
                f"{one['peak_rss_mib']:.0f}",
            )
            for one in found
        ],
    )
    output.result({"results": str(results), "picture": str(drawing), "runs": found})


def redeem(
    wallets: Annotated[int, typer.Option(min=10, help="How many residents have points.")] = 1_000,
    orders: Annotated[int, typer.Option(min=10, help="How many orders are placed, for half of them.")] = 2_000,
    read_seconds: Annotated[float, typer.Option(min=1, help="How long wallets are read, each way.")] = 10.0,
    database: Annotated[Kind, typer.Option(help="Which database; PostgreSQL is started for the run.")] = Kind.SQLITE,
    before: Annotated[
        int, typer.Option(min=0, help="Place so many orders the former way too, one by one (0: none).")
    ] = 0,
    naive_seconds: Annotated[
        float, typer.Option(min=0, help="How long one web3.py transaction an order is measured (0: not).")
    ] = 0.0,
    connections: Annotated[int, typer.Option(min=1, max=256, help="How many requests are under way at once.")] = 64,
    padding: Annotated[
        int,
        typer.Option("--residents", min=0, help="Residents beside those, in the tables alone: they have spent all."),
    ] = 0,
    history: Annotated[int, typer.Option(min=0, help="Movements of the past, in the table alone.")] = 0,
    processes: Annotated[
        int, typer.Option(min=1, max=16, help="API processes beside one with the workers (1: one process in all).")
    ] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Keep state and files here, in an empty folder (default: thrown away).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Place orders over HTTP until they are final, then read wallets, on a real ``tongdui serve``.

    The load is made beforehand and sent by a process of its own. Tokens are checked, log lines written, requests
    counted against a limit (a high one). Half of the wallets that are read were changed a moment ago; answers 304 are
    measured apart. Every order must be paid once, in the database and on chain, or it counts as lost or duplicated.

    Exit code 0: none was; 1: some were.
    """
    from scripts.bench.redeem import RedeemSizes, bench_redeem

    output = Output(as_json=as_json)
    sizes = RedeemSizes(
        wallets,
        orders,
        read_seconds,
        database.value,
        before=before,
        naive_s=naive_seconds,
        connections=connections,
        padding=padding,
        history=history,
        processes=processes,
    )
    report = bench_redeem(sizes, folder, output.progress_console.print)
    for name, found in report.phases.items():
        figures = {key: round(value, 2) for key, value in found.items() if isinstance(value, float)}
        output.say(f"{name}: {figures} {found.get('statuses', '')}")
    for name, spent in report.cpu_ms.items():
        output.say(f"processor ms of each of the {name}: {spent}")
    output.result(report.result)
    if report.result["lost"] or report.result["duplicated"]:
        raise typer.Exit(ExitCode.NO)


def pages(
    wallets: Annotated[int, typer.Option(min=10, help="How many residents have points and a session.")] = 200,
    per_s: Annotated[float, typer.Option(min=1, help="How many pages are opened a second.")] = 50.0,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 20.0,
    database: Annotated[Kind, typer.Option(help="Which database; PostgreSQL is started for the run.")] = Kind.SQLITE,
    folder: Annotated[
        Path | None, typer.Option(help="Keep state and files here, in an empty folder (default: thrown away).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Open signed-in residents' wallets at a steady rate on a real ``tongdui serve``, and say how long a page takes."""
    from scripts.bench.pages import PageSizes, bench_pages

    output = Output(as_json=as_json)
    sizes = PageSizes(wallets, per_s, seconds, database.value)
    found = bench_pages(sizes, folder, output.progress_console.print)
    output.say(
        f"{per_s:.0f} pages/s: half within {found['p50_ms']} ms, 95 % within {found['p95_ms']} ms;"
        f" {found['cpu_ms_a_page']} ms of the processor each",
        style="bold",
    )
    output.result(found)


def _workers(asked: int | None, database: str) -> int:
    if asked is not None:
        return asked
    return 2 if database == Kind.SQLITE else (os.cpu_count() or 1) + 1


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: whole numbers with commas between them are wanted") from None
