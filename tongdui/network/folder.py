"""Lays a network out in a folder: what all parties share at the top, what is one agency's in a folder of its own.

``network.json`` and ``genesis.json`` are made of public halves alone. Keys are made here only for the nodes of a trial
on one machine (``make_trial``); in a city each agency makes its own and gives its ``public.json``.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tongdui.network import besu, geth
from tongdui.network.errors import BadNetwork
from tongdui.network.keys import make_member
from tongdui.network.plan import PLAN_FILE, EngineKind, Member, NetworkPlan, Ports, checked

AGENCIES = "agencies"
RPC_NODE = "rpc"
GAS_LIMIT = 150_000_000
"""A block's gas: what two slow cores fill well within a second. More only where a validator was measured to do it."""

_LOOPBACK = "127.0.0.1"
_PORTS_A_NODE = 3


@dataclass(frozen=True, slots=True)
class NetworkChoices:
    """What a network is made with."""

    engine: EngineKind = EngineKind.CLIQUE
    period_s: int = 1
    gas_limit: int = GAS_LIMIT
    chain_id: int | None = None
    """None: drawn at random, so that no transaction of another installation counts here."""


def make_trial(folder: Path, validators: int, choices: NetworkChoices, first_port: int | None = None) -> NetworkPlan:
    """Lay out a network of one machine: its validators, and a node that answers and seals nothing.

    ``first_port``: the first of three ports a node; by default free ones are taken. Raises BadNetwork.
    """
    _fresh(folder)
    ports = _ports(validators + 1, first_port)
    names = [f"agency-{number}" for number in range(1, validators + 1)]
    members = [
        make_member(folder / AGENCIES / name, name, _LOOPBACK, at, choices.engine)
        for name, at in zip(names, ports[:-1], strict=True)
    ]
    members.append(make_member(folder / RPC_NODE, RPC_NODE, _LOOPBACK, ports[-1], choices.engine, seals=False))
    return write(folder, plan_of(members, choices))


def make_of_members(folder: Path, members: Sequence[Member], choices: NetworkChoices) -> NetworkPlan:
    """Lay out a network of what its agencies gave: each finds its files in its folder, and adds its keys.

    Raises BadNetwork.
    """
    _fresh(folder)
    return write(folder, plan_of(members, choices))


def plan_of(members: Sequence[Member], choices: NetworkChoices) -> NetworkPlan:
    """Return the plan of a network that begins now. Raises BadNetwork."""
    return checked(
        NetworkPlan(
            engine=choices.engine,
            chain_id=choices.chain_id or 1_000_000_000 + secrets.randbelow(1_000_000_000),
            period_s=choices.period_s,
            gas_limit=choices.gas_limit,
            timestamp=int(time.time()),
            members=tuple(members),
        )
    )


def folder_of(folder: Path, member: Member) -> Path:
    """Return where a node's files are."""
    return folder / RPC_NODE if member.account is None and member.name == RPC_NODE else folder / AGENCIES / member.name


def write(folder: Path, plan: NetworkPlan) -> NetworkPlan:
    """Write what the nodes start from; returns the plan."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in shared_files(plan).items():
        (folder / name).write_bytes(content)
    for member in plan.members:
        own = folder_of(folder, member)
        own.mkdir(parents=True, exist_ok=True)
        for name, content in node_files(plan, member).items():
            (own / name).write_bytes(content)
            if name == geth.START:
                (own / name).chmod(0o755)
    return plan


def shared_files(plan: NetworkPlan) -> dict[str, bytes]:
    """Return the files at the top of a network's folder, by name."""
    files = {PLAN_FILE: plan.to_json()}
    if plan.engine is EngineKind.BESU:
        return files | {geth.GENESIS: besu.genesis(plan), besu.COMPOSE: besu.compose(plan).encode()}
    return files | {geth.GENESIS: geth.genesis(plan)}


def node_files(plan: NetworkPlan, member: Member) -> dict[str, bytes]:
    """Return a node's files by name: nothing of them is secret."""
    if plan.engine is EngineKind.BESU:
        return {
            geth.GENESIS: besu.genesis(plan),
            besu.CONFIG: besu.configuration(plan, member).encode(),
            besu.STATIC_NODES: besu.static_nodes(plan, member),
            besu.PERMISSIONS: besu.permissions(plan).encode(),
        }
    return {
        geth.GENESIS: geth.genesis(plan),
        geth.CONFIG: geth.configuration(plan, member).encode(),
        geth.START: geth.start_script(plan, member).encode(),
    }


def _fresh(folder: Path) -> None:
    if (folder / PLAN_FILE).exists():
        raise BadNetwork(f"{folder} has a network already; choose another folder")


def _ports(nodes: int, first: int | None) -> list[Ports]:
    if first is not None:
        return [
            Ports(*range(at, at + _PORTS_A_NODE)) for at in range(first, first + nodes * _PORTS_A_NODE, _PORTS_A_NODE)
        ]
    probes = [socket.socket() for _ in range(nodes * _PORTS_A_NODE)]
    try:
        for probe in probes:
            probe.bind((_LOOPBACK, 0))
        free = [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
    return [Ports(*free[at : at + _PORTS_A_NODE]) for at in range(0, len(free), _PORTS_A_NODE)]
