"""A resident without a phone at the desk: consent by PIN or second clerk, the slip, an exchange, a new PIN."""

from __future__ import annotations

import pytest

from ledger.residents.registry import Resident
from ledger.store.models.api import IdentityLookRow
from ledger.store.models.redemption import RedemptionOrderRow
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import Person
from tests.unit.redemption.world import GREEN, Q2026_4, VOLUNTEER

PIN = "481903"


@pytest.fixture(autouse=True)
def _quiet(quiet: None) -> None: ...


@pytest.fixture
def wang(api: Api) -> Resident:
    found = api.world.resident()
    api.world.give(found.account, VOLUNTEER, Q2026_4, 60_000)
    with api.world.database.transaction() as session:
        api.world.approvals.set_pin(session, found.resident_id, PIN, "wang")
    return found


def clerk(api: Api, name: str = "clerk-1", desk: str = "shuangnan") -> Person:
    person = Person(api)
    person.sign_in(name, f"desk:{desk}")
    return person


def orders(api: Api) -> list[tuple[str, str | None, str | None]]:
    with api.world.database.read() as session:
        return [(row.kind, row.desk_id, row.approver) for row in session.query(RedemptionOrderRow)]


def test_from_pin_to_slip_once(api: Api, wang: Resident) -> None:
    one = clerk(api)
    page = f"/desk/residents/{wang.resident_id}/offers/rice"
    assert "140 积分" in one.get(page).text
    wrong = one.form(page, f"{page}/order", pin="000001", quantity="1")
    assert wrong.status_code == 422
    assert 'role="alert"' in wrong.text
    fields = {**one.fields(page), "pin": PIN, "quantity": "1"}
    first = one.send(f"{page}/order", **fields)
    again = one.send(f"{page}/order", **fields)
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    assert orders(api) == [("redeem", "shuangnan", None)]
    slip = one.get(first.headers["location"]).text
    assert 'class="qr"' in slip
    assert str(wang.resident_id) not in slip
    assert 'http-equiv="refresh"' in slip, "the payment is on its way"
    other = clerk(api, "clerk-9", "caotang")
    assert other.get(first.headers["location"]).status_code == 404


def test_a_hold_is_cancelled_by_pin(api: Api, wang: Resident) -> None:
    one = clerk(api)
    page = f"/desk/residents/{wang.resident_id}/offers/rice"
    assert one.form(page, f"{page}/order", pin=PIN, quantity="1", mode="hold").status_code == 303
    with api.world.database.read() as session:
        [row] = session.query(RedemptionOrderRow)
    api.world.say(row.order_id, "hold")
    api.world.settle()
    home = f"/desk/residents/{wang.resident_id}"
    cancel = f"{home}/orders/0x{row.order_id.hex()}/cancel"
    assert cancel in one.get(home).text
    assert one.form(home, cancel, pin="000001").status_code == 422
    assert one.form(home, cancel, pin=PIN).status_code == 303
    assert "正在退回居民" in one.get(home).text


def test_a_second_clerk_approves_and_the_first_orders(api: Api, wang: Resident) -> None:
    first, second = clerk(api), clerk(api, "clerk-2")
    page = f"/desk/residents/{wang.resident_id}/offers/rice"
    assert 'name="approval"' not in first.get(page).text
    assert "已认可" in second.form(page, f"{page}/approve", quantity="1").text
    assert 'name="approval"' not in second.get(page).text, "nobody uses one's own"
    assert 'name="approval"' not in first.get(f"{page}?quantity=2").text
    shown = first.get(page).text
    approval = shown.split('name="approval" value="')[1].split('"')[0]
    assert first.form(page, f"{page}/order", approval=approval, quantity="1").status_code == 303
    [(_, _, approver)] = orders(api)
    assert approver is not None
    assert first.form(page, f"{page}/order", approval=approval, quantity="1").status_code == 422


def test_an_exchange_is_computed_and_then_done_by_pin_once(api: Api, wang: Resident) -> None:
    one = clerk(api)
    page = f"/desk/residents/{wang.resident_id}/exchange"
    quoted = one.get(f"{page}?source={VOLUNTEER}&target={GREEN}&amount=10")
    assert "10 → 40 积分" in quoted.text
    assert 'name="least" value="40.00"' in quoted.text
    assert one.get(f"{page}?source={VOLUNTEER}&target={GREEN}&amount=ten").status_code == 422
    fields = {**one.fields(page + f"?source={VOLUNTEER}&target={GREEN}&amount=10"), "source": "1", "target": "2"}
    assert one.send(page, **fields, amount="10", pin="000001").status_code == 422
    more = {**fields, "key": "another-key-1"}
    assert one.send(page, **more, amount="10", least="40.01", pin=PIN).status_code == 422, "less than was read back"
    for _ in range(2):
        assert one.send(page, **fields, amount="10", least="40.00", pin=PIN).status_code == 303
    with api.world.database.read() as session:
        looks = [row.operation for row in session.query(IdentityLookRow)]
    assert looks.count("exchangeAtDesk") == 1


def test_a_new_pin_takes_two_clerks(api: Api, wang: Resident) -> None:
    first, second = clerk(api), clerk(api, "clerk-2")
    page = f"/desk/residents/{wang.resident_id}/pin"
    assert "两次输入" in first.form(page, page, pin="592014", again="592015").text
    assert first.form(page, page, pin="111111", again="111111").status_code == 422
    assert "等第二位工作人员" in first.form(page, page, pin="592014", again="592014").text
    assert first.form(page, f"{page}/confirm").status_code == 422
    assert "密码已生效" in second.form(page, f"{page}/confirm").text
