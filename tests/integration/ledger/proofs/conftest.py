"""A city after a life, for receipts of what happened in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ledger.audit.lab import Lab
from tests.integration.ledger.audit.life import live


@pytest.fixture(scope="session")
def proven_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A city in which everything happened once."""
    city = Lab.open(Path(tmp_path_factory.mktemp("proofs")))
    try:
        live(city)
        yield city
    finally:
        city.close()
