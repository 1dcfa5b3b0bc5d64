"""One city for the whole folder, after a life in which everything happened once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ledger.audit.lab import Lab
from tests.integration.ledger.audit.life import live


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A city in which everything happened once, a replaced module among it."""
    city = Lab.open(Path(tmp_path_factory.mktemp("lab")))
    try:
        live(city)
        yield city
    finally:
        city.close()


@pytest.fixture(scope="session")
def leaves(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published evidence of all batches, one file each."""
    folder = Path(tmp_path_factory.mktemp("leaves"))
    for (programme, number), batch in lab.batches.items():
        (folder / f"{programme}-{number}.json").write_text(json.dumps(batch.to_json()), encoding="utf-8")
    return folder
