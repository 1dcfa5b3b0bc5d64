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
    """An empty database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/desk.sqlite3"
        return
    url: str = request.getfixturevalue("postgres_url")
    with postgres.fresh_database(url, "t" + secrets.token_hex(6)) as fresh:
        yield fresh
