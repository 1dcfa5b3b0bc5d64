"""An order's page: what became of it, what to do next, the code, and that it is nobody else's."""

from __future__ import annotations

import re

import pytest

from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import Person

CHECK = "/wallet/shop/rice/check?quantity=1&programme=1&mode={}"


def buy(wang: Person, mode: str = "redeem") -> str:
    fields = {**wang.fields(CHECK.format(mode)), "quantity": "1", "programmes": "1", "mode": mode}
    return wang.send("/wallet/shop/rice/pay", **fields).headers["location"]


def land(api: Api, path: str, kind: str, fen: int = 0, code: int = 0) -> None:
    api.world.say(bytes.fromhex(path.rpartition("0x")[2]), kind, fen, code=code)
    api.world.settle()


@pytest.fixture
def paid(api: Api, wang: Person) -> str:
    path = buy(wang)
    land(api, path, "redeem", 2800)
    return path


def test_it_waits_without_javascript_too_until_it_is_final(api: Api, wang: Person) -> None:
    path = buy(wang)
    page = wang.get(path).text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert 'data-wait="placed"' in page
    land(api, path, "redeem", 2800)
    page = wang.get(path).text
    assert "refresh" not in page
    assert "请到店里出示兑换码" in page


def test_a_rejected_order_says_that_nothing_has_changed(api: Api, wang: Person) -> None:
    path = buy(wang)
    land(api, path, "rejected", code=8)
    page = wang.get(path).text
    assert "您的积分没有变化" in page
    assert "/code" not in page


def test_the_code_is_for_its_resident_s_screen_and_for_one_hand_over(api: Api, wang: Person, paid: str) -> None:
    shown = wang.form(paid, f"{paid}/code").headers["location"]
    page = wang.get(shown).text
    [code] = re.findall(r'<p class="code-text">([A-Z0-9]{5}-[A-Z0-9]{5})</p>', page)
    assert re.search(r'<p class="code-text">[0-9]{6}</p>', page)
    assert "<svg" in page
    stranger = Person(api)
    stranger.sign_in("lixia", "resident:self", "resident:register")
    stranger.form("/wallet/register", "/wallet/register", document_number="510107195403079999")
    assert stranger.get(shown).status_code == 404
    assert stranger.get(paid).status_code == 404
    till = api.token("till", "merchant:1:till")
    assert api.post("/v1/merchants/1/codes", {"code": code}, till).status_code in (200, 202)
    page = wang.get(shown).text
    assert "已取货" in page
    assert code not in page


def test_a_refund_shows_by_itself_and_the_way_to_the_arbiter_is_named(api: Api, wang: Person, paid: str) -> None:
    assert "消费仲裁" in wang.get(paid).text
    land(api, paid, "refund", 2800)
    page = wang.get(paid).text
    assert "已退还" in page or "已部分退还" in page


def test_a_hold_can_be_taken_back(api: Api, wang: Person) -> None:
    path = buy(wang, "hold")
    land(api, path, "hold")
    assert "取消冻结" in wang.get(path).text
    assert wang.form(path, f"{path}/cancel").headers["location"] == path
    assert "正在办理：取消" in wang.get(path).text


def test_lists_are_of_one_s_own_orders(api: Api, wang: Person, paid: str) -> None:
    assert "大米 5 公斤" in wang.get("/wallet/orders").text
    assert "还没有" in wang.get("/wallet/orders?kind=exchange").text


def test_a_receipt_is_to_keep(api: Api, wang: Person, paid: str) -> None:
    assert wang.get(f"{paid}/receipt").status_code == 409
    assert wang.get("/wallet/orders/0x12").status_code == 404
