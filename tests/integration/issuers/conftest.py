"""Databases as the core's tests have them, and samples that are generated once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from issuers.samples.generate import Samples
from tests.integration.issuers.lab import Desk, make_samples, open_desk
from tests.integration.ledger.conftest import database_url, postgres_url

__all__ = ["database_url", "postgres_url"]


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Exports of a small city: a drop folder is emptied by reading it, so each test has its own."""
    return make_samples(tmp_path)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk on SQLite."""
    desk = open_desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.fixture
def any_desk(tmp_path: Path, database_url: str) -> Iterator[Desk]:
    """A desk on each database."""
    desk = open_desk(tmp_path, database_url)
    yield desk
    desk.database.close()
