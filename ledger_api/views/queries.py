"""What the API reads of the projections. Each answer comes from one snapshot, with the block up to which it is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from ledger.standard.ids import Address, OrderId, ProgrammeId, address_bytes
from ledger.store.models.projection import (
    BalanceRow,
    ChainProgrammeRow,
    EntryRow,
    FlowRow,
    OrderOutcomeRow,
    PositionRow,
    ProjectionCursorRow,
    SupplyRow,
)


@dataclass(frozen=True, slots=True)
class Block:
    """The final block that the projection has reached."""

    number: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of an account, in minor units."""

    block_number: int
    log_index: int
    side: int
    token_id: int
    delta_minor: int
    kind: str
    reference: bytes | None
    transaction_hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class ChainProgramme:
    """A programme as projected, with its supply in minor units and its figures in fen."""

    programme: ProgrammeId
    par_microfen: int
    flags: int
    state: int
    rulebook_version: int
    rulebook_hash: bytes | None
    supply_minor: int
    escrowed_minor: int
    appropriated_fen: int
    paid_fen: int
    position_fen: int
    flows: Sequence[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What the chain said of an order, last."""

    kind: str
    code: int
    from_id: int | None
    amount_in: int | None
    to_id: int | None
    amount_out: int | None
    fen: int | None
    transaction_hash: bytes
    block_number: int
    log_index: int
    timestamp: int


def projected_block(session: Session) -> Block:
    """Return how far the projection has come; block 0 at time 0 before it starts."""
    row = session.get(ProjectionCursorRow, 1)
    return Block(0, 0) if row is None else Block(row.block_number, row.block_timestamp)


def balances(session: Session, account: Address) -> list[tuple[int, int]]:
    """Return (token id, minor) of an account, by token id; empty lots are left out."""
    rows = session.execute(
        select(BalanceRow.token_id, BalanceRow.amount_minor)
        .where(BalanceRow.account == address_bytes(account), BalanceRow.amount_minor > 0)
        .order_by(BalanceRow.token_id)
    )
    return [(token, amount) for token, amount in rows]


def history(session: Session, account: Address, before: tuple[int, ...] | None, limit: int) -> list[Entry]:
    """Return an account's movements, newest first, those before the place (block, log index, side)."""
    query = (
        select(EntryRow)
        .where(EntryRow.account == address_bytes(account))
        .order_by(EntryRow.block_number.desc(), EntryRow.log_index.desc(), EntryRow.side.desc())
        .limit(limit)
    )
    if before is not None:
        block, log, side = before
        query = query.where(
            or_(
                EntryRow.block_number < block,
                and_(EntryRow.block_number == block, EntryRow.log_index < log),
                and_(EntryRow.block_number == block, EntryRow.log_index == log, EntryRow.side < side),
            )
        )
    return [
        Entry(
            row.block_number,
            row.log_index,
            row.side,
            row.token_id,
            row.delta_minor,
            row.kind,
            row.reference,
            row.transaction_hash,
            row.block_timestamp,
        )
        for row in session.scalars(query)
    ]


def programmes(session: Session) -> list[ChainProgramme]:
    """Return all programmes by number."""
    supplies = {
        programme: (int(supply), int(escrowed))
        for programme, supply, escrowed in session.execute(
            select(SupplyRow.programme, func.sum(SupplyRow.supply_minor), func.sum(SupplyRow.escrowed_minor)).group_by(
                SupplyRow.programme
            )
        )
    }
    flows: dict[int, list[tuple[str, int, int]]] = {}
    for flow in session.scalars(select(FlowRow).order_by(FlowRow.programme, FlowRow.kind)):
        flows.setdefault(flow.programme, []).append((flow.kind, flow.amount_minor, flow.events))
    held = dict(positions(session))
    return [
        ChainProgramme(
            programme=row.programme,
            par_microfen=row.par_microfen,
            flags=row.flags,
            state=row.state,
            rulebook_version=row.rulebook_version,
            rulebook_hash=row.rulebook_hash,
            supply_minor=supplies.get(row.programme, (0, 0))[0],
            escrowed_minor=supplies.get(row.programme, (0, 0))[1],
            appropriated_fen=row.appropriated_fen,
            paid_fen=row.paid_fen,
            position_fen=held.get(1 << 32 | row.programme, 0),
            flows=flows.get(row.programme, []),
        )
        for row in session.scalars(select(ChainProgrammeRow).order_by(ChainProgrammeRow.programme))
    ]


def positions(session: Session) -> list[tuple[int, int]]:
    """Return (participant, fen) by participant."""
    rows = session.execute(select(PositionRow.participant, PositionRow.position_fen).order_by(PositionRow.participant))
    return [(participant, fen) for participant, fen in rows]


def order_outcome(session: Session, order_id: OrderId) -> OrderOutcome | None:
    """Return the last thing the chain said of an order that changed anything, or else its rejection."""
    rows = session.scalars(
        select(OrderOutcomeRow)
        .where(OrderOutcomeRow.order_id == order_id)
        .order_by(OrderOutcomeRow.block_number, OrderOutcomeRow.log_index)
    ).all()
    if not rows:
        return None
    landed = [row for row in rows if row.code == 0]
    row = landed[-1] if landed else rows[0]
    return OrderOutcome(
        row.kind,
        row.code,
        row.from_id,
        row.amount_in,
        row.to_id,
        row.amount_out,
        row.fen,
        row.transaction_hash,
        row.block_number,
        row.log_index,
        row.block_timestamp,
    )
