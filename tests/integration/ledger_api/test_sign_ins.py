"""Many attempts to sign in at once, on both databases: just as many are let through as may try."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from ledger.clock import ManualClock
from ledger.store.database import Database
from ledger.store.migrations import upgrade
from ledger_api.auth.errors import SignInThrottled
from ledger_api.auth.throttle import BOTH, SignInThrottle


def test_attempts_at_the_same_moment_are_all_counted(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database)
    throttle = SignInThrottle(b"\x01" * 32, ManualClock(datetime(2026, 11, 20, tzinfo=UTC)))

    def knock(number: int) -> bool:
        try:
            with database.transaction() as session:
                throttle.take(session, "wang", "10.0.0.1")
        except SignInThrottled:
            return False
        with database.transaction() as session:
            throttle.forgive(session, f"other-{number % 2}", "10.0.0.9")
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(knock, range(24))) == BOTH.at_once
    database.close()
