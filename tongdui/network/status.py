"""How a network fares: each node's height, age, peers and pool, and which validators seal and which miss their turns.

Who sealed is computed from the headers, whose hashes are recomputed: no node is asked for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.chain.answers import member as member_of
from ledger.chain.answers import quantity
from ledger.chain.rpc import RpcClient, RpcError
from ledger.proofs.errors import ProofError
from ledger.proofs.headers import Header
from ledger.proofs.seals import checked_header, clique_signer, qbft_sealers
from ledger.standard.ids import Address
from tongdui.network.plan import EngineKind, Member, NetworkPlan

BLOCKS = 64
"""How many blocks the turns are counted over."""

_TIMEOUT_S = 5.0
_GET_BLOCK = "eth_getBlockByNumber"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What one node says of itself."""

    name: str
    seals: bool
    trouble: str | None
    height: int = 0
    head: str = ""
    age_s: int = 0
    peers: int = 0
    pending: int = 0
    queued: int = 0
    gas_price: int = 0


@dataclass(frozen=True, slots=True)
class Turns:
    """A validator's part in the last blocks."""

    name: str
    account: Address
    sealed: int
    missed: int
    """Blocks in which it was its turn (Clique), or in which its seal is missing (QBFT)."""


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """How the network fares, and what somebody has to look at."""

    nodes: tuple[NodeStatus, ...]
    turns: tuple[Turns, ...]
    alarms: tuple[str, ...]


def status(plan: NetworkPlan, now: int, connect: Callable[[str], RpcClient] | None = None) -> NetworkStatus:
    """Ask every node. A node that does not answer is a line of its own and no error."""
    nodes: list[NodeStatus] = []
    headers: list[Header] = []
    for one in plan.members:
        with (connect or _connect)(one.url) as rpc:
            try:
                found = _node(one, rpc, now)
                nodes.append(found)
                if not headers:
                    headers = _headers(rpc, found.height)
            except (RpcError, ProofError) as error:
                nodes.append(NodeStatus(one.name, one.account is not None, str(error)))
    turns = count_turns(plan, headers)
    return NetworkStatus(tuple(nodes), turns, tuple(alarms(plan, nodes, turns)))


def count_turns(plan: NetworkPlan, headers: Sequence[Header]) -> tuple[Turns, ...]:
    """Count who sealed and who missed. Pure. Raises BadSeal for a header that no validator sealed."""
    sealed: Counter[Address] = Counter()
    missed: Counter[Address] = Counter()
    accounts = plan.accounts
    for header in headers:
        if plan.engine is EngineKind.CLIQUE:
            signer, turn = clique_signer(header), accounts[header.number % len(accounts)]
            sealed[signer] += 1
            missed[turn] += turn != signer
        else:
            sealers, _ = qbft_sealers(header, accounts)
            sealed.update(sealers)
            missed.update(set(accounts) - set(sealers))
    return tuple(
        Turns(one.name, account, sealed[account], missed[account])
        for one, account in zip(plan.validators, accounts, strict=True)
    )


def alarms(plan: NetworkPlan, nodes: Sequence[NodeStatus], turns: Sequence[Turns]) -> list[str]:
    """Say what needs a person, and what to do. Pure."""
    found = []
    away = [one.name for one in nodes if one.trouble is not None and one.seals]
    if len(away) > plan.tolerated:
        found.append(
            f"{len(away)} of {len(plan.validators)} validators do not answer ({', '.join(away)}), and with more than "
            f"{plan.tolerated} away the network stands: start them, one at a time"
        )
    elif away:
        found.append(f"validators do not answer: {', '.join(away)}; {plan.tolerated - len(away)} more may fail")
    answering = [one for one in nodes if one.trouble is None]
    for one in answering:
        # geth answers with an estimate from past blocks, and does not say what its pool wants.
        if one.gas_price != 0 and plan.engine is EngineKind.BESU:
            found.append(f"{one.name} wants a gas price of {one.gas_price} and drops our transactions: min-gas-price=0")
        if one.peers == 0 and len(plan.members) > 1:
            found.append(f"{one.name} has no peers: see its static nodes, its allow-list and the firewall")
    if answering and max(one.height for one in answering) - min(one.height for one in answering) > 2 * len(nodes):
        heights = ", ".join(f"{one.name} {one.height}" for one in answering)
        found.append(f"nodes are apart: {heights}; one that stays behind is cut off or out of disk")
    found += _forks(answering)
    youngest = min((one.age_s for one in answering), default=0)
    if youngest > 10 * plan.period_s:
        found.append(f"the last block is {youngest} s old: see that enough validators run and reach each other")
    for turn in turns:
        if turn.sealed == 0 and turn.missed:
            found.append(f"{turn.name} has sealed nothing of the last blocks: see that it runs and has peers")
    return found


def _forks(nodes: Sequence[NodeStatus]) -> list[str]:
    by_height: dict[int, dict[str, list[str]]] = {}
    for one in nodes:
        by_height.setdefault(one.height, {}).setdefault(one.head, []).append(one.name)
    return [
        f"block {height} has {len(heads)} forms ({' | '.join(', '.join(names) for names in heads.values())}); "
        "if that lasts, the nodes are on two forks: `tongdui network heal`"
        for height, heads in by_height.items()
        if len(heads) > 1
    ]


def _connect(url: str) -> RpcClient:
    return RpcClient(url, _TIMEOUT_S)


def _node(one: Member, rpc: RpcClient, now: int) -> NodeStatus:
    block = rpc.call(_GET_BLOCK, ["latest", False])
    pool = _or_none(rpc, "txpool_status") or {}
    return NodeStatus(
        name=one.name,
        seals=one.account is not None,
        trouble=None,
        height=quantity(member_of(block, "number", _GET_BLOCK), _GET_BLOCK),
        head=str(member_of(block, "hash", _GET_BLOCK)),
        age_s=max(0, now - quantity(member_of(block, "timestamp", _GET_BLOCK), _GET_BLOCK)),
        peers=quantity(rpc.call("net_peerCount"), "net_peerCount"),
        pending=_number(pool.get("pending")),
        queued=_number(pool.get("queued")),
        gas_price=quantity(rpc.call("eth_gasPrice"), "eth_gasPrice"),
    )


def _or_none(rpc: RpcClient, method: str) -> dict[str, Any] | None:
    """Besu has no ``txpool_status``; a line without a pool is better than no line."""
    try:
        answer = rpc.call(method)
    except RpcError:
        return None
    return answer if isinstance(answer, dict) else None


def _number(value: object) -> int:
    return quantity(value, "txpool_status") if isinstance(value, str) else 0


def _headers(rpc: RpcClient, height: int) -> list[Header]:
    numbers = range(max(1, height - BLOCKS + 1), height + 1)
    blocks = rpc.batch([(_GET_BLOCK, [hex(number), False]) for number in numbers])
    return [checked_header(block)[0] for block in blocks if block is not None]
