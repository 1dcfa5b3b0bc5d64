"""What waits for a batch is a queue; the revision that made it one finds every grant again."""

from __future__ import annotations

import os

import alembic.command
from sqlalchemy import select

from issuers.batches.evidence import LeafRow, grant_ids, leaf_rows
from issuers.records import sql
from issuers.records.rows import GRANT_COLUMNS
from ledger.store.database import WRITE_OPTION, Database, bulk_insert
from ledger.store.migrations import run, upgrade
from ledger.store.models.issuance import IssuanceReadyRow

ACCOUNT = b"\x11" * 20
LEAVES = [LeafRow(os.urandom(32), ACCOUNT, 100 + n, "VOL.SERVICE", 1, os.urandom(32)) for n in range(5)]
BATCH = (
    "INSERT INTO issuance_batches (programme, number, quarter, validity_quarters, grants, amount_minor, evidence_root, "
    "packed, leaves, attempt, state, created_at, updated_at) "
    "SELECT 1, 7, 8300, 8, 3, 306, grant_id, grant_id, grant_id, 0, 'prepared', 0, 0 FROM issuance_grants LIMIT 1"
)


def test_the_revision_finds_what_is_batched_and_what_waits(database_url: str) -> None:
    """Three grants in a batch, in an order of its own, one that waits, and one that was taken back."""
    database = Database(database_url)
    upgrade(database)
    rests: list[tuple[int, str, int | None, int | None]] = [(0, "batched", 7, place) for place in (2, 0, 1)]
    rests += [(0, state, None, None) for state in ("ready", "cancelled")]
    with database.transaction() as session:
        rows = [
            (leaf.grant_id, 1, 1, 1, ACCOUNT, leaf.amount_minor, 0, "VOL.SERVICE", 1, leaf.commitment, None, "", *rest)
            for leaf, rest in zip(LEAVES, rests, strict=True)
        ]
        bulk_insert(session, sql.GRANTS, GRANT_COLUMNS, rows)
        session.connection().exec_driver_sql(BATCH)
    _step(database, "down")
    _step(database, "up")
    with database.read() as session:
        assert leaf_rows(session, 1, 7) == [LEAVES[1], LEAVES[2], LEAVES[0]]
        waiting = session.scalars(select(IssuanceReadyRow)).all()
        assert [(row.programme, row.grants, grant_ids(bytes(row.leaves))) for row in waiting] == [
            (1, 1, [LEAVES[3].grant_id])
        ]
    database.close()


def _step(database: Database, way: str) -> None:
    move = alembic.command.downgrade if way == "down" else alembic.command.upgrade
    with database.engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
        move(run._config(connection), "0006" if way == "down" else "0007")
