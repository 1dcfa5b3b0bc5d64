"""What all of a network's parties share: the chain, its validators' public halves, and where each node listens.

Nothing in here is secret. Each agency makes its own keys, and gives away only what `Member` has.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from ledger.standard.errors import StandardError
from ledger.standard.ids import Address, to_address
from tongdui.network.errors import BadNetwork

PLAN_FILE = "network.json"
PUBLIC_FILE = "public.json"

VALIDATORS_MAX = 64
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9a-fA-F:]{2,39}")
_ENODE = re.compile(r"[0-9a-f]{128}")


class EngineKind(StrEnum):
    """Which node program the network runs."""

    CLIQUE = "clique"
    """go-ethereum 1.13.15, proof of authority without finality: for trials and tests."""
    BESU = "besu"
    """Hyperledger Besu with QBFT, which finalises each block: for a city."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a node listens. ``engine_api`` is geth's authrpc, which it opens whether it is wanted or not."""

    p2p: int
    rpc: int
    engine_api: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """The public half of a node."""

    name: str
    host: str
    ports: Ports
    node_id: str
    """The key that the node's peers know it by: 64 bytes, hexadecimal."""
    account: Address | None = None
    """The account that seals; None for a node that only answers."""

    @property
    def enode(self) -> str:
        """Return the address that peers dial."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"enode://{self.node_id}@{host}:{self.ports.p2p}"

    @property
    def url(self) -> str:
        """Return the node's JSON-RPC address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.ports.rpc}"


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A network, as every party must have it word for word."""

    engine: EngineKind
    chain_id: int
    period_s: int
    gas_limit: int
    timestamp: int
    """The genesis block's, Unix seconds."""
    members: tuple[Member, ...]

    @property
    def validators(self) -> tuple[Member, ...]:
        """Return the members that seal, in the order of their accounts, which is the order of their turns."""
        sealing = [one for one in self.members if one.account is not None]
        return tuple(sorted(sealing, key=lambda one: bytes.fromhex(str(one.account)[2:])))

    @property
    def accounts(self) -> tuple[Address, ...]:
        """Return the validators' accounts, in the order of their turns."""
        return tuple(one.account for one in self.validators if one.account is not None)

    @property
    def finality(self) -> str:
        """Return the setting TONGDUI_FINALITY for this network.

        A Clique signer seals at most one of ⌊n/2⌋ + 1 blocks in a row, so signers that are no majority can never put so
        many blocks on one another: below that depth nothing of a minority's is taken for final.
        """
        if self.engine is EngineKind.BESU:
            return "latest"
        return f"depth:{len(self.validators) // 2 + 1}"

    @property
    def tolerated(self) -> int:
        """Return how many validators may be away while blocks are still made."""
        count = len(self.validators)
        return count - (count // 2 + 1) if self.engine is EngineKind.CLIQUE else (count - 1) // 3

    def member(self, name: str) -> Member:
        """Return a member by name. Raises BadNetwork."""
        for one in self.members:
            if one.name == name:
                return one
        raise BadNetwork(f"the network has no node {name!r}; it has {', '.join(one.name for one in self.members)}")

    def to_json(self) -> bytes:
        """Return the text of network.json."""
        document = {**asdict(self), "engine": self.engine.value, "finality": self.finality}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def read(cls, path: Path) -> NetworkPlan:
        """Read network.json. Raises BadNetwork."""
        document = _load(path)
        try:
            return checked(
                cls(
                    engine=EngineKind(document["engine"]),
                    chain_id=int(document["chain_id"]),
                    period_s=int(document["period_s"]),
                    gas_limit=int(document["gas_limit"]),
                    timestamp=int(document["timestamp"]),
                    members=tuple(_member(one) for one in document["members"]),
                )
            )
        except (KeyError, TypeError, ValueError, StandardError) as error:
            raise BadNetwork(f"{path} does not describe a network: {error!r}") from error


def read_member(path: Path) -> Member:
    """Read a public.json that an agency gave. Raises BadNetwork."""
    try:
        return _member(_load(path))
    except (KeyError, TypeError, ValueError, StandardError) as error:
        raise BadNetwork(f"{path} does not describe a node: {error!r}") from error


def member_to_json(member: Member) -> bytes:
    """Return the text of public.json."""
    return orjson.dumps(asdict(member), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def checked(plan: NetworkPlan) -> NetworkPlan:
    """Return the plan if its members fit together. Raises BadNetwork."""
    if not 1 <= len(plan.validators) <= VALIDATORS_MAX:
        raise BadNetwork(f"a network has 1 to {VALIDATORS_MAX} validators, not {len(plan.validators)}")
    for what, values in (
        ("name", [one.name for one in plan.members]),
        ("key", [one.node_id for one in plan.members]),
        ("account", [*plan.accounts]),
        ("address", [(one.host, port) for one in plan.members for port in (one.ports.p2p, one.ports.rpc)]),
    ):
        if len(set(values)) != len(values):
            raise BadNetwork(f"two nodes have the same {what}")
    for one in plan.members:
        if not (_NAME.fullmatch(one.name) and _HOST.fullmatch(one.host) and _ENODE.fullmatch(one.node_id)):
            raise BadNetwork(f"node {one.name!r}: its name, host or key is malformed")
    if plan.period_s < 1 or plan.gas_limit < 30_000_000:
        raise BadNetwork("the period is at least 1 s, the gas limit at least 30,000,000: a full call needs 16,000,000")
    return plan


def _load(path: Path) -> dict[str, Any]:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BadNetwork(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise BadNetwork(f"{path} is no JSON object")
    return document


def _member(document: dict[str, Any]) -> Member:
    ports = document["ports"]
    account = document.get("account")
    return Member(
        name=str(document["name"]),
        host=str(document["host"]),
        ports=Ports(int(ports["p2p"]), int(ports["rpc"]), int(ports.get("engine_api", 0))),
        node_id=str(document["node_id"]),
        account=None if account is None else to_address(str(account)),
    )
