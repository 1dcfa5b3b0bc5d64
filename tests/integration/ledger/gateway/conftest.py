"""An installation for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ledger.gateway.lab import GatewayLab, new_lab


@pytest.fixture
def lab(tmp_path: Path, database_url: str) -> Iterator[GatewayLab]:
    """A city with its gateway, on both databases."""
    lab = new_lab(tmp_path, database_url)
    yield lab
    lab.close()


@pytest.fixture
def sqlite_lab(tmp_path: Path) -> Iterator[GatewayLab]:
    """A city with its gateway, on SQLite: for what does not depend on the database."""
    lab = new_lab(tmp_path)
    yield lab
    lab.close()
