from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger_api.app import create_app
from tests.unit.ledger_api.api import Api, TestClient, problem
from tests.unit.ledger_api.routes.merchant.test_orders import Resident, bought, key_of
from tests.unit.redemption.world import Q2026_4, VOLUNTEER

STAFF, PASSWORD = "/v1/merchants/1/staff", "correct horse battery"


@pytest.fixture
def owner(api: Api) -> dict[str, str]:
    return api.token("owner", "merchant:1")


@pytest.fixture
def resident(api: Api) -> Resident:
    headers, person = api.register("wang", "510107195403071234")
    api.world.give(person["account"], VOLUNTEER, Q2026_4, 60_000)
    return headers


def hire(api: Api, owner: dict[str, str], right: str, name: str = "") -> dict[str, str]:
    """Make a login for staff, sign in with it and return its headers."""
    name = name or f"zhang.{right}"
    made = api.post(STAFF, {"name": name, "password": PASSWORD, "right": right}, owner)
    assert made.status_code == 201, made.text
    assert "password" not in made.text
    return signed_in(api, name)


def signed_in(api: Api, name: str, password: str = PASSWORD) -> dict[str, str]:
    answer = api.client.post("/v1/sessions", json={"name": name, "password": password})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_a_till_serves_and_does_nothing_else(api: Api, owner: dict[str, str]) -> None:
    till = hire(api, owner, "till")
    order = "0x" + "11" * 32
    assert api.get("/v1/merchants/1/orders", till).status_code == 200
    assert problem(api.post("/v1/merchants/1/codes/check", {"code": "1234567890"}, till))[0] == 404
    span = "since=2026-11-01T00:00:00Z&until=2026-11-30T00:00:00Z"
    refused: list[Any] = [
        api.post(f"/v1/merchants/1/orders/{order}/refund", {"reason": "x"}, till),
        api.post(f"/v1/merchants/1/orders/{order}/refund/propose", {"reason": "x"}, till),
        api.get("/v1/merchants/1/refund-proposals", till),
        api.get(f"/v1/merchants/1/statement?{span}", till),
        api.get("/v1/clearing/merchants/1", till),
        api.post("/v1/merchants/1/offers/rice", {"status": "paused"}, till),
        api.get(STAFF, till),
        api.get("/v1/merchants/2/orders", till),
    ]
    for answer in refused:
        assert problem(answer) == (403, "/problems/forbidden")


def test_who_gives_back_does_not_serve_and_a_manager_does_both(api: Api, owner: dict[str, str]) -> None:
    refunds, manager = hire(api, owner, "refunds"), hire(api, owner, "manager")
    assert problem(api.post("/v1/merchants/1/codes/check", {"code": "1234567890"}, refunds))[0] == 403
    assert problem(api.post("/v1/merchants/1/codes/check", {"code": "1234567890"}, manager))[0] == 404
    for one in (refunds, manager):
        assert api.get("/v1/merchants/1/refund-proposals", one).status_code == 200
        assert problem(api.get(STAFF, one))[0] == 403
    assert api.post("/v1/merchants/1/offers/rice", {"status": "paused"}, manager).status_code == 200
    assert problem(api.post("/v1/merchants/1/offers/rice", {"status": "active"}, refunds))[0] == 403


def test_the_owner_ends_staff_at_once_and_gives_passwords(api: Api, owner: dict[str, str]) -> None:
    till = hire(api, owner, "till")
    assert api.post(f"{STAFF}/zhang.till/password", {"new_password": "another long phrase"}, owner).status_code == 200
    assert problem(api.get("/v1/merchants/1/orders", till))[0] == 401
    till = signed_in(api, "zhang.till", "another long phrase")
    assert api.post(f"{STAFF}/zhang.till/end", None, owner).json()["is_active"] is False
    assert problem(api.get("/v1/merchants/1/orders", till))[0] == 401
    [shown] = api.get(STAFF, owner).json()["items"]
    assert (shown["name"], shown["right"], shown["is_active"]) == ("zhang.till", "till", False)


def test_another_shops_staff_and_the_citys_logins_do_not_exist_for_an_owner(api: Api, owner: dict[str, str]) -> None:
    hire(api, owner, "till")
    api.client.post("/v1/logins", json={"name": "wang.resident", "password": PASSWORD})
    other = api.token("museum", "merchant:2")
    for who, merchant, name in ((other, 2, "zhang.till"), (owner, 1, "wang.resident"), (owner, 1, "nobody")):
        answer = api.post(f"/v1/merchants/{merchant}/staff/{name}/end", None, who)
        assert problem(answer) == (404, "/problems/unknown-login")
    assert api.get("/v1/merchants/2/staff", other).json() == {"items": []}


def test_a_name_that_is_taken_and_a_right_that_is_none_are_refused(api: Api, owner: dict[str, str]) -> None:
    hire(api, owner, "till")
    body = {"name": "zhang.till", "password": PASSWORD, "right": "till"}
    assert problem(api.post(STAFF, body, owner)) == (409, "/problems/login-name-taken")
    assert problem(api.post(STAFF, {**body, "name": "li.si", "right": "owner"}, owner))[0] == 422


def test_where_a_provider_is_it_gives_the_rights(api: Api, owner: dict[str, str]) -> None:
    services = replace(api.services, sign_in=replace(api.sign_in, is_on=False))
    client = TestClient(create_app(services))
    body = {"name": "zhang.san", "password": PASSWORD, "right": "till"}
    answer = client.post(STAFF, json=body, headers={**owner, "Idempotency-Key": "test-key-1"})
    assert problem(answer) == (403, "/problems/passwords-off")
    client.close()


def test_a_shops_staff_does_not_buy_there(api: Api) -> None:
    headers, person = api.register("wang", "510107195403071234")
    api.world.give(person["account"], VOLUNTEER, Q2026_4, 60_000)
    both = api.token("wang", "resident:self", "merchant:1:till")
    assert problem(api.post("/v1/redemptions", {"offer": "rice"}, both)) == (403, "/problems/self-dealing")
    assert api.post("/v1/redemptions", {"offer": "rice"}, headers).status_code == 202


def test_a_large_refund_is_proposed_and_listed_until_another_carries_it_out(
    api: Api, owner: dict[str, str], resident: Resident
) -> None:
    refunds = hire(api, owner, "refunds")
    order = bought(api, resident)
    path = f"/v1/merchants/1/orders/{order['order_id']}/refund/propose"
    assert problem(api.post(path.replace("/1/", "/2/"), {"reason": "x"}, api.token("m", "merchant:2")))[0] == 404
    made = api.post(path, {"keep_fen": "0", "reason": "out of date"}, refunds)
    assert made.status_code == 201, made.text
    assert api.get("/v1/merchants/1/refund-proposals", owner).json()["items"] == [made.json()]
    assert key_of(order).hex() in made.json()["order_id"]
    assert problem(api.post(path, {"reason": "x"}, api.token("wang", "merchant:1:refunds")))[0] == 403
