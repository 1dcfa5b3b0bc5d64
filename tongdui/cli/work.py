"""``work``: the workers without the HTTP API."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from tongdui.cli.console import Output
from tongdui.cli.options import AsJson, StateDir, WindowPort, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from tongdui.bootstrap import City


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("work")(work)


def work(window_port: WindowPort = None, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Run the workers alone, without the HTTP API, until Ctrl-C or SIGTERM.

    They send what is in the outbox, project final blocks, settle orders,
    take in the drop folders, and turn records into signed batches.

    On a network run any number of them, beside API processes that are
    started with TONGDUI_WORKERS=false; all have the same state directory,
    TONGDUI_DATABASE_URL (PostgreSQL) and TONGDUI_RPC_URL. An API process is
    ready while the projection keeps up, so /readyz fails when no worker runs.

    The embedded chain belongs to one process: there `tongdui serve` runs the
    workers itself, and `work` takes its place where no API is wanted.
    Auditors read the chain where --window-port opens a window on it.

    Exit code 5: a worker stopped with an alarm; a person has to look before
    it is started again.
    """
    from tongdui.work import work as run

    output = Output(as_json=as_json)
    chosen = settings(state_dir, rpc_proxy_port=window_port)

    def ready(city: City) -> None:
        output.say("the workers run. Stop with Ctrl-C.", style="bold")
        if city.chain_url is not None:
            output.say(f"the chain is read at {city.chain_url}")
        output.result({"ok": True, "rpc": city.chain_url, "chain_id": city.deployment.chain_id})
        sys.stdout.flush()

    run(chosen, clock_of(chosen.state_dir), on_ready=ready)
