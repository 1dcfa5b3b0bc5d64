"""What Hyperledger Besu starts from, for a QBFT network: genesis, configuration, peers, allow-list, compose file.

Each setting that is not Besu's default stands with the trap that it avoids and where Besu's documentation says so; the
documentation is hyperledger/besu-docs at commit faacf35. Warning: nobody here has started Besu with these files; they
say so themselves. A test compares their keys with the names in that documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.proofs import rlp
from tongdui.network.plan import Member, NetworkPlan

IMAGE = "hyperledger/besu:25.7.0"
GENESIS = "genesis.json"
CONFIG = "besu.toml"
STATIC_NODES = "static-nodes.json"
PERMISSIONS = "permissions_config.toml"
COMPOSE = "compose.yml"

NOT_STARTED = (
    "Written by `tongdui network new`. The makers of Tongdui have not started Besu with this file: try it first."
)

_OPTIONS = "docs/public-networks/reference/cli/options.md"
_PRIVATE = "docs/private-networks/reference/cli/options.md"
_QBFT = "docs/private-networks/how-to/configure/consensus/qbft.md"
_FREE_GAS = "docs/private-networks/how-to/configure/free-gas.md"
_LOCAL_PERMISSIONS = "docs/private-networks/how-to/use-local-permissioning.md"

_MIX_HASH = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
"""Marks a QBFT block, by Besu's documentation; not a secret of ours."""
_EPOCH = 30_000
_IN_CONTAINER = "/opt/besu/node"


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of a Besu file, its value, the trap that it avoids, and the page that says so."""

    key: str
    value: Any
    why: str
    source: str


def genesis_settings(plan: NetworkPlan) -> tuple[Setting, ...]:
    """Return what the genesis block fixes and a network cannot change lightly. JSON has no place for reasons."""
    return (
        Setting("londonBlock", 0, "the contracts are compiled for London", _FREE_GAS),
        Setting(
            "zeroBaseFee",
            True,
            "London brings a base fee, and transactions without a price would be refused",
            _FREE_GAS,
        ),
        Setting(
            "blockperiodseconds",
            plan.period_s,
            "the least time between blocks; a node added later with a higher value refuses the chain",
            _QBFT,
        ),
        Setting(
            "requesttimeoutseconds",
            2 * plan.period_s,
            "a round that fails doubles it without a cap, so after a long outage the network seems dead although "
            "enough validators are back: restarting all of them brings this value back",
            _QBFT,
        ),
        Setting("epochlength", _EPOCH, "votes are forgotten there; changed later it makes blocks illegal", _QBFT),
        Setting(
            "gasLimit",
            hex(plan.gas_limit),
            "what a validator fills well within the period: where filling one takes longer, an empty block that is "
            "proposed first wins each round, and the chain grows without our transactions",
            _FREE_GAS,
        ),
    )


def settings(plan: NetworkPlan, member: Member) -> tuple[Setting, ...]:
    """Return a node's settings, in the order of its file."""
    return (*_node_settings(member), *_work_settings(plan, member))


def _node_settings(member: Member) -> tuple[Setting, ...]:
    """Return where a node keeps its files, and who its peers are."""
    inside = _IN_CONTAINER
    return (
        Setting("genesis-file", f"{inside}/{GENESIS}", "the same on every node, byte for byte", _OPTIONS),
        Setting(
            "data-path", f"{inside}/data", "on a disk of its own, with room for some years: docs/capacity.md", _OPTIONS
        ),
        Setting(
            "node-private-key-file",
            f"{inside}/keys/node.key",
            "the validator's key; it never leaves its agency, and two nodes with one key contradict each other",
            _OPTIONS,
        ),
        Setting(
            "data-storage-format",
            "FOREST",
            "Bonsai, the default, keeps the state of 512 blocks: older receipts of grants could not be proven anew",
            _OPTIONS,
        ),
        Setting("sync-mode", "FULL", "a validator that fetched a state believes what it has not run", _OPTIONS),
        Setting(
            "p2p-host", member.host, "without address translation it must be said, or peers dial 127.0.0.1", _OPTIONS
        ),
        Setting("p2p-port", member.ports.p2p, "open to the other members alone", _OPTIONS),
        Setting("nat-method", "NONE", "the automatic choice may advertise an address of the container", _OPTIONS),
        Setting("discovery-enabled", False, "members are known; nobody is looked for", _OPTIONS),
        Setting("static-nodes-file", f"{inside}/{STATIC_NODES}", "without discovery nobody else is dialled", _OPTIONS),
        Setting(
            "permissions-nodes-config-file-enabled",
            True,
            "without it any node that knows the genesis block may connect; each node checks only the other end, so "
            "every member needs the same list",
            _LOCAL_PERMISSIONS,
        ),
        Setting(
            "permissions-nodes-config-file", f"{inside}/{PERMISSIONS}", "else it is looked for in the data", _PRIVATE
        ),
    )


def _work_settings(plan: NetworkPlan, member: Member) -> tuple[Setting, ...]:
    """Return how a node takes transactions, fills blocks and answers."""
    apis = ["ETH", "NET", "WEB3", "TXPOOL", "QBFT"]
    return (
        Setting(
            "min-gas-price",
            0,
            "the default is above 0, and one node with it drops our transactions without a word: 0 on every node",
            _FREE_GAS,
        ),
        Setting("tx-pool", "sequenced", "the layered pool orders by a price that nobody pays here", _OPTIONS),
        Setting(
            "tx-pool-limit-by-account-percentage",
            1.0,
            "by default one sender gets 0.1 % of the pool; a few relayers send everything here",
            _OPTIONS,
        ),
        Setting("target-gas-limit", plan.gas_limit, "else the limit drifts from the genesis block's", _OPTIONS),
        Setting(
            "poa-block-txs-selection-max-time",
            60,
            "percent of the period in which a block is filled: what is left is for the other validators to run it, or "
            "rounds change under load",
            _PRIVATE,
        ),
        Setting("rpc-http-enabled", True, "off by default", _OPTIONS),
        Setting(
            "rpc-http-host",
            "0.0.0.0" if member.account is None else "127.0.0.1",  # noqa: S104  (in a container; the host decides)
            "a validator answers its own agency only; gateways and auditors ask nodes that do not seal",
            _OPTIONS,
        ),
        Setting("rpc-http-port", member.ports.rpc, "", _OPTIONS),
        Setting(
            "rpc-http-api", apis, "neither ADMIN nor DEBUG nor MINER: whoever reaches the port could use them", _OPTIONS
        ),
        Setting(
            "host-allowlist", ["localhost", "127.0.0.1", member.host], "other names are answered with 403", _OPTIONS
        ),
        Setting("rpc-max-logs-range", 5000, "the default; the gateway asks for 2,000 blocks at most", _OPTIONS),
        Setting("rpc-http-max-batch-size", 1024, "the default; the gateway asks for 500 at most", _OPTIONS),
        Setting("revert-reason-enabled", True, "else a reverted transaction does not say why", _OPTIONS),
    )


def genesis(plan: NetworkPlan) -> bytes:
    """Return genesis.json, of public halves alone."""
    fixed = {one.key: one.value for one in genesis_settings(plan)}
    qbft = {key: fixed[key] for key in ("blockperiodseconds", "epochlength", "requesttimeoutseconds")}
    document = {
        "config": {
            "chainId": plan.chain_id,
            "londonBlock": fixed["londonBlock"],
            "zeroBaseFee": fixed["zeroBaseFee"],
            "qbft": qbft,
        },
        "nonce": "0x0",
        "timestamp": hex(plan.timestamp),
        "extraData": "0x" + extra_data(plan).hex(),
        "gasLimit": fixed["gasLimit"],
        "difficulty": "0x1",
        "mixHash": _MIX_HASH,
        "coinbase": "0x" + "00" * 20,
        "alloc": {},
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def extra_data(plan: NetworkPlan) -> bytes:
    """Return RLP([vanity, validators in ascending order, no vote, round 0, no seals])."""
    accounts = [bytes.fromhex(account[2:]) for account in plan.accounts]
    return rlp.encode([bytes(32), accounts, [], b"", []])


def configuration(plan: NetworkPlan, member: Member) -> str:
    """Return a node's besu.toml, each setting with its reason and source."""
    lines = [
        f"# {NOT_STARTED}",
        f"# Sources are pages of hyperledger/besu-docs at commit faacf35. Node {member.name}.",
        "",
    ]
    lines.append("# The genesis file, which has no room for reasons:")
    lines += [f"#   {one.key} = {_toml(one.value)}: {one.why} ({one.source})" for one in genesis_settings(plan)]
    for one in settings(plan, member):
        lines += [
            "",
            f"# {one.why} ({one.source})" if one.why else f"# ({one.source})",
            f"{one.key}={_toml(one.value)}",
        ]
    return "\n".join(lines) + "\n"


def static_nodes(plan: NetworkPlan, member: Member) -> bytes:
    """Return static-nodes.json: everybody but the node itself."""
    peers = [one.enode for one in plan.members if one is not member]
    return orjson.dumps(peers, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def permissions(plan: NetworkPlan) -> str:
    """Return permissions_config.toml: who may connect. Accounts are not listed, for roles are the contracts' matter."""
    return f"# {NOT_STARTED}\nnodes-allowlist={_toml([one.enode for one in plan.members])}\n"


def compose(plan: NetworkPlan) -> str:
    """Return compose.yml for a trial of all nodes on one machine; a city runs each node at its agency."""
    lines = [f"# {NOT_STARTED}", "# The tag is pinned: choose a newer one on purpose, one node at a time.", "services:"]
    for member in plan.members:
        home = f"./agencies/{member.name}" if member.account is not None else f"./{member.name}"
        lines += [
            f"  {member.name}:",
            f"    image: {IMAGE}",
            f'    command: ["--config-file={_IN_CONTAINER}/{CONFIG}"]',
            "    network_mode: host",
            "    restart: unless-stopped",
            f"    volumes: [{_toml(f'{home}:{_IN_CONTAINER}')}]",
        ]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Sequence):
        return "[" + ",".join(_toml(one) for one in value) + "]"
    return str(value)
