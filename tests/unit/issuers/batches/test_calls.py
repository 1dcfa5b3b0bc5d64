"""A signed call is sent once under its key; one that failed is replaced; only what is done or failed has ended."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from issuers.batches.calls import IssuerCalls
from ledger.clock import ManualClock
from ledger.outbox.outbox import Outbox
from ledger.outbox.states import MessageState
from ledger.standard.ids import to_address
from ledger.store.database import Database
from ledger.store.models.outbox import OutboxMessageRow

KEY = "void:1:7"
FIRST, SECOND = b"first", b"second"


@pytest.fixture
def calls(database: Database) -> IssuerCalls:
    return IssuerCalls(Outbox(ManualClock(datetime(2026, 9, 1, tzinfo=UTC))), "void", to_address(b"\x22" * 20), 200_000)


def end(session: Session, state: MessageState) -> None:
    session.execute(update(OutboxMessageRow).values(state=state, reason="why"))


def message(session: Session) -> tuple[str, str, bytes, int]:
    row = session.scalars(select(OutboxMessageRow)).one()
    return row.kind, row.state, bytes(row.payload), row.gas


def test_a_call_is_enqueued_once_under_its_key(database: Database, calls: IssuerCalls) -> None:
    with database.transaction() as session:
        calls.enqueue(session, KEY, FIRST)
        calls.enqueue(session, KEY, SECOND)
        assert message(session) == ("void", MessageState.QUEUED, FIRST, 200_000)


def test_a_call_that_failed_gives_its_place_to_the_new_one(database: Database, calls: IssuerCalls) -> None:
    with database.transaction() as session:
        calls.enqueue(session, KEY, FIRST)
        end(session, MessageState.FAILED)
        calls.enqueue(session, KEY, SECOND)
        session.expire_all()
        assert message(session) == ("void", MessageState.QUEUED, SECOND, 200_000)


def test_a_call_that_is_done_stays_done(database: Database, calls: IssuerCalls) -> None:
    with database.transaction() as session:
        calls.enqueue(session, KEY, FIRST)
        end(session, MessageState.DONE)
        calls.enqueue(session, KEY, SECOND)
        assert message(session) == ("void", MessageState.DONE, FIRST, 200_000)


@pytest.mark.parametrize("state", list(MessageState))
def test_only_what_is_done_or_failed_has_ended(database: Database, calls: IssuerCalls, state: MessageState) -> None:
    with database.transaction() as session:
        calls.enqueue(session, KEY, FIRST)
        end(session, state)
        ended = calls.ended(session, [KEY, "void:1:8"])
    expected = {KEY} if state in (MessageState.DONE, MessageState.FAILED) else set()
    assert ended.keys() == expected
