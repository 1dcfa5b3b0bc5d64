"""The projection of a city in which everything happened once: equal to the chain's state, undone and built anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from ledger.gateway import Gateway
from ledger.indexer import projector
from ledger.indexer.tables import table_of
from ledger.standard.ids import POOL, TREASURY
from ledger.store.base import Base
from ledger.store.database import Database
from ledger.store.models import projection as tables
from tests.integration.ledger.audit.lab import Lab, key
from tests.integration.ledger.audit.life import live

SAID = (
    tables.PayoutRow,
    tables.CycleRow,
    tables.DueRow,
    tables.OrderLockRow,
    tables.CollectionRow,
    tables.RevocationRow,
    tables.SuccessorRow,
    tables.ClaimRow,
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    city = Lab.open(Path(tmp_path_factory.mktemp("life")))
    try:
        live(city)
        yield city
    finally:
        city.close()


@pytest.fixture
def gateway(lab: Lab, database_url: str) -> Iterator[Gateway]:
    database = Database(database_url)
    database.create_all()
    try:
        yield open_gateway(database, lab)
    finally:
        database.close()


def open_gateway(database: Database, lab: Lab) -> Gateway:
    return Gateway(database, lab.engine, lab.deployment, [key("relayer of the life")], lab.clock)


def dump(gateway: Gateway) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the projection but the cursor and the blocks remembered; sums that are 0 count as not there."""
    names = {table_of(row).name for row in projector.TABLES} - {"projection_cursor", "projected_blocks"}
    with gateway.database.read() as session:
        found = {
            table.name: sorted((tuple(row) for row in session.execute(table.select())), key=repr)
            for table in Base.metadata.sorted_tables
            if table.name in names
        }
    found["balances"] = [row for row in found["balances"] if row[2]]
    found["supplies"] = [row for row in found["supplies"] if row[2] or row[3]]
    found["flows"] = [row for row in found["flows"] if row[2] or row[3]]
    return found


def test_the_projection_is_the_chains_state_undone_and_built_anew(gateway: Gateway, lab: Lab) -> None:
    indexer = gateway.indexer
    indexer.run_until_idle()
    assert gateway.check_projection().differences == ()
    whole, height = dump(gateway), indexer.cursor().block_number
    with gateway.database.read() as session:
        assert [row.__tablename__ for row in SAID if session.scalar(select(row).limit(1)) is None] == []
        participants = set(session.scalars(select(tables.PositionRow.participant)))
        kinds = set(session.scalars(select(tables.EntryRow.kind)))
        states = set(session.scalars(select(tables.ChainHoldRow.state)))
        arbiters = session.scalars(
            select(tables.OrderOutcomeRow.kind).where(tables.OrderOutcomeRow.is_by_arbiter)
        ).all()
    assert {POOL, TREASURY} <= participants
    assert kinds >= {"mint", "exchange_in", "exchange_out", "redeem", "hold", "capture", "release", "refund", "revoke"}
    assert kinds >= {"sweep", "succession", "collect"}
    assert states >= {"captured", "released"}
    assert set(arbiters) == {"refund"}

    indexer.reindex()
    assert dump(gateway) == whole
    for back in (height - height // 3, height // 2):
        with gateway.database.transaction() as session:
            projector.roll_back(session, back)
            cursor = session.get_one(tables.ProjectionCursorRow, 1)
            block = session.get_one(tables.ProjectedBlockRow, back)
            cursor.block_number, cursor.block_hash = back, block.block_hash
            cursor.block_timestamp = block.block_timestamp
        again = open_gateway(gateway.database, lab)
        again.indexer.run_until_idle()
        assert dump(again) == whole, f"undone to block {back}"
