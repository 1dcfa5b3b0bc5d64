"""Refused rows of deliveries: given back as a file, and closed when they come again corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from issuers.errors import UnknownDelivery
from issuers.intake.deliveries import IngestReport, Intake, ProgressCallback, content_of
from issuers.records import sql
from issuers.sources.mapping import Mapping as SourceMapping
from issuers.sources.readers import Limits
from issuers.sources.returns.cells import Reason
from issuers.sources.returns.reading import refusals_in
from issuers.sources.returns.writing import write_back
from issuers.states import RecordState, RefusalState, change
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceDeliveryRow, IssuanceRefusalRow


class Returning:
    """Takes files in that may come back from a clerk, and writes the rows that have to go to one."""

    def __init__(self, database: Database, intake: Intake, limits: Limits) -> None:
        self._database = database
        self._intake = intake
        self._limits = limits

    def take(
        self, programme: ProgrammeId, mapping: SourceMapping, path: Path, progress: ProgressCallback | None
    ) -> IngestReport:
        """Take a file in. Where it comes back from a clerk, the refusals of the rows that were taken are closed."""
        settled = refusals_in(path, mapping, self._limits)
        report = self._intake.file(programme, mapping, path, progress)
        if settled:
            with self._database.transaction() as session:
                _close(session, programme, report.delivery_id, settled)
        return report

    def write(self, programme: ProgrammeId, mapping: SourceMapping, path: Path, target: Path) -> int:
        """Write the rows of a file whose refusals are open to another of the same form; returns how many there are.

        Raises UnknownDelivery for a file that was not taken in; CannotReturn or OSError.
        """
        reasons = self._reasons(programme, path)
        return write_back(path, mapping, reasons, target, self._limits) if reasons else 0

    def _reasons(self, programme: ProgrammeId, path: Path) -> dict[int, Reason]:
        digest, _ = content_of(path)
        with self._database.read() as session:
            delivery = session.scalar(
                select(IssuanceDeliveryRow.delivery_id).where(
                    IssuanceDeliveryRow.programme == programme, IssuanceDeliveryRow.content_sha256 == digest
                )
            )
            if delivery is None:
                raise UnknownDelivery(path.name)
            reasons: dict[int, Reason] = {}
            for row in session.scalars(
                select(IssuanceRefusalRow)
                .where(
                    IssuanceRefusalRow.delivery_id == delivery,
                    IssuanceRefusalRow.state == RefusalState.OPEN,
                    IssuanceRefusalRow.row_number > 0,
                )
                .order_by(IssuanceRefusalRow.refusal_id)
            ):
                where = "" if row.field is None else f"{row.field}: "
                reason = Reason(where + row.reason_en, where + row.reason_zh, row.refusal_id)
                reasons.setdefault(row.row_number, reason)
        return reasons


def _close(session: Session, programme: ProgrammeId, delivery_id: int, settled: Mapping[int, int]) -> None:
    """Close the refusals of a returned file's rows that were taken. Again it finds none open.

    ``settled``: by the row in the delivery, the refusal that it answers.
    """
    refused = set(
        session.scalars(select(IssuanceRefusalRow.row_number).where(IssuanceRefusalRow.delivery_id == delivery_id))
    )
    tallies: Counter[str] = Counter()
    for row, refusal_id in settled.items():
        if row in refused or 0 in refused:
            continue
        refusal = session.get(IssuanceRefusalRow, refusal_id, with_for_update=True)
        if refusal is None or refusal.programme != programme or refusal.state != RefusalState.OPEN:
            continue
        done: Any = session.execute(
            update(IssuanceRefusalRow)
            .where(IssuanceRefusalRow.refusal_id == refusal_id, IssuanceRefusalRow.state == RefusalState.OPEN)
            .values(state=change(RefusalState.OPEN, RefusalState.RESUBMITTED))
        )
        if done.rowcount:
            tallies[RecordState.REFUSED] -= 1
            tallies[f"refused:{refusal.code}"] -= 1
    sql.add_tallies(session, programme, dict(tallies))
