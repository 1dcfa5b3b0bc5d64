from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.clock import ManualClock
from ledger.standard.civil_time import DAY_S
from ledger.store.database import Database
from ledger.store.models.logins import SessionRow
from ledger_api.auth.errors import UnknownSession
from ledger_api.auth.sessions import Begun, SessionLimits, Sessions, short_words, sweep_sessions
from tests.empty_books import empty_books

WALLET, TILL = ("resident:self", "resident:register"), ("merchant:1",)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = empty_books(tmp_path / "books.db")
    yield found
    found.close()


@pytest.fixture
def sessions(database: Database, clock: ManualClock) -> Sessions:
    return Sessions(database, clock, SessionLimits())


def begin(sessions: Sessions, database: Database, *scopes: str, subject: str = "urn:x wang") -> Begun:
    with database.transaction() as session:
        return sessions.begin(session, subject, scopes, "Mozilla/5.0 (Linux; Android 14) Chrome/120")


def test_a_session_is_found_by_its_secret_alone_which_is_not_stored(sessions: Sessions, database: Database) -> None:
    begun = begin(sessions, database, *TILL)
    assert sessions.find(begun.secret) == begun.session
    assert sessions.find(begun.session.session_id) is None
    assert len(begun.secret) >= 43
    with database.read() as session:
        row = session.query(SessionRow).one()
        assert begun.secret not in str(vars(row))
    assert begun.session.agent == "Chrome, Android"


@pytest.mark.parametrize(("scopes", "idle_s"), [(WALLET, 30 * DAY_S), (TILL, 900), ((*WALLET, *TILL), 900)])
def test_what_lies_unused_ends_and_a_counter_sooner_than_a_wallet(
    sessions: Sessions, database: Database, clock: ManualClock, scopes: tuple[str, ...], idle_s: int
) -> None:
    begun = begin(sessions, database, *scopes)
    clock.set(clock.now() + timedelta(seconds=idle_s - 1))
    assert sessions.find(begun.secret) is not None
    clock.set(clock.now() + timedelta(seconds=idle_s - 1))
    assert sessions.find(begun.secret) is not None, "use keeps it"
    clock.set(clock.now() + timedelta(seconds=idle_s))
    assert sessions.find(begun.secret) is None


def test_a_session_in_use_ends_all_the_same(sessions: Sessions, database: Database, clock: ManualClock) -> None:
    begun = begin(sessions, database, *TILL)
    for _ in range(12 * 6 - 1):
        clock.set(clock.now() + timedelta(minutes=10))
        assert sessions.find(begun.secret) is not None
    clock.set(clock.now() + timedelta(minutes=10))
    assert sessions.find(begun.secret) is None


def test_only_its_owner_lists_and_ends_it(sessions: Sessions, database: Database) -> None:
    mine, other = begin(sessions, database, *TILL), begin(sessions, database, *TILL, subject="urn:x li")
    with database.transaction() as session:
        assert [one.session_id for one in sessions.of_subject(session, "urn:x wang")] == [mine.session.session_id]
        with pytest.raises(UnknownSession):
            sessions.end(session, "urn:x wang", other.session.session_id)
        sessions.end(session, "urn:x wang", mine.session.session_id)
    assert sessions.find(mine.secret) is None
    assert sessions.find(other.secret) is not None


def test_a_renewed_session_has_another_id_and_the_old_opens_nothing(sessions: Sessions, database: Database) -> None:
    begun = begin(sessions, database, *TILL)
    with database.transaction() as session:
        renewed = sessions.renew(session, begun.session)
    assert sessions.find(begun.secret) is None
    found = sessions.find(renewed.secret)
    assert found is not None
    assert found.session_id != begun.session.session_id
    assert found.ends_at == begun.session.ends_at


def test_rows_of_what_has_ended_go(sessions: Sessions, database: Database, clock: ManualClock) -> None:
    begin(sessions, database, *TILL)
    kept = begin(sessions, database, *WALLET)
    clock.set(clock.now() + timedelta(hours=1))
    with database.transaction() as session:
        sweep_sessions(session, clock.timestamp())
        assert [row.session_id for row in session.query(SessionRow)] == [kept.session.session_id]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) MicroMessenger/8.0", "WeChat, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/120 Safari/537 Edg/120", "Edge, Windows"),
        ("curl/8.5.0", "curl"),
        ("<script>", ""),
    ],
)
def test_a_browser_is_known_by_two_words(agent: str, words: str) -> None:
    assert short_words(agent) == words
