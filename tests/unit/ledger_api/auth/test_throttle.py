from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.clock import ManualClock
from ledger.store.database import Database
from ledger.store.models.logins import SignInMarkRow
from ledger_api.auth.errors import SignInThrottled
from ledger_api.auth.throttle import ADDRESS, BOTH, NAME, SignInThrottle, network_of, sweep_marks
from tests.empty_books import empty_books


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = empty_books(tmp_path / "books.db")
    yield found
    found.close()


class Door:
    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.throttle = SignInThrottle(b"\x01" * 32, clock)

    def knock(self, name: str, address: str) -> int | None:
        """Return after how many seconds to come again; None where the attempt was let through."""
        try:
            with self.database.transaction() as session:
                self.throttle.take(session, name, address)
        except SignInThrottled as error:
            return error.retry_after_s
        return None

    def open(self, name: str, address: str) -> None:
        assert self.knock(name, address) is None
        with self.database.transaction() as session:
            self.throttle.forgive(session, name, address)


@pytest.fixture
def door(database: Database, clock: ManualClock) -> Door:
    return Door(database, clock)


def test_one_address_tries_one_name_a_few_times_and_then_once_a_minute(door: Door, clock: ManualClock) -> None:
    assert [door.knock("wang", "10.0.0.1") for _ in range(BOTH.at_once)] == [None] * BOTH.at_once
    assert door.knock("wang", "10.0.0.1") == 60
    assert door.knock("li", "10.0.0.1") is None
    clock.set(clock.now() + timedelta(seconds=60))
    assert door.knock("wang", "10.0.0.1") is None
    assert door.knock("wang", "10.0.0.1") == 60


def test_one_address_does_not_try_one_name_after_the_other(door: Door) -> None:
    answers = [door.knock(f"name{number}", "10.0.0.1") for number in range(ADDRESS.at_once + 1)]
    assert answers[:-1] == [None] * ADDRESS.at_once
    assert answers[-1] == 20
    assert door.knock("name1", "10.0.0.2") is None


def test_many_addresses_try_one_name_without_locking_its_owner_out(door: Door) -> None:
    door.open("wang", "192.168.1.9")
    answers = [door.knock("wang", f"10.0.{number}.1") for number in range(NAME.at_once + 1)]
    assert answers[:-1] == [None] * NAME.at_once
    assert answers[-1] == 60
    assert door.knock("wang", "192.168.1.9") is None


def test_a_sign_in_takes_back_what_it_counted(door: Door, database: Database) -> None:
    for _ in range(ADDRESS.at_once * 2):
        door.open("wang", "10.0.0.1")


def test_a_refused_attempt_counts_nothing(door: Door, clock: ManualClock) -> None:
    for _ in range(50):
        door.knock("wang", "10.0.0.1")
    clock.set(clock.now() + timedelta(minutes=1))
    assert door.knock("wang", "10.0.0.1") is None


def test_a_households_addresses_are_one() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1")
    assert network_of("testclient") == "testclient"


def test_the_table_says_neither_who_nor_where_and_is_emptied(
    door: Door, database: Database, clock: ManualClock
) -> None:
    door.knock("wang", "10.0.0.1")
    with database.read() as session:
        assert {len(row.mark) for row in session.query(SignInMarkRow)} == {32}
    clock.set(clock.now() + timedelta(hours=1))
    with database.transaction() as session:
        sweep_marks(session, clock.timestamp())
        assert session.query(SignInMarkRow).count() == 0
