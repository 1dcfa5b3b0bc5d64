from __future__ import annotations

import pytest

from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import GREEN, Q2027_1, RESIDENCE, VOLUNTEER

QUOTES, ORDERS = "/v1/exchange/quotes", "/v1/exchange/orders"
GREEN_TO_VOLUNTEER = {"from_programme": GREEN, "to_programme": VOLUNTEER, "amount": "10"}


@pytest.fixture
def resident(api: Api) -> dict[str, str]:
    headers, made = api.register()
    api.world.give(made["account"], GREEN, Q2027_1 + 8, 5_000)
    return headers


def test_an_exchange_is_quoted_and_placed(api: Api, resident: dict[str, str]) -> None:
    quoted = api.post(QUOTES, GREEN_TO_VOLUNTEER, resident).json()
    assert (quoted["amount_in"]["points"], quoted["amount_out"]["points"]) == ("10.00", "2.50")
    assert api.post(ORDERS, GREEN_TO_VOLUNTEER, resident).status_code == 202


@pytest.mark.parametrize("path", [QUOTES, ORDERS])
def test_dead_points_of_a_closing_programme_are_neither_quoted_nor_signed(
    api: Api, resident: dict[str, str], path: str
) -> None:
    api.world.end_spending(GREEN, api.world.now + 1)
    assert api.post(QUOTES, GREEN_TO_VOLUNTEER, resident).status_code == 200
    api.world.end_spending(GREEN, api.world.now)
    answer = api.post(path, GREEN_TO_VOLUNTEER, resident)
    assert problem(answer) == (409, "/problems/programme-forbids")
    assert answer.json()["programme"] == GREEN


@pytest.mark.parametrize("path", [QUOTES, ORDERS])
def test_a_closing_programme_takes_no_points_and_a_score_is_none(api: Api, resident: dict[str, str], path: str) -> None:
    api.world.end_spending(VOLUNTEER, api.world.now + 100)
    for target in (VOLUNTEER, RESIDENCE):
        answer = api.post(path, GREEN_TO_VOLUNTEER | {"to_programme": target}, resident)
        assert problem(answer) == (409, "/problems/programme-forbids")
        assert answer.json()["programme"] == target


@pytest.mark.parametrize("path", [QUOTES, ORDERS])
def test_while_exchange_is_paused_it_is_unavailable(api: Api, resident: dict[str, str], path: str) -> None:
    api.world.pause("Redemption", api.world.now + 60)
    assert api.post(QUOTES, GREEN_TO_VOLUNTEER, resident).status_code == 200
    api.world.pause("Exchange", api.world.now + 60)
    assert problem(api.post(path, GREEN_TO_VOLUNTEER, resident)) == (503, "/problems/unavailable")
    api.world.pause("Exchange", 0)
    assert api.post(QUOTES, GREEN_TO_VOLUNTEER, resident).status_code == 200


def test_what_would_give_nothing_is_not_quoted_either(api: Api, resident: dict[str, str]) -> None:
    body = {**GREEN_TO_VOLUNTEER, "amount": "0.01"}
    for path in (QUOTES, ORDERS):
        assert problem(api.post(path, body, resident)) == (409, "/problems/too-little")


def test_exchange_orders_are_listed(api: Api, resident: dict[str, str]) -> None:
    placed = [api.post(ORDERS, GREEN_TO_VOLUNTEER, resident).json()["orders"][0]["order_id"] for _ in range(3)]
    page = api.get(ORDERS, resident, params={"limit": 2}).json()
    rest = api.get(ORDERS, resident, params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [one["order_id"] for one in page["items"] + rest["items"]] == placed[::-1]
    assert {one["state"] for one in page["items"]} == {"placed"}
    api.register("li", "510107195001011234")
    assert api.get(ORDERS, api.token("li", "resident:self")).json()["items"] == []
