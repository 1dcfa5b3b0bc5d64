"""Deliveries: files, page runs and single rows on their way into the pipeline, chunk by chunk, resumable anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import psycopg.errors
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError

from issuers.batches.grants import Prepared, prepare
from issuers.errors import SourceUnavailable
from issuers.intake.chunks import ChunkResult, Pipeline, lock_delivery
from issuers.intake.drafts import Chunk
from issuers.intake.file_names import shown_name
from issuers.records import sql
from issuers.records.vault import Delivery, RecordKeys, Vault
from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import Item, Limits
from issuers.sources.readers.json_documents import rows_of
from issuers.sources.readers.rows import Row
from issuers.sources.rest import RestSource
from issuers.sources.returns.reading import read_back
from issuers.states import DeliveryState, RecordState, change
from ledger.clock import Clock
from ledger.custody.master import RandomBytes
from ledger.python_gc import collector_paused
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceDeliveryRow

CHUNK_ROWS = 8_000
_RECORD_IDS_BLOCK = 131_072
"""Record ids that a process takes at once: each time it waits for its turn to write."""
_RACES_MAX = 8
_RACES_HOPED = 2
"""Attempts that hope that no other worker meets the same residents for the first time."""
_HASH_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a delivery has come; handed to the caller after each commit."""

    name: str
    rows: int
    accepted: int
    refused: int
    fraction: float | None
    """Part of the file that was read, where its length is known."""


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a delivery brought. ``outcome`` is that of this call, even if another call takes the same bytes in
    meanwhile: ``created`` (from the first row on), ``resumed`` (behind rows that were taken in before), ``exists``
    (nothing was left to take in)."""

    delivery_id: int
    name: str
    outcome: str
    rows: int
    statuses: Counter[str] = field(default_factory=Counter)
    """Rows by status; corrections under ``correction``."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Refusals by code."""
    granted_minor: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page run stands: the cursor to ask for, and how many records of that page are taken in."""

    cursor: str | None
    taken: int

    @classmethod
    def read(cls, stored: str | None) -> _Place:
        if stored is None:
            return cls(None, 0)
        cursor, taken = orjson.loads(stored)
        return cls(cursor, taken)

    def text(self) -> str:
        return orjson.dumps([self.cursor, self.taken]).decode()


class _MovedOn(Exception):
    """Another worker reads the same delivery; start again behind it."""


@dataclass(slots=True)
class _Run:
    """One delivery being read by this process."""

    delivery: Delivery
    name: str
    rows_done: int
    day_may_change: bool
    """See `Mapping.lets_day_change`."""
    statuses: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    granted_minor: int = 0
    outcome: str = "exists"
    """What the rows that this process committed make of it; see `IngestReport`."""

    def add(self, result: ChunkResult) -> None:
        self.statuses += result.statuses
        self.refusals += result.refusals
        self.granted_minor += result.granted_minor

    def report(self, outcome: str) -> IngestReport:
        return IngestReport(
            self.delivery.delivery_id,
            self.name,
            outcome,
            self.rows_done,
            Counter({str(status): count for status, count in self.statuses.items()}),
            self.refusals,
            self.granted_minor,
        )


class Intake:
    """Takes deliveries in. One transaction a chunk; the delivery's row says how many rows are committed."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        pipeline: Pipeline,
        keys: RecordKeys,
        vault: Vault,
        limits: Limits | None = None,
        chunk_rows: int = CHUNK_ROWS,
        random: RandomBytes = os.urandom,
    ) -> None:
        self._database = database
        self._clock = clock
        self._pipeline = pipeline
        self._keys = keys
        self._vault = vault
        self._limits = limits or Limits()
        self._chunk_rows = chunk_rows
        self._random = random
        self._ids: Iterator[int] = iter(())
        self._ids_left = 0
        self._ids_lock = threading.Lock()

    def file(
        self,
        programme: ProgrammeId,
        mapping: Mapping,
        path: Path,
        progress: ProgressCallback | None = None,
        *,
        kind: str = "file",
        name: str | None = None,
    ) -> IngestReport:
        """Take a file in; the same bytes a second time have no effect. Raises OSError."""
        digest, lines = content_of(path)
        total = max(lines - 1, 1) if mapping.format in ("csv", "tsv", "jsonl") and lines > 1 else None
        delivery = (programme, mapping, kind, name or shown_name(path.name), digest)
        return self._finish(delivery, lambda: read_back(path, mapping, self._limits), progress, total)

    def rest(
        self, programme: ProgrammeId, mapping: Mapping, source: RestSource, progress: ProgressCallback | None = None
    ) -> IngestReport:
        """Pull all pages behind the stored cursor. Raises SourceUnavailable, also where the source says that it has
        more than it brought; what was committed stands."""
        identity = hashlib.sha256(f"rest:{mapping.system}".encode()).digest()
        run, _, outcome = self._open(programme, mapping, "rest", mapping.system, identity)
        with self._database.read() as session:
            at = _Place.read(session.get_one(IssuanceDeliveryRow, run.delivery.delivery_id).cursor)
        totals: list[int] = []
        for page in source.pages(at.cursor):
            deeds, faults = self._page(run, mapping, page.records, at.taken)
            count = len(deeds) + len(faults)
            # The last page is asked for again next time, for it may grow: remember how much of it was taken.
            following = _Place(at.cursor, at.taken + count) if page.next_cursor is None else _Place(page.next_cursor, 0)
            self._commit(run, deeds, faults, rows=count, cursor=following.text())
            at = following
            totals += [] if page.total is None else [page.total]
            _tell(progress, run, None)
        if totals and run.rows_done < totals[-1]:
            raise SourceUnavailable(mapping.system, f"the source has {totals[-1]} records and brought {run.rows_done}")
        if totals and source.is_numbered:
            _check_still(mapping.system, totals, is_repeating=RefusalCode.DUPLICATE_RECORD in run.refusals)
        return run.report(outcome)

    def rows(
        self, programme: ProgrammeId, mapping: Mapping, kind: str, name: str, documents: Sequence[Any]
    ) -> IngestReport:
        """Take in records that came as JSON objects (a webhook's bulk push, a corrected refusal), once by their
        content.

        Numbers must be text. Raises ReadFailure if the objects are no list.
        """
        identity = [kind, "" if kind == "push" else name, list(documents)]
        body = json.dumps(identity, sort_keys=True)  # ASCII: lone surrogates do no harm
        delivery = (programme, mapping, kind, name, hashlib.sha256(body.encode("ascii")).digest())
        return self._finish(delivery, lambda: rows_of(list(documents), mapping, self._limits, 0), None, None)

    # --------------------------------------------------------------------------------------------------- inside

    def _finish(
        self,
        delivery: tuple[ProgrammeId, Mapping, str, str, bytes],
        items: Callable[[], Iterator[Item]],
        progress: ProgressCallback | None,
        total: int | None,
    ) -> IngestReport:
        """Read a delivery to its end; a concurrent call says "exists" only when all of it is taken in."""
        run, state, _ = self._open(*delivery)
        while state != DeliveryState.DONE:
            try:
                self._read(run, delivery[1], _behind(items(), run.rows_done), progress, total)
                break
            except _MovedOn:
                if not self._catch_up(run):
                    if run.outcome == "exists":
                        self._open(*delivery)  # counts the repeat
                    break
        return run.report(run.outcome)

    def _open(
        self, programme: ProgrammeId, mapping: Mapping, kind: str, name: str, digest: bytes
    ) -> tuple[_Run, str, str]:
        """Find or make a delivery's row; a worker that loses the race to make it finds the winner's."""
        try:
            return self._find_or_make(programme, mapping, kind, name, digest)
        except (IntegrityError, psycopg.errors.UniqueViolation):
            return self._find_or_make(programme, mapping, kind, name, digest)

    def _find_or_make(
        self, programme: ProgrammeId, mapping: Mapping, kind: str, name: str, digest: bytes
    ) -> tuple[_Run, str, str]:
        now = self._clock.timestamp()
        with self._database.transaction() as session:
            row = session.execute(
                select(IssuanceDeliveryRow)
                .where(IssuanceDeliveryRow.programme == programme, IssuanceDeliveryRow.content_sha256 == digest)
                .with_for_update()
            ).scalar_one_or_none()
            outcome = "resumed"
            if row is None:
                wrapped, _ = self._vault.new_key(programme)
                row = IssuanceDeliveryRow(
                    programme=programme,
                    kind=kind,
                    name=name[:255],
                    content_sha256=digest,
                    mapping=mapping.name,
                    mapping_hash=mapping.hash,
                    state=DeliveryState.READING,
                    rows_done=0,
                    cursor=None,
                    data_key=wrapped,
                    repeats=0,
                    created_at=now,
                    updated_at=now,
                )
                session.add(row)
                session.flush()
                outcome = "created"
            elif row.state == DeliveryState.DONE:
                row.repeats += 1
                row.updated_at = now
            seal = self._vault.open(programme, bytes(row.data_key))
            run = _Run(Delivery(row.delivery_id, programme, seal), name, row.rows_done, mapping.lets_day_change)
            return run, row.state, outcome

    def _catch_up(self, run: _Run) -> bool:
        """Learn how far another worker has come; returns whether anything is left to read."""
        with self._database.read() as session:
            row = session.get_one(IssuanceDeliveryRow, run.delivery.delivery_id)
            run.rows_done = row.rows_done
            return row.state != DeliveryState.DONE

    def _read(
        self,
        run: _Run,
        mapping: Mapping,
        items: Iterator[Item],
        progress: ProgressCallback | None,
        total: int | None,
    ) -> None:
        """Read to the end, committing chunk by chunk."""
        normaliser = Normaliser(mapping)
        is_done = False
        while not is_done:
            with collector_paused():
                is_done = self._read_chunk(run, mapping.system, normaliser, items)
            _tell(progress, run, total, is_done=is_done)

    def _read_chunk(self, run: _Run, system: str, normaliser: Normaliser, items: Iterator[Item]) -> bool:
        """Read and commit a chunk; returns whether it was the last. A fault of the whole file comes last, with row 0.

        What it made is let go of when it returns.
        """
        now = self._clock.timestamp()
        programme, seal, keys = run.delivery.programme, run.delivery.seal, self._keys
        deeds: list[Prepared] = []
        faults: list[Fault] = []
        ending: list[Fault] = []
        count = 0
        try:
            for item in islice(items, self._chunk_rows):
                deed = normaliser.deed(item, now) if isinstance(item, Row) else item
                if isinstance(deed, Fault):
                    faults.append(deed)
                else:
                    deeds.append(prepare(deed, programme, system, keys, seal, self._random))
                count += 1
        except ReadFailure as failure:
            ending.append(Fault(0, None, None, failure.code, failure.params))
        is_done = count < self._chunk_rows
        self._commit(run, deeds, [*faults, *ending], rows=count, is_done=is_done)
        return is_done

    def _page(self, run: _Run, mapping: Mapping, records: Any, taken: int) -> tuple[list[Prepared], list[Fault]]:
        """Return the deeds and faults of a page behind its first ``taken`` records."""
        normaliser = Normaliser(mapping)
        now = self._clock.timestamp()
        deeds, faults = [], []
        for item in rows_of(records[taken:], mapping, self._limits, run.rows_done):
            deed = normaliser.deed(item, now) if isinstance(item, Row) else item
            if isinstance(deed, Fault):
                faults.append(deed)
            else:
                delivery = run.delivery
                seal = delivery.seal
                deeds.append(prepare(deed, delivery.programme, mapping.system, self._keys, seal, self._random))
        return deeds, faults

    def _commit(
        self,
        run: _Run,
        prepared: Sequence[Prepared],
        refused: Sequence[Fault],
        *,
        rows: int,
        cursor: str | None = None,
        is_done: bool = False,
    ) -> None:
        """Take a chunk in, again if a race was lost. Raises _MovedOn if another worker was here."""
        now = self._clock.timestamp()
        record_ids = self._record_ids(len(prepared))
        chunk = Chunk(run.delivery, prepared, refused, record_ids, now, run.day_may_change)
        draft = None
        if self._database.is_file:  # one process at a time writes, so what can be done before is done before
            with self._database.read() as session:
                draft = self._pipeline.draft(session, chunk)
        for attempt in range(1, _RACES_MAX + 1):
            try:
                with self._database.transaction() as session:
                    row = lock_delivery(session, run.delivery.delivery_id)
                    if row.rows_done != run.rows_done or row.state == DeliveryState.DONE:
                        raise _MovedOn
                    result = self._pipeline.take(session, chunk, draft, is_contended=attempt > _RACES_HOPED)
                    row.rows_done += rows
                    row.updated_at = now
                    if cursor is not None:
                        row.cursor = cursor
                    if is_done:
                        row.state = change(row.state, DeliveryState.DONE)
            except (IntegrityError, OperationalError, psycopg.errors.UniqueViolation, psycopg.OperationalError):
                if attempt == _RACES_MAX or self._database.is_sqlite:
                    raise
            else:
                run.add(result)
                if run.outcome == "exists":
                    run.outcome = "resumed" if run.rows_done else "created"
                run.rows_done += rows
                return

    def _record_ids(self, count: int) -> list[int]:
        """Return fresh record ids. They are allotted in blocks, ahead and on their own; gaps are harmless."""
        ids: list[int] = []
        with self._ids_lock:
            while len(ids) < count:
                if self._ids_left == 0:
                    block = max(_RECORD_IDS_BLOCK, count)
                    with self._database.transaction() as session:
                        first = sql.allot(session, "record", block)
                    self._ids = iter(range(first, first + block))
                    self._ids_left = block
                take = min(self._ids_left, count - len(ids))
                ids += [next(self._ids) for _ in range(take)]
                self._ids_left -= take
        return ids


def _behind(items: Iterable[Item], done: int) -> Iterator[Item]:
    if done == 0:
        yield from items
        return
    for item in items:
        if item[0] > done:
            yield item


def content_of(path: Path) -> tuple[bytes, int]:
    """Return a file's hash and its number of line feeds, which is about its number of records."""
    digest = hashlib.sha256()
    lines = 0
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
            lines += block.count(b"\n")
    return digest.digest(), lines


def _check_still(system: str, totals: list[int], *, is_repeating: bool) -> None:
    """Raise SourceUnavailable if a source whose pages are numbered changed while they were read.

    A record that is deleted before the place at hand moves the rest up, and so many are never asked for; one that is
    added there moves them down, so that some come again and the new one does not come.
    """
    first, last = totals[0], totals[-1]
    was = max(totals) if last < max(totals) else first
    if last < was or (last > was and is_repeating):
        raise SourceUnavailable(
            system, f"the source had {was} records and has {last} now: it changed in the middle; pull again"
        )


def _tell(progress: ProgressCallback | None, run: _Run, total: int | None, *, is_done: bool = False) -> None:
    if progress is None:
        return
    fraction = None if total is None else min(1.0, run.rows_done / total)
    accepted, refused = run.statuses[RecordState.ACCEPTED], run.statuses[RecordState.REFUSED]
    progress(Progress(run.name, run.rows_done, accepted, refused, 1.0 if is_done else fraction))
