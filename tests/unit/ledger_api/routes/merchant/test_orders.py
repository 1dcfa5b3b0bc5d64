"""A shop's orders over HTTP: every act is made, found again or refused with its reason, and the list says what came of
it."""

from __future__ import annotations

from typing import Any

import pytest

from redemption.acts.book import Wish
from redemption.acts.table import Act
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import Q2026_4, VOLUNTEER

Resident = dict[str, str]
SHOP = "/v1/merchants/1"


@pytest.fixture
def resident(api: Api) -> Resident:
    headers, made = api.register()
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    return headers


@pytest.fixture
def shop(api: Api) -> dict[str, str]:
    return api.token("shop", "merchant:1")


def key_of(order: dict[str, Any]) -> bytes:
    return bytes.fromhex(order["order_id"][2:])


def bought(api: Api, resident: Resident, mode: str = "redeem") -> dict[str, Any]:
    order: dict[str, Any] = api.post("/v1/redemptions", {"offer": "rice", "mode": mode}, resident).json()
    api.world.say(key_of(order), mode, 2800 if mode == "redeem" else 0)
    api.world.settle()
    return order


def code(api: Api, order: dict[str, Any], resident: Resident) -> str:
    slip = api.post(f"/v1/redemptions/{order['order_id']}/code", None, resident).json()
    return str(api.get(f"/v1/slips/{slip['slip_id']}", resident).json()["code"])


def refund_under_way(api: Api, order: dict[str, Any]) -> None:
    with api.world.database.transaction() as session:
        wish = Wish(Act.REFUND, key_of(order), "another till", "spoilt", None, 1000)
        api.world.acts.note(session, wish, fen=1800, left_fen=1000, kept=(1, 5_000))


def test_a_repeat_finds_the_act_and_another_act_under_its_key_is_refused(
    api: Api, resident: Resident, shop: dict[str, str]
) -> None:
    order = bought(api, resident, "hold")
    path = f"{SHOP}/orders/{order['order_id']}/capture"
    first = api.post(path, {"keep_fen": "100"}, shop, "one-capture").json()
    assert (first["outcome"], first["act"]["state"], first["act"]["amount"]["fen"]) == ("created", "under_way", "100")
    api.world.say(key_of(order), "capture", 100)
    with api.world.database.transaction() as session:
        api.world.redemptions.settle(session)
        api.world.fulfilment.settle_acts(session, api.world.height)
    again = api.post(path, {"keep_fen": "100"}, shop, "one-capture")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert (again.json()["outcome"], again.json()["state"], again.json()["act"]["state"]) == (
        "exists",
        "captured",
        "done",
    )
    other = api.post(path, {"keep_fen": "800"}, shop, "one-capture")
    assert problem(other) == (409, "/problems/act-exists")
    assert other.json()["outcome"] == "exists_with_different_amount"
    late = api.post(path, {"keep_fen": "800"}, shop)
    assert problem(late) == (409, "/problems/order-state")
    assert (late.json()["act"], late.json()["reason"], late.json()["passes"]) == ("capture", "already_paid", False)


def test_what_a_check_says_a_hand_over_does(api: Api, resident: Resident, shop: dict[str, str]) -> None:
    order = bought(api, resident)
    text = {"code": code(api, order, resident)}
    fine = api.post(f"{SHOP}/codes/check", text, shop).json()
    assert (fine["can_hand_over"], fine["refused_because"]) == (True, None)
    refund_under_way(api, order)
    checked = api.post(f"{SHOP}/codes/check", text, shop).json()
    assert (checked["can_hand_over"], checked["refused_because"]) == (False, "refund_under_way")
    refused = api.post(f"{SHOP}/codes", text, shop)
    assert problem(refused) == (409, "/problems/order-state")
    assert (refused.json()["reason"], refused.json()["passes"]) == ("refund_under_way", True)
    chinese = api.post(f"{SHOP}/codes", text, {**shop, "Accept-Language": "zh-CN"}).json()
    assert "refund_under_way" in chinese["detail"]


def test_the_list_says_whether_it_went_through(api: Api, resident: Resident, shop: dict[str, str]) -> None:
    paid, held, gone = bought(api, resident), bought(api, resident, "hold"), bought(api, resident)
    refund_under_way(api, paid)
    api.post(f"{SHOP}/codes", {"code": code(api, gone, resident)}, shop)

    def listed(**asked: Any) -> list[str]:
        items = api.get(f"{SHOP}/orders", shop, params=asked).json()["items"]
        return [one["order_id"] for one in items]

    ids = [gone["order_id"], held["order_id"], paid["order_id"]]
    assert listed() == ids
    assert listed(state=["held"]) == ids[1:2]
    assert listed(kind="redeem") == [ids[0], ids[2]]
    assert listed(under_way="true") == ids[2:]
    assert listed(handed_over="true") == ids[:1]
    assert listed(offer="rice", since="2026-11-20T00:00:00+08:00") == ids
    assert listed(until="2026-11-20T00:00:00+08:00") == []
    page = api.get(f"{SHOP}/orders", shop, params={"limit": 2}).json()
    rest = api.get(f"{SHOP}/orders", shop, params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [one["order_id"] for one in page["items"] + rest["items"]] == ids
    [waiting] = [one for one in page["items"] + rest["items"] if one["act"] and one["act"]["state"] == "under_way"]
    assert (waiting["act"]["act"], waiting["act"]["amount"]["yuan"]) == ("refund", "18.00")
    one = api.get(f"{SHOP}/orders/{ids[0]}", shop).json()
    assert [act["act"] for act in one["acts"]] == ["hand_over"]
    no_offset = api.get(f"{SHOP}/orders", shop, params={"since": "2026-11-20T00:00:00"})
    assert problem(no_offset) == (422, "/problems/invalid-request")


def test_an_order_of_another_shop_does_not_exist(api: Api, resident: Resident) -> None:
    order = bought(api, resident, "hold")
    museum = api.token("museum", "merchant:2")
    for path, body in (
        (f"/v1/merchants/2/orders/{order['order_id']}/capture", {"keep_fen": "100"}),
        (f"/v1/merchants/2/orders/{order['order_id']}/release", {"reason": "no"}),
        (f"/v1/merchants/2/orders/0x{'11' * 32}/capture", {"keep_fen": "100"}),
    ):
        assert problem(api.post(path, body, museum)) == (404, "/problems/unknown-order")
    assert problem(api.get(f"/v1/merchants/2/orders/{order['order_id']}", museum)) == (404, "/problems/unknown-order")


def test_who_acts_for_a_shop_does_not_buy_there(api: Api, resident: Resident) -> None:
    """Not with one token for both, and not with a token for each."""
    both = api.token("wang", "resident:self", "merchant:1")
    assert problem(api.post("/v1/redemptions", {"offer": "rice"}, both)) == (403, "/problems/self-dealing")
    order = bought(api, resident, "hold")
    himself = api.token("wang", "merchant:1")
    capture = f"{SHOP}/orders/{order['order_id']}/capture"
    assert problem(api.post(capture, {"keep_fen": "100"}, himself)) == (403, "/problems/own-order")
    _, made = api.register("li", "510107195001011234")
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    others = bought(api, api.token("li", "resident:self"), "hold")
    assert api.post(f"{SHOP}/orders/{others['order_id']}/release", {"reason": "no"}, himself).status_code == 202
    assert problem(api.post("/v1/redemptions", {"offer": "rice"}, resident)) == (403, "/problems/self-dealing")
