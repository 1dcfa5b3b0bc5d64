"""Makes journaled blocks again on a fresh node, and compares each hash."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ledger.chain.embedded.journal import Journal, JournaledBlock
from ledger.chain.embedded.pool import hash_of, send
from ledger.chain.errors import ReplayMismatch
from ledger.chain.rpc import RpcClient, RpcError

_PROGRESS_S = 0.1


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay is."""

    blocks_done: int
    blocks_total: int
    transactions_done: int


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
        _replay_block(client, block, batch)
        transactions += len(block.transactions)
        now = time.monotonic()
        if progress is not None and (block.number == total or now - reported > _PROGRESS_S):
            reported = now
            progress(ReplayProgress(block.number, total, transactions))


def _replay_block(client: RpcClient, block: JournaledBlock, batch: int) -> None:
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
