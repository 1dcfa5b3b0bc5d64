"""Writes changes into the projection's tables, undoes them, and clears them. One caller's transaction each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ledger.indexer import claims, registry
from ledger.indexer.decode import REVOKED_TOKEN, Changes, Header, add_flow
from ledger.indexer.errors import ProjectionBroken
from ledger.indexer.tables import insert, table_of
from ledger.standard.ids import token_id
from ledger.store.base import SUM_LIMIT
from ledger.store.database import bulk_add, bulk_add_existing, fetch_by_keys
from ledger.store.models import projection as tables

BLOCKS_KEPT = 4_096
"""Hashes of past blocks that are remembered, to find where a reorganised chain forks."""

TABLES = (
    tables.EntryRow,
    tables.BalanceRow,
    tables.SupplyRow,
    tables.FlowRow,
    tables.ChainProgrammeRow,
    tables.IssuerKeyRow,
    tables.ChainMerchantRow,
    tables.ClaimRow,
    tables.PositionRow,
    tables.PositionChangeRow,
    tables.FundingEventRow,
    tables.PayoutRow,
    tables.CycleRow,
    tables.DueRow,
    tables.OrderLockRow,
    tables.BatchRow,
    tables.OrderOutcomeRow,
    tables.RevocationRow,
    tables.CollectionRow,
    tables.ChainHoldRow,
    tables.SuccessorRow,
    tables.SuccessionRow,
    tables.RedemptionBatchRow,
    tables.ChainEventRow,
    tables.ProjectedBlockRow,
    tables.ProjectionCursorRow,
)


def apply(session: Session, changes: Changes, headers: Sequence[Header]) -> None:
    """Write the changes of a range of blocks. Raises ProjectionBroken."""
    if session.get_bind().dialect.name == "postgresql":
        # Losing the last commits in a crash loses nothing: cursor and rows go together and are read again.
        session.execute(text("SET LOCAL synchronous_commit = off"))
    _check_range(changes)
    insert(session, tables.EntryRow, changes.entries)
    try:
        _add_balances(session, changes.balances)
        _add_supplies(session, {token: (supply, held) for token, (supply, held) in changes.supplies.items()})
    except IntegrityError as error:
        raise ProjectionBroken("balances", str(error.orig)) from error
    _add_flows(session, changes.flows, 1)
    _set_positions(session, changes)
    insert(session, tables.PositionChangeRow, changes.position_changes)
    for row_class, rows in (
        (tables.FundingEventRow, changes.funding),
        (tables.PayoutRow, changes.payouts),
        (tables.CycleRow, changes.cycles),
        (tables.DueRow, changes.dues),
        (tables.OrderLockRow, changes.locks),
        (tables.BatchRow, changes.batches),
        (tables.OrderOutcomeRow, changes.outcomes),
        (tables.CollectionRow, changes.collections),
        (tables.RedemptionBatchRow, changes.redemption_batches),
        (tables.ChainHoldRow, [tuple(hold) for hold in changes.holds_opened.values()]),
        (tables.SuccessorRow, changes.successors),
    ):
        insert(session, row_class, rows)
    insert(session, tables.RevocationRow, _with_tokens(session, changes.revocations))
    _close_holds(session, changes.holds_closed)
    claims.apply(session, changes.position_changes)
    insert(session, tables.ChainEventRow, changes.events)
    insert(
        session,
        tables.ProjectedBlockRow,
        [(header.number, header.hash, header.parent_hash, header.timestamp) for header in headers],
    )
    session.execute(
        delete(tables.ProjectedBlockRow).where(tables.ProjectedBlockRow.block_number < headers[-1].number - BLOCKS_KEPT)
    )
    if changes.events or changes.funding or changes.dues:
        registry.rebuild(session)


def roll_back(session: Session, block_number: int) -> None:
    """Undo every block after ``block_number``. Raises ProjectionBroken."""
    balances: dict[tuple[bytes, int], int] = {}
    supplies: dict[int, list[int]] = {}
    flows: dict[tuple[int, str], list[int]] = {}
    entry = tables.EntryRow
    undone = session.execute(
        select(entry.block_number, entry.log_index, entry.side, entry.account, entry.token_id, entry.delta_minor,
               entry.kind).where(entry.block_number > block_number)
    ).all()  # fmt: skip
    escrow = _escrow_account(session)
    counted: set[tuple[int, int]] = set()
    """Transfers: a flow counts each once, whichever sides it has."""
    for row in undone:
        key = (row.account, row.token_id)
        balances[key] = balances.get(key, 0) - row.delta_minor
        supply = supplies.setdefault(row.token_id, [0, 0])
        supply[0] -= row.delta_minor
        if row.account == escrow:
            supply[1] -= row.delta_minor
        if (row.block_number, row.log_index) not in counted:
            counted.add((row.block_number, row.log_index))
            add_flow(flows, row.token_id >> 32, row.kind, abs(row.delta_minor))
    _add_balances(session, balances)
    _add_supplies(session, {token: (supply, held) for token, (supply, held) in supplies.items()})
    _add_flows(session, flows, -1)
    merchants = claims.touched_after(session, block_number)
    for row_class in (
        entry,
        tables.PositionChangeRow,
        tables.FundingEventRow,
        tables.PayoutRow,
        tables.CycleRow,
        tables.DueRow,
        tables.OrderLockRow,
        tables.BatchRow,
        tables.OrderOutcomeRow,
        tables.RevocationRow,
        tables.CollectionRow,
        tables.RedemptionBatchRow,
        tables.SuccessorRow,
        tables.ChainEventRow,
        tables.ProjectedBlockRow,
    ):
        session.execute(delete(row_class).where(row_class.block_number > block_number))
    _roll_back_positions(session, block_number)
    claims.rebuild(session, merchants)
    hold = tables.ChainHoldRow
    session.execute(delete(hold).where(hold.opened_block > block_number))
    session.execute(
        update(hold)
        .where(hold.closed_block > block_number)
        .values(state="open", kept_lots=0, last_amount_minor=0, closed_block=None)
    )
    registry.rebuild(session)


def clear(session: Session) -> None:
    """Empty every table of the projection."""
    if session.get_bind().dialect.name == "postgresql":
        names = ", ".join(table_of(row_class).name for row_class in TABLES)
        session.execute(text(f"TRUNCATE {names}"))
        return
    for row_class in TABLES:
        session.execute(delete(row_class))


def _with_tokens(session: Session, revocations: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Put in the token ids: a revocation names its batch, whose row has the quarter."""
    batch = tables.BatchRow
    rows = []
    for row in revocations:
        programme, number = row[2], row[3]
        quarter = session.scalar(select(batch.quarter).where(batch.programme == programme, batch.number == number))
        if quarter is None:
            raise ProjectionBroken("revocations", f"batch {number} of programme {programme} never landed")
        rows.append((*row[:REVOKED_TOKEN], token_id(programme, quarter), *row[REVOKED_TOKEN + 1 :]))
    return rows


def _close_holds(session: Session, closed: dict[bytes, tuple[str, int, int, int]]) -> None:
    hold = tables.ChainHoldRow
    for order_id, (state, kept_lots, last_amount, block) in closed.items():
        found = session.execute(
            update(hold)
            .where(hold.order_id == order_id, hold.state == "open")
            .values(state=state, kept_lots=kept_lots, last_amount_minor=last_amount, closed_block=block)
            .returning(hold.order_id)
        )
        if found.first() is None:
            raise ProjectionBroken("chain_holds", f"hold {order_id.hex()} was {state} and is not open")


def _add_balances(session: Session, balances: dict[tuple[bytes, int], int]) -> None:
    table = table_of(tables.BalanceRow)
    keys, adds = ["account", "token_id"], ["amount_minor"]
    bulk_add(session, table, keys, adds, [(a, t, n) for (a, t), n in balances.items() if n > 0])
    falls = [(a, t, n) for (a, t), n in balances.items() if n < 0]
    if bulk_add_existing(session, table, keys, adds, falls) != len(falls):
        raise ProjectionBroken("balances", "an account gave what it never received")


def _add_supplies(session: Session, supplies: dict[int, tuple[int, int]]) -> None:
    table = table_of(tables.SupplyRow)
    rises = [(t, s, e, t >> 32) for t, (s, e) in supplies.items() if s >= 0 and e >= 0 and (s or e)]
    falls = [(t, s, e) for t, (s, e) in supplies.items() if s < 0 or e < 0]
    adds = ["supply_minor", "escrowed_minor"]
    bulk_add(session, table, ["token_id"], adds, rises, replaces=["programme"])
    if bulk_add_existing(session, table, ["token_id"], adds, falls) != len(falls):
        raise ProjectionBroken("supplies", "points of a lot were burned that was never minted")


def _add_flows(session: Session, flows: dict[tuple[int, str], list[int]], sign: int) -> None:
    rows = [(programme, kind, sign * amount, sign * events) for (programme, kind), (amount, events) in flows.items()]
    bulk_add(session, table_of(tables.FlowRow), ["programme", "kind"], ["amount_minor", "events"], rows)


def _set_positions(session: Session, changes: Changes) -> None:
    """The chain says each new position; the changes that led there must add up to it, or some were lost."""
    sums: dict[int, int] = {}
    for change in changes.position_changes:
        participant, delta = change[2], change[3]
        sums[participant] = sums.get(participant, 0) + delta
    table, columns = table_of(tables.PositionRow), ["participant", "position_fen"]
    before = {row[0]: row[1] for row in fetch_by_keys(session, table, columns, "participant", list(sums))}
    for participant, delta in sums.items():
        if before.get(participant, 0) + delta != changes.positions[participant][0]:
            raise ProjectionBroken("positions", f"the changes of participant {participant} do not lead to its position")
    bulk_add(
        session,
        table,
        ["participant"],
        [],
        [(participant, fen, block) for participant, (fen, block) in changes.positions.items()],
        replaces=["position_fen", "block_number"],
    )


def _check_range(changes: Changes) -> None:
    sums: Iterable[int] = changes.balances.values()
    too_large: Callable[[int], bool] = lambda amount: not -SUM_LIMIT < amount < SUM_LIMIT  # noqa: E731
    if any(map(too_large, sums)) or any(too_large(fen) for fen, _ in changes.positions.values()):
        raise ProjectionBroken("balances", "an amount is beyond 2**62")


def _escrow_account(session: Session) -> bytes | None:
    return session.scalar(select(tables.ProjectionCursorRow.ledger))


def _roll_back_positions(session: Session, block_number: int) -> None:
    """A position is what its last change left."""
    changed = list(
        session.scalars(select(tables.PositionRow.participant).where(tables.PositionRow.block_number > block_number))
    )
    change = tables.PositionChangeRow
    for participant in changed:
        last = session.execute(
            select(change.position_fen, change.block_number)
            .where(change.participant == participant)
            .order_by(change.block_number.desc(), change.log_index.desc())
            .limit(1)
        ).one_or_none()
        session.execute(delete(tables.PositionRow).where(tables.PositionRow.participant == participant))
        if last is not None:
            session.add(tables.PositionRow(participant=participant, position_fen=last[0], block_number=last[1]))
    session.flush()


def analyse(session: Session) -> None:
    """Refresh the planner's statistics after a rebuild."""
    session.execute(text("ANALYZE"))
