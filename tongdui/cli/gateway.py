"""``serve``, ``deploy``, ``status`` and ``reindex``: running an installation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.standard.civil_time import CITY_TZ
from tongdui.cli.console import ExitCode, Output
from tongdui.cli.options import AsJson, StateDir, WindowPort, installed, settings
from tongdui.clock import ShiftedClock, clock_of

if TYPE_CHECKING:
    from tongdui.bootstrap import City


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("deploy")(deploy)
    app.command("status")(status)
    app.command("reindex")(reindex)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port (default: 8080); 0 takes a free one.")
    ] = None,
    window_port: WindowPort = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Processes that answer HTTP, beside one with the workers (default: 1 for all).",
        ),
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Run the API and its workers on loopback until Ctrl-C.

    The first start makes all that is missing: keys, the embedded chain, the contracts. Nothing needs to be configured.
    """
    from tongdui.serve import serve as run

    output = Output(as_json=as_json)
    chosen = settings(state_dir, host=host, port=port, rpc_proxy_port=window_port, processes=processes)

    def ready(city: City, url: str) -> None:
        output.say(f"Open {url} in a browser (OpenAPI: {url}/openapi.json). Stop with Ctrl-C.", style="bold")
        if city.chain_url is not None:
            output.say(
                f"auditors read the chain at {city.chain_url}: tongdui audit --rpc {city.chain_url} --deployment FILE"
            )
        output.result({"ok": True, "url": url, "rpc": city.chain_url, "chain_id": city.deployment.chain_id})
        sys.stdout.flush()

    clock = clock_of(chosen.state_dir)
    if isinstance(clock, ShiftedClock):
        output.say(f"this city lives at a simulated date: {clock.now().astimezone(CITY_TZ):%Y-%m-%d %H:%M}")
    run(chosen, clock, on_ready=ready)


def deploy(
    state_dir: StateDir = None,
    rpc: Annotated[
        str | None, typer.Option("--rpc", metavar="URL[,URL…]", help="Nodes (default: the embedded chain).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put the city on its chain, or check that it is there. Doing it twice changes nothing."""
    from ledger.deployment.file import FILE_NAME
    from tongdui.bootstrap import open_city

    output = Output(as_json=as_json)
    chosen = settings(state_dir, rpc_url=rpc, workers=False)
    with output.bars() as bars, open_city(chosen, clock_of(chosen.state_dir), progress=bars.hook("deploy")) as city:
        deployment, height = city.deployment, city.engine.final_height()
    path = chosen.deployment_file or chosen.state_dir / FILE_NAME
    output.listing(
        f"chain {deployment.chain_id}, from block {deployment.block}",
        ["contract", "address"],
        [(name, contract.address) for name, contract in deployment.contracts.items()],
    )
    output.say(f"described in {path}")
    output.result(
        {
            "ok": True,
            "chain_id": deployment.chain_id,
            "block": deployment.block,
            "final_height": height,
            "deployment": str(path),
            "contracts": {name: contract.address for name, contract in deployment.contracts.items()},
        }
    )


def status(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Say how an installation is that no gateway runs: heights, ages, projection, outbox, rules that must hold.

    A running gateway answers the same at /readyz and /v1/invariants.
    """
    from tongdui.bootstrap import open_city
    from tongdui.readiness import look_once

    output = Output(as_json=as_json)
    chosen = installed(settings(state_dir, workers=False))
    with output.bars() as bars, open_city(chosen, clock_of(chosen.state_dir), progress=bars.hook("open")) as city:
        seen = look_once(city.gateway, city.clock, chosen.stall_s)
        height, projected = seen.liveness.final_height, city.gateway.indexer.cursor().block_number
        with city.database.read() as session:
            outbox = dict(city.gateway.outbox.counts(session))
        report = city.invariants.refresh()
    output.say(f"final block {height} (made {seen.block_age_s} s ago), projected to {projected}")
    output.say(f"the oldest transaction without an outcome has waited {seen.liveness.oldest_age_s:.0f} s")
    if seen.liveness.alarm is not None:
        output.say(seen.liveness.alarm, style="red")
    output.table("outbox", ["state", "messages"], sorted(outbox.items()))
    output.listing(
        f"rules, at block {report.block_number}",
        ["rule", "holds", "detail"],
        [(check.name, "yes" if check.ok else "NO", check.detail) for check in report.checks],
    )
    holds = all(check.ok for check in report.checks)
    lives = seen.liveness.stall is None
    output.result(
        {
            "ok": holds and lives,
            "final_height": height,
            "final_block_age_s": seen.block_age_s,
            "oldest_unsettled_s": int(seen.liveness.oldest_age_s),
            "stall": seen.liveness.stall,
            "alarm": seen.liveness.alarm,
            "projected_height": projected,
            "outbox": outbox,
            "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in report.checks],
        }
    )
    if not holds:
        raise typer.Exit(ExitCode.BROKEN)
    if not lives:
        raise typer.Exit(ExitCode.NO)


def reindex(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Drop every projection and build it anew from the chain, then compare it with the chain."""
    from tongdui.bootstrap import open_city

    output = Output(as_json=as_json)
    chosen = installed(settings(state_dir, workers=False))
    with output.bars() as bars, open_city(chosen, clock_of(chosen.state_dir), progress=bars.hook("open")) as city:
        report = city.gateway.indexer.reindex()
        bars.done("reindex", f"{report.logs} events in {report.blocks} blocks")
        city.upkeep()
        check = city.gateway.check_projection()
    output.say(f"{report.logs} events in {report.blocks} blocks; {check.compared} figures compared with the chain")
    for difference in check.differences[:10]:
        output.say(f"{difference.what}: projected {difference.projected}, on chain {difference.on_chain}", style="red")
    output.result(
        {
            "ok": check.is_equal,
            "blocks": report.blocks,
            "events": report.logs,
            "compared": check.compared,
            "differences": len(check.differences),
        }
    )
    if not check.is_equal:
        raise typer.Exit(ExitCode.BROKEN)
