"""What residents have used of their caps, when two workers meet the same resident for the first time."""

from __future__ import annotations

import psycopg.errors
import pytest

from issuers.records import sql
from issuers.rules.rating import Used
from ledger.store.database import Database
from ledger.store.migrations import upgrade
from tests.integration.ledger.scans import no_table_read_whole

KEYS = [(1, "1:SERVICE", "D20260901"), (2, "1:SERVICE", "D20260901")]


def test_usage_is_written_and_read_again(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database)
    for points, stored in ((100, set()), (250, {KEYS[0]})):
        with database.transaction() as session:
            found = sql.load_usage(session, KEYS, is_contended=False)
            assert found.stored == stored
            sql.set_usage(session, {KEYS[0]: Used(points, 3_600, 1)}, found.stored)
    with database.transaction() as session:
        found = sql.load_usage(session, KEYS)
    assert found.used[1] == {KEYS[0][1:]: Used(250, 3_600, 1)}
    database.close()


def test_the_second_to_insert_a_row_fails_rather_than_overwrite_it(database_url: str) -> None:
    database = Database(database_url)
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    upgrade(database)

    def charge_behind_another() -> None:
        with database.transaction() as session:
            found = sql.load_usage(session, KEYS, is_contended=False)
            with database.engine.begin() as other:
                other.exec_driver_sql("INSERT INTO issuance_usage VALUES (1, '1:SERVICE', 'D20260901', 5, 5, 1)")
            sql.set_usage(session, {KEYS[0]: Used(100, 3_600, 1)}, found.stored)

    with pytest.raises(psycopg.errors.UniqueViolation):
        charge_behind_another()
    with database.transaction() as session:
        assert sql.load_usage(session, KEYS[:1]).used[1] == {KEYS[0][1:]: Used(5, 5, 1)}
    database.close()


def test_a_look_up_reads_no_table_as_a_whole(database_url: str) -> None:
    """However large the table has grown since the planner last looked at it."""
    database = Database(database_url)
    upgrade(database)
    keys = [(resident, "1", "Y2026") for resident in range(30_000)]
    with database.transaction() as session:
        sql.set_usage(session, dict.fromkeys(keys, Used(100, 0, 1)), set())
    for is_contended in (False, True):
        with database.transaction() as session, no_table_read_whole(session, "issuance_usage"):
            found = sql.load_usage(session, [*keys[::20], (1, "2", "Y2026")], is_contended=is_contended)
            sql.set_usage(session, dict.fromkeys(keys[::20], Used(200, 0, 2)), found.stored)
    with database.transaction() as session:
        assert sql.load_usage(session, keys[:1]).used[0] == {("1", "Y2026"): Used(200, 0, 2)}
    database.close()
