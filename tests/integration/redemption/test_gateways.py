"""Several gateways on one PostgreSQL database settle and release at once: each thing happens once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from ledger.clock import ManualClock
from ledger.residents.registry import NewResident
from ledger.store.models.redemption import RedemptionActRow
from redemption.orders import Kind, Purchase
from redemption.states import State
from tests.integration.ledger import postgres
from tests.integration.ledger_api.minting import mint
from tongdui.bootstrap import OVERDUE_MARGIN_S, City, open_city
from tongdui.settings import Settings

pytestmark = pytest.mark.postgres


@pytest.fixture
def city(tmp_path: Path, postgres_url: str) -> Iterator[City]:
    with postgres.fresh_database(postgres_url, "g" + secrets.token_hex(6)) as fresh:
        settings = Settings(state_dir=tmp_path, workers=False, database_url=SecretStr(fresh), _env_file=None)
        with open_city(settings, ManualClock(datetime(2026, 11, 20, 2, 0, tzinfo=UTC))) as found:
            yield found


def together(city: City) -> list[BaseException]:
    """Let six workers do their upkeep at the same moment; return what went wrong."""
    start = threading.Barrier(6)
    wrong: list[BaseException] = []

    def work() -> None:
        start.wait()
        try:
            city.upkeep()
        except Exception as error:  # noqa: BLE001  (a thread's failure is the test's)
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def test_settlement_and_release_happen_once(city: City) -> None:
    with city.database.transaction() as session:
        resident = city.registry.register(session, NewResident("510100")).resident
    mint(city, resident.account, 1, 60_000, 26 * 4 + 8)
    city.gateway.run_until_idle()
    orders = []
    for _ in range(3):
        with city.database.transaction() as session:
            purchase = Purchase(resident.resident_id, "rice-5kg", kind=Kind.HOLD)
            orders.append(city.redemptions.place(session, purchase).order)
    city.gateway.run_until_idle()
    assert together(city) == []
    clock = city.clock
    assert isinstance(clock, ManualClock)
    assert orders[0].capture_by is not None
    clock.set(datetime.fromtimestamp(orders[0].capture_by + OVERDUE_MARGIN_S + 1, UTC))
    assert together(city) == []
    city.run_until_idle()
    with city.database.read() as session:
        found = [city.redemptions.get(session, order.order_id) for order in orders]
        acts = session.query(RedemptionActRow).all()
        offer = city.offers.get(session, "rice-5kg")
    assert [order.state for order in found] == [State.RELEASED] * 3
    assert [act.act for act in acts] == ["lapse"] * 3
    assert (offer.stock_reserved, offer.stock_taken) == (0, 0)
    assert city.gateway.check_projection().is_equal
