"""One city with something in its book, one browser, and a visitor a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.eventually import eventually
from tests.integration.ledger_api.served import Served, served_city
from tests.pages.browser import View, Visitor, chromium, launch

Open = Callable[..., Visitor]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one file's tests: while one is open its event loop counts as running, and `asyncio.run` refuses."""
    if chromium() is None:
        pytest.skip("no Chromium on this machine (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        started = launch(playwright.chromium)
        yield started
        started.close()


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A city with points of all programmes, and an exchange."""
    with served_city(tmp_path_factory.mktemp("city")) as served:
        headers, resident = served.resident("wang", "510107195403071234")
        for programme in (1, 2, 4, 5):
            served.grant(resident["account"], programme, 1_234_567)
        supplies = lambda: [one["supply"]["minor"] for one in served.get("/v1/programmes").json()["items"]]  # noqa: E731
        eventually(supplies, lambda found: found.count("1234567") == 4)
        order = served.post("/v1/exchange/orders", {"from_programme": 2, "to_programme": 4, "amount": "20"}, headers)
        assert order.status_code == 202, order.text
        served.orders = [one["order_id"] for one in order.json()["orders"]]
        served.wait(served.orders[0], headers)
        yield served


@pytest.fixture
def visit(browser: Browser, city: Served) -> Iterator[Open]:
    """Open browsers at the city; each is checked for complaints at the end."""
    opened: list[Visitor] = []

    def visitor(view: View | None = None, **options: object) -> Visitor:
        opened.append(Visitor.open(browser, city.url, view or View(), **options))
        return opened[-1]

    yield visitor
    for one in opened:
        try:
            one.check()
        finally:
            one.close()
