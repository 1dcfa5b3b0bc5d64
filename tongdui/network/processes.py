"""Runs a Clique network's nodes on this machine: starts them, sees that they take transactions, stops them in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from ledger.chain.embedded.processes import ProcessIdentity, identify, read_identity, write_identity
from ledger.chain.rpc import RpcClient, RpcError
from tongdui.network import forks, geth
from tongdui.network.errors import BadNetwork, NetworkNotUp
from tongdui.network.folder import folder_of
from tongdui.network.keys import KEYS, NODE_KEY
from tongdui.network.plan import EngineKind, Member, NetworkPlan

_IDENTITY = "node.json"
_LOG = "node.log"
_START_S = 60.0
_STOP_S = 30.0
_BEGINS_S = 10.0
_GOES_ON_S = 120.0
_LOOK_S = 0.1
_LOG_TAIL = 400


def is_local(folder: Path, member: Member) -> bool:
    """Return whether a node's key is here, so that it is this machine's to run."""
    return (folder_of(folder, member) / KEYS / NODE_KEY).is_file()


def running(folder: Path, member: Member) -> ProcessIdentity | None:
    """Return the node's process, if it runs here."""
    found = read_identity(folder_of(folder, member) / _IDENTITY)
    return found if found is not None and found.is_running() else None


def start(folder: Path, plan: NetworkPlan, member: Member, binary: Path | None = None) -> ProcessIdentity:
    """Start a node, unless it runs; the process outlives this one. `ready` says when it answers.

    Raises BadNetwork for an engine that is not started here, NodeProgramMissing, NetworkNotUp.
    """
    if plan.engine is not EngineKind.CLIQUE:
        raise BadNetwork("Besu is started by its compose file or service manager, not from here; see docs/operations")
    if (already := running(folder, member)) is not None:
        return already
    program, own = str(binary or geth.find_binary()), folder_of(folder, member).resolve()
    env = {"PATH": os.environ.get("PATH", ""), "HOME": str(own)}
    if not (own / geth.DATA / "geth" / "chaindata").exists():
        _init(member, program, own, env)
    # The shell ends at once, so that the node is nobody's child here: it outlives us, and its end leaves no zombie.
    command = ["/bin/sh", "-c", f'"$@" >>{_LOG} 2>&1 </dev/null & echo $!', "sh"]
    started = subprocess.run(
        [*command, *geth.arguments(plan, member, program, str(own))],
        capture_output=True,
        env=env,
        cwd=own,
        start_new_session=True,
        check=True,
    )
    identity = identify(int(started.stdout))
    if identity is None:
        raise NetworkNotUp(member.name, "it ended at once", tail(folder, member))
    write_identity(own / _IDENTITY, identity)
    return identity


def ready(folder: Path, plan: NetworkPlan, member: Member, timeout_s: float = _START_S) -> None:
    """Wait until a node answers for this network, and let it take transactions without a gas price.

    Raises NetworkNotUp.
    """
    deadline = time.monotonic() + timeout_s
    with RpcClient(member.url, 5.0) as rpc:
        while True:
            try:
                found = rpc.call("eth_chainId")
                if found != hex(plan.chain_id):
                    raise NetworkNotUp(member.name, f"{member.url} answers for chain {found}, not {plan.chain_id}")
                rpc.call("miner_setGasPrice", ["0x0"])
                return
            except RpcError as error:
                if running(folder, member) is None:
                    raise NetworkNotUp(member.name, "it ended", tail(folder, member)) from error
                if time.monotonic() > deadline:
                    raise NetworkNotUp(member.name, f"no answer in {timeout_s:.0f} s: {error}") from error
            time.sleep(_LOOK_S)


def stop(folder: Path, member: Member, *, by: signal.Signals = signal.SIGTERM) -> bool:
    """Stop a node of this machine and wait until it has ended; returns False if it did not run.

    A node that does not end in half a minute is killed.
    """
    identity = running(folder, member)
    if identity is None:
        return False
    os.kill(identity.pid, by)
    deadline = time.monotonic() + _STOP_S
    while identity.is_running():
        if time.monotonic() > deadline:
            identity.kill()
            break
        time.sleep(_LOOK_S / 4)
    (folder_of(folder, member) / _IDENTITY).unlink(missing_ok=True)
    return True


def up(folder: Path, plan: NetworkPlan, binary: Path | None = None) -> list[Member]:
    """Start every node whose key is here and wait until each answers; returns them. Raises as `start` and `ready`."""
    members = [one for one in plan.members if is_local(folder, one)]
    if not members:
        raise BadNetwork(f"{folder} has no node's keys; nothing is this machine's to start")
    for one in members:
        start(folder, plan, one, binary)
    for one in members:
        ready(folder, plan, one)
    if members == list(plan.members):
        _begin(folder, plan, binary)
    return members


def _begin(folder: Path, plan: NetworkPlan, binary: Path | None) -> None:
    """Wait until a network whose nodes all began at once goes on for good: one new block may be the last of a fork."""
    deadline = time.monotonic() + _GOES_ON_S
    wanted = forks.highest(plan) + forks.outweighs(plan)
    while forks.highest(plan) < wanted:
        if time.monotonic() > deadline:
            raise NetworkNotUp("any", f"the network is not at block {wanted} {_GOES_ON_S:.0f} s after its start")
        if not forks.stands(plan, _BEGINS_S * plan.period_s):
            continue
        try:
            forks.heal(plan)
        except NetworkNotUp:  # a node does not fetch the branch that was taken: it does when it starts
            for one in plan.members:
                stop(folder, one)
                start(folder, plan, one, binary)
                ready(folder, plan, one)


def down(folder: Path, plan: NetworkPlan) -> list[Member]:
    """Stop every node of this machine, one after another; returns those that ran."""
    return [one for one in plan.members if stop(folder, one)]


def tail(folder: Path, member: Member) -> str:
    """Return the end of a node's log."""
    try:
        return (folder_of(folder, member) / _LOG).read_text("utf-8", errors="replace").strip()[-_LOG_TAIL:]
    except OSError:
        return ""


def _init(member: Member, program: str, own: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        geth.init_arguments(program, str(own)), capture_output=True, env=env, cwd=own, check=False, timeout=_START_S
    )
    if done.returncode != 0:
        raise NetworkNotUp(member.name, "its genesis cannot be laid down", done.stderr.decode(errors="replace")[-400:])
