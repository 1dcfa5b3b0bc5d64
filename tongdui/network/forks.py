"""Brings the nodes of a Clique network that stands on forks of equal weight back onto one.

Clique lets a signer seal one of ⌊n/2⌋ + 1 blocks. Where several seal at the same moment, as after a start or when
a cut network is joined again, two branches can come to the same weight with every signer of each having sealed lately:
nobody may seal, no branch outweighs the other, and the network stands for good (seen here with four signers). The cure
is to take one branch and set the nodes of the other back to where they parted, one at a time and without sealing
meanwhile: they fetch the branch that was taken, on which they have not sealed.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from ledger.chain.answers import hash32, member, quantity
from ledger.chain.rpc import RpcClient, RpcError
from tongdui.network.errors import BadNetwork, NetworkNotUp
from tongdui.network.plan import EngineKind, Member, NetworkPlan

_GET_BLOCK = "eth_getBlockByNumber"
_TIMEOUT_S = 10.0
_JOINS_S = 30.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class _Head:
    number: int
    hash: bytes


def heal(plan: NetworkPlan) -> list[str]:
    """Set back the nodes that are not on the branch of most (of equals, the highest); return their names.

    Only for Clique, and only for a network that stands: one that goes on needs no help. Raises BadNetwork, RpcError,
    NetworkNotUp where a node doesn't come to the branch.
    """
    if plan.engine is not EngineKind.CLIQUE:
        raise BadNetwork("QBFT has no forks; a network that stands needs more validators, not this")
    heads: dict[str, _Head] = {}
    for one in plan.members:
        try:
            heads[one.name] = _head(one)
        except RpcError:
            continue  # a node that is away is on no branch
    if not heads:
        raise NetworkNotUp("any", "no node answers")
    counts = Counter(heads.values())
    taken = max(counts, key=lambda head: (counts[head], head.number, head.hash))
    source = next(one for one in plan.members if heads.get(one.name) == taken)
    moved = []
    for one in plan.members:
        if one.name in heads and not _has(one, taken):
            _bring(one, source, taken)
            moved.append(one.name)
    return moved


def outweighs(plan: NetworkPlan) -> int:
    """Return after how many blocks a branch has been sealed by more than half: no other can stand beside it then."""
    return len(plan.validators) // 2 + 1


def stands(plan: NetworkPlan, wait_s: float) -> bool:
    """Return whether no node that answers sees a new block within ``wait_s``."""
    deadline = time.monotonic() + wait_s
    before = highest(plan)
    while time.monotonic() < deadline:
        if highest(plan) > before:
            return False
        time.sleep(_LOOK_S)
    return True


def _bring(one: Member, source: Member, taken: _Head) -> None:
    with RpcClient(one.url, _TIMEOUT_S) as rpc, RpcClient(source.url, _TIMEOUT_S) as other:
        parted = _last_common(rpc, other, taken.number)
        if one.account is not None:
            rpc.call("miner_stop")
        try:
            rpc.call("debug_setHead", [hex(parted)])
            deadline = time.monotonic() + _JOINS_S
            while not _has(one, taken):
                if not _has(source, taken):
                    return  # the network goes on, on another branch: it needs no help
                if time.monotonic() > deadline:
                    raise NetworkNotUp(one.name, f"set back to block {parted}, it does not fetch block {taken.number}")
                time.sleep(_LOOK_S)
        finally:
            if one.account is not None:
                rpc.call("miner_start")
                rpc.call("miner_setGasPrice", ["0x0"])


def _last_common(rpc: RpcClient, other: RpcClient, height: int) -> int:
    """Return the last block that two nodes share, looking down from a height."""
    while height > 0:
        mine, theirs = (client.call(_GET_BLOCK, [hex(height), False]) for client in (rpc, other))
        if mine is not None and theirs is not None and mine["hash"] == theirs["hash"]:
            return height
        height -= 1
    return 0


def _has(one: Member, head: _Head) -> bool:
    with RpcClient(one.url, _TIMEOUT_S) as rpc:
        block = rpc.call(_GET_BLOCK, [hex(head.number), False])
    return block is not None and hash32(member(block, "hash", _GET_BLOCK), _GET_BLOCK) == head.hash


def _head(one: Member) -> _Head:
    with RpcClient(one.url, _TIMEOUT_S) as rpc:
        block = rpc.call(_GET_BLOCK, ["latest", False])
    number = quantity(member(block, "number", _GET_BLOCK), _GET_BLOCK)
    return _Head(number, hash32(member(block, "hash", _GET_BLOCK), _GET_BLOCK))


def highest(plan: NetworkPlan) -> int:
    """Return the greatest height of the nodes that answer; 0 where none does."""
    found = 0
    for one in plan.members:
        try:
            found = max(found, _head(one).number)
        except RpcError:
            continue
    return found
