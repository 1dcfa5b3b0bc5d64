"""A resident, a shop and a community desk go their ways through HTTP alone, against a server of its own process.

What no request can do is done by the commands that the README names: tokens of institutions, and a secret for the
system that pushes its records.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from issuers.sources.webhooks.signatures import secret_bytes, sign
from ledger.standard.civil_time import CITY_TZ
from tests.e2e.runs import tongdui_here
from tests.eventually import eventually
from tests.integration.ledger_api.test_serve import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PASSWORD = "correct horse battery"
GREEN, CULTURE = 2, 4
MARKET, METRO = 2, 4
Headers = dict[str, str]


@dataclass(frozen=True)
class City:
    """A server, its client, and the secret of the system that pushes."""

    state_dir: Path
    client: httpx.Client
    push_secret: bytes

    def get(self, path: str, headers: Headers | None = None, **params: Any) -> Any:
        answer = self.client.get(path, headers=headers, params=params)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def post(self, path: str, body: Any, headers: Headers, status: int) -> Any:
        key = {"Idempotency-Key": secrets.token_hex(8)}
        answer = self.client.post(path, json=body, headers=headers | key)
        assert answer.status_code == status, (path, answer.text)
        return answer.json()

    def token(self, name: str, scope: str) -> Headers:
        """A token as the operator issues one: ``tongdui token NAME --scope …``."""
        said = tongdui_here("token", name, "--scope", scope, "--state-dir", str(self.state_dir), "--json").last
        return {"Authorization": f"Bearer {said['token']}"}

    def signed_up(self, name: str, document: str, source_id: str) -> tuple[Headers, str]:
        """Make a login, sign in, register and link: what a new resident does."""
        login = {"name": name, "password": PASSWORD}
        assert self.client.post("/v1/logins", json=login).status_code == 201
        session = self.client.post("/v1/sessions", json=login).json()
        headers = {"Authorization": f"Bearer {session['token']}"}
        body = {"document_number": document, "links": [{"programme": GREEN, "source_id": source_id}]}
        return headers, self.post("/v1/residents", body, headers, 201)["resident_id"]

    def push(self, records: list[dict[str, str]]) -> None:
        """Push records as a source system does, signed."""
        body = json.dumps(records).encode()
        webhook_id, now = f"msg_{secrets.token_hex(8)}", int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self.push_secret, webhook_id, now, body),
        }
        answer = self.client.post("/v1/sources/cd-green/records", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert not answer.json().get("refused"), answer.text

    def points(self, headers: Headers, programme: int, *, wanted: str) -> None:
        def shown() -> str:
            found: str = self.get("/v1/wallet", headers)["programmes"][programme - 1]["balance"]["points"]
            return found

        eventually(shown, lambda points: points == wanted, timeout_s=90, poll_s=0.2)

    def final(self, order_id: str, headers: Headers) -> dict[str, Any]:
        def shown() -> dict[str, Any]:
            found: dict[str, Any] = self.get(f"/v1/orders/{order_id}", headers, wait_s=10)
            return found

        return eventually(shown, lambda order: order["is_final"], timeout_s=90)


def deeds(user: str, days: int) -> list[dict[str, str]]:
    """Return twelve kilograms of paper on each of the last days: 120 points each."""
    found = []
    for day in range(1, days + 1):
        started = datetime.now(CITY_TZ).replace(hour=9, minute=0, second=0) - timedelta(days=day)
        found.append(
            {
                "id": f"REC-{int(user[-2:]) * 1000 + day:06d}",
                "user_id": user,
                "item": "RECYCLE-PAPER",
                "started_at": started.strftime("%Y-%m-%d %H:%M:%S"),
                "quantity": "12",
                "unit": "kg",
            }
        )
    return found


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    state_dir = tmp_path_factory.mktemp("journeys") / "state"
    with serving(state_dir) as (_, client):
        at = ("--state-dir", str(state_dir), "--json")
        said = tongdui_here("issuers", "webhook", "create", "environmental", "environmental-jsonl", *at).last
        yield City(state_dir, client, secret_bytes(said["secret"]))


def test_a_resident_earns_exchanges_pays_and_keeps_the_receipt_and_the_shop_hands_over(city: City) -> None:
    resident, _ = city.signed_up("wang.xiuying", "510107195403071234", "zd_a0000001")
    city.push(deeds("zd_a0000001", 2))
    city.points(resident, GREEN, wanted="240.00")

    exchange = {"from_programme": GREEN, "to_programme": CULTURE, "amount": "20"}
    quoted = city.post("/v1/exchange/quotes", exchange, resident, 200)
    assert quoted["amount_out"]["points"] == "1.00", "at par"
    exchanged = city.post("/v1/exchange/orders", exchange, resident, 202)
    assert city.final(exchanged["orders"][0]["order_id"], resident)["state"] == "done"
    city.points(resident, CULTURE, wanted="1.00")

    order_id = city.post("/v1/redemptions", {"offer": "metro-single"}, resident, 202)["order_id"]
    assert city.final(order_id, resident)["state"] == "paid"
    slip = city.post(f"/v1/redemptions/{order_id}/code", None, resident, 200)
    code = city.get(f"/v1/slips/{slip['slip_id']}", resident)
    shop = city.token("metro", f"merchant:{METRO}")
    checked = city.post(f"/v1/merchants/{METRO}/codes/check", {"code": code["code"]}, shop, 200)
    assert checked["order_id"] == order_id
    handed = city.post(f"/v1/merchants/{METRO}/codes", {"code": code["code"]}, shop, 200)
    assert handed["handed_over_at"]
    [sold] = city.get(f"/v1/merchants/{METRO}/orders", shop)["items"]
    assert (sold["order_id"], sold["state"], sold["paid"]["yuan"]) == (order_id, "paid", "2.00")

    refund = {"keep_fen": "100", "reason": "the gate was closed"}
    city.post(f"/v1/merchants/{METRO}/orders/{order_id}/refund", refund, shop, 202)
    eventually(
        lambda: city.get(f"/v1/merchants/{METRO}/orders/{order_id}", shop)["state"],
        lambda state: state == "part_refunded",
        timeout_s=90,
        poll_s=0.2,
    )
    now = datetime.now(CITY_TZ)
    span = {"since": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(days=1)).isoformat()}
    statement = city.get(f"/v1/merchants/{METRO}/statement", shop, **span)
    assert (statement["paid"]["yuan"], statement["refunded"]["yuan"]) == ("2.00", "1.00")

    kinds = {one["kind"] for one in city.get("/v1/wallet/history", resident)["items"]}
    assert {"mint", "exchange_in", "exchange_out", "redeem"} <= kinds
    receipt = city.get(f"/v1/orders/{order_id}/receipt", resident)
    assert city.client.post("/v1/verify/receipts", json=receipt).json()["verdict"] == "PASS"
    assert city.get(f"/v1/verify/orders/{order_id}")["outcome"] == "landed"
    assert city.get("/v1/invariants")["ok"] is True


def test_a_desk_serves_a_resident_without_a_phone_by_pin_and_slip(city: City) -> None:
    resident, resident_id = city.signed_up("li.guifang", "510107195001011234", "zd_a0000002")
    city.post("/v1/residents/me/pin", {"pin": "481903"}, resident, 200)
    city.push(deeds("zd_a0000002", 1))
    city.points(resident, GREEN, wanted="120.00")

    clerk = city.token("clerk-a", "desk:yulin")
    wallet = city.get(f"/v1/desk/residents/{resident_id}/wallet", clerk)
    assert wallet["programmes"][GREEN - 1]["balance"]["points"] == "120.00"
    asked = {"resident_id": resident_id, "offer": "vegetables", "quantity": 1}
    wrong = {**asked, "proof": {"kind": "pin", "pin": "111111"}}
    city.post("/v1/desk/orders", wrong, clerk, 403)
    given = city.post("/v1/desk/orders", {**asked, "proof": {"kind": "pin", "pin": "481903"}}, clerk, 202)
    order_id = given["order"]["order_id"]
    assert city.final(order_id, clerk)["state"] == "paid"
    page = city.client.get(given["slip"]["html"], headers=clerk)
    assert "时令蔬菜一份" in page.text
    [listed] = city.get("/v1/desk/orders", clerk)["items"]
    assert listed["order_id"] == order_id
    looks = city.get("/v1/residents/me/looks", resident)["items"]
    assert {one["institution"] for one in looks} == {"desk:yulin"}, "the resident sees who looked"
    shop = city.token("market", f"merchant:{MARKET}")
    [sold] = city.get(f"/v1/merchants/{MARKET}/orders", shop)["items"]
    assert (sold["order_id"], sold["paid"]["yuan"]) == (order_id, "5.00")
