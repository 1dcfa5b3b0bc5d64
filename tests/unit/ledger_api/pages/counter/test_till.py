"""The counter at the small city: real services and SQLite, forms as browsers send them."""

from __future__ import annotations

import re

from redemption.fulfilment import SCREEN_CODE_LIFETIME_S
from redemption.orders import Kind, Purchase
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import Person
from tests.unit.redemption.world import Q2026_4, VOLUNTEER


def order_for(api: Api, kind: Kind = Kind.REDEEM, *, say: bool = True) -> tuple[bytes, str, str]:
    """Place an order of rice; return its id, the code's ten signs and its six digits."""
    world = api.world
    wang = world.resident()
    world.give(wang.account, VOLUNTEER, Q2026_4, 60_000)
    with world.database.transaction() as session:
        order = world.redemptions.place(session, Purchase(wang.resident_id, "rice", kind=kind)).order
    if say:
        world.say(order.order_id, "hold" if kind is Kind.HOLD else "redeem", 2800)
        world.settle()
    with world.database.transaction() as session:
        slip = world.fulfilment.issue_slip(session, order.order_id, "wang", lifetime_s=SCREEN_CODE_LIFETIME_S)
    return order.order_id, world.codes.code(slip.slip_id), world.codes.digits(slip.slip_id)


def staff(api: Api, right: str = ":till", name: str = "till-1") -> Person:
    person = Person(api)
    person.sign_in(name, f"merchant:1{right}")
    return person


def hidden_code(page: str) -> str:
    [found] = re.findall('name="code" value="([^"]+)"', page)
    return str(found)


def test_six_digits_are_looked_up_and_handed_over_once(api: Api, quiet: None) -> None:
    order_id, code, digits = order_for(api)
    till = staff(api)
    checked = till.form("/counter/1", "/counter/1/check", code=digits)
    assert "可以交货" in checked.text
    assert hidden_code(checked.text) == code
    fields = {**till.fields("/counter/1"), "code": code}
    first = till.send("/counter/1/hand-over", **fields)
    assert first.headers["location"] == f"/counter/1/sales/0x{order_id.hex()}/paid"
    again = till.send("/counter/1/hand-over", **fields)
    assert again.headers["location"] == first.headers["location"], "a second tap is the same act"
    screen = till.get(first.headers["location"]).text
    assert "已收款" in screen
    assert "28.00 元" in screen
    other = till.form("/counter/1", "/counter/1/hand-over", code=code)
    assert other.status_code == 422
    assert 'role="alert"' in other.text


def test_a_held_order_says_that_its_payment_is_on_its_way(api: Api, quiet: None) -> None:
    order_id, code, _ = order_for(api, Kind.HOLD)
    till = staff(api)
    location = till.form("/counter/1", "/counter/1/hand-over", code=code).headers["location"]
    screen = till.get(location).text
    assert "已交货，入账中" in screen
    assert 'http-equiv="refresh"' in screen
    api.world.say(order_id, "capture", 2800, kept=(1, 14_000))
    api.world.settle()
    with api.world.database.transaction() as session:
        api.world.fulfilment.settle_acts(session, api.world.height)
    assert "已收款" in till.get(location).text


def test_a_payment_in_doubt_comes_first_in_the_list(api: Api, quiet: None) -> None:
    doubtful, _, _ = order_for(api, say=False)
    settled, _, _ = order_for(api)
    page = staff(api).get("/counter/1").text
    assert "还没有结果：1 笔" in page
    assert page.index(doubtful.hex()) < page.index(settled.hex())
    assert "先不要交货" in page


def test_what_is_no_code_is_said_above_the_field(api: Api, quiet: None) -> None:
    answer = staff(api).form("/counter/1", "/counter/1/check", code="12345")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'name="code"' in answer.text


def test_a_code_before_its_payment_is_not_handed_over(api: Api, quiet: None) -> None:
    _, code, _ = order_for(api, say=False)
    till = staff(api)
    assert "付款还在途中" in till.form("/counter/1", "/counter/1/check", code=code).text
    assert till.form("/counter/1", "/counter/1/hand-over", code=code).status_code == 422


def test_who_works_for_several_shops_chooses_one(api: Api, quiet: None) -> None:
    both = Person(api)
    both.sign_in("both", "merchant:1:till", "merchant:2:till")
    assert 'href="/counter/2"' in both.get("/counter").text
    assert staff(api).get("/counter").headers["location"] == "/counter/1"


def test_refunds_see_the_list_and_serve_nobody(api: Api, quiet: None) -> None:
    order_for(api)
    person = staff(api, ":refunds", "back-1")
    assert 'name="code"' not in person.get("/counter/1").text
    assert person.form("/account", "/counter/1/check", code="123456").status_code == 403
    assert person.get("/counter/2").status_code == 403


def test_the_camera_is_for_the_counter_and_nothing_signed_in_is_kept(api: Api, quiet: None) -> None:
    till = staff(api)
    for path, camera in (
        ("/counter/1", "camera=(self)"),
        ("/counter/1/shift", "camera=(self)"),
        ("/account", "camera=()"),
    ):
        headers = till.get(path).headers
        assert camera in headers["permissions-policy"], path
        assert "geolocation=()" in headers["permissions-policy"]
        assert headers["cache-control"] == "no-store", path
