"""One city, deployed once; each test begins from it, on the same day, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from brownie import project
from city import START, City, go_to, put_back, snapshot, steady_the_node
from clearing_office import ClearingOffice


@pytest.fixture(scope="session")
def city_deployed() -> City:
    """The city on its first day."""
    steady_the_node()
    go_to(START)
    return City(project.get_loaded_projects()[0])


@pytest.fixture
def city(city_deployed: City) -> Iterator[City]:
    """The city, put back to its first day afterwards."""
    before = snapshot()
    city_deployed.start_over()
    yield city_deployed
    put_back(before)


@pytest.fixture(scope="session")
def office_deployed() -> ClearingOffice:
    """The clearing book by itself, as it was deployed."""
    steady_the_node()
    return ClearingOffice(project.get_loaded_projects()[0])


@pytest.fixture
def office(office_deployed: ClearingOffice) -> Iterator[ClearingOffice]:
    """The clearing book by itself, put back afterwards."""
    before = snapshot()
    yield office_deployed
    put_back(before)


@pytest.fixture
def probe(city_deployed: City) -> Any:
    """The Solidity libraries, opened."""
    return city_deployed.probe
