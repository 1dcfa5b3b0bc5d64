from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.redemption.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    city = World(tmp_path)
    yield city
    city.close()
