"""What is done to a network while a city works on it. Each scenario leaves the network whole, or raises."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.chain.rpc import RpcClient
from scripts.faults.flaky_proxy import FlakyProxy
from scripts.network.town import ROOT, Town, TownFailed
from tongdui.network import forks, geth, processes
from tongdui.network.errors import NetworkNotUp
from tongdui.network.folder import folder_of
from tongdui.network.plan import Member

SEEN_WITHIN_S = 30.0
"""How soon a gateway must say that it is not ready once work waits on a chain that makes no progress."""

_RECORDS = 40
_HEALS_S = 60.0
_BACK_S = 30.0
_STANDS_S = 10.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a scenario found beside what was minted."""

    unseen_stall: bool = False
    note: str = ""


def settles(town: Town) -> Told:
    """Records come in, are minted and final."""
    town.gateway()
    town.drop(2 * _RECORDS)
    town.settled()
    return Told()


def demo_acts(town: Town) -> Told:
    """A second city on the same network plays the demo's story: exchange, purchase, hold, refund, revocation, audit."""
    command = ["demo", "--rpc", town.answering.url, "--state-dir", str(town.folder / "demo")]
    ended = subprocess.run(
        [sys.executable, "-m", "scripts", *command, "--records", "120", "--people", "240", "--json"],
        cwd=ROOT,
        env=os.environ | {"TONGDUI_FINALITY": town.plan.finality},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise TownFailed(f"the demo's acts: {ended.stderr[-500:]}")
    found = json.loads(ended.stdout.splitlines()[-1])
    if found["audit"]["verdict"] != "PASS" or found["positions_sum_fen"] != 0:
        raise TownFailed(f"the demo's acts: {found}")
    return Told(note=f"{found['audit']['events']} events audited")


def one_signer_dies(town: Town) -> Told:
    """One of four is killed: the others go on."""
    victim = town.plan.validators[0]
    processes.stop(town.network_dir, victim, by=signal.SIGKILL)
    town.drop(_RECORDS)
    town.settled()
    town.start_node(victim)
    return Told()


def too_few_signers(town: Town) -> Told:
    """Two of four are killed: the chain stands, the gateway says so, and it goes on when they are back."""
    victims = town.plan.validators[:2]
    for one in victims:
        processes.stop(town.network_dir, one, by=signal.SIGKILL)
    seen_s, said = _stall_is_seen(town)
    for one in victims:
        town.start_node(one)
    recovered = _recovers(town)
    unseen = seen_s is None or "liveness" not in said
    return Told(unseen, f"seen after {seen_s or 0:.0f} s; {recovered}")


def partition(town: Town) -> Told:
    """Two signers are cut off from the other two, and come back."""
    left, right = town.plan.validators[:2], [*town.plan.validators[2:], town.answering]
    _cut(left, right)
    apart = [one.name for one in left if _peers(one) != len(left) - 1]
    if apart:
        raise TownFailed(f"no partition came about: {', '.join(apart)} still has peers on the other side")
    seen_s, said = _stall_is_seen(town)
    _join(left, right)
    recovered = _recovers(town)
    return Told(seen_s is None or "liveness" not in said, f"seen after {seen_s or 0:.0f} s; {recovered}")


def rewound_disk(town: Town) -> Told:
    """A signer comes back with the disk of a while ago."""
    victim = town.plan.validators[1]
    data = folder_of(town.network_dir, victim) / geth.DATA
    kept = data.with_name("data.before")
    processes.stop(town.network_dir, victim)
    shutil.copytree(data, kept)
    town.start_node(victim)
    town.drop(_RECORDS)
    town.settled()
    processes.stop(town.network_dir, victim)
    shutil.rmtree(data)
    kept.rename(data)
    town.start_node(victim)
    town.drop(_RECORDS)
    town.settled()
    reached = _height(town.answering)
    town.until(lambda: _height(victim) >= reached, f"{victim.name} has caught up", _HEALS_S)
    return Told()


def lying_node(town: Town) -> Told:
    """The gateway's first node lies about heads, receipts, blocks, logs and counts; the second does not."""
    town.end_gateways()
    liar = FlakyProxy(town.answering.url, "liar", 0.0, 1.0, false_answers=0.3)
    try:
        town.gateway([liar.url, town.plan.validators[3].url])
        town.drop(2 * _RECORDS)
        town.settled()
        told = sum(liar.met.values())
        if told == 0:
            raise TownFailed("the node told no lie")
        return Told(note=f"{told} lies told")
    finally:
        town.end_gateways()
        liar.close()
        town.gateway()


def failover(town: Town) -> Told:
    """The gateway's first node goes away in the middle of a batch."""
    town.end_gateways()
    lines = [FlakyProxy(one.url, 1, 0.0, 1.0) for one in (town.answering, town.plan.validators[2])]
    try:
        town.gateway([one.url for one in lines])
        before = town.minted()[0]
        town.drop(6 * _RECORDS)
        time.sleep(3)
        lines[0].cut()
        town.settled()
        return Told(note=f"{town.minted()[0] - before} mints")
    finally:
        town.end_gateways()
        for one in lines:
            one.close()
        town.gateway()


def two_gateways(town: Town) -> Told:
    """Two gateways share a database and relayers; one of them is killed."""
    if town.database_url is None:
        return Told(note="left out: no PostgreSQL server programs on this machine, and SQLite has one gateway")
    second = town.gateway(has_api=False)
    town.drop(2 * _RECORDS)
    time.sleep(2)
    second.end(signal.SIGKILL)
    town.gateways.remove(second)
    town.drop(_RECORDS)
    town.settled()
    return Told()


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done. ``is_beside``: by a city of its own, so that those that follow go on meanwhile."""

    name: str
    play: Callable[[Town], Told]
    is_beside: bool = False


SCENARIOS: Sequence[Scenario] = (
    Scenario("settles", settles),
    Scenario("one signer dies", one_signer_dies),
    Scenario("too few signers", too_few_signers),
    Scenario("partition", partition),
    Scenario("rewound disk", rewound_disk),
    # What follows does nothing to the network itself.
    Scenario("the demo's acts", demo_acts, is_beside=True),
    Scenario("lying node", lying_node),
    Scenario("failover", failover),
    Scenario("two gateways", two_gateways),
)


def _stall_is_seen(town: Town) -> tuple[float | None, str]:
    """Drop records and return after how many seconds readiness said no, and what it said."""
    time.sleep(5)  # blocks that were under way are made
    town.drop(_RECORDS)
    began = time.monotonic()
    while time.monotonic() - began < 2 * SEEN_WITHIN_S:
        is_ready, said = town.gateways[0].ready()
        if not is_ready and "liveness" in said:
            seen_s = time.monotonic() - began
            return (seen_s if seen_s <= SEEN_WITHIN_S else None), said
        time.sleep(0.5)
    return None, ""


def _recovers(town: Town) -> str:
    """Wait until the chain goes on by itself; where two forks of equal weight stand, take the documented step."""
    try:
        town.settled(_BACK_S)
    except TownFailed:
        how = "recovered by itself, late"
        if forks.stands(town.plan, _STANDS_S):
            how = f"recovered by {_heal(town)}"
        town.settled(_HEALS_S)
    else:
        how = "recovered by itself"
    town.until(lambda: town.gateways[0].ready()[0], "the gateway is ready again", _BACK_S)
    return how


def _heal(town: Town) -> str:
    """Take the documented steps, and return which were needed."""
    try:
        forks.heal(town.plan)
    except NetworkNotUp:
        for one in town.plan.members:
            processes.stop(town.network_dir, one)
            town.start_node(one)
        return "the documented step, and by starting the nodes again"
    return "the documented step"


def _cut(left: Sequence[Member], right: Sequence[Member]) -> None:
    for one, other in _pairs(left, right):
        with RpcClient(one.url, 10.0) as rpc:
            rpc.call("admin_removePeer", [other.enode])
            rpc.call("admin_removeTrustedPeer", [other.enode])
    time.sleep(3)


def _join(left: Sequence[Member], right: Sequence[Member]) -> None:
    for one, other in _pairs(left, right):
        with RpcClient(one.url, 10.0) as rpc:
            rpc.call("admin_addTrustedPeer", [other.enode])
            rpc.call("admin_addPeer", [other.enode])


def _pairs(left: Sequence[Member], right: Sequence[Member]) -> list[tuple[Member, Member]]:
    return [pair for one in left for other in right for pair in ((one, other), (other, one))]


def _peers(one: Member) -> int:
    with RpcClient(one.url, 10.0) as rpc:
        return int(rpc.call("net_peerCount"), 16)


def _height(one: Member) -> int:
    with RpcClient(one.url, 10.0) as rpc:
        return int(rpc.call("eth_blockNumber"), 16)
