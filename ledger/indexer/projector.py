"""Writes changes into the projection's tables, undoes them, and clears them. One caller's transaction each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Table, delete, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ledger.indexer.decode import Changes, Header, add_flow
from ledger.indexer.errors import ProjectionBroken
from ledger.standard.contract import SPENDING_AFTER_CLOSING_S, ProgrammeState
from ledger.standard.ids import MerchantId, ProgrammeId
from ledger.store.base import SUM_LIMIT
from ledger.store.database import bulk_add, bulk_add_existing, bulk_insert, fetch_by_keys
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
    tables.PositionRow,
    tables.PositionChangeRow,
    tables.FundingEventRow,
    tables.BatchRow,
    tables.OrderOutcomeRow,
    tables.RevocationRow,
    tables.ChainHoldRow,
    tables.SuccessorRow,
    tables.RedemptionBatchRow,
    tables.ChainEventRow,
    tables.ProjectedBlockRow,
    tables.ProjectionCursorRow,
)


def table_of(row: type[Any]) -> Table:
    """Return the table of a mapped class."""
    return cast(Table, row.__table__)


def _columns(row: type[Any]) -> list[str]:
    return [column.name for column in table_of(row).columns]


def apply(session: Session, changes: Changes, headers: Sequence[Header]) -> None:
    """Write the changes of a range of blocks. Raises ProjectionBroken."""
    if session.get_bind().dialect.name == "postgresql":
        # Losing the last commits in a crash loses nothing: cursor and rows go together and are read again.
        session.execute(text("SET LOCAL synchronous_commit = off"))
    _check_range(changes)
    _insert(session, tables.EntryRow, changes.entries)
    try:
        _add_balances(session, changes.balances)
        _add_supplies(session, {token: (supply, held) for token, (supply, held) in changes.supplies.items()})
    except IntegrityError as error:
        raise ProjectionBroken("balances", str(error.orig)) from error
    _add_flows(session, changes.flows, 1)
    _set_positions(session, changes)
    _insert(session, tables.PositionChangeRow, changes.position_changes)
    _insert(session, tables.FundingEventRow, changes.funding)
    _insert(session, tables.BatchRow, changes.batches)
    _insert(session, tables.OrderOutcomeRow, changes.outcomes)
    _insert(session, tables.RevocationRow, changes.revocations)
    _insert(session, tables.RedemptionBatchRow, changes.redemption_batches)
    _insert(session, tables.ChainHoldRow, [tuple(hold) for hold in changes.holds_opened.values()])
    for order_id, (state, kept_lots, last_amount, block) in changes.holds_closed.items():
        session.execute(
            update(tables.ChainHoldRow)
            .where(tables.ChainHoldRow.order_id == order_id)
            .values(state=state, kept_lots=kept_lots, last_amount_minor=last_amount, closed_block=block)
        )
    _insert(session, tables.SuccessorRow, changes.successors)
    _insert(session, tables.ChainEventRow, changes.events)
    _insert(
        session,
        tables.ProjectedBlockRow,
        [(header.number, header.hash, header.parent_hash, header.timestamp) for header in headers],
    )
    session.execute(
        delete(tables.ProjectedBlockRow).where(tables.ProjectedBlockRow.block_number < headers[-1].number - BLOCKS_KEPT)
    )
    if changes.events or changes.funding:
        rebuild_registry(session)


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
    two_sided = _two_sided(undone)
    escrow = _escrow_account(session)
    for row in undone:
        key = (row.account, row.token_id)
        balances[key] = balances.get(key, 0) - row.delta_minor
        supply = supplies.setdefault(row.token_id, [0, 0])
        supply[0] -= row.delta_minor
        if row.account == escrow:
            supply[1] -= row.delta_minor
        is_both = (row.block_number, row.log_index) in two_sided
        counted = row.side == 0 if is_both else row.kind != "release" or row.side == 0
        if counted:
            add_flow(flows, row.token_id >> 32, row.kind, abs(row.delta_minor))
    _add_balances(session, balances)
    _add_supplies(session, {token: (supply, held) for token, (supply, held) in supplies.items()})
    _add_flows(session, flows, -1)
    for row_class in (
        entry,
        tables.PositionChangeRow,
        tables.FundingEventRow,
        tables.BatchRow,
        tables.OrderOutcomeRow,
        tables.RevocationRow,
        tables.RedemptionBatchRow,
        tables.SuccessorRow,
        tables.ChainEventRow,
        tables.ProjectedBlockRow,
    ):
        session.execute(delete(row_class).where(row_class.block_number > block_number))
    _roll_back_positions(session, block_number)
    hold = tables.ChainHoldRow
    session.execute(delete(hold).where(hold.opened_block > block_number))
    session.execute(
        update(hold)
        .where(hold.closed_block > block_number)
        .values(state="open", kept_lots=0, last_amount_minor=0, closed_block=None)
    )
    rebuild_registry(session)


def clear(session: Session) -> None:
    """Empty every table of the projection."""
    if session.get_bind().dialect.name == "postgresql":
        names = ", ".join(table_of(row_class).name for row_class in TABLES)
        session.execute(text(f"TRUNCATE {names}"))
        return
    for row_class in TABLES:
        session.execute(delete(row_class))


def rebuild_registry(session: Session) -> None:
    """Compute programmes, issuer keys and merchants anew from the rare events: there are few of them."""
    programmes: dict[ProgrammeId, list[Any]] = {}
    keys: dict[tuple[int, bytes], bool] = {}
    merchants: dict[MerchantId, tuple[bytes, bytes]] = {}
    event = tables.ChainEventRow
    rows = session.execute(
        select(event.name, event.topics, event.data, event.block_timestamp)
        .where(event.name.in_(_REGISTRY_EVENTS))
        .order_by(event.block_number, event.log_index)
    )
    for name, topics, data, time in rows:
        subject = int.from_bytes(topics[32:64], "big")
        programme = ProgrammeId(subject)
        words = [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]
        match name:
            case "ProgrammeRegistered":
                scope = data[64:96]
                programmes[programme] = [
                    programme,
                    words[0],
                    words[1],
                    ProgrammeState.ACTIVE.value,
                    scope,
                    0,
                    None,
                    0,
                    0,
                    0,
                ]
            case "ProgrammeStateSet":
                programmes[programme][3] = words[0]
                if words[0] == ProgrammeState.CLOSING:  # the event names the state; the ledger counts from its block
                    programmes[programme][9] = time + SPENDING_AFTER_CLOSING_S
            case "RulebookSet":
                programmes[programme][5], programmes[programme][6] = words[0], data[32:64]
            case "IssuerKeySet":
                keys[(programme, topics[76:96])] = words[0] != 0
            case "MerchantRegistered":
                merchants[MerchantId(subject)] = (data[12:32], data[32:64])
    _fund(session, programmes)
    for row_class in (tables.ChainProgrammeRow, tables.IssuerKeyRow, tables.ChainMerchantRow):
        session.execute(delete(row_class))
    _insert(session, tables.ChainProgrammeRow, [tuple(row) for row in programmes.values()])
    _insert(session, tables.IssuerKeyRow, [(programme, key, active) for (programme, key), active in keys.items()])
    _insert(session, tables.ChainMerchantRow, [(merchant, *row) for merchant, row in merchants.items()])


_REGISTRY_EVENTS = (
    "ProgrammeRegistered",
    "ProgrammeStateSet",
    "RulebookSet",
    "IssuerKeySet",
    "MerchantRegistered",
)


def _fund(session: Session, programmes: dict[ProgrammeId, list[Any]]) -> None:
    event = tables.FundingEventRow
    rows = session.execute(
        select(event.programme, event.kind, event.amount_fen).order_by(event.block_number, event.log_index)
    )
    for programme, kind, fen in rows:
        row = programmes.get(programme)
        if row is None:
            raise ProjectionBroken("funding_events", f"programme {programme} was never registered")
        if kind == "recorded":
            row[7] += fen
        elif kind == "lapsed":
            row[7] -= fen
        else:
            row[8] = fen


def _insert(session: Session, row_class: type[Any], rows: Sequence[tuple[Any, ...]]) -> None:
    bulk_insert(session, table_of(row_class), _columns(row_class), rows)


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
    for _, _, participant, delta, _, _ in changes.position_changes:
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


def _two_sided(rows: Sequence[Any]) -> set[tuple[int, int]]:
    seen: set[tuple[int, int]] = set()
    both: set[tuple[int, int]] = set()
    for row in rows:
        key = (row.block_number, row.log_index)
        if key in seen:
            both.add(key)
        seen.add(key)
    return both


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
