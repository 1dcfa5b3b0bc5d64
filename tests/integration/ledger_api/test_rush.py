"""Many residents at once: every order is paid or refused, stock and books add up, nobody gets a server error."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.http_client import client_of
from tests.integration.ledger_api.served import Served

RESIDENTS = 12
ORDERS = 5
STOCK = 40


def test_a_rush_on_scarce_goods_sells_each_piece_once(served: Served) -> None:
    shop = served.token("shop", "merchant:1")
    body = {"title_zh": "限量", "title_en": "Limited", "price_fen": "100", "stock_total": STOCK}
    offer = served.post("/v1/merchants/1/offers", body, shop).json()["offer_id"]
    residents = [served.resident(f"rush-{number}", f"5101{number:014d}") for number in range(RESIDENTS)]
    for _, made in residents:
        served.grant(made["account"], 1, 20_000)

    def buy(number: int) -> list[httpx.Response]:
        headers, _ = residents[number]
        answers: list[httpx.Response] = []
        with client_of(served.url) as client:
            while client.get("/v1/wallet", headers=headers).json()["programmes"][0]["balance"]["points"] == "0.00":
                pass
            for count in range(ORDERS):
                sent = {**headers, "Idempotency-Key": f"rush-{number}-{count:04d}"}
                # Each request twice, as an impatient client sends it.
                answers += [client.post("/v1/redemptions", json={"offer": offer}, headers=sent) for _ in range(2)]
        return answers

    with ThreadPoolExecutor(RESIDENTS) as pool:
        answers = [answer for many in pool.map(buy, range(RESIDENTS)) for answer in many]
    assert {answer.status_code for answer in answers} == {202, 409}, {a.status_code for a in answers}
    orders: dict[str, Any] = {a.json()["order_id"]: a.request.headers for a in answers if a.status_code == 202}
    assert len(orders) == STOCK
    refused = {answer.json()["type"] for answer in answers if answer.status_code == 409}
    assert refused == {"/problems/out-of-stock"}
    for order_id, sent in orders.items():
        headers = {"Authorization": sent["authorization"]}
        assert served.wait(order_id, headers)["state"] == "paid"
    with served.city.database.read() as session:
        found = served.city.offers.get(session, offer)
    assert (found.stock_reserved, found.stock_taken) == (0, STOCK)
    assert served.city.gateway.check_projection().is_equal
