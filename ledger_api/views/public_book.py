"""What the public book reads of the projections: lots, batches, cycles. Aggregates only, nothing of one account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ledger.standard.ids import BatchNumber, ProgrammeId, Quarter, split_token_id
from ledger.store.models.projection import BatchRow, CycleRow, SupplyRow


@dataclass(frozen=True, slots=True)
class LotSupply:
    """What is outstanding of one lot, in minor units; what is held for merchants is part of it."""

    quarter: Quarter
    supply_minor: int
    escrowed_minor: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that landed or was made void. How many grants it has is not for everybody: a small one would name few."""

    number: BatchNumber
    is_void: bool
    quarter: Quarter | None
    timestamp: int


@dataclass(frozen=True, slots=True)
class Batches:
    """A programme's newest batches, and how many there are in all."""

    newest: Sequence[Batch]
    landed: int
    void: int


@dataclass(frozen=True, slots=True)
class Cycle:
    """A clearing cycle: what all programmes together had to pay when it was opened, and by when."""

    number: int
    total_fen: int
    opened_at: int
    due_by: int


def lots(session: Session, programme: ProgrammeId) -> list[LotSupply]:
    """Return a programme's lots of which something is outstanding, those that expire first in front."""
    rows = session.execute(
        select(SupplyRow.token_id, SupplyRow.supply_minor, SupplyRow.escrowed_minor)
        .where(SupplyRow.programme == programme, SupplyRow.supply_minor > 0)
        .order_by(SupplyRow.token_id)
    )
    return [LotSupply(split_token_id(token)[1], int(supply), int(escrowed)) for token, supply, escrowed in rows]


def batches(session: Session, programme: ProgrammeId, limit: int) -> Batches:
    """Return a programme's ``limit`` newest batches and the counts of all."""
    rows = session.execute(
        select(BatchRow.number, BatchRow.state, BatchRow.quarter, BatchRow.block_timestamp)
        .where(BatchRow.programme == programme)
        .order_by(BatchRow.block_number.desc(), BatchRow.number.desc())
        .limit(limit)
    )
    newest = [
        Batch(BatchNumber(number % 2**64), state == "void", None if quarter is None else Quarter(quarter), at)
        for number, state, quarter, at in rows
    ]
    totals = select(BatchRow.state, func.count()).where(BatchRow.programme == programme).group_by(BatchRow.state)
    counts: dict[str, int] = {state: int(count) for state, count in session.execute(totals)}
    return Batches(newest, counts.get("landed", 0), counts.get("void", 0))


def cycles(session: Session, limit: int) -> list[Cycle]:
    """Return the newest clearing cycles."""
    rows = session.scalars(select(CycleRow).order_by(CycleRow.cycle.desc()).limit(limit))
    return [Cycle(row.cycle, row.total_fen, row.block_timestamp, row.due_by) for row in rows]
