"""``races``: let many hands act on the same orders at once, and compare every answer with the table."""

from __future__ import annotations

from typing import Annotated

import typer

from tongdui.cli.console import ExitCode, Output
from tongdui.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("races")(races)


def races(
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds, of eight orders each.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of what is tried, and when.")] = 1,
    rpc: Annotated[
        str | None,
        typer.Option(
            "--rpc",
            metavar="URL[,URL…]",
            help="Nodes of a network: all rounds run on several gateways there, no clock moves.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let residents, tills, a desk's clerk and strangers act on the same orders at the same time.

    Hand-overs, captures, releases, cancellations, refunds and codes are sent over HTTP within two seconds of each
    order, many of them twice under one id at two gateways: every other round to several gateways on one PostgreSQL,
    where it is installed, every other to one on SQLite, whose clock also moves over the holds' end. Afterwards the
    acts that were noted are replayed through the table, and compared with the answers, the orders and the chain.

    Exit code 0: nothing was unlawful, answered wrongly, lost or doubled; 1: something was.
    """
    from scripts.races.run import run

    output = Output(as_json=as_json)
    output.progress_console.print(f"seed {seed}", soft_wrap=True)
    with output.bars() as bars:
        result = run(
            rounds,
            seed,
            lambda text: output.progress_console.print(text, markup=False, soft_wrap=True),
            lambda done, total: bars.set("rounds", done, total),
            rpc,
        )
    wrong = result.findings
    towns, begin_s = " and ".join(result.towns), round(result.opened_s)
    output.say(
        f"{result.orders} orders, {result.requests} requests, {result.acts} acts ({result.failed_acts} refused by the"
        f" chain) on {towns} in {result.seconds:.0f} s, {begin_s} s of them to begin.",
        style="bold green" if result.is_clean else "bold red",
    )
    output.result(
        {
            "rounds": result.rounds,
            "unlawful": len(wrong.unlawful),
            "answers_wrong": len(wrong.answers_wrong),
            "lost": len(wrong.lost),
            "duplicated": len(wrong.duplicated),
        }
    )
    if not result.is_clean:
        raise typer.Exit(ExitCode.NO)
