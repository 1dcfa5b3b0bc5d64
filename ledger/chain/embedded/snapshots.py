"""Snapshots of the node that shorten a replay. They are a convenience and never the truth: the journal is.

A snapshot is Anvil's own dump (``anvil_dumpState``, gzip) at a journaled height; its SHA-256 is kept in the journal.
What is loaded is proven before it is used: the node makes a block on top, and that block's state root must be the
journaled one. So a snapshot can save time, or be thrown away for a full replay, but not change the chain.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.embedded.journal import Journal, SnapshotNote
from ledger.chain.errors import JournalWriteFailed
from ledger.chain.rpc import RpcClient, RpcError, RpcLimits

_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 600.0
_DUMP_BYTES_MAX = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SnapshotPolicy:
    """When a snapshot is worth its cost."""

    first_s: float = 60.0
    """Take one when a replay from the last would take longer than this, by what its blocks took to make."""
    growth: float = 10.0
    """And longer than this many times what the last snapshot took: at most a tenth of the work goes into them."""

    def is_due(self, replay_s: float, last_cost_s: float) -> bool:
        """Return whether to take one now."""
        return replay_s > max(self.first_s, self.growth * last_cost_s)


class Snapshots:
    """The one snapshot of a state folder."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._path = folder / "snapshot.gz"
        self._journal = journal

    def take(self, url: str) -> bool:
        """Dump the node, which stands at the journal's head, and note it in the journal. False if that failed.

        A failure costs nothing but time: the old snapshot, if any, stays.
        """
        head = self._journal.head()
        temporary = self._path.with_suffix(".tmp")
        try:
            with RpcClient(url, _TIMEOUT_S, limits=RpcLimits(answer_bytes_max=2 * _DUMP_BYTES_MAX)) as client:
                body = bytes.fromhex(client.call("anvil_dumpState")[2:])
            with temporary.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            self._journal.note_snapshot(SnapshotNote(head.number, head.block_hash, hashlib.sha256(body).digest()))
        except (RpcError, JournalWriteFailed, OSError) as error:
            _LOG.warning("no snapshot was taken at block %d: %s", head.number, error)
            temporary.unlink(missing_ok=True)
            return False
        return True

    def restore(self, client: RpcClient) -> int:
        """Load the snapshot into a fresh node and prove it. Returns its height, or 0 if it is not what it should be.

        Warning: after a return of 0 the node is of no use. Raises `RpcError` if it fails on the way.
        """
        note = self._usable()
        if note is None:
            return 0
        body = self._path.read_bytes()
        client.call("anvil_loadState", ["0x" + body.hex()], timeout_s=_TIMEOUT_S)
        if _stands_at(client, note):
            # The header says which state it had; only a block made of the state says which state it is.
            before = client.call("evm_snapshot")
            header = client.call("eth_getBlockByNumber", ["latest", False])
            client.call("evm_mine", [{"timestamp": int(header["timestamp"], 16)}])
            proof = client.call("eth_getBlockByNumber", ["latest", False])
            client.call("evm_revert", [before])
            proven = proof["parentHash"] == header["hash"] and proof["stateRoot"] == header["stateRoot"]
            if proven and _stands_at(client, note):
                return note.height
        return 0

    def is_usable(self) -> bool:
        """Return whether there is a snapshot, whole, at a block that the journal has."""
        return self._usable() is not None

    def discard(self) -> None:
        """Forget the snapshot."""
        self._journal.note_snapshot(None)
        self._path.unlink(missing_ok=True)

    def _usable(self) -> SnapshotNote | None:
        note = self._journal.snapshot_note()
        if note is None:
            return None
        block = self._journal.block(note.height)
        try:
            intact = hashlib.sha256(self._path.read_bytes()).digest() == note.sha256
        except FileNotFoundError:
            return None
        return note if intact and block is not None and block.block_hash == note.block_hash else None


def _stands_at(client: RpcClient, note: SnapshotNote) -> bool:
    block = client.call("eth_getBlockByNumber", ["latest", False])
    return (int(block["number"], 16), bytes.fromhex(block["hash"][2:])) == (note.height, note.block_hash)
