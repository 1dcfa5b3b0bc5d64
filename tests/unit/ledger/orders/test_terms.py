"""Terms are loaded once a block, and never kept for a block that they are not of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from ledger.orders import terms
from ledger.orders.eligibility import Terms
from ledger.orders.terms import KnownTerms, Projected
from ledger.store.database import Database
from ledger.store.models.projection import ProjectionCursorRow


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'books.db'}")
    database.create_all()
    with database.transaction() as session:
        session.add(
            ProjectionCursorRow(
                cursor_id=1,
                chain_id=1,
                deployment_salt=bytes(32),
                ledger=bytes(20),
                block_number=7,
                block_hash=b"\x07" * 32,
                block_timestamp=70,
                maturity_s=1,
            )
        )
    yield database
    database.close()


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """Each load of terms from the tables, noted as it happens."""
    noted: list[Session] = []
    original = terms.load_terms

    def load(session: Session) -> Terms:
        noted.append(session)
        return original(session)

    monkeypatch.setattr(terms, "load_terms", load)
    return noted


def move(database: Database, **columns: object) -> None:
    with database.transaction() as session:
        session.execute(update(ProjectionCursorRow).values(columns))


def test_terms_are_loaded_once_a_block(database: Database, loads: list[Session]) -> None:
    known = KnownTerms()
    for _ in range(2):
        with database.read() as session:
            assert known.read(session)[0] == Projected(7, 70, b"\x07" * 32)
    assert len(loads) == 1
    move(database, block_number=8)
    with database.read() as session:
        assert known.read(session)[0].number == 8
    assert len(loads) == 2


def test_another_block_of_the_same_number_is_another_block(database: Database, loads: list[Session]) -> None:
    known = KnownTerms()
    for _ in range(2):
        with database.read() as session:
            known.read(session)
        move(database, block_hash=b"\x09" * 32)
    assert len(loads) == 2


def test_before_the_first_block_nothing_is_kept(database: Database, loads: list[Session]) -> None:
    with database.transaction() as session:
        session.execute(delete(ProjectionCursorRow))
    known = KnownTerms()
    for _ in range(2):
        with database.read() as session:
            assert known.read(session)[0] == Projected()
    assert len(loads) == 2


def test_terms_between_which_a_block_came_are_not_kept(
    database: Database, loads: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL a write sees what others commit between two of its statements."""
    counting = terms.load_terms

    def load(session: Session) -> Terms:
        found = counting(session)
        session.execute(update(ProjectionCursorRow).values(block_number=ProjectionCursorRow.block_number + 1))
        return found

    monkeypatch.setattr(terms, "load_terms", load)
    known = KnownTerms()
    with database.transaction() as session:
        assert known.read(session)[0].number == 7
        assert known.read(session)[0].number == 8
    assert len(loads) == 2
