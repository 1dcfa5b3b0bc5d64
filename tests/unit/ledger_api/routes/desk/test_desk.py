from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from ledger.store.models.api import IdentityLookRow
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import Q2026_4, VOLUNTEER

PIN = "481903"


@pytest.fixture
def made(api: Api) -> dict[str, Any]:
    """A resident with points, registered by phone long ago, who has a PIN."""
    headers, resident = api.register()
    api.world.give(resident["account"], VOLUNTEER, Q2026_4, 60_000)
    assert api.post("/v1/residents/me/pin", {"pin": PIN}, headers).status_code == 200
    return resident


def clerk(api: Api, name: str = "clerk-a", desk: str = "shuangnan") -> dict[str, str]:
    return api.token(name, f"desk:{desk}")


def order_body(made: dict[str, Any], **proof: str) -> dict[str, Any]:
    return {"resident_id": made["resident_id"], "offer": "rice", "quantity": 1, "proof": proof}


def served(api: Api, made: dict[str, Any]) -> dict[str, Any]:
    answer = api.post("/v1/desk/orders", order_body(made, kind="pin", pin=PIN), clerk(api))
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_resident_without_a_phone_leaves_with_a_slip_and_gets_the_rice(api: Api, made: dict[str, Any]) -> None:
    given = served(api, made)
    api.world.say(bytes.fromhex(given["order"]["order_id"][2:]), "redeem", 2800)
    api.world.settle()
    page = api.get(given["slip"]["html"], clerk(api))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "大米 5 公斤" in page.text
    assert api.get(given["slip"]["svg"], clerk(api)).headers["content-type"] == "image/svg+xml"
    code = api.world.codes.code(given["slip"]["slip_id"])
    assert code[:5] + "-" + code[5:] in page.text
    shop = api.token("shop", "merchant:1")
    assert api.post("/v1/merchants/1/codes", {"code": code}, shop).json()["handed_over_at"] is not None


@pytest.mark.parametrize("name", ["clerk-a", "clerk-b"])
def test_a_desk_never_captures_its_own_order(api: Api, made: dict[str, Any], name: str) -> None:
    """Even a clerk who holds the merchant's scope too, and even the colleague at the next window."""
    given = served(api, made)
    api.world.say(bytes.fromhex(given["order"]["order_id"][2:]), "redeem", 2800)
    api.world.settle()
    code = api.world.codes.code(given["slip"]["slip_id"])
    both = api.token(name, "desk:shuangnan", "merchant:1")
    assert problem(api.post("/v1/merchants/1/codes", {"code": code}, both)) == (403, "/problems/own-order")


def test_a_wrong_pin_is_counted_though_the_request_fails(api: Api, made: dict[str, Any]) -> None:
    wrong = order_body(made, kind="pin", pin="000001")
    for _ in range(4):
        assert problem(api.post("/v1/desk/orders", wrong, clerk(api))) == (403, "/problems/consent-not-shown")
    assert problem(api.post("/v1/desk/orders", wrong, clerk(api))) == (423, "/problems/pin-locked")
    right = order_body(made, kind="pin", pin=PIN)
    assert problem(api.post("/v1/desk/orders", right, clerk(api))) == (423, "/problems/pin-locked")
    assert api.world.offer().stock_reserved == 0


def test_a_repeat_is_no_new_try_of_the_pin(api: Api, made: dict[str, Any]) -> None:
    """The resident has a new PIN by now; the repeated request still gets its first answer, and locks nothing."""
    body = order_body(made, kind="pin", pin=PIN)
    first = api.post("/v1/desk/orders", body, clerk(api), key="desk-order-1")
    headers, _ = api.register()
    assert api.post("/v1/residents/me/pin", {"pin": "730516"}, headers).status_code == 200
    for _ in range(6):
        again = api.post("/v1/desk/orders", body, clerk(api), key="desk-order-1")
        assert (again.status_code, again.json()) == (202, first.json())
    fresh = order_body(made, kind="pin", pin="730516")
    assert api.post("/v1/desk/orders", fresh, clerk(api)).status_code == 202


def test_the_second_clerk_hands_nothing_over_with_a_token_of_the_shop(api: Api, made: dict[str, Any]) -> None:
    asked = {"resident_id": made["resident_id"], "offer": "rice", "quantity": 1}
    approval = api.post("/v1/desk/approvals", asked, clerk(api, "clerk-b")).json()
    proof = order_body(made, kind="second_clerk", approval_id=approval["approval_id"])
    given = api.post("/v1/desk/orders", proof, clerk(api)).json()
    api.world.say(bytes.fromhex(given["order"]["order_id"][2:]), "redeem", 2800)
    api.world.settle()
    code = api.world.codes.code(given["slip"]["slip_id"])
    path = "/v1/merchants/1/codes"
    assert problem(api.post(path, {"code": code}, api.token("clerk-b", "merchant:1"))) == (403, "/problems/own-order")
    assert api.post(path, {"code": code}, api.token("shop", "merchant:1")).json()["handed_over_at"] is not None


def test_a_second_clerk_helps_where_the_pin_is_forgotten(api: Api, made: dict[str, Any]) -> None:
    asked = {"resident_id": made["resident_id"], "offer": "rice", "quantity": 1}
    approval = api.post("/v1/desk/approvals", asked, clerk(api, "clerk-b")).json()
    body = order_body(made, kind="second_clerk", approval_id=approval["approval_id"])
    own = api.post("/v1/desk/orders", body, clerk(api, "clerk-b"))
    assert problem(own) == (403, "/problems/consent-not-shown")
    elsewhere = api.post("/v1/desk/orders", body, clerk(api, "clerk-c", "another"))
    assert problem(elsewhere) == (403, "/problems/consent-not-shown")
    assert api.post("/v1/desk/orders", body, clerk(api)).status_code == 202
    again = api.post("/v1/desk/orders", body, clerk(api))
    assert problem(again) == (403, "/problems/consent-not-shown")


def test_the_resident_reads_that_a_second_clerk_approved(api: Api, made: dict[str, Any]) -> None:
    asked = {"resident_id": made["resident_id"], "offer": "rice", "quantity": 1}
    assert api.post("/v1/desk/approvals", asked, clerk(api, "clerk-b")).status_code == 201
    with api.world.database.read() as session:
        looks = [(row.resident_id, row.operation) for row in session.query(IdentityLookRow)]
    assert (int(made["resident_id"]), "approveAtDesk") in looks


def test_an_approval_is_not_used_up_by_a_purchase_that_fails(api: Api, made: dict[str, Any]) -> None:
    asked = {"resident_id": made["resident_id"], "offer": "rice", "quantity": 4}
    approval = api.post("/v1/desk/approvals", asked, clerk(api, "clerk-b")).json()
    body = {**order_body(made, kind="second_clerk", approval_id=approval["approval_id"]), "quantity": 4}
    assert problem(api.post("/v1/desk/orders", body, clerk(api))) == (409, "/problems/out-of-stock")
    with api.world.database.transaction() as session:
        api.world.offers.restock(session, "rice", 10)
    assert api.post("/v1/desk/orders", body, clerk(api)).status_code == 202


def test_every_look_at_a_resident_is_logged(api: Api, made: dict[str, Any]) -> None:
    path = f"/v1/desk/residents/{made['resident_id']}/wallet"
    assert api.get(path, clerk(api)).json()["account"] == made["account"]
    assert problem(api.get(path, api.token("shop", "merchant:1"))) == (403, "/problems/forbidden")
    with api.world.database.read() as session:
        [look] = session.scalars(select(IdentityLookRow))
    assert (look.subject, look.resident_id) == ("urn:test clerk-a", int(made["resident_id"]))
    assert look.operation == "getWalletAtDesk"


def test_whoever_set_the_pin_at_the_desk_cannot_use_it(api: Api, made: dict[str, Any]) -> None:
    new = {"resident_id": made["resident_id"], "pin": "730516"}
    answer = api.post("/v1/desk/pins", new, clerk(api)).json()
    assert (answer["done"], answer["confirm_until"] is None) == (False, False)
    confirm = {"resident_id": made["resident_id"]}
    alone = api.post("/v1/desk/pins/confirm", confirm, clerk(api))
    assert problem(alone) == (403, "/problems/consent-not-shown")
    assert api.post("/v1/desk/pins/confirm", confirm, clerk(api, "clerk-c")).json() == {"done": True}
    body = order_body(made, kind="pin", pin="730516")
    assert problem(api.post("/v1/desk/orders", body, clerk(api))) == (403, "/problems/consent-not-shown")
    assert api.post("/v1/desk/orders", body, clerk(api, "clerk-b")).status_code == 202


def test_a_lost_slip_is_replaced_by_the_same_desk(api: Api, made: dict[str, Any]) -> None:
    given = served(api, made)
    path = f"/v1/desk/orders/{given['order']['order_id']}/slip"
    assert problem(api.post(path, None, clerk(api, "clerk-c", "another"))) == (404, "/problems/unknown-order")
    new = api.post(path, None, clerk(api, "clerk-b")).json()
    assert new["slip_id"] != given["slip"]["slip_id"]
    shop = api.token("shop", "merchant:1")
    old_code = api.world.codes.code(given["slip"]["slip_id"])
    assert problem(api.post("/v1/merchants/1/codes/check", {"code": old_code}, shop)) == (409, "/problems/slip-used")


def test_a_slip_is_for_its_desk_and_its_resident_only(api: Api, made: dict[str, Any]) -> None:
    given = served(api, made)
    assert problem(api.get(given["slip"]["html"], clerk(api, "x", "another"))) == (404, "/problems/bad-code")
    assert problem(api.get(given["slip"]["html"], api.token("shop", "merchant:1"))) == (404, "/problems/bad-code")
    own = api.token("wang", "resident:self")
    assert api.get(given["slip"]["html"], own).status_code == 200


def test_a_resident_number_beyond_63_bits_is_nobodys(api: Api) -> None:
    clerk = api.token("clerk", "desk:shuangnan")
    answer = api.get("/v1/desk/residents/9999999999999999999/wallet", clerk)
    assert problem(answer) == (422, "/problems/invalid-request")


def test_a_desk_lists_its_own_orders_and_no_others(api: Api, made: dict[str, Any]) -> None:
    given = served(api, made)
    mine = api.get("/v1/desk/orders", clerk(api, "x", "shuangnan")).json()["items"]
    assert [one["order_id"] for one in mine] == [given["order"]["order_id"]]
    assert made["resident_id"] not in str(mine)
    assert api.get("/v1/desk/orders", clerk(api, "x", "another")).json()["items"] == []


def test_a_clerk_alone_lifts_no_lock_and_changes_no_pin(api: Api, made: dict[str, Any]) -> None:
    wrong = order_body(made, kind="pin", pin="111222")
    for _ in range(5):
        api.post("/v1/desk/orders", wrong, clerk(api))
    new = {"resident_id": made["resident_id"], "pin": "730516"}
    api.post("/v1/desk/pins", new, clerk(api))
    for pin in ("730516", PIN):
        body = order_body(made, kind="pin", pin=pin)
        assert problem(api.post("/v1/desk/orders", body, clerk(api, "clerk-b"))) == (423, "/problems/pin-locked")
    own = api.token("wang", "resident:self", "desk:shuangnan")
    confirm = {"resident_id": made["resident_id"]}
    assert problem(api.post("/v1/desk/pins/confirm", confirm, own)) == (403, "/problems/consent-not-shown")


def test_the_first_pin_is_one_clerks(api: Api) -> None:
    _, other = api.register("li", "510107195001011234")
    new = {"resident_id": other["resident_id"], "pin": "730516"}
    assert api.post("/v1/desk/pins", new, clerk(api)).json() == {"done": True, "confirm_until": None}
