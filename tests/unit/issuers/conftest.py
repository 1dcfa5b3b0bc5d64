"""A database in a file of its own, for modules that speak SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.store.database import Database
from tests.empty_books import empty_books


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database with all tables."""
    made = empty_books(tmp_path / "books.db")
    yield made
    made.close()
