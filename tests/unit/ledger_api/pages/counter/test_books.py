"""What a shop took, its offers' fixed codes, and its statement."""

from __future__ import annotations

import pytest

from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.counter.test_till import order_for, staff


@pytest.fixture(autouse=True)
def _quiet(quiet: None) -> None: ...


def test_the_books_are_a_manager_s(api: Api) -> None:
    till, manager = staff(api), staff(api, ":manager", "manager-1")
    for page in ("takings", "offers", "offers/rice", "statement"):
        assert till.get(f"/counter/1/{page}").status_code == 403, page
        assert manager.get(f"/counter/1/{page}").status_code == 200, page
        assert manager.get(f"/counter/2/{page}").status_code == 403, page
    assert "/counter/1/takings" not in till.get("/counter/1").text


def test_takings_are_drawn_and_written(api: Api) -> None:
    order_for(api)
    page = staff(api, ":manager", "manager-1").get("/counter/1/takings").text
    assert page.count('<rect class="came"') == 28
    assert '<th scope="row">2026-11-20</th><td>1</td><td>28.00 元</td><td>0.00 元</td>' in page


def test_a_fixed_code_leads_to_the_offer(api: Api) -> None:
    manager = staff(api, ":manager", "manager-1")
    page = manager.get("/counter/1/offers/rice").text
    assert 'class="qr"' in page
    assert "http://127.0.0.1:8080/o/rice" in page
    assert manager.get("/o/rice").headers["location"] == "/wallet/shop/rice"


def test_an_offer_of_another_shop_has_no_code_here(api: Api) -> None:
    manager = staff(api, ":manager", "manager-1")
    assert manager.get("/counter/1/offers/unheard-of").status_code == 404


def test_a_statement_says_what_the_api_says(api: Api) -> None:
    order_for(api)
    page = staff(api, ":manager", "manager-1").get("/counter/1/statement?month=2026-11").text
    assert "收款：1 笔" in page
    assert "28.00 元" in page
    assert "2026-10" in page
    assert staff(api, ":manager", "manager-1").get("/counter/1/statement?month=1999-01").status_code == 200
