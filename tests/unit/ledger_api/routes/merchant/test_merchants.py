from __future__ import annotations

from typing import Any

import httpx
import pytest

from redemption.errors import UnknownOrder
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import Q2026_4, VOLUNTEER

OFFER = {"title_zh": "鸡蛋", "title_en": "Eggs", "price_fen": "1200", "stock_total": 5}


def paid_order(api: Api) -> dict[str, Any]:
    headers, made = api.register()
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    order: dict[str, Any] = api.post("/v1/redemptions", {"offer": "rice"}, headers).json()
    api.world.say(bytes.fromhex(order["order_id"][2:]), "redeem", 2800)
    api.world.settle()
    return order


def test_everybody_sees_merchants_and_open_offers_with_prices_in_points(api: Api) -> None:
    merchants = api.get("/v1/merchants", params={"limit": 1}).json()
    rest = api.get("/v1/merchants", params={"cursor": merchants["next_cursor"]}).json()
    assert [one["merchant_id"] for one in merchants["items"] + rest["items"]] == [1, 2]
    assert api.get("/v1/merchants/1").json()["name_zh"] == "红旗粮油店"
    offers = api.get("/v1/offers", params={"merchant": 1}).json()["items"]
    assert [offer["offer_id"] for offer in offers] == ["rice"]
    assert {price["slug"]: price["price"]["points"] for price in offers[0]["prices"]} == {
        "volunteer": "140.00",
        "environmental": "560.00",
    }
    museum = api.get("/v1/offers/ticket").json()
    assert "culture" in {price["slug"] for price in museum["prices"]}
    assert museum["price"] is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/merchants/99", (404, "/problems/unknown-merchant")),
        ("/v1/offers/nothing", (404, "/problems/unknown-offer")),
        ("/v1/merchants/0", (422, "/problems/invalid-request")),
        ("/v1/nothing", (404, "/problems/not-found")),
    ],
)
def test_what_is_not_there_is_a_problem(api: Api, path: str, expected: tuple[int, str]) -> None:
    assert problem(api.get(path)) == expected


def test_a_merchant_keeps_its_own_shelf_only(api: Api) -> None:
    shop = api.token("shop", "merchant:1")
    made = api.post("/v1/merchants/1/offers", OFFER, shop)
    assert made.status_code == 201
    offer = made.json()
    assert offer["price"] == {"yuan": "12.00", "fen": "1200"}
    path = f"/v1/merchants/1/offers/{offer['offer_id']}"
    assert api.post(path, {"stock_total": None}, shop).json()["stock_left"] is None
    assert api.post(path, {"status": "paused"}, shop).json()["status"] == "paused"
    assert offer["offer_id"] not in api.get("/v1/offers").text
    assert problem(api.post("/v1/merchants/2/offers", OFFER, shop)) == (403, "/problems/forbidden")
    assert problem(api.post("/v1/merchants/1/offers/ticket", {"status": "ended"}, shop)) == (
        404,
        "/problems/unknown-offer",
    )
    with_price = api.post(path, {"price_fen": "1"}, shop)
    assert problem(with_price) == (422, "/problems/invalid-request")


def test_the_operator_registers_and_the_merchant_changes_its_details(api: Api) -> None:
    body = {"name_zh": "新店", "name_en": "New shop", "category": "food", "address_zh": "甲", "address_en": "A"}
    key = {"Idempotency-Key": "save-merchant-3"}
    url = "/v1/merchants/3"
    as_merchant = api.client.put(url, json=body, headers={**key, **api.token("shop", "merchant:3")})
    assert problem(as_merchant) == (403, "/problems/forbidden")
    as_operator = api.client.put(url, json=body, headers={**key, **api.token("op", "operator")})
    assert as_operator.json()["name_en"] == "New shop"
    moved = {**body, "address_en": "B"}
    changed = api.client.put(
        url, json=moved, headers={"Idempotency-Key": "move-merchant-3", **api.token("shop", "merchant:3")}
    )
    assert changed.json()["address_en"] == "B"


def test_a_merchants_list_and_statement_name_no_resident(api: Api) -> None:
    order = paid_order(api)
    shop = api.token("shop", "merchant:1")
    listed = api.get("/v1/merchants/1/orders", shop).json()["items"]
    assert [one["order_id"] for one in listed] == [order["order_id"]]
    period = {"since": "2026-11-20T00:00:00+08:00", "until": "2026-11-21T00:00:00+08:00"}
    answer = api.get("/v1/merchants/1/statement", shop, params=period)
    found = answer.json()
    assert (found["orders"], found["paid"]["yuan"], found["position"]["fen"]) == (1, "28.00", "2800")
    claim = [found[name]["fen"] for name in ("matured", "maturing", "locked", "paid_out")]
    assert claim == ["0", "2800", "0", "0"]
    assert [line["order_id"] for line in found["lines"]] == [order["order_id"]]
    with api.world.database.read() as session:
        resident = api.world.redemptions.get(session, bytes.fromhex(order["order_id"][2:]))
    for text in (answer.text, api.get("/v1/merchants/1/orders", shop).text):
        assert str(resident.resident_id) not in text
        assert resident.holder not in text
    assert api.get("/v1/merchants/1/statement", api.token("f", "finance"), params=period).status_code == 200
    other = api.get("/v1/merchants/1/statement", api.token("m", "merchant:2"), params=period)
    assert problem(other) == (403, "/problems/forbidden")


def test_a_hold_is_captured_in_part_or_released(api: Api) -> None:
    headers, made = api.register()
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    shop = api.token("shop", "merchant:1")
    orders = []
    for _ in range(2):
        order = api.post("/v1/redemptions", {"offer": "rice", "mode": "hold"}, headers).json()
        api.world.say(bytes.fromhex(order["order_id"][2:]), "hold")
        orders.append(order["order_id"])
    api.world.settle()
    capture = f"/v1/merchants/1/orders/{orders[0]}/capture"
    assert problem(api.post(capture, {"keep_fen": "9999"}, shop)) == (409, "/problems/not-enough-held")
    assert api.post(capture, {"keep_fen": "1000"}, shop).status_code == 202
    released = api.post(f"/v1/merchants/1/orders/{orders[1]}/release", {"reason": "sold out"}, shop)
    assert released.status_code == 202
    again = api.post(f"/v1/merchants/1/orders/{orders[0]}/release", {"reason": "sold out"}, shop)
    assert problem(again) == (409, "/problems/order-state")


def test_a_suspended_merchant_stays_so_until_the_operator_says_otherwise(api: Api) -> None:
    details = {"name_zh": "店", "name_en": "Shop", "category": "food", "address_zh": "甲", "address_en": "A"}
    shop, operator = api.token("shop", "merchant:1"), api.token("op", "operator")

    def save(body: dict[str, str], who: dict[str, str], key: str) -> httpx.Response:
        return api.client.put("/v1/merchants/1", json=body, headers={"Idempotency-Key": key, **who})

    assert save({**details, "status": "suspended"}, operator, "suspend-1").json()["status"] == "suspended"
    assert save(details, shop, "details-1").json()["status"] == "suspended"
    assert problem(save({**details, "status": "active"}, shop, "resume-by-shop")) == (403, "/problems/forbidden")
    assert save(details, operator, "details-2").json()["status"] == "suspended"
    assert save({**details, "status": "active"}, operator, "resume-1").json()["status"] == "active"


def test_times_and_texts_that_no_database_holds_are_refused(api: Api) -> None:
    shop = api.token("shop", "merchant:1")
    for field, value in (
        ("opens_at", "0001-01-01T00:00:00+14:00"),
        ("closes_at", "9999-12-31T23:59:59-14:00"),
        ("description_zh", "a\0b"),
    ):
        answer = api.post("/v1/merchants/1/offers", {**OFFER, field: value}, shop)
        assert problem(answer) == (422, "/problems/invalid-request")
    times = {"since": "1970-01-01T00:00:00Z", "until": "9999-12-31T23:59:59-14:00"}
    statement = api.client.get("/v1/merchants/1/statement", params=times, headers=shop)
    assert problem(statement) == (422, "/problems/invalid-request")


def test_the_chain_is_not_asked_about_another_merchants_order(api: Api) -> None:
    """A refund's proof costs several calls to a node: nobody orders them for what is not theirs."""
    refunds: Any = api.services.refunds
    refunds.require_open.side_effect = UnknownOrder("0x" + "11" * 32)
    path = f"/v1/merchants/1/orders/0x{'11' * 32}/refund"
    answer = api.post(path, {"keep_fen": "0", "reason": "sold out"}, api.token("shop", "merchant:1"))
    assert problem(answer) == (404, "/problems/unknown-order")
    refunds.prove.assert_not_called()


def test_an_offer_that_closes_before_it_opens_or_counts_in_truths_is_refused(api: Api) -> None:
    shop = api.token("shop", "merchant:1")
    for wrong in (
        {"opens_at": "2026-11-21T00:00:00+08:00", "closes_at": "2026-11-20T00:00:00+08:00"},
        {"opens_at": "2026-11-21T00:00:00"},
        {"stock_total": True},
    ):
        assert problem(api.post("/v1/merchants/1/offers", {**OFFER, **wrong}, shop)) == (
            422,
            "/problems/invalid-request",
        )
    resident, _ = api.register()
    answer = api.post("/v1/redemptions", {"offer": "rice", "quantity": True}, resident)
    assert problem(answer) == (422, "/problems/invalid-request")


def test_the_offers_of_a_suspended_merchant_are_not_listed(api: Api) -> None:
    details = {"name_zh": "店", "name_en": "Shop", "category": "food", "address_zh": "甲", "address_en": "A"}
    body = {**details, "status": "suspended"}
    headers = {"Idempotency-Key": "suspend-for-the-list", **api.token("op", "operator")}
    assert api.client.put("/v1/merchants/1", json=body, headers=headers).status_code == 200
    assert [one["offer_id"] for one in api.get("/v1/offers").json()["items"]] == ["ticket"]
