"""What to do about a journal whose blocks cannot be made again: find the first, and make it and all later ones anew.

A block that somebody helped along (by changing the node's state) or that another version of the node made replays to
another hash, and no engine starts on it. Its transactions are still what their senders signed. So the repair keeps
every block before it, puts the transactions of the others into new blocks at the same times, and names those that the
node refuses now. The old journal is kept beside the new one.

Warning: blocks from there on have other hashes. What was handed out about them (receipts, an auditor's head) is void.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock

from ledger.chain.embedded import door
from ledger.chain.embedded.anvil import AnvilNode
from ledger.chain.embedded.journal import JOURNAL, Genesis, Journal, JournaledBlock
from ledger.chain.embedded.pool import ORDERED_BATCH, hash_of, send
from ledger.chain.embedded.replay import ReplayProgress, check_genesis, replay, replay_block
from ledger.chain.embedded.snapshots import Snapshots
from ledger.chain.errors import ChainError, EngineBusy, JournalCorrupt, ReplayMismatch
from ledger.chain.rpc import RpcClient, RpcError
from ledger.standard.keccak import keccak256

_TIMEOUT_S = 120.0


class NotThatBlock(ChainError):
    """The block that the caller named is not the first that cannot be made again."""

    def __init__(self, named: int, found: int | None) -> None:
        self.named = named
        self.found = found
        there = "every block can be made again" if found is None else f"the first that cannot be made again is {found}"
        super().__init__(f"blocks from {named} on were to be made anew, but {there}; nothing was changed")


@dataclass(frozen=True, slots=True)
class Damage:
    """The first block that cannot be made again."""

    block_number: int
    reason: str
    blocks: int
    """Journaled blocks from it on."""
    transactions: int
    """Those in them."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A transaction that the node refuses now."""

    block_number: int
    """Where it had been."""
    tx_hash: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did."""

    first: int
    blocks: int
    transactions: int
    dropped: tuple[Dropped, ...]
    kept_as: Path
    """The journal as it was."""


def find_damage(
    folder: Path, binary: Path | None = None, progress: Callable[[ReplayProgress], None] | None = None
) -> Damage | None:
    """Make every journaled block again and return the first that comes out otherwise, or None. Changes nothing.

    ``folder`` is the engine's. Raises EngineBusy while an engine has it, JournalCorrupt for a journal that contradicts
    itself: that one needs its backup.
    """
    with _journal_of(folder) as journal:
        return _first_damaged(folder, journal, binary, progress)


def repair(
    folder: Path,
    first: int,
    binary: Path | None = None,
    progress: Callable[[ReplayProgress], None] | None = None,
) -> Repaired:
    """Make the blocks from ``first`` on anew, which must be the first that cannot be made again.

    A crash at any moment leaves the old journal or the new one. Raises NotThatBlock, EngineBusy, JournalCorrupt.
    """
    path, made = folder / JOURNAL, folder / f"{JOURNAL}.new"
    for former in folder.glob(f"{made.name}*"):
        former.unlink()
    with _journal_of(folder) as journal:
        found = _first_damaged(folder, journal, binary, progress)
        if found is None or found.block_number != first:
            raise NotThatBlock(first, None if found is None else found.block_number)
        with closing(Journal(made)) as new, _node(folder, journal, binary) as client:
            dropped = _made_anew(journal, new, client, first)
        Snapshots(folder, journal).discard()
        kept_as = folder / f"{JOURNAL}.before-{journal.head().block_hash.hex()[:16]}"
        journal.close()  # its last connection: what was in the write-ahead log is in the file now
        kept_as.unlink(missing_ok=True)
        os.link(path, kept_as)
        made.replace(path)
    return Repaired(first, found.blocks, found.transactions, tuple(dropped), kept_as)


def _first_damaged(
    folder: Path, journal: Journal, binary: Path | None, progress: Callable[[ReplayProgress], None] | None
) -> Damage | None:
    mismatch: ReplayMismatch | None = None
    # The order inside a batch is the node's goodwill; one by one it is certain, and slow.
    for batch in (ORDERED_BATCH, 1):
        with _node(folder, journal, binary) as client:
            try:
                check_genesis(client, journal)
                replay(client, journal, batch, 0, progress)
            except ReplayMismatch as error:
                mismatch = error
            else:
                return None
    assert mismatch is not None  # noqa: S101  (both passes ended in one)
    if mismatch.block_number == 0:
        raise mismatch  # another genesis: this node makes no block of the chain
    later = list(journal.blocks(mismatch.block_number))
    return Damage(mismatch.block_number, str(mismatch), len(later), sum(len(one.transactions) for one in later))


def _made_anew(journal: Journal, new: Journal, client: RpcClient, first: int) -> list[Dropped]:
    """Write the blocks below ``first`` as they are and the others as they come out now."""
    new.begin(_genesis_of(journal))
    dropped: list[Dropped] = []
    waiting: dict[bytes, tuple[int, bytes]] = {}
    for block in journal.blocks():
        if block.number < first:
            replay_block(client, block, 1)
            new.append(block)
            continue
        for raw, answer in zip(block.transactions, send(client, block.transactions, 1), strict=True):
            tx_hash = keccak256(raw)
            if isinstance(answer, RpcError):
                dropped.append(Dropped(block.number, tx_hash, answer.node_message))
            else:
                waiting[tx_hash] = (block.number, raw)
        client.call("evm_mine", [{"timestamp": block.timestamp}])
        mined = client.call("eth_getBlockByNumber", [hex(block.number), False])
        raws = tuple(waiting.pop(hash_of(tx_hash))[1] for tx_hash in mined["transactions"])
        new.append(
            JournaledBlock(block.number, block.timestamp, hash_of(mined["hash"]), hash_of(mined["parentHash"]), raws)
        )
    for tx_hash, (number, _) in waiting.items():
        dropped.append(Dropped(number, tx_hash, "it waits for an earlier one of its sender, which was refused"))
    return dropped


def _genesis_of(journal: Journal) -> Genesis:
    genesis = journal.genesis()
    if genesis is None:
        raise JournalCorrupt(journal.path, "it has no genesis")
    return genesis


@contextmanager
def _journal_of(folder: Path) -> Iterator[Journal]:
    lock_path = folder / "engine.lock"
    lock = filelock.FileLock(lock_path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise EngineBusy(lock_path) from error
    try:
        with closing(Journal(folder / JOURNAL)) as journal:
            yield journal
    finally:
        lock.release()


@contextmanager
def _node(folder: Path, journal: Journal, binary: Path | None) -> Iterator[RpcClient]:
    """Run a fresh node of the journal's chain until the block ends."""
    node = AnvilNode.start(_genesis_of(journal).settings, folder / "anvil", binary, is_isolated=door.is_available())
    try:
        with RpcClient(node.url, _TIMEOUT_S) as client:
            yield client
    finally:
        node.kill()
