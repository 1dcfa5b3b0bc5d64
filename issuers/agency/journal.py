"""The signer's own memory: what it approved under which number. A file of the agency's, durable before a signature.

SQLite with a write-ahead log and ``synchronous=FULL``: an approval is on disk before the approval is told.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from issuers.agency.documents import Derived, MintDocument, RevocationDocument, SigningDocument, VoidDocument
from issuers.agency.rules import Approved, KnownGrant
from ledger.errors import ConfigurationError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS numbers (
    number TEXT PRIMARY KEY, content_hash BLOB, grants INTEGER NOT NULL, amount_minor TEXT NOT NULL,
    day TEXT NOT NULL, is_void INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS ix_numbers_day ON numbers (day);
CREATE TABLE IF NOT EXISTS digests (
    digest BLOB PRIMARY KEY, kind TEXT NOT NULL, number TEXT NOT NULL, approved_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS grants (
    grant_id BLOB PRIMARY KEY, number TEXT NOT NULL, amount_minor TEXT NOT NULL, place INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revoked (
    grant_id BLOB NOT NULL, total_minor INTEGER NOT NULL, more_minor INTEGER NOT NULL, day TEXT NOT NULL,
    PRIMARY KEY (grant_id, total_minor)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ix_revoked_day ON revoked (day);
CREATE TABLE IF NOT EXISTS records (record_hash BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
"""
_AT_ONCE = 500
_LEARN_AT_ONCE = 5_000


class Journal:
    """One file, any number of threads."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises ConfigurationError if it is none, or cannot be locked."""
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            self._check_edition(path)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"the signer's journal {path}: {error}") from error

    def _check_edition(self, path: Path) -> None:
        columns = {row[1] for row in self._db.execute("PRAGMA table_info(grants)")}
        if "place" not in columns:
            raise ConfigurationError(
                f"the signer's journal {path} is of the first edition of the contracts: keep it, and name a new file"
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the journal for one decision: what is read in the block still holds when it is written."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def approved(self, number: str) -> Approved | None:
        """Return what was approved under a number."""
        row = self._one("SELECT content_hash, is_void FROM numbers WHERE number = ?", number)
        return None if row is None else Approved(row[0] or b"", bool(row[1]))

    def has_digest(self, digest: bytes) -> bool:
        """Return whether this very message was approved."""
        return self._one("SELECT 1 FROM digests WHERE digest = ?", digest) is not None

    def may_sign(self, digest: bytes) -> bool:
        """Return whether a digest was approved and still may be signed: no mint of a number that was given up."""
        row = self._one(
            "SELECT d.kind, n.is_void FROM digests d LEFT JOIN numbers n ON n.number = d.number WHERE d.digest = ?",
            digest,
        )
        return row is not None and not (row[0] == "mint" and row[1])

    def grants(self, grant_ids: Sequence[bytes]) -> dict[bytes, KnownGrant]:
        """Return those grants that were approved, by id."""
        found: dict[bytes, KnownGrant] = {}
        for part in _parts(grant_ids):
            query = f"SELECT grant_id, number, amount_minor, place FROM grants WHERE grant_id IN ({_marks(part)})"  # noqa: S608
            for grant_id, number, amount, place in self._all(query, *part):
                found[grant_id] = KnownGrant(int(number), int(amount), int(place))
        return found

    def known_records(self, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """Return which records the agency's exports hold."""
        found: set[bytes] = set()
        for part in _parts(hashes):
            query = f"SELECT record_hash FROM records WHERE record_hash IN ({_marks(part)})"  # noqa: S608
            found.update(row[0] for row in self._all(query, *part))
        return frozenset(found)

    def day_minor(self, day: str) -> int:
        """Return the minor units approved on a civil day."""
        return sum(int(row[0]) for row in self._all("SELECT amount_minor FROM numbers WHERE day = ?", day))

    def revoked_minor(self, grant_id: bytes) -> int:
        """Return the minor units of a grant whose taking back was approved."""
        row = self._one("SELECT MAX(total_minor) FROM revoked WHERE grant_id = ?", grant_id)
        return int(row[0] or 0) if row else 0

    def day_revoked_minor(self, day: str) -> int:
        """Return the minor units whose taking back was approved on a civil day."""
        row = self._one("SELECT SUM(more_minor) FROM revoked WHERE day = ?", day)
        return int(row[0] or 0) if row else 0

    def approve(self, document: SigningDocument, derived: Derived, day: str, now: int) -> None:
        """Remember an approval; call it inside `transaction`, after the rules agreed."""
        number = str(int(document.number))
        self._db.execute(
            "INSERT INTO digests VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (derived.digest, document.kind, number, now),
        )
        match document:
            case MintDocument():
                amount = str(derived.amount_minor)
                self._db.execute(
                    "INSERT INTO numbers VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
                    (number, derived.content_hash, len(document.leaves), amount, day),
                )
                self._db.executemany(
                    "INSERT INTO grants VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (grant_id) DO UPDATE SET number = excluded.number, place = excluded.place",
                    [
                        (bytes.fromhex(leaf.grant_id[2:]), number, leaf.amount_minor, place)
                        for place, leaf in enumerate(document.leaves)
                    ],
                )
            case VoidDocument():
                self._db.execute(
                    "INSERT INTO numbers VALUES (?, NULL, 0, '0', ?, 1) ON CONFLICT (number) DO UPDATE SET is_void = 1",
                    (number, day),
                )
            case RevocationDocument():
                grant_id, total = bytes.fromhex(document.leaf.grant_id[2:]), int(document.revoked_total_minor)
                more = max(total - self.revoked_minor(grant_id), 0)
                self._db.execute(
                    "INSERT INTO revoked VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (grant_id, total, more, day)
                )

    def learn(self, hashes: Iterable[bytes]) -> int:
        """Remember records of the agency's exports; returns how many were new. Approvals go on meanwhile."""
        new = 0
        rest = iter(hashes)
        while part := list(itertools.islice(rest, _LEARN_AT_ONCE)):
            with self.transaction():
                before = self._db.total_changes
                self._db.executemany("INSERT INTO records VALUES (?) ON CONFLICT DO NOTHING", [(one,) for one in part])
                new += self._db.total_changes - before
        return new

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
            return row

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


def _marks(part: Sequence[bytes]) -> str:
    """Return a question mark a value; the values are bound."""
    return ",".join("?" * len(part))


def _parts(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
