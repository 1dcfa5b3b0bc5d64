"""Makes journaled blocks again on a fresh node, and compares each hash."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.embedded.journal import Journal, JournaledBlock
from ledger.chain.embedded.pool import ORDERED_BATCH, hash_of, send
from ledger.chain.embedded.snapshots import Snapshots
from ledger.chain.errors import ReplayMismatch, SnapshotUnfit
from ledger.chain.rpc import RpcClient, RpcError

_LOG = logging.getLogger(__name__)
_PROGRESS_S = 0.1


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay is."""

    blocks_done: int
    blocks_total: int
    transactions_done: int


@dataclass(frozen=True, slots=True)
class NodeChoices:
    """How a node is started."""

    settings: NodeSettings
    folder: Path
    """Its own; no other node's."""
    binary: Path | None
    timeout_s: float
    is_isolated: bool


@dataclass(frozen=True, slots=True)
class ReplayedNode:
    """A node that stands at the journal's head."""

    node: AnvilNode
    client: RpcClient
    replay_s: float
    """What making the blocks took, without those that a snapshot spared."""


def replayed_node(
    choices: NodeChoices,
    journal: Journal,
    snapshots: Snapshots,
    *,
    not_at: str = "",
    progress: Callable[[ReplayProgress], None] | None = None,
) -> ReplayedNode:
    """Start a node and replay in the fastest way that gives the journaled blocks; the last way is the one that decides.

    ``not_at`` is an address that it must not take. Raises ReplayMismatch, and what starting a node raises.
    """
    if snapshots.is_usable():
        try:
            return _replayed(choices, journal, snapshots, not_at, progress, ORDERED_BATCH)
        except (SnapshotUnfit, ReplayMismatch) as error:
            _LOG.warning("the snapshot is thrown away, everything is replayed: %s", error)
            snapshots.discard()
    try:
        return _replayed(choices, journal, None, not_at, progress, ORDERED_BATCH)
    except ReplayMismatch as error:
        # The order inside a batch is the node's goodwill; one by one it is certain.
        _LOG.warning("replay differs, trying again one transaction at a time: %s", error)
        return _replayed(choices, journal, None, not_at, progress, 1)


def _replayed(
    choices: NodeChoices,
    journal: Journal,
    snapshots: Snapshots | None,
    not_at: str,
    progress: Callable[[ReplayProgress], None] | None,
    batch: int,
) -> ReplayedNode:
    node = AnvilNode.start(
        choices.settings, choices.folder, choices.binary, not_at=not_at, is_isolated=choices.is_isolated
    )
    client = RpcClient(node.url, choices.timeout_s)
    try:
        check_genesis(client, journal)
        height = 0 if snapshots is None else _restored(client, snapshots)
        began = time.monotonic()
        replay(client, journal, batch, height, progress)
        return ReplayedNode(node, client, time.monotonic() - began)
    except BaseException:
        client.close()
        node.kill()
        raise


def _restored(client: RpcClient, snapshots: Snapshots) -> int:
    """Load the snapshot and return its height. Raises SnapshotUnfit if it is not the journaled chain's."""
    try:
        height = snapshots.restore(client)
    except RpcError as error:
        raise SnapshotUnfit(error.node_message) from error
    if height == 0:
        raise SnapshotUnfit("it is not the state of its block")
    return height


def check_genesis(client: RpcClient, journal: Journal) -> None:
    """Raises ReplayMismatch if the node begins with another block than the journal."""
    genesis = journal.genesis()
    found = hash_of(client.call("eth_getBlockByNumber", ["0x0", False])["hash"])
    if genesis is None or found != genesis.block_hash:
        version = client.call("web3_clientVersion")
        raise ReplayMismatch(0, "hash", genesis and genesis.block_hash.hex(), found.hex(), version)


def replay(
    client: RpcClient,
    journal: Journal,
    batch: int,
    height: int,
    progress: Callable[[ReplayProgress], None] | None,
) -> None:
    """Make the journaled blocks above ``height`` again, with ``batch`` transactions a call. Raises ReplayMismatch."""
    total = journal.head().number
    transactions = 0
    reported = time.monotonic()
    for block in journal.blocks(height + 1):
        replay_block(client, block, batch)
        transactions += len(block.transactions)
        now = time.monotonic()
        if progress is not None and (block.number == total or now - reported > _PROGRESS_S):
            reported = now
            progress(ReplayProgress(block.number, total, transactions))


def replay_block(client: RpcClient, block: JournaledBlock, batch: int = ORDERED_BATCH) -> None:
    """Make one block on a node that stands before it. Raises ReplayMismatch."""
    for answer in send(client, block.transactions, batch):
        if isinstance(answer, RpcError):
            version = client.call("web3_clientVersion")
            raise ReplayMismatch(block.number, "transactions", "accepted", answer.node_message, version)
    client.call("evm_mine", [{"timestamp": block.timestamp}])
    mined = client.call("eth_getBlockByNumber", [hex(block.number), False])
    found = None if mined is None else hash_of(mined["hash"])
    if found != block.block_hash:
        version = client.call("web3_clientVersion")
        raise ReplayMismatch(block.number, "hash", block.block_hash.hex(), found and found.hex(), version)
