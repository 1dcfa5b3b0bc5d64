"""Requests of one key that arrive together, on each database: one effect, one answer."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ledger.clock import ManualClock
from ledger.store.database import Database
from ledger.store.migrations import upgrade
from ledger.store.models.api import WithdrawnTokenRow
from ledger_api.errors import IdempotencyKeyReused
from ledger_api.http.idempotency import StoredAnswer, run_apart, run_once, write_request
from ledger_api.schemas.residents import Done
from redemption.errors import WeakPin
from tests.integration.ledger import postgres

CLOCK = ManualClock(datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path}/books.db")
        upgrade(found)
        yield found
        found.close()
        return
    url: str = request.getfixturevalue("postgres_url")
    with postgres.fresh_database(url, "i" + secrets.token_hex(6)) as fresh:
        found = Database(fresh)
        upgrade(found)
        yield found
        found.close()


def test_together_they_have_one_effect(database: Database) -> None:
    request = write_request(b"k" * 32, "wang", "together-1", "POST /x", "/x", None)
    answers: list[StoredAnswer] = []
    start = threading.Barrier(8)

    def effect(session: Session) -> tuple[int, Any]:
        session.add(WithdrawnTokenRow(token_id=secrets.token_hex(8), expires_at=0, withdrawn_at=0))
        session.flush()
        return 200, Done()

    def run() -> None:
        start.wait()
        answers.append(run_once(database, CLOCK, request, effect))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.is_replay for answer in answers) == [False] + [True] * 7
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(WithdrawnTokenRow)) == 1


def test_an_answer_stored_apart_is_given_again(database: Database) -> None:
    request = write_request(b"k" * 32, "wang", "apart-key-1", "POST /x", "/x", None)
    heard: list[bool] = []

    def effect(was_begun: bool) -> tuple[int, Any]:
        heard.append(was_begun)
        return 200, Done()

    first = run_apart(database, CLOCK, request, effect)
    again = run_apart(database, CLOCK, request, effect)
    assert (first.is_replay, again.is_replay, heard) == (False, True, [False])
    assert again.content == first.content
    other = write_request(b"k" * 32, "wang", "apart-key-1", "POST /y", "/y", None)
    with pytest.raises(IdempotencyKeyReused):
        run_apart(database, CLOCK, other, effect)


def test_after_a_crash_before_the_answer_the_effect_hears_that_it_was_begun(database: Database) -> None:
    request = write_request(b"k" * 32, "wang", "crash-key-1", "POST /x", "/x", None)

    class Crash(BaseException):
        """What a kill looks like from inside: nothing below catches it."""

    def dies(_was_begun: bool) -> tuple[int, Any]:
        raise Crash

    with pytest.raises(Crash):
        run_apart(database, CLOCK, request, dies)
    heard: list[bool] = []

    def effect(was_begun: bool) -> tuple[int, Any]:
        heard.append(was_begun)
        return 200, Done()

    assert run_apart(database, CLOCK, request, effect).is_replay is False
    assert heard == [True]


def test_a_refusal_frees_the_key(database: Database) -> None:
    request = write_request(b"k" * 32, "wang", "refused-k-1", "POST /x", "/x", None)
    heard: list[bool] = []

    def effect(was_begun: bool) -> tuple[int, Any]:
        heard.append(was_begun)
        if len(heard) == 1:
            raise WeakPin
        return 200, Done()

    with pytest.raises(WeakPin):
        run_apart(database, CLOCK, request, effect)
    run_apart(database, CLOCK, request, effect)
    assert heard == [False, False]
