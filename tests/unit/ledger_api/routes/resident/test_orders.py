from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from ledger.store.models.projection import OrderOutcomeRow
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import GREEN, Q2026_4, VOLUNTEER

Resident = tuple[dict[str, str], dict[str, Any]]


@pytest.fixture
def resident(api: Api) -> Resident:
    headers, made = api.register()
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    return headers, made


def redeem(api: Api, headers: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = api.post("/v1/redemptions", {"offer": "rice", **body}, headers)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def key_of(order: dict[str, Any]) -> bytes:
    return bytes.fromhex(order["order_id"][2:])


def test_a_redemption_runs_from_quote_to_receipt(api: Api, resident: Resident) -> None:
    headers, _ = resident
    quote = api.post("/v1/redemptions/quotes", {"offer": "rice"}, headers).json()
    assert quote["lots"][0]["amount"]["points"] == "140.00"
    order = redeem(api, headers)
    assert (order["state"], order["is_final"], order["lots"]) == ("placed", False, quote["lots"])
    path = f"/v1/orders/{order['order_id']}"
    assert problem(api.get(f"{path}/receipt", headers)) == (409, "/problems/not-final")
    api.world.say(key_of(order), "redeem", 2800)
    api.world.settle()
    api.receipts.final.add(key_of(order))
    final = api.get(path, headers).json()
    assert (final["state"], final["is_final"], final["receipt"]) == ("paid", True, f"{path}/receipt")
    receipt = api.get(final["receipt"], headers)
    assert receipt.json() == {"order": key_of(order).hex()}
    assert "attachment" in receipt.headers["content-disposition"]
    assert [one["state"] for one in api.get("/v1/redemptions", headers).json()["items"]] == ["paid"]


def test_a_rejection_is_said_in_words(api: Api, resident: Resident) -> None:
    order = redeem(api, resident[0])
    api.world.say(key_of(order), "rejected", code=8)
    api.world.settle()
    found = api.get(f"/v1/orders/{order['order_id']}", resident[0]).json()
    assert (found["state"], found["reject_code"], found["reject_reason"]) == ("rejected", 8, "not enough points")
    assert found["receipt"] is None


def test_an_exchange_runs_from_quote_to_done(api: Api, resident: Resident) -> None:
    headers, _ = resident
    body = {"from_programme": VOLUNTEER, "to_programme": GREEN, "amount": "12.5"}
    quote = api.post("/v1/exchange/quotes", body, headers).json()
    assert quote["amount_out"] == {"points": "50.00", "minor": "5000"}
    [order] = api.post("/v1/exchange/orders", body, headers).json()["orders"]
    assert (order["kind"], order["state"], order["to_programme"]) == ("exchange", "placed", GREEN)
    with api.world.database.transaction() as session:
        session.add(
            OrderOutcomeRow(
                block_number=1,
                log_index=0,
                order_id=key_of(order),
                kind="exchange",
                code=0,
                holder=None,
                merchant=None,
                from_id=1,
                amount_in=1250,
                to_id=2,
                amount_out=5000,
                fen=250,
                transaction_hash=b"\x07" * 32,
                block_timestamp=api.world.now,
            )
        )
    done = api.get(f"/v1/orders/{order['order_id']}", headers).json()
    assert (done["state"], done["is_final"], done["amount_out"]["points"]) == ("done", True, "50.00")
    assert done["transaction"] == "0x" + "07" * 32


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"from_programme": 1, "to_programme": 2, "amount": "0"}, (422, "/problems/malformed-amount")),
        ({"from_programme": 1, "to_programme": 2, "amount": "1.234"}, (422, "/problems/invalid-request")),
        ({"from_programme": 1, "to_programme": 2, "amount": 12}, (422, "/problems/invalid-request")),
        ({"from_programme": 1, "to_programme": 5, "amount": "12"}, (409, "/problems/programme-forbids")),
        ({"from_programme": 1, "to_programme": 2, "amount": "9999"}, (409, "/problems/not-enough-points")),
        (
            {"from_programme": 1, "to_programme": 2, "amount": "1", "min_out": "99"},
            (409, "/problems/too-little"),
        ),
    ],
)
def test_an_exchange_that_cannot_be_is_refused(
    api: Api, resident: Resident, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert problem(api.post("/v1/exchange/orders", body, resident[0])) == expected


def test_nobody_sees_or_cancels_another_residents_order(api: Api, resident: Resident) -> None:
    order = redeem(api, resident[0], mode="hold")
    other, _ = api.register("li", "510107195001011234")
    path = f"/v1/orders/{order['order_id']}"
    assert problem(api.get(path, other)) == (404, "/problems/unknown-order")
    assert problem(api.get(f"{path}/receipt", other)) == (404, "/problems/unknown-order")
    issued = api.post(f"/v1/redemptions/{order['order_id']}/code", None, other)
    assert problem(issued) == (404, "/problems/unknown-order")
    stranger = api.token("auditor", "auditor")
    assert problem(api.get(path, stranger)) == (404, "/problems/unknown-order")
    assert api.get(path, api.token("shop", "merchant:1")).status_code == 200
    assert problem(api.get(path, api.token("shop", "merchant:2"))) == (404, "/problems/unknown-order")


def test_waiting_ends_with_the_answer_and_not_with_the_time(api: Api, resident: Resident) -> None:
    order = redeem(api, resident[0])

    def land() -> None:
        time.sleep(0.3)
        api.world.say(key_of(order), "redeem", 2800)
        api.world.settle()

    thread = threading.Thread(target=land)
    started = time.monotonic()
    thread.start()
    found = api.get(f"/v1/orders/{order['order_id']}", resident[0], params={"wait_s": 20})
    thread.join()
    assert found.json()["state"] == "paid"
    assert time.monotonic() - started < 10


def test_waiting_ends_with_its_time(api: Api, resident: Resident) -> None:
    order = redeem(api, resident[0])
    found = api.get(f"/v1/orders/{order['order_id']}", resident[0], params={"wait_s": 0.2})
    assert found.json()["state"] == "placed"
    too_long = api.get(f"/v1/orders/{order['order_id']}", resident[0], params={"wait_s": 31})
    assert problem(too_long) == (422, "/problems/invalid-request")


@pytest.mark.parametrize("order_id", ["0x12", "zz", "11" * 32, "0x" + "1g" * 32])
def test_an_id_that_is_none_is_said_so(api: Api, resident: Resident, order_id: str) -> None:
    assert problem(api.get(f"/v1/orders/{order_id}", resident[0])) == (400, "/problems/malformed-id")


def test_a_code_on_the_residents_own_screen_opens_the_counter(api: Api, resident: Resident) -> None:
    headers, _ = resident
    order = redeem(api, headers)
    api.world.say(key_of(order), "redeem", 2800)
    api.world.settle()
    slip = api.post(f"/v1/redemptions/{order['order_id']}/code", None, headers).json()
    screen = api.get(f"/v1/slips/{slip['slip_id']}", headers).json()
    assert screen["qr_content"] == "TONGDUI:" + screen["code"].replace("-", "")
    shop = api.token("shop", "merchant:1")
    seen = api.post("/v1/merchants/1/codes/check", {"code": screen["code"]}, shop).json()
    assert (seen["title_en"], seen["price"]["yuan"], seen["handed_over_at"]) == ("Rice, 5 kg", "28.00", None)
    assert "resident" not in str(seen)
    given = api.post("/v1/merchants/1/codes", {"code": screen["qr_content"]}, shop)
    assert given.json()["handed_over_at"] is not None
    again = api.post("/v1/merchants/1/codes", {"code": screen["code"]}, shop)
    assert problem(again) == (409, "/problems/slip-used")
    other = api.post("/v1/merchants/2/codes", {"code": screen["code"]}, api.token("museum", "merchant:2"))
    assert problem(other) == (404, "/problems/bad-code")


def test_a_hold_is_cancelled_by_its_resident(api: Api, resident: Resident) -> None:
    headers, _ = resident
    order = redeem(api, headers, mode="hold")
    api.world.say(key_of(order), "hold")
    api.world.settle()
    assert api.get(f"/v1/orders/{order['order_id']}", headers, params={"wait_s": 5}).json()["state"] == "held"
    path = f"/v1/redemptions/{order['order_id']}/cancel"
    for outcome in ("created", "exists"):
        answer = api.post(path, None, headers, "one-cancellation")
        assert (answer.status_code, answer.json()["outcome"], answer.json()["act"]["act"]) == (202, outcome, "cancel")
    api.world.say(key_of(order), "release")
    api.world.settle()
    found = api.get(f"/v1/orders/{order['order_id']}", headers).json()
    assert (found["state"], found["taken"]) == ("released", [])
    assert found["receipt"] is not None, "the release has one"
    assert api.world.offer().stock_left == 3


def test_a_resident_sees_what_the_shop_took_and_the_names(api: Api, resident: Resident) -> None:
    headers, _ = resident
    order = redeem(api, headers, mode="hold")
    api.world.say(key_of(order), "hold")
    api.world.say(key_of(order), "capture", 1000, kept=(1, 5_000))
    api.world.settle()
    [found] = api.get("/v1/redemptions", headers, params={"state": "captured"}).json()["items"]
    assert [lot["amount"]["points"] for lot in found["lots"]] == ["140.00"]
    assert [lot["amount"]["points"] for lot in found["taken"]] == ["50.00"]
    assert (found["merchant_en"], found["title_zh"]) == ("Hongqi Grocery", "大米 5 公斤")
    assert api.get("/v1/redemptions", headers, params={"state": "paid"}).json()["items"] == []


def test_a_stranger_learns_nothing_of_an_order_registered_or_not(api: Api, resident: Resident) -> None:
    headers, _ = resident
    order = redeem(api, headers, mode="hold")
    api.register("li", "510107195001011234")
    for stranger in (api.token("li", "resident:self"), api.token("nobody", "resident:self")):
        for order_id in (order["order_id"], "0x" + "11" * 32):
            assert problem(api.get(f"/v1/orders/{order_id}", stranger)) == (404, "/problems/unknown-order")
    li = api.token("li", "resident:self")
    for order_id in (order["order_id"], "0x" + "11" * 32):
        assert problem(api.post(f"/v1/redemptions/{order_id}/cancel", None, li)) == (404, "/problems/unknown-order")


def test_an_id_has_one_form(api: Api) -> None:
    headers, _ = api.register()
    good = "ab" * 32
    for text in ("0x" + good.upper(), "0x" + " ".join([good[:32], good[32:]]), good, "0x" + good[:62], "0X" + good):
        assert problem(api.get(f"/v1/orders/{text}", headers)) == (400, "/problems/malformed-id"), text
    assert api.get(f"/v1/orders/0x{good}", headers).status_code == 404
