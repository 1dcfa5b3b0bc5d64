"""Positions and statements, read from the projections."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from ledger.clearing.netting import Payment, net
from ledger.standard.ids import MerchantId, ProgrammeId, merchant_participant, programme_participant
from ledger.store.models.projection import (
    ChainProgrammeRow,
    CycleRow,
    DueRow,
    FlowRow,
    PositionChangeRow,
    PositionRow,
    SupplyRow,
)


@dataclass(frozen=True, slots=True)
class Funding:
    """A programme's money, in fen. ``needed_fen`` is what its outstanding points are worth, rounded up."""

    programme: ProgrammeId
    par_microfen: int
    supply_minor: int
    appropriated_fen: int
    paid_fen: int
    position_fen: int

    @property
    def available_fen(self) -> int:
        """What the outstanding points may be worth at most; below 0 stops minting and nothing else."""
        return self.appropriated_fen - self.paid_fen + self.position_fen

    @property
    def needed_fen(self) -> int:
        """What the outstanding points are worth, rounded up as the chain does."""
        return -(-self.supply_minor * self.par_microfen // 100_000_000)

    @property
    def room_minor(self) -> int:
        """How many minor units may still be minted; 0 when there is no room, and unbounded (-1) at par 0."""
        if self.par_microfen == 0:
            return -1
        return max(0, (self.available_fen * 100_000_000 - self.supply_minor * self.par_microfen) // self.par_microfen)


@dataclass(frozen=True, slots=True)
class OpenedCycle:
    """A cycle as the chain told of it: its block, what it is over, and what each programme has to pay, in fen."""

    cycle: int
    block_number: int
    total_fen: int
    dues: dict[int, int]


@dataclass(frozen=True, slots=True)
class Statement:
    """A participant's account over a time, in fen. ``closing = opening + credited - debited``."""

    participant: int
    opening_fen: int
    credited_fen: int
    debited_fen: int

    @property
    def closing_fen(self) -> int:
        """The position at the end."""
        return self.opening_fen + self.credited_fen - self.debited_fen


def positions(session: Session) -> dict[int, int]:
    """Return every participant's position in fen."""
    return dict(session.execute(select(PositionRow.participant, PositionRow.position_fen)).all())


def positions_at(session: Session, until: int) -> dict[int, int]:
    """Return every participant's position in fen after the last block before ``until`` (Unix seconds)."""
    rows = session.execute(
        select(PositionChangeRow.participant, func.sum(PositionChangeRow.delta_fen))
        .where(PositionChangeRow.block_timestamp < until)
        .group_by(PositionChangeRow.participant)
    )
    return {participant: int(fen) for participant, fen in rows}


def next_cycle(session: Session) -> list[Payment]:
    """Return who would pay whom if all claims were paid now. Raises PositionsUnbalanced."""
    return net(positions(session))


def payments_at(session: Session, until: int) -> list[Payment]:
    """Return who would have paid whom by the positions at ``until`` (Unix seconds), had all claims been paid then.

    Raises PositionsUnbalanced.
    """
    return net(positions_at(session, until))


def last_cycle(session: Session) -> OpenedCycle | None:
    """Return the cycle opened last, or None before the first."""
    opened = session.scalars(select(CycleRow).order_by(CycleRow.cycle.desc()).limit(1)).first()
    if opened is None:
        return None
    dues = session.scalars(select(DueRow).where(DueRow.cycle == opened.cycle))
    return OpenedCycle(
        opened.cycle,
        opened.block_number,
        opened.total_fen,
        {due.programme: due.fen + due.older_fen for due in dues if due.fen + due.older_fen},
    )


def funding(session: Session) -> list[Funding]:
    """Return every programme's funding, by id."""
    supplies = dict(
        session.execute(
            select(SupplyRow.programme, func.sum(SupplyRow.supply_minor)).group_by(SupplyRow.programme)
        ).all()
    )
    held = positions(session)
    return [
        Funding(
            row.programme,
            row.par_microfen,
            int(supplies.get(row.programme, 0)),
            row.appropriated_fen,
            row.paid_fen,
            held.get(programme_participant(row.programme), 0),
        )
        for row in session.scalars(select(ChainProgrammeRow).order_by(ChainProgrammeRow.programme))
    ]


def flows(session: Session) -> dict[int, dict[str, tuple[int, int]]]:
    """Return for each programme and kind of movement (amount in minor units, number of transfers)."""
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for row in session.scalars(select(FlowRow)):
        found.setdefault(row.programme, {})[row.kind] = (row.amount_minor, row.events)
    return found


def programme_statement(session: Session, programme: ProgrammeId, since: int, until: int) -> Statement:
    """Return a programme's statement for block times in [since, until)."""
    return _statement(session, programme_participant(programme), since, until)


def merchant_statement(session: Session, merchant: MerchantId, since: int, until: int) -> Statement:
    """Return a merchant's statement for block times in [since, until)."""
    return _statement(session, merchant_participant(merchant), since, until)


def _statement(session: Session, participant: int, since: int, until: int) -> Statement:
    change = PositionChangeRow
    own = change.participant == participant
    opening = session.scalar(select(func.sum(change.delta_fen)).where(own, change.block_timestamp < since))
    within = (own, change.block_timestamp >= since, change.block_timestamp < until)
    credited, debited = session.execute(
        select(
            func.sum(case((change.delta_fen > 0, change.delta_fen), else_=0)),
            func.sum(case((change.delta_fen < 0, -change.delta_fen), else_=0)),
        ).where(*within)
    ).one()
    return Statement(participant, int(opening or 0), int(credited or 0), int(debited or 0))
