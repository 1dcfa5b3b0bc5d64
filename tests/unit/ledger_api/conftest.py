from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.unit.ledger_api.api import Api
from tests.unit.redemption.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    city = World(tmp_path)
    yield city
    city.close()


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    served = Api(world)
    with structlog.testing.capture_logs():
        yield served
    served.client.close()
