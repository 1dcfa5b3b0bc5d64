"""``network``: a permissioned network's keys, files, nodes and health."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tongdui.cli.console import ExitCode, Output, UsageError
from tongdui.cli.options import AsJson

if TYPE_CHECKING:
    from tongdui.network.plan import NetworkPlan
    from tongdui.network.status import NetworkStatus

Folder = Annotated[Path, typer.Argument(help="The network's folder.")]
EngineOption = Annotated[Literal["clique", "besu"], typer.Option("--engine", help="clique: trials; besu: a city.")]

network = typer.Typer(
    help="Make a permissioned network, run its nodes on this machine, see how it fares.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(network, name="network")


@network.command("key")
def key(
    folder: Annotated[Path, typer.Argument(help="This agency's folder; keys are made in keys/ under it.")],
    name: Annotated[str, typer.Option("--name", help="The node's name: small letters, digits, hyphens.")],
    host: Annotated[str, typer.Option("--host", help="The address that the other nodes dial.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65533, help="Of the next three ports, the first.")] = 30303,
    engine: EngineOption = "besu",
    answers_only: Annotated[bool, typer.Option("--answers-only", help="A node that seals nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a node's keys in its agency's folder; give away public.json and nothing else."""
    from tongdui.network.keys import make_member
    from tongdui.network.plan import PUBLIC_FILE, EngineKind, Ports

    output = Output(as_json=as_json)
    ports = Ports(port, port + 1, port + 2)
    member = make_member(folder, name, host, ports, EngineKind(engine), seals=not answers_only)
    output.say(f"keys are in {folder / 'keys'}: back them up, and let them go nowhere else")
    output.say(f"give {folder / PUBLIC_FILE} to whoever makes the network's genesis")
    output.result({"ok": True, "public": str(folder / PUBLIC_FILE), "account": member.account, "enode": member.enode})


@network.command("new")
def new(
    folder: Folder,
    validators: Annotated[
        int | None, typer.Option("--validators", min=1, max=64, help="A trial on this machine, with so many.")
    ] = None,
    member: Annotated[
        list[Path] | None, typer.Option("--member", metavar="FILE", help="An agency's public.json; repeat it.")
    ] = None,
    engine: EngineOption = "clique",
    period: Annotated[int, typer.Option("--period", min=1, max=60, help="Seconds between blocks.")] = 1,
    gas_limit: Annotated[int, typer.Option("--gas-limit", min=30_000_000, help="A block's gas.")] = 150_000_000,
    as_json: AsJson = False,
) -> None:
    """Lay out a network: genesis from public halves, and each node's files in its own folder.

    With --validators the keys are made here too, each in its agency's folder. In a city each agency runs
    `tongdui network key`, and the files are made of what they give (--member).
    """
    from tongdui.network.folder import NetworkChoices, make_of_members, make_trial
    from tongdui.network.plan import EngineKind, read_member

    output = Output(as_json=as_json)
    if (validators is None) == (not member):
        raise UsageError(
            "say --validators N for a trial on this machine, or --member FILE for each agency's public half"
        )
    choices = NetworkChoices(EngineKind(engine), period_s=period, gas_limit=gas_limit)
    if validators is not None:
        plan = make_trial(folder, validators, choices)
    else:
        plan = make_of_members(folder, [read_member(path) for path in member or ()], choices)
    output.say(f"chain {plan.chain_id}: {len(plan.validators)} validators, {plan.tolerated} may be away at a time")
    if plan.engine is EngineKind.BESU:
        output.say("Besu was not started by us with these files: try them first. See docs/operations.", style="bold")
    output.result({"ok": True, "folder": str(folder), **_described(plan)})


@network.command("up")
def up(folder: Folder, as_json: AsJson = False) -> None:
    """Start the nodes whose keys are here, and wait until each answers (Clique)."""
    from tongdui.network import processes

    output, plan = Output(as_json=as_json), _plan(folder)
    members = processes.up(folder, plan)
    urls = [one.url for one in members if one.account is None] or [one.url for one in members]
    output.say(f"{len(members)} nodes run; stop them with: tongdui network down {folder}")
    output.say(f"TONGDUI_RPC_URL={','.join(urls)} TONGDUI_FINALITY={plan.finality}")
    output.result({"ok": True, "nodes": [one.name for one in members], "rpc": urls, **_described(plan)})


@network.command("down")
def down(folder: Folder, as_json: AsJson = False) -> None:
    """Stop the nodes of this machine, one after another."""
    from tongdui.network import processes

    output = Output(as_json=as_json)
    stopped = processes.down(folder, _plan(folder))
    output.say(f"{len(stopped)} nodes stopped")
    output.result({"ok": True, "nodes": [one.name for one in stopped]})


@network.command("heal")
def heal(folder: Folder, as_json: AsJson = False) -> None:
    """Bring the nodes of a Clique network that stands on two forks of equal weight onto one (docs/operations)."""
    from tongdui.network import forks

    output, plan = Output(as_json=as_json), _plan(folder)
    if not forks.stands(plan, 5 * plan.period_s):
        output.say("blocks are made; nothing was done")
        output.result({"ok": True, "moved": []})
        return
    moved = forks.heal(plan)
    output.say(f"set back and brought onto one branch: {', '.join(moved) or 'none, all are on one branch'}")
    output.result({"ok": True, "moved": moved})


@network.command("status")
def status(folder: Folder, as_json: AsJson = False) -> None:
    """Show heights, ages, peers and pools of all nodes, who seals and who misses turns, and what to do.

    Exit code 1: somebody has to look.
    """
    from tongdui.network.status import status as look

    output, plan = Output(as_json=as_json), _plan(folder)
    seen = look(plan, int(time.time()))
    _show(output, seen)
    output.result(
        {
            "ok": not seen.alarms,
            "nodes": [asdict(one) for one in seen.nodes],
            "turns": [asdict(one) for one in seen.turns],
            "alarms": list(seen.alarms),
        }
    )
    if seen.alarms:
        raise typer.Exit(ExitCode.NO)


def _show(output: Output, seen: NetworkStatus) -> None:
    rows = [
        (one.name, one.trouble or one.height, f"{one.age_s} s", one.peers, one.pending, one.queued, one.gas_price)
        for one in seen.nodes
    ]
    output.table("nodes", ["node", "height", "age", "peers", "pending", "queued", "gas price"], rows)
    turns = [(one.name, one.account, one.sealed, one.missed) for one in seen.turns]
    output.table("validators, over the last blocks", ["validator", "account", "sealed", "missed"], turns)
    for alarm in seen.alarms:
        output.say(alarm, style="red")


def _plan(folder: Path) -> NetworkPlan:
    from tongdui.network.plan import PLAN_FILE, NetworkPlan

    return NetworkPlan.read(folder / PLAN_FILE)


def _described(plan: NetworkPlan) -> dict[str, object]:
    return {
        "engine": plan.engine,
        "chain_id": plan.chain_id,
        "finality": plan.finality,
        "validators": list(plan.accounts),
        "tolerated": plan.tolerated,
    }
