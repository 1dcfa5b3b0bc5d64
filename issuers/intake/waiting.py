"""Records that waited: for a link, for their time, or too long. Each is decided anew, once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from issuers.batches.grants import Writer
from issuers.batches.opening import delivery_of, unsealed
from issuers.intake.chunks import Pipeline, oldest_day
from issuers.records.vault import RecordKeys, Vault
from issuers.rules.refusals import Fault, RefusalCode
from issuers.rules.rulebook import Rulebook
from issuers.states import RecordState, change
from ledger.clock import Clock
from ledger.custody.master import RandomBytes
from ledger.residents.claims import SourceIdState
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceRecordRow
from ledger.store.models.residents import SourceIdRow

_SWEEP_ROWS = 2_000


class WaitingRecords:
    """Decides records again whose time has come. Every method is safe to call again."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        pipeline: Pipeline,
        books: Mapping[ProgrammeId, tuple[Rulebook, ...]],
        keys: RecordKeys,
        vault: Vault,
        random: RandomBytes = os.urandom,
    ) -> None:
        self._database = database
        self._clock = clock
        self._pipeline = pipeline
        self._books = books
        self._keys = keys
        self._vault = vault
        self._random = random

    def grant_linked(
        self, programmes: Sequence[ProgrammeId] | None = None, source_ids: Sequence[str] | None = None
    ) -> int:
        """Decide records that awaited a link that now exists: of some source ids, of some programmes, or of all.

        Returns how many records were decided. Call it when a link is made; calling it again does nothing.
        """
        wanted = list(self._books) if programmes is None else programmes
        decided = 0
        for number in wanted:
            query = select(IssuanceRecordRow).where(
                IssuanceRecordRow.programme == number, IssuanceRecordRow.status == RecordState.AWAITING_LINK
            )
            if source_ids is not None:
                digests = [digest for one in source_ids for digest in self._keys.source_live(number, one)]
                query = query.where(IssuanceRecordRow.source_hmac.in_(digests))
            else:
                linked = select(SourceIdRow.source_hmac).where(
                    SourceIdRow.programme == number, SourceIdRow.state == SourceIdState.LINKED
                )
                query = query.where(IssuanceRecordRow.source_hmac.in_(linked))
            decided += self._sweep(number, query)
        return decided

    def release_due(self) -> int:
        """Decide self-reported records whose pending time is over; returns how many."""
        now = self._clock.timestamp()
        return sum(
            self._sweep(
                number,
                select(IssuanceRecordRow).where(
                    IssuanceRecordRow.programme == number,
                    IssuanceRecordRow.status == RecordState.PENDING,
                    IssuanceRecordRow.pending_until <= now,
                ),
                is_screened=True,
                is_due=True,
            )
            for number in self._books
        )

    def expire_unlinked(self) -> int:
        """Refuse records that have not been linked within the rulebook's months; returns how many."""
        now = self._clock.timestamp()
        expired = 0
        for number, books in self._books.items():
            months = books[-1].file.unlinked_months
            query = select(IssuanceRecordRow).where(
                IssuanceRecordRow.programme == number,
                IssuanceRecordRow.status == RecordState.AWAITING_LINK,
                IssuanceRecordRow.deed_day < oldest_day(months, now),
            )
            with self._database.read() as session:
                if session.scalars(query.limit(1)).first() is None:
                    continue
            with self._database.transaction() as session:
                writer = Writer(session, number, self._keys, now, self._random)
                for row in session.scalars(query.limit(_SWEEP_ROWS).with_for_update()).all():
                    row.status = change(row.status, RecordState.REFUSED)
                    row.reason, row.updated_at = RefusalCode.DEED_TOO_OLD.value, now
                    fault = Fault(row.row_number, None, "day", RefusalCode.DEED_TOO_OLD, (("months", str(months)),))
                    writer.fault(delivery_of(session, self._vault, row), fault, row.record_id)
                    writer.tallies[RecordState.AWAITING_LINK] -= 1
                    writer.tallies[RecordState.REFUSED] += 1
                    expired += 1
                writer.flush()
        return expired

    def _sweep(self, programme: ProgrammeId, query: Any, *, is_screened: bool = False, is_due: bool = False) -> int:
        """Reconsider all records that a query finds, chunk by chunk, each once."""
        now = self._clock.timestamp()
        after, decided = 0, 0
        with self._database.read() as session:  # mostly there is nothing, and the write lock is dear
            if session.scalars(query.limit(1)).first() is None:
                return 0
        while True:
            with self._database.transaction() as session:
                records = session.scalars(
                    query.where(IssuanceRecordRow.record_id > after)
                    .order_by(IssuanceRecordRow.record_id)
                    .limit(_SWEEP_ROWS)
                    .with_for_update()
                ).all()
                if not records:
                    return decided
                after = records[-1].record_id
                by_delivery: dict[int, list[IssuanceRecordRow]] = {}
                for record in records:
                    by_delivery.setdefault(record.delivery_id, []).append(record)
                writer = Writer(session, programme, self._keys, now, self._random)
                for many in by_delivery.values():
                    delivery = delivery_of(session, self._vault, many[0])
                    outcome = self._pipeline.reconsider(
                        session,
                        writer,
                        delivery,
                        [(record, unsealed(record, delivery)) for record in many],
                        now,
                        is_screened=is_screened,
                        is_due=is_due,
                    )
                    decided += sum(outcome.values()) - outcome[RecordState.AWAITING_LINK]
                writer.flush()
