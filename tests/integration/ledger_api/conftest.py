"""One served city a module, on each database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.integration.ledger import postgres
from tests.integration.ledger.conftest import database_url, postgres_url
from tests.integration.ledger_api.served import Served, served_city

__all__ = ["database_url", "postgres_url"]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory: Path = tmp_path_factory.mktemp("city")
    if request.param == "sqlite":
        with served_city(directory) as city:
            yield city
        return
    url: str = request.getfixturevalue("postgres_url")
    with (
        postgres.fresh_database(url, "c" + secrets.token_hex(6)) as fresh,
        served_city(directory, database_url=SecretStr(fresh)) as city,
    ):
        yield city
