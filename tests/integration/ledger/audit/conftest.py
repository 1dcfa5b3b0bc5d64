"""One city for the whole folder, after a life in which everything happened once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ledger.audit.lab import Lab
from tests.integration.ledger.audit.life import live


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A city that minted, exchanged, redeemed, held, captured, released, refunded, revoked, swept and migrated."""
    city = Lab.open(Path(tmp_path_factory.mktemp("lab")))
    try:
        live(city)
        yield city
    finally:
        city.close()
