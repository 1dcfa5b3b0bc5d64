"""A shift is opened and closed, and its totals are what the acts say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.counter.test_till import order_for, staff


@pytest.fixture(autouse=True)
def _quiet(quiet: None) -> None: ...


def test_a_shift_adds_up_what_was_handed_over_in_it(api: Api) -> None:
    till = staff(api)
    _, before, _ = order_for(api)
    till.form("/counter/1", "/counter/1/hand-over", code=before)
    api.world.clock.set(api.world.clock.now() + timedelta(seconds=60))
    fields = till.fields("/counter/1/shift")
    for _ in range(2):
        assert till.send("/counter/1/shift/open", **fields).status_code == 303
    _, code, _ = order_for(api)
    till.form("/counter/1", "/counter/1/hand-over", code=code)
    assert "交货与核销：1 笔" in till.get("/counter/1/shift").text
    api.world.clock.set(api.world.clock.now() + timedelta(seconds=60))
    assert till.form("/counter/1/shift", "/counter/1/shift/close").status_code == 303
    page = till.get("/counter/1/shift").text
    assert "已交班" in page
    assert "28.00 元" in page
    assert "已交班" not in staff(api, ":till", "till-2").get("/counter/1/shift").text
    assert "已交班" in staff(api, ":manager", "manager-1").get("/counter/1/shift").text


def test_who_only_refunds_has_no_shift(api: Api) -> None:
    assert staff(api, ":refunds", "back-1").get("/counter/1/shift").status_code == 403
