"""Both databases for every test that asks for ``database_url``; one PostgreSQL server a run."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ledger import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a running PostgreSQL server; skips where there are no programs to run one."""
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database, on SQLite and on PostgreSQL: a file that is not there yet, a database without rows."""
    yield from _new_database(request, tmp_path, is_empty=False)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same without tables on PostgreSQL too."""
    yield from _new_database(request, tmp_path, is_empty=True)


def _new_database(request: pytest.FixtureRequest, tmp_path: Path, *, is_empty: bool) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/desk.sqlite3"
        return
    url: str = request.getfixturevalue("postgres_url")
    with postgres.fresh_database(url, "t" + secrets.token_hex(6), is_empty=is_empty) as fresh:
        yield fresh
