"""The same statements on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Table, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger.store.database import (
    Database,
    NestedTransaction,
    bulk_add,
    bulk_add_existing,
    bulk_insert,
    bulk_insert_new,
    bulk_set_existing,
    fetch_by_keys,
)
from ledger.store.migrations import differences, head, upgrade
from ledger.store.models.outbox import RelayerRow
from ledger.store.models.projection import BalanceRow

BALANCES = cast(Table, BalanceRow.__table__)
ALICE, BOB, CAROL = b"a" * 20, b"b" * 20, b"c" * 20
COLUMNS = ["account", "token_id", "amount_minor"]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    upgrade(database)
    yield database
    database.close()


def amounts(database: Database) -> dict[bytes, int]:
    with database.read() as session:
        return dict(session.execute(select(BalanceRow.account, BalanceRow.amount_minor)).all())


def test_migrations_give_what_the_models_say(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    upgrade(database, by_revisions=True)
    assert differences(database) == []
    database.close()


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    upgrade(database)
    with database.read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == head() != ""


def test_two_processes_may_upgrade_at_once(empty_database_url: str) -> None:
    databases = [Database(empty_database_url) for _ in range(2)]
    threads = [threading.Thread(target=upgrade, args=(one,)) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differences(databases[0]) == []
    for one in databases:
        one.close()


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Each finds that it is there and logs ahead, or waits until it does."""
    for number in range(10):
        databases = [Database(f"sqlite:///{tmp_path}/{number}.sqlite3") for _ in range(4)]
        together = threading.Barrier(len(databases))

        def modes(database: Database, together: threading.Barrier = together) -> str:
            together.wait()
            with database.read() as session:
                return str(session.scalar(text("PRAGMA journal_mode")))

        with ThreadPoolExecutor(len(databases)) as pool:
            assert set(pool.map(modes, databases)) == {"wal"}
        for one in databases:
            one.close()


def test_an_exception_rolls_everything_back(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as session:
            bulk_insert(session, BALANCES, COLUMNS, [(ALICE, 1, 5)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert amounts(database) == {}


def test_an_error_says_nothing_of_the_values(database: Database) -> None:
    """Workers log errors, and a value may be a wrapped key or somebody's number."""
    with pytest.raises(DBAPIError) as refused, database.transaction() as session:
        session.execute(text("INSERT INTO relayers (address, nothing) VALUES (:who, 1)"), {"who": "5101-7777"})
    assert "5101-7777" not in str(refused.value)


def test_a_transaction_inside_a_transaction_is_refused(database: Database) -> None:
    with database.transaction(), pytest.raises(NestedTransaction), database.transaction():
        pass


def test_a_reader_cannot_write_on_postgresql(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has no read-only transactions")
    with database.read() as session, pytest.raises(DBAPIError):
        session.execute(text("DELETE FROM balances"))


def test_a_reader_sees_one_snapshot(database: Database) -> None:
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM balances")) == 0
        with database.transaction() as writing:
            bulk_insert(writing, BALANCES, COLUMNS, [(ALICE, 1, 5)])
        assert session.scalar(text("SELECT count(*) FROM balances")) == 0
    assert amounts(database) == {ALICE: 5}


def test_writers_queue_and_lose_no_update(database: Database) -> None:
    with database.transaction() as session:
        bulk_insert(session, BALANCES, COLUMNS, [(ALICE, 1, 0)])

    def add() -> None:
        for _ in range(20):
            with database.transaction() as session:
                bulk_add(session, BALANCES, COLUMNS[:2], COLUMNS[2:], [(ALICE, 1, 1)])

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert amounts(database) == {ALICE: 80}


def test_bulk_insert_refuses_what_exists(database: Database) -> None:
    import psycopg

    with database.transaction() as session:
        bulk_insert(session, BALANCES, COLUMNS, [(ALICE, 1, 5)])
    with pytest.raises((IntegrityError, psycopg.errors.UniqueViolation)), database.transaction() as session:
        bulk_insert(session, BALANCES, COLUMNS, [(BOB, 1, 1), (ALICE, 1, 5)])
    assert amounts(database) == {ALICE: 5}


def test_bulk_insert_along_a_column_inserts_the_same_rows(database: Database) -> None:
    rows = [(one, 1, at) for at, one in enumerate(reversed(MANY))]
    with database.transaction() as session:
        bulk_insert(session, BALANCES, COLUMNS, rows, along="account")
        place = "account" if database.is_sqlite else "ctid"  # PostgreSQL keeps rows where they were put
        found = session.connection().exec_driver_sql(
            f"SELECT account, token_id, amount_minor FROM balances ORDER BY {place}"
        )
        assert [(bytes(one[0]), *one[1:]) for one in found] == sorted(rows)


def test_bulk_insert_new_leaves_out_what_exists(database: Database) -> None:
    with database.transaction() as session:
        assert bulk_insert_new(session, BALANCES, COLUMNS, [(ALICE, 1, 5)]) == 1
        assert bulk_insert_new(session, BALANCES, COLUMNS, [(ALICE, 1, 9), (BOB, 1, 7)]) == 1
    assert amounts(database) == {ALICE: 5, BOB: 7}


def test_bulk_add_adds_or_inserts(database: Database) -> None:
    with database.transaction() as session:
        bulk_add(session, BALANCES, COLUMNS[:2], COLUMNS[2:], [(ALICE, 1, 5)])
        bulk_add(session, BALANCES, COLUMNS[:2], COLUMNS[2:], [(BOB, 1, 7), (ALICE, 1, 2)])
        assert bulk_add_existing(session, BALANCES, COLUMNS[:2], COLUMNS[2:], [(BOB, 1, -7), (CAROL, 1, -1)]) == 1
    assert amounts(database) == {ALICE: 7, BOB: 0}


MANY = [index.to_bytes(20, "big") for index in range(150)]
"""More than are written one by one on PostgreSQL."""


def test_many_rows_are_told_from_those_that_exist(database: Database) -> None:
    with database.transaction() as session:
        assert bulk_insert_new(session, BALANCES, COLUMNS, [(one, 1, 5) for one in MANY[:120]]) == 120
        assert bulk_insert_new(session, BALANCES, COLUMNS, [(one, 1, 9) for one in MANY]) == 30
        bulk_add(session, BALANCES, COLUMNS[:2], COLUMNS[2:], [(one, 1, 2) for one in [*MANY, ALICE]])
        falls = [(one, 1, -2) for one in [*MANY, BOB]]
        assert bulk_add_existing(session, BALANCES, COLUMNS[:2], COLUMNS[2:], falls) == 150
    assert amounts(database) == {ALICE: 2} | dict.fromkeys(MANY[:120], 5) | dict.fromkeys(MANY[120:], 9)


@pytest.mark.parametrize("count", [1, 150])
def test_an_amount_beyond_its_range_is_refused_however_many_there_are(database: Database, count: int) -> None:
    with database.transaction() as session:
        bulk_insert(session, BALANCES, COLUMNS, [(one, 1, 2**62 - 1) for one in MANY])
    with pytest.raises(IntegrityError), database.transaction() as session:
        bulk_add(session, BALANCES, COLUMNS[:2], COLUMNS[2:], [(one, 1, 1) for one in MANY[:count]])


def test_bulk_set_existing_sets_and_never_inserts(database: Database) -> None:
    with database.transaction() as session:
        bulk_insert(session, BALANCES, COLUMNS, [(ALICE, 1, 10), (BOB, 1, 20)])
    with database.transaction() as session:
        assert bulk_set_existing(session, BALANCES, COLUMNS[:2], COLUMNS[2:], [(ALICE, 1, 7), (CAROL, 1, 5)]) == 1
    assert amounts(database) == {ALICE: 7, BOB: 20}


def test_a_balance_below_zero_is_refused(database: Database) -> None:
    with database.transaction() as session:
        bulk_insert(session, BALANCES, COLUMNS, [(ALICE, 1, 5)])
    with pytest.raises(IntegrityError), database.transaction() as session:
        bulk_add_existing(session, BALANCES, COLUMNS[:2], COLUMNS[2:], [(ALICE, 1, -6)])


def test_fetch_by_keys_takes_more_keys_than_a_statement_has_parameters(database: Database) -> None:
    keys = [index.to_bytes(20, "big") for index in range(40_000)]
    with database.transaction() as session:
        bulk_insert(session, BALANCES, COLUMNS, [(one, 1, 1) for one in keys])
        bulk_insert(session, BALANCES, COLUMNS, [(keys[0], 2, 9)])
        found = fetch_by_keys(session, BALANCES, ["account"], "account", [*keys, CAROL], where={"token_id": 1})
    assert sorted(bytes(row[0]) for row in found) == keys


def test_an_autogenerated_key_counts_up(database: Database) -> None:
    with database.transaction() as session:
        session.add(RelayerRow(address=ALICE, next_nonce=3))
    with database.read() as session:
        assert session.get_one(RelayerRow, ALICE).next_nonce == 3


def test_a_connection_that_died_while_it_lay_idle_is_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database_url.startswith("postgresql"):
        pytest.skip("a file has no server")
    monkeypatch.setattr("ledger.store.database._IDLE_S", 0.0)
    database, other = Database(database_url), Database(database_url)

    def server_process() -> int:
        with database.read() as session:
            return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())

    first = server_process()
    assert server_process() == first
    with other.transaction() as session:
        session.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": first})
    assert server_process() != first
    database.close()
    other.close()
