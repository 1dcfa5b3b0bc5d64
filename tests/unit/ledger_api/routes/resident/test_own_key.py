"""A resident with an own key: what a wallet signs is what the chain checks, and nobody signs for another."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import GREEN, Q2026_4, Q2027_1, VOLUNTEER

KEY = "0x" + "42" * 32
OTHER = "0x" + "43" * 32
ADDRESS = Account.from_key(KEY).address


def proof(api: Api, token: dict[str, str], account: str = ADDRESS, key: str = KEY) -> dict[str, str]:
    """Show an account as a wallet does."""
    asked = api.client.post("/v1/own-key/account-proof", json={"account": account}, headers=token).json()
    return {"deadline": asked["deadline"], "signature": sign(asked, key)}


@pytest.fixture
def headers(api: Api) -> dict[str, str]:
    token = api.token("li", "resident:self", "resident:register")
    body = {"document_number": "510107195403071234", "account": ADDRESS, "account_proof": proof(api, token)}
    made = api.post("/v1/residents", body, token).json()
    assert (made["is_custodial"], made["account"]) == (False, ADDRESS)
    api.world.give(ADDRESS, VOLUNTEER, Q2026_4, 20_000)
    api.world.give(ADDRESS, VOLUNTEER, Q2027_1, 5_000)
    return token


def sign(unsigned: dict[str, Any], key: str = KEY) -> str:
    """Sign as any wallet does, from the typed data alone."""
    message = encode_typed_data(full_message=unsigned["typed_data"])
    signed = Account.from_key(key).sign_message(message)
    return "0x" + bytes(signed.signature).hex()


def exchange_body(unsigned: dict[str, Any], signature: str) -> dict[str, Any]:
    terms = unsigned["typed_data"]["message"]
    return {
        "holder": terms["holder"],
        "from_id": terms["fromId"],
        "amount": terms["amount"],
        "to_programme": terms["toProgramme"],
        "min_out": terms["minOut"],
        "nonce": terms["nonce"],
        "deadline": terms["deadline"],
        "signature": signature,
    }


def redeem_body(unsigned: dict[str, Any], signature: str) -> dict[str, Any]:
    return {"offer": "rice", **unsigned["typed_data"]["message"], "signature": signature}


def test_nobody_registers_an_account_whose_key_they_do_not_hold(api: Api) -> None:
    """No proof, another key's, another login's, another account's, one that is over: none will do."""
    token, other = (api.token(name, "resident:self", "resident:register") for name in ("li", "thief"))
    stranger = Account.from_key(OTHER).address
    good = proof(api, token)
    over = {**good, "deadline": str(int(good["deadline"]) - 2_000)}
    far = {**good, "deadline": str(int(good["deadline"]) + 2_000)}
    broken = {**good, "signature": "0x" + "00" * 65}
    attempts = [
        (token, ADDRESS, None),
        (token, ADDRESS, proof(api, token, key=OTHER)),
        (other, ADDRESS, good),
        (token, ADDRESS, proof(api, token, stranger)),
        (token, stranger, good),
        (token, ADDRESS, over),
        (token, ADDRESS, far),
        (token, ADDRESS, broken),
    ]
    for headers, account, shown in attempts:
        body = {"document_number": "510107195403071234", "account": account, "account_proof": shown}
        assert problem(api.post("/v1/residents", body, headers)) == (403, "/problems/account-unproven")
    body = {"document_number": "510107195403071234", "account": ADDRESS, "account_proof": good}
    assert api.post("/v1/residents", body, token).status_code == 201


def test_we_never_sign_for_an_own_key(api: Api, headers: dict[str, str]) -> None:
    assert problem(api.post("/v1/redemptions", {"offer": "rice"}, headers)) == (409, "/problems/own-key")


def test_an_exchange_is_prepared_signed_by_a_wallet_and_taken_in(api: Api, headers: dict[str, str]) -> None:
    wanted = {"from_programme": VOLUNTEER, "to_programme": GREEN, "amount": "230"}
    unsigned = api.client.post("/v1/own-key/exchanges/unsigned", json=wanted, headers=headers).json()
    # Of the lot that expires soonest, no more than it holds.
    assert unsigned["typed_data"]["message"]["amount"] == "20000"
    taken = api.post("/v1/own-key/exchanges", exchange_body(unsigned, sign(unsigned)), headers)
    assert taken.status_code == 202, taken.text
    assert taken.json()["order_id"] == unsigned["order_id"]
    assert api.get(f"/v1/orders/{unsigned['order_id']}", headers).json()["state"] == "placed"


def test_a_signed_order_of_points_that_ended_meanwhile_is_not_sent_and_its_repeat_is_still_answered(
    api: Api, headers: dict[str, str]
) -> None:
    """The chain would reject it, and the holder's nonce would be spent."""
    wanted = {"from_programme": VOLUNTEER, "to_programme": GREEN, "amount": "10"}
    exchange = api.client.post("/v1/own-key/exchanges/unsigned", json=wanted, headers=headers).json()
    body = exchange_body(exchange, sign(exchange))
    assert api.post("/v1/own-key/exchanges", body, headers).status_code == 202
    later = api.client.post("/v1/own-key/exchanges/unsigned", json=wanted, headers=headers).json()
    redemption = api.client.post("/v1/own-key/redemptions/unsigned", json={"offer": "rice"}, headers=headers).json()
    api.world.end_spending(VOLUNTEER, api.world.now)
    answer = api.post("/v1/own-key/exchanges", exchange_body(later, sign(later)), headers)
    assert problem(answer) == (409, "/problems/programme-forbids")
    assert api.post("/v1/own-key/exchanges", body, headers).status_code == 202
    answer = api.post("/v1/own-key/redemptions", redeem_body(redemption, sign(redemption)), headers)
    assert problem(answer) == (422, "/problems/order-unfit")


def test_orders_on_their_way_are_bounded(api: Api, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs without end is stopped; what was placed stays, and its repeat is answered."""
    monkeypatch.setattr("ledger.orders.desk.OPEN_MAX", 2)
    wanted = {"from_programme": VOLUNTEER, "to_programme": GREEN, "amount": "10"}
    bodies = []
    for _ in range(3):
        unsigned = api.client.post("/v1/own-key/exchanges/unsigned", json=wanted, headers=headers).json()
        bodies.append(exchange_body(unsigned, sign(unsigned)))
        answer = api.post("/v1/own-key/exchanges", bodies[-1], headers)
    assert problem(answer) == (409, "/problems/too-many-open-orders")
    assert api.post("/v1/own-key/exchanges", bodies[0], headers).status_code == 202


def test_a_redemption_is_prepared_signed_and_reserved(api: Api, headers: dict[str, str]) -> None:
    unsigned = api.client.post("/v1/own-key/redemptions/unsigned", json={"offer": "rice"}, headers=headers).json()
    assert api.world.offer().stock_reserved == 0
    body = redeem_body(unsigned, sign(unsigned))
    first = api.post("/v1/own-key/redemptions", body, headers)
    again = api.post("/v1/own-key/redemptions", body, headers)
    assert first.status_code == again.status_code == 202, first.text
    assert first.json()["order_id"] == again.json()["order_id"] == unsigned["order_id"]
    assert api.world.offer().stock_reserved == 1


def test_nobody_signs_for_another(api: Api, headers: dict[str, str]) -> None:
    unsigned = api.client.post("/v1/own-key/redemptions/unsigned", json={"offer": "rice"}, headers=headers).json()
    forged = api.post("/v1/own-key/redemptions", redeem_body(unsigned, sign(unsigned, OTHER)), headers)
    assert problem(forged) == (422, "/problems/wrong-signature")
    stranger, _ = api.register("stranger", "510107195001011234")
    stolen = api.post("/v1/own-key/redemptions", redeem_body(unsigned, sign(unsigned)), stranger)
    assert problem(stolen) == (422, "/problems/wrong-signature")
    wanted = {"from_programme": VOLUNTEER, "to_programme": GREEN, "amount": "1"}
    exchange = api.client.post("/v1/own-key/exchanges/unsigned", json=wanted, headers=headers).json()
    stolen = api.post("/v1/own-key/exchanges", exchange_body(exchange, sign(exchange)), stranger)
    assert problem(stolen) == (422, "/problems/wrong-signature")
    assert api.world.offer().stock_reserved == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"merchant": 2}, "order-unfit"),
        ({"lots": [{"id": str(VOLUNTEER << 32 | Q2026_4), "amount": "13999"}]}, "order-unfit"),
        ({"lots": [{"id": str(5 << 32), "amount": "14000"}]}, "order-unfit"),
        ({"quantity": 2}, "order-unfit"),
        ({"quantity": 4}, "out-of-stock"),
        ({"nonce": 1}, "wrong-signature"),
    ],
)
def test_an_order_that_does_not_fit_its_offer_is_refused(
    api: Api, headers: dict[str, str], change: dict[str, Any], reason: str
) -> None:
    unsigned = api.client.post("/v1/own-key/redemptions/unsigned", json={"offer": "rice"}, headers=headers).json()
    answer = api.post("/v1/own-key/redemptions", redeem_body(unsigned, sign(unsigned)) | change, headers)
    assert problem(answer)[1] == f"/problems/{reason}"
    assert api.world.offer().stock_reserved == 0


def test_the_same_nonce_serves_one_order(api: Api, headers: dict[str, str]) -> None:
    paths = "/v1/own-key/redemptions/unsigned", {"offer": "rice"}
    one = api.client.post(paths[0], json=paths[1], headers=headers).json()
    api.world.give(ADDRESS, VOLUNTEER, Q2026_4, 60_000)
    two = api.client.post(paths[0], json={**paths[1], "quantity": 2}, headers=headers).json()
    assert api.post("/v1/own-key/redemptions", redeem_body(one, sign(one)), headers).status_code == 202
    second = redeem_body(two, sign(two)) | {"quantity": 2}
    assert problem(api.post("/v1/own-key/redemptions", second, headers)) == (409, "/problems/nonce-taken")
