"""One city over real HTTP, Anvil and SQLite: what a resident, a desk, a merchant and a stranger do with it."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from ledger.audit.auditor import audit
from ledger.deployment.file import Deployment
from ledger.proofs.receipt import verify_receipt
from tests.eventually import eventually
from tests.integration.ledger_api.served import Served

Resident = tuple[dict[str, str], dict[str, Any]]


def balance(served: Served, headers: dict[str, str], programme: int) -> str:
    wallet = served.get("/v1/wallet", headers).json()
    [found] = [one["balance"]["points"] for one in wallet["programmes"] if one["programme"] == programme]
    return str(found)


def wait_for_balance(served: Served, headers: dict[str, str], programme: int, points: str) -> None:
    eventually(lambda: balance(served, headers, programme), lambda found: found == points)


@pytest.fixture(scope="module")
def wang(served: Served) -> Resident:
    headers, made = served.resident("wang", "510107195403071234")
    served.grant(made["account"], 1, 50_000)
    served.grant(made["account"], 2, 80_000)
    wait_for_balance(served, headers, 1, "500.00")
    wait_for_balance(served, headers, 2, "800.00")
    return headers, made


def test_it_says_that_it_is_ready_and_right(served: Served, wang: Resident) -> None:
    assert served.get("/readyz").json()["ready"] is True
    served.city.invariants.refresh()
    report = served.get("/v1/invariants").json()
    assert report["ok"] is True, report
    programmes = served.get("/v1/programmes").json()["items"]
    assert [one["slug"] for one in programmes] == ["volunteer", "environmental", "traffic", "culture", "residence"]
    assert all(one["rulebook_hash"] for one in programmes)
    assert wang[1]["is_custodial"] is True


def test_green_points_become_a_museum_ticket(served: Served, wang: Resident) -> None:
    headers, _ = wang
    body = {"from_programme": 2, "to_programme": 4, "amount": "600"}
    [order] = served.post("/v1/exchange/orders", body, headers).json()["orders"]
    done = served.wait(order["order_id"], headers)
    assert (done["state"], done["amount_out"]["points"]) == ("done", "30.00")
    ticket = served.post("/v1/redemptions", {"offer": "museum-ticket", "programmes": [4]}, headers, key="ticket-00001")
    paid = served.wait(ticket.json()["order_id"], headers)
    assert paid["state"] == "paid"
    assert balance(served, headers, 4) == "0.00"
    museum = served.token("museum", "merchant:5")
    assert served.get("/v1/clearing/merchants/5", museum).json()["position"]["yuan"] == "30.00"
    clearing = served.get("/v1/clearing", served.token("bureau", "finance")).json()
    assert clearing["sum"]["fen"] == "0"
    # The same request again is the same order, and pays nothing twice.
    again = served.post("/v1/redemptions", {"offer": "museum-ticket", "programmes": [4]}, headers, key="ticket-00001")
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["order_id"] == paid["order_id"]


def test_receipts_prove_themselves_and_forged_ones_do_not(served: Served, wang: Resident) -> None:
    headers, _ = wang
    body = {"from_programme": 2, "to_programme": 1, "amount": "4"}
    [order] = served.post("/v1/exchange/orders", body, headers).json()["orders"]
    done = served.wait(order["order_id"], headers)
    receipt = served.get(done["receipt"], headers).json()
    offline = verify_receipt(receipt, None, served.city.deployment)
    assert offline.ok, offline.reason
    assert served.client.post("/v1/verify/receipts", json=receipt).json()["verdict"] == "PASS"
    receipt["event"]["args"]["amountOut"] = "999999"
    forged = served.client.post("/v1/verify/receipts", json=receipt).json()
    assert forged["verdict"] == "FAIL"
    on_chain = served.get(f"/v1/verify/orders/{order['order_id']}").json()
    assert (on_chain["outcome"], on_chain["kind"], on_chain["fen"]) == ("landed", "exchange", "20")
    assert on_chain["transaction"] == done["transaction"]
    assert served.get(f"/v1/verify/orders/0x{'77' * 32}").json()["outcome"] == "unknown"


def test_a_grant_is_verified_by_its_published_leaf(served: Served, wang: Resident) -> None:
    evidence = served.grant(wang[1]["account"], 3, 1_000)
    wait_for_balance(served, wang[0], 3, "10.00")
    assert served.client.post("/v1/verify/grants", json=evidence).json()["verdict"] == "PASS"
    evidence["leaf"]["amount"] = "100000"
    assert served.client.post("/v1/verify/grants", json=evidence).json()["verdict"] == "FAIL"
    batch = served.get(f"/v1/verify/batches/3/{evidence['batch']}").json()
    assert batch["state"] == "landed"
    assert served.get("/v1/verify/batches/3/999999").json()["state"] == "unused"


def test_a_resident_without_a_phone_gets_rice_by_a_slip(served: Served) -> None:
    """Registered at the desk's side by the identity provider's word; a second clerk consents; the shop hands over."""
    _, made = served.resident("li-no-phone", "510107195001011234")
    served.grant(made["account"], 1, 20_000)
    looking, second = served.token("clerk-a", "desk:shuangnan"), served.token("clerk-b", "desk:shuangnan")
    path = f"/v1/desk/residents/{made['resident_id']}/wallet"
    eventually(
        lambda: served.get(path, looking).json()["programmes"][0],
        lambda shown: shown["balance"]["points"] == "200.00",
    )
    asked = {"resident_id": made["resident_id"], "offer": "rice-5kg", "quantity": 1}
    approval = served.post("/v1/desk/approvals", asked, second).json()
    proof = {"kind": "second_clerk", "approval_id": approval["approval_id"]}
    given = served.post("/v1/desk/orders", {**asked, "proof": proof}, looking).json()
    assert served.wait(given["order"]["order_id"], looking)["state"] == "paid"
    page = served.get(given["slip"]["html"], looking)
    assert "大米 5 公斤" in page.text
    code = served.city.fulfilment.codes.code(given["slip"]["slip_id"])
    own = served.token("clerk-a", "desk:shuangnan", "merchant:1")
    assert served.post("/v1/merchants/1/codes", {"code": code}, own).status_code == 403
    shop = served.token("shop", "merchant:1")
    assert served.post("/v1/merchants/1/codes", {"code": code}, shop).json()["handed_over_at"]


def test_a_hold_is_captured_in_part_and_the_rest_comes_back(served: Served) -> None:
    headers, made = served.resident("zhao", "510107198001011234")
    served.grant(made["account"], 1, 30_000)
    wait_for_balance(served, headers, 1, "300.00")
    order = served.post("/v1/redemptions", {"offer": "rice-5kg", "mode": "hold"}, headers).json()
    assert served.wait(order["order_id"], headers)["state"] == "held"
    assert balance(served, headers, 1) == "160.00"
    shop = served.token("shop", "merchant:1")
    capture = f"/v1/merchants/1/orders/{order['order_id']}/capture"
    assert served.post(capture, {"keep_fen": "1000"}, shop).status_code == 202
    eventually(
        lambda: served.get(f"/v1/orders/{order['order_id']}", headers).json(),
        lambda shown: shown["state"] == "captured",
        timeout_s=20,
    )
    assert balance(served, headers, 1) == "250.00"
    listed = served.get("/v1/merchants/1/orders", shop).json()["items"]
    [own] = [one for one in listed if one["order_id"] == order["order_id"]]
    assert own["paid"]["yuan"] == "10.00"


def test_a_hold_is_released_by_the_resident(served: Served) -> None:
    headers, made = served.resident("qian", "510107198101011234")
    served.grant(made["account"], 1, 20_000)
    wait_for_balance(served, headers, 1, "200.00")
    order = served.post("/v1/redemptions", {"offer": "rice-5kg", "mode": "hold"}, headers).json()
    assert served.wait(order["order_id"], headers)["state"] == "held"
    assert served.post(f"/v1/redemptions/{order['order_id']}/cancel", None, headers).status_code == 202
    wait_for_balance(served, headers, 1, "200.00")


def test_the_scope_of_points_is_the_chains(served: Served) -> None:
    """A residence score is shown and buys nothing."""
    headers, made = served.resident("sun", "510107198201011234")
    served.grant(made["account"], 5, 11_500)
    wait_for_balance(served, headers, 5, "115.00")
    answer = served.post("/v1/redemptions", {"offer": "metro-single"}, headers)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-enough-points")
    exchange = {"from_programme": 5, "to_programme": 1, "amount": "10"}
    answer = served.post("/v1/exchange/orders", exchange, headers)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/programme-forbids")


def test_history_tells_what_happened_and_metrics_count_it(served: Served, wang: Resident) -> None:
    kinds = [item["kind"] for item in served.get("/v1/wallet/history", wang[0]).json()["items"]]
    assert {"mint", "exchange_in", "exchange_out", "redeem"} <= set(kinds)
    text = served.get("/metrics", served.token("op", "operator")).text
    assert "tongdui_final_height" in text
    assert "tongdui_alarms 0.0" in text
    assert "tongdui_batches_unsigned 0.0" in text


def test_an_own_key_pays_without_us_ever_holding_it(served: Served) -> None:
    wallet = Account.create()
    token = served.token("own-key", "resident:self", "resident:register")
    asked = served.client.post("/v1/own-key/account-proof", json={"account": wallet.address}, headers=token).json()
    shown = wallet.sign_message(encode_typed_data(full_message=asked["typed_data"])).signature
    proof = {"deadline": asked["deadline"], "signature": "0x" + bytes(shown).hex()}
    body = {"document_number": "510107198301011234", "account": wallet.address, "account_proof": proof}
    assert served.post("/v1/residents", body, token).json()["is_custodial"] is False
    served.grant(wallet.address, 1, 20_000)
    wait_for_balance(served, token, 1, "200.00")
    unsigned = served.client.post("/v1/own-key/redemptions/unsigned", json={"offer": "rice-5kg"}, headers=token).json()
    signature = wallet.sign_message(encode_typed_data(full_message=unsigned["typed_data"])).signature
    order = {"offer": "rice-5kg", **unsigned["typed_data"]["message"], "signature": "0x" + bytes(signature).hex()}
    placed = served.post("/v1/own-key/redemptions", order, token)
    assert placed.status_code == 202, placed.text
    assert served.wait(placed.json()["order_id"], token)["state"] == "paid"
    assert balance(served, token, 1) == "60.00"


def test_a_stranger_audits_the_running_city(served: Served, wang: Resident) -> None:
    """With the published deployment and the chain's own window, and nothing else of ours."""
    deployment = Deployment.from_json(served.get("/v1/deployment").content)
    assert deployment == served.city.deployment
    assert served.city.chain_url is not None
    report = audit(served.city.chain_url, deployment)
    assert report.contradiction is None
    assert [skipped.split(" of ")[0] for skipped in report.skipped] == ["evidence"]  # the leaf files are the agencies'
    assert report.positions_sum_fen == 0
