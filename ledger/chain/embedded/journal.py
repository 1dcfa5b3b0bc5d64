"""The journal of blocks: what the embedded engine reported final, durable before anybody hears it.

One row a block, append-only, each bound to the one before it by the block's parent hash and by a digest over the whole
history, so that a lost, changed or reordered row is found without a node. SQLite in WAL mode with synchronous=FULL:
`append` returns only when the block is on the disk.

There is no row for a block that is only intended. The node never outlives its journal's writer and is never adopted,
so a block that was mined but not journaled is gone with the node, was never reported final, and its transactions are
still with those who submitted them. Replay therefore needs only what was final.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.embedded.anvil import NodeSettings
from ledger.chain.errors import GenesisMismatch, JournalCorrupt, JournalUnavailable, JournalWriteFailed

JOURNAL = "journal.sqlite3"
"""The file's name in the engine's folder."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS genesis (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    chain_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    block_gas_limit INTEGER NOT NULL,
    hardfork TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TABLE IF NOT EXISTS block (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    timestamp INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    parent_hash BLOB NOT NULL CHECK (length(parent_hash) = 32),
    transaction_count INTEGER NOT NULL,
    transactions BLOB NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;
CREATE TABLE IF NOT EXISTS snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    height INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32)
) STRICT;
CREATE TRIGGER IF NOT EXISTS block_follows BEFORE INSERT ON block BEGIN
    SELECT RAISE(ABORT, 'the block does not follow the last one') WHERE
        NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM block)
        OR NEW.parent_hash IS NOT coalesce(
            (SELECT hash FROM block WHERE number = NEW.number - 1), (SELECT hash FROM genesis));
END;
CREATE TRIGGER IF NOT EXISTS block_is_final BEFORE UPDATE ON block BEGIN
    SELECT RAISE(ABORT, 'a journaled block never changes');
END;
CREATE TRIGGER IF NOT EXISTS block_stays BEFORE DELETE ON block BEGIN
    SELECT RAISE(ABORT, 'a journaled block never goes');
END;
CREATE TRIGGER IF NOT EXISTS genesis_is_final BEFORE UPDATE ON genesis BEGIN
    SELECT RAISE(ABORT, 'the genesis never changes');
END;
CREATE TRIGGER IF NOT EXISTS genesis_stays BEFORE DELETE ON genesis BEGIN
    SELECT RAISE(ABORT, 'the genesis never goes');
END;
"""


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the chain begins with. ``settings.history_states`` is not part of it: it does not change the chain."""

    settings: NodeSettings
    block_hash: bytes
    """Hash of block 0, 32 bytes."""

    @property
    def digest(self) -> bytes:
        """The first link of the journal's own chain."""
        settings = self.settings
        text = (
            f"tongdui-journal-1|{settings.chain_id}|{settings.genesis_timestamp}|{settings.block_gas_limit}"
            f"|{settings.hardfork}|"
        )
        return hashlib.sha256(text.encode() + self.block_hash).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The last journaled block, or the genesis block."""

    number: int
    timestamp: int
    """Unix seconds."""
    block_hash: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class SnapshotNote:
    """A snapshot of the node: the block it stands at, and its file's SHA-256. See `ledger.chain.embedded.snapshots`."""

    height: int
    block_hash: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class JournaledBlock:
    """A final block and all that is needed to make it again."""

    number: int
    timestamp: int
    """Unix seconds."""
    block_hash: bytes
    parent_hash: bytes
    transactions: tuple[bytes, ...]
    """Raw signed transactions in block order."""

    def digest(self, previous: bytes) -> bytes:
        """Return this block's link in the journal's chain, given the link before it."""
        hasher = hashlib.sha256(previous)
        hasher.update(self.number.to_bytes(8, "big") + self.timestamp.to_bytes(8, "big"))
        hasher.update(self.block_hash + self.parent_hash)
        hasher.update(pack_transactions(self.transactions))
        return hasher.digest()


class Journal:
    """The journal file. One writer (the holder of the engine's lock); safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises JournalCorrupt if it is no journal, JournalUnavailable for a full disk."""
        self.path = path
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            # macOS' fsync leaves data in the drive's cache; elsewhere this has no effect.
            self._connection.execute("PRAGMA fullfsync=ON")
            self._connection.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            # SQLite's class for what the system refuses. A start on a full disk must not send anybody to the backups.
            raise JournalUnavailable(path, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise JournalCorrupt(path, str(error)) from error
        self._head: Head | None = None

    def genesis(self) -> Genesis | None:
        """Return the genesis, or None if the journal is new."""
        with self._lock:
            row = self._connection.execute(
                "SELECT chain_id, timestamp, block_gas_limit, hardfork, hash FROM genesis"
            ).fetchone()
        if row is None:
            return None
        chain_id, timestamp, block_gas_limit, hardfork, block_hash = row
        return Genesis(NodeSettings(chain_id, timestamp, block_gas_limit, hardfork), block_hash)

    def begin(self, genesis: Genesis) -> None:
        """Write the genesis of a new journal, durably. Raises GenesisMismatch if there is another one already."""
        present = self.genesis()
        if present is not None:
            if present.digest != genesis.digest:
                raise GenesisMismatch("digest", present.digest.hex(), genesis.digest.hex())
            return
        settings = genesis.settings
        with self._lock:
            try:
                self._connection.execute(
                    "INSERT INTO genesis VALUES (1, ?, ?, ?, ?, ?)",
                    (
                        settings.chain_id,
                        settings.genesis_timestamp,
                        settings.block_gas_limit,
                        settings.hardfork,
                        genesis.block_hash,
                    ),
                )
            except sqlite3.Error as error:
                raise JournalWriteFailed(self.path, 0, str(error)) from error

    def head(self) -> Head:
        """Return the last block. Raises JournalCorrupt if there is not even a genesis."""
        if self._head is None:
            self._head = self._read_head()
        return self._head

    def append(self, block: JournaledBlock) -> Head:
        """Write a block; it is on the disk when this returns.

        Raises JournalWriteFailed: then the block is not in the journal.
        """
        previous = self.head()
        digest = block.digest(previous.digest)
        with self._lock:
            try:
                self._connection.execute(
                    "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        block.number,
                        block.timestamp,
                        block.block_hash,
                        block.parent_hash,
                        len(block.transactions),
                        pack_transactions(block.transactions),
                        digest,
                    ),
                )
            except sqlite3.Error as error:
                # Whether it reached the file is settled by looking again, never by guessing.
                self._head = None
                raise JournalWriteFailed(self.path, block.number, str(error)) from error
        self._head = Head(block.number, block.timestamp, block.block_hash, digest)
        return self._head

    def block(self, number: int) -> JournaledBlock | None:
        """Return one block, or None beyond the head."""
        with self._lock:
            row = self._connection.execute(f"{_SELECT_BLOCK} WHERE number = ?", (number,)).fetchone()
        return None if row is None else self._to_block(row)[0]

    def blocks(self, first: int = 1) -> Iterator[JournaledBlock]:
        """Yield the blocks from ``first`` on, in order, each checked against the journal's chain of digests.

        Raises JournalCorrupt at the first row that contradicts those before it.
        """
        digest, parent_hash, timestamp = self._link_before(first)
        number = first
        while True:
            with self._lock:
                row = self._connection.execute(f"{_SELECT_BLOCK} WHERE number = ?", (number,)).fetchone()
            if row is None:
                break
            block, stored_digest = self._to_block(row)
            digest = block.digest(digest)
            if block.parent_hash != parent_hash or digest != stored_digest:
                raise JournalCorrupt(self.path, f"block {number} is not what was written")
            if block.timestamp < timestamp:
                raise JournalCorrupt(self.path, f"block {number} is older than the one before it")
            yield block
            parent_hash, timestamp = block.block_hash, block.timestamp
            number += 1
        if number != self.head().number + 1:
            raise JournalCorrupt(self.path, f"block {number} is missing")

    def snapshot_note(self) -> SnapshotNote | None:
        """Return what is noted of the last snapshot."""
        with self._lock:
            row = self._connection.execute("SELECT height, hash, sha256 FROM snapshot").fetchone()
        return None if row is None else SnapshotNote(*row)

    def note_snapshot(self, note: SnapshotNote | None) -> None:
        """Note a snapshot in place of the last, or (None) that there is none. Raises JournalWriteFailed."""
        with self._lock:
            try:
                if note is None:
                    self._connection.execute("DELETE FROM snapshot")
                else:
                    values = (note.height, note.block_hash, note.sha256)
                    self._connection.execute("REPLACE INTO snapshot VALUES (1, ?, ?, ?)", values)
            except sqlite3.Error as error:
                raise JournalWriteFailed(self.path, 0 if note is None else note.height, str(error)) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _link_before(self, first: int) -> tuple[bytes, bytes, int]:
        """Return (digest, block hash, timestamp) of the block before ``first``."""
        genesis = self._require_genesis()
        if first <= 1:
            return genesis.digest, genesis.block_hash, genesis.settings.genesis_timestamp
        with self._lock:
            row = self._connection.execute(
                "SELECT digest, hash, timestamp FROM block WHERE number = ?", (first - 1,)
            ).fetchone()
        if row is None:
            raise JournalCorrupt(self.path, f"block {first - 1} is missing")
        return row[0], row[1], row[2]

    def _read_head(self) -> Head:
        genesis = self._require_genesis()
        with self._lock:
            row = self._connection.execute(
                "SELECT number, timestamp, hash, digest FROM block ORDER BY number DESC LIMIT 1"
            ).fetchone()
        if row is None:
            return Head(0, genesis.settings.genesis_timestamp, genesis.block_hash, genesis.digest)
        return Head(*row)

    def _require_genesis(self) -> Genesis:
        genesis = self.genesis()
        if genesis is None:
            raise JournalCorrupt(self.path, "it has no genesis")
        return genesis

    def _to_block(self, row: tuple[int, int, bytes, bytes, int, bytes, bytes]) -> tuple[JournaledBlock, bytes]:
        number, timestamp, block_hash, parent_hash, count, packed, digest = row
        transactions = unpack_transactions(packed)
        if transactions is None or len(transactions) != count:
            raise JournalCorrupt(self.path, f"the transactions of block {number} are cut off")
        return JournaledBlock(number, timestamp, block_hash, parent_hash, transactions), digest


_SELECT_BLOCK = "SELECT number, timestamp, hash, parent_hash, transaction_count, transactions, digest FROM block"


def pack_transactions(transactions: Sequence[bytes]) -> bytes:
    """Return the raw transactions one after the other, each behind its length in 4 big-endian bytes."""
    return b"".join(len(raw).to_bytes(4, "big") + raw for raw in transactions)


def unpack_transactions(packed: bytes) -> tuple[bytes, ...] | None:
    """Return what `pack_transactions` packed, or None if the bytes end in the middle."""
    transactions = []
    at = 0
    while at < len(packed):
        end = at + 4 + int.from_bytes(packed[at : at + 4], "big")
        if end > len(packed):
            return None
        transactions.append(packed[at + 4 : end])
        at = end
    return tuple(transactions)
