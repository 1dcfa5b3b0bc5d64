"""The desk's own orders, and a slip that was lost."""

from __future__ import annotations

import pytest

from ledger.residents.registry import Resident
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.desk.test_serve import PIN, clerk
from tests.unit.redemption.world import Q2026_4, VOLUNTEER


@pytest.fixture(autouse=True)
def _quiet(quiet: None) -> None: ...


@pytest.fixture
def wang(api: Api) -> Resident:
    found = api.world.resident()
    api.world.give(found.account, VOLUNTEER, Q2026_4, 60_000)
    with api.world.database.transaction() as session:
        api.world.approvals.set_pin(session, found.resident_id, PIN, "wang")
    return found


def test_a_lost_slip_is_printed_anew_and_the_old_one_is_void(api: Api, wang: Resident) -> None:
    one = clerk(api)
    page = f"/desk/residents/{wang.resident_id}/offers/rice"
    old = one.form(page, f"{page}/order", pin=PIN, quantity="1").headers["location"]
    queue = one.get("/desk/queue").text
    assert "付款在途" in queue
    assert str(wang.resident_id) not in queue
    path = queue.split('action="/desk/orders/')[1].split('"')[0]
    new = one.form("/desk/queue", f"/desk/orders/{path}").headers["location"]
    assert new != old
    assert "作废" in one.get(old).text
    assert "作废：已经" not in one.get(new).text
    other = clerk(api, "clerk-9", "caotang")
    assert "还没有下过单" in other.get("/desk/queue").text
    assert other.form("/desk/queue", f"/desk/orders/{path}").status_code == 422
