"""Buying by pages: nothing is chosen for anybody, nothing is done before it is confirmed, nothing happens twice."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from ledger.store.models.redemption import RedemptionOrderRow
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import PASSWORD, Person

CHECK = "/wallet/shop/rice/check?quantity=1&programme=1&mode=redeem"
PAY = {"quantity": "1", "programmes": "1", "mode": "redeem"}


def orders(api: Api) -> int:
    with api.services.database.read() as session:
        return session.scalar(select(func.count()).select_from(RedemptionOrderRow)) or 0


def test_what_can_be_bought_says_whether_the_points_suffice(wang: Person) -> None:
    page = wang.get("/wallet/shop").text
    assert page.index("大米 5 公斤") < page.index("门票")
    assert "还剩 3 份" in page
    assert page.count("您的积分够换") == 2


def test_no_points_are_chosen_by_default_and_none_is_an_error(wang: Person) -> None:
    page = wang.get("/wallet/shop/rice").text
    assert 'name="programme" value="1"' in page
    assert 'value="1" checked' not in page
    answer = wang.get("/wallet/shop/rice/check?quantity=1&mode=redeem")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_shop_goods_and_points_are_shown_before_anything_is_done(api: Api, wang: Person) -> None:
    page = wang.get(CHECK).text
    assert "红旗粮油店" in page
    assert "大米 5 公斤 × 1" in page
    assert "−140" in page
    assert orders(api) == 0


@pytest.mark.parametrize(
    ("query", "status"), [("quantity=0&programme=1", 422), ("quantity=x&programme=1", 422), ("programme=2", 409)]
)
def test_what_cannot_be_is_said_above_the_form_and_what_was_chosen_stays(wang: Person, query: str, status: int) -> None:
    answer = wang.get(f"/wallet/shop/rice/check?{query}")
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert " checked" in answer.text


def test_paying_leads_to_the_order_and_a_second_tap_to_the_same(api: Api, wang: Person) -> None:
    fields = {**wang.fields(CHECK), **PAY}
    first, second = wang.send("/wallet/shop/rice/pay", **fields), wang.send("/wallet/shop/rice/pay", **fields)
    assert first.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert orders(api) == 1
    assert "正在办理" in wang.get(first.headers["location"]).text


def test_a_form_without_its_token_pays_nothing(api: Api, wang: Person) -> None:
    fields = {**wang.fields(CHECK), **PAY}
    stranger = Person(api)
    stranger.sign_in("lixia", "resident:self", "resident:register")
    stranger.form("/wallet/register", "/wallet/register", document_number="510107195403079999")
    assert stranger.send("/wallet/shop/rice/pay", **fields).status_code == 403
    assert wang.send("/wallet/shop/rice/pay", **{**fields, "token": ""}).status_code == 403
    assert wang.send("/wallet/shop/rice/pay", {"Sec-Fetch-Site": "cross-site"}, **fields).status_code == 403
    assert orders(api) == 0


def test_an_offer_that_does_not_exist_is_no_page(wang: Person) -> None:
    assert wang.get("/wallet/shop/nothing").status_code == 404


def test_the_password_is_nowhere_in_the_wallet(wang: Person) -> None:
    assert PASSWORD not in wang.get("/wallet/mine/pin").text
