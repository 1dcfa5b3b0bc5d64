"""Where a programme's records stand, stage by stage of the pipeline: what each did, what it refused, what waits in it.

Every figure is a running count or a count over few rows (deliveries, batches, what is ready), so it can be asked for
while millions of records pass, by the API, the metrics and the command line alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from issuers.rules.refusals import RefusalCode
from issuers.states import BatchState, DeliveryState, RecordState
from ledger.standard.ids import ProgrammeId
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceDeliveryRow,
    IssuanceReadyRow,
    IssuanceTallyRow,
)

STAGES = ("read", "map", "dedupe", "rate", "screen", "grant", "batch", "sign", "chain")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. ``done`` is None where a stage only refuses or holds: what passes it is counted by the next."""

    name: str
    done: int | None
    """Rows read, records with a grant, grants in a batch, batches signed, batches landed."""
    refused: int
    waiting: int
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Open refusals by code."""
    waits: Mapping[str, int] = field(default_factory=dict)
    """What waits, by what for."""


@dataclass(frozen=True, slots=True)
class DeliveryProgress:
    """A delivery that is being read, or was interrupted."""

    delivery_id: int
    kind: str
    name: str
    rows_done: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class PipelineView:
    """All stages of one programme, and what is being read."""

    programme: ProgrammeId
    stages: tuple[Stage, ...]
    reading: tuple[DeliveryProgress, ...]


def stage_of(code: RefusalCode) -> str:
    """Return the stage that refuses for this reason. Total over `RefusalCode`."""
    match code:
        case (
            RefusalCode.EMPTY_FILE
            | RefusalCode.TRUNCATED_FILE
            | RefusalCode.WRONG_ENCODING
            | RefusalCode.HEADER_MISMATCH
            | RefusalCode.UNKNOWN_FORMAT
            | RefusalCode.MALFORMED_DOCUMENT
            | RefusalCode.DANGEROUS_DOCUMENT
            | RefusalCode.DECOMPRESSION_BOMB
            | RefusalCode.FILE_TOO_LARGE
            | RefusalCode.MALFORMED_ROW
            | RefusalCode.COLUMN_COUNT
            | RefusalCode.UNBALANCED_QUOTE
            | RefusalCode.FIELD_TOO_LARGE
            | RefusalCode.FORMULA_CELL
            | RefusalCode.HIDDEN_ROW
            | RefusalCode.CONTROL_CHARACTER
            | RefusalCode.SHEET_MISSING
            | RefusalCode.EQUAL_COLUMNS
            | RefusalCode.LOCKED_WORKBOOK
            | RefusalCode.RECORD_TOO_LARGE
            | RefusalCode.SECOND_HEADER
            | RefusalCode.DAMAGED_FILE
            | RefusalCode.DUPLICATE_KEY
        ):
            return "read"
        case (
            RefusalCode.MISSING_FIELD
            | RefusalCode.BAD_IDENTIFIER
            | RefusalCode.RUINED_IDENTIFIER
            | RefusalCode.BAD_NUMBER
            | RefusalCode.NEGATIVE_QUANTITY
            | RefusalCode.QUANTITY_TOO_LARGE
            | RefusalCode.BAD_DATE
            | RefusalCode.FUTURE_DATE
            | RefusalCode.ENDED_BEFORE_STARTED
            | RefusalCode.HOURS_EXCEED_SPAN
            | RefusalCode.UNKNOWN_VALUE
            | RefusalCode.UNIT_MISMATCH
        ):
            return "map"
        case RefusalCode.DUPLICATE_RECORD | RefusalCode.SUPERSEDED:
            return "dedupe"
        case (
            RefusalCode.UNKNOWN_ACTIVITY
            | RefusalCode.NOT_EFFECTIVE
            | RefusalCode.DEED_TOO_OLD
            | RefusalCode.MISSING_EVIDENCE
            | RefusalCode.BELOW_MINIMUM
            | RefusalCode.CAP_REACHED
            | RefusalCode.NO_POINTS
            | RefusalCode.LINK_FROZEN
        ):
            return "rate"
        case RefusalCode.REVIEW_REJECTED:
            return "screen"
        case _:
            assert_never(code)


def pipeline_views(session: Session, programmes: list[ProgrammeId]) -> list[PipelineView]:
    """Return the stages of some programmes."""
    tallies: dict[int, dict[str, int]] = {one: {} for one in programmes}
    for programme, kind, total in session.execute(
        select(IssuanceTallyRow.programme, IssuanceTallyRow.kind, IssuanceTallyRow.total).where(
            IssuanceTallyRow.programme.in_(programmes)
        )
    ):
        tallies[programme][kind] = int(total)
    rows = _sums(
        session,
        select(IssuanceDeliveryRow.programme, func.sum(IssuanceDeliveryRow.rows_done)).group_by(
            IssuanceDeliveryRow.programme
        ),
    )
    ready = _sums(
        session,
        select(IssuanceReadyRow.programme, func.sum(IssuanceReadyRow.grants)).group_by(IssuanceReadyRow.programme),
    )
    batches: dict[int, dict[str, tuple[int, int]]] = {}
    for programme, state, count, grants in session.execute(
        select(
            IssuanceBatchRow.programme, IssuanceBatchRow.state, func.count(), func.sum(IssuanceBatchRow.grants)
        ).group_by(IssuanceBatchRow.programme, IssuanceBatchRow.state)
    ):
        batches.setdefault(programme, {})[state] = (int(count), int(grants))
    reading: dict[int, list[DeliveryProgress]] = {}
    for row in session.scalars(
        select(IssuanceDeliveryRow)
        .where(
            IssuanceDeliveryRow.programme.in_(programmes),
            IssuanceDeliveryRow.state == DeliveryState.READING,
            IssuanceDeliveryRow.kind != "rest",
        )
        .order_by(IssuanceDeliveryRow.delivery_id)
    ):
        found = DeliveryProgress(row.delivery_id, row.kind, row.name, row.rows_done, row.updated_at)
        reading.setdefault(row.programme, []).append(found)
    return [
        PipelineView(
            one,
            _stages(tallies[one], rows.get(one, 0), ready.get(one, 0), batches.get(one, {})),
            tuple(reading.get(one, ())),
        )
        for one in programmes
    ]


def _sums(session: Session, query: object) -> dict[int, int]:
    return {programme: int(total) for programme, total in session.execute(query)}  # type: ignore[call-overload]


def _stages(
    tally: Mapping[str, int], rows: int, ready: int, batches: Mapping[str, tuple[int, int]]
) -> tuple[Stage, ...]:
    refusals: dict[str, dict[str, int]] = {name: {} for name in STAGES}
    for kind, total in sorted(tally.items()):
        if kind.startswith("refused:") and total:
            code = kind.removeprefix("refused:")
            refusals[stage_of(RefusalCode(code))][code] = total
    count = {state: number for state, (number, _) in batches.items()}
    prepared, signed = count.get(BatchState.PREPARED, 0), sum(count.values()) - count.get(BatchState.PREPARED, 0)
    chain = {"sending": count.get(BatchState.QUEUED, 0), "funding": count.get(BatchState.WAITING, 0)}
    waits: dict[str, dict[str, int]] = {
        "rate": {"link": tally.get(RecordState.AWAITING_LINK, 0), "time": tally.get(RecordState.PENDING, 0)},
        "screen": {"review": tally.get(RecordState.HELD, 0)},
        "batch": {"batch": ready},
        "sign": {"signature": prepared},
        "chain": chain,
    }
    done = {
        "read": rows,
        "grant": tally.get(RecordState.ACCEPTED, 0) + tally.get(RecordState.WAITING, 0),
        "batch": sum(grants for _, grants in batches.values()),
        "sign": signed,
        "chain": count.get(BatchState.LANDED, 0),
    }
    refused = {"chain": count.get(BatchState.FAILED, 0)}
    return tuple(
        Stage(
            name,
            done.get(name),
            sum(refusals[name].values()) + refused.get(name, 0),
            sum(waits.get(name, {}).values()),
            refusals[name],
            {what: number for what, number in waits.get(name, {}).items() if number},
        )
        for name in STAGES
    )
