"""``demo``: the main job, from source records to an independent audit, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tongdui.cli.console import Output
from tongdui.cli.options import AsJson, settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir",
            help="Where the demo's city lives; a second run goes on from there (default: .tongdui/demo, or demo in"
            " TONGDUI_STATE_DIR).",
        ),
    ] = None,
    records: Annotated[int, typer.Option(min=100, max=20_000, help="About how many records a programme has.")] = 3_000,
    people: Annotated[int, typer.Option(min=240, max=20_000, help="How many residents the city has.")] = 2_400,
    seed: Annotated[int, typer.Option(help="Seed of the made-up residents and records.")] = 2026,
    rpc: Annotated[
        str | None,
        typer.Option(
            "--rpc", metavar="URL[,URL…]", help="Nodes of a network, at the wall clock's time (default: embedded)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the main job from source records to an independent audit, and render the page that shows it.

    Five programmes' records become points on a chain; residents exchange and redeem them; the auditor says PASS on the
    chain and FAIL on a copy in which one balance is forged. Dates are simulated and fixed.

    On a network's nodes (--rpc) all is done that needs no days to pass; what is left out is said.

    Interrupted, even by kill -9? Run it again: it goes on where it was, and mints nothing twice.
    """
    from scripts.demo.on_network import run_on_network
    from scripts.demo.place import Sizes
    from scripts.demo.run import run

    output = Output(as_json=as_json)
    if state_dir is None:
        state_dir = settings().state_dir / "demo"  # beside a real city, never in it
    sizes = Sizes(people=people, records=records, seed=seed)
    summary = run(state_dir, sizes, output) if rpc is None else run_on_network(state_dir, rpc, sizes, output)
    output.result(summary)
