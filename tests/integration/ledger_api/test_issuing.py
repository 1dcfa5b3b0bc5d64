"""From a source system's file to points in a wallet: linked after the deed, granted by workers, proven by a receipt."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.proofs.receipt import verify_receipt
from ledger.standard.quarters import CITY_TZ
from tests.integration.ledger_api.served import Served

GREEN = 2


def row(record_id: str, item: str, quantity: str, unit: str = "kg", user: str = "zd_0a1b2c3d") -> str:
    started = datetime.now(CITY_TZ) - timedelta(days=2)
    return json.dumps(
        {
            "id": record_id,
            "user_id": user,
            "item": item,
            "started_at": started.strftime("%Y-%m-%d %H:%M:%S"),
            "ended_at": (started + timedelta(minutes=20)).strftime("%Y-%m-%d %H:%M:%S"),
            "quantity": quantity,
            "unit": unit,
            "device": "box-1",
        }
    )


@pytest.fixture(scope="module")
def linked(served: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, Any]]:
    """Records arrive, one of them useless; only then does the resident register and link."""
    path: Path = tmp_path_factory.mktemp("drop") / "green.jsonl"
    path.write_text(
        row("REC-0001", "RECYCLE-PAPER", "12") + "\n" + row("REC-0002", "UNHEARD-OF", "3") + "\n{not json\n"
    )
    report = served.city.issuers.ingest_file(GREEN, path)
    assert dict(report.statuses) == {"awaiting_link": 1, "refused": 2}
    headers = served.token("rider", "resident:self", "resident:register")
    body = {"document_number": "510107199901011234", "links": [{"programme": GREEN, "source_id": "zd_0a1b2c3d"}]}
    answer = served.post("/v1/residents", body, headers)
    assert answer.status_code == 201, answer.text
    until = time.monotonic() + 30
    while served.get("/v1/wallet", headers).json()["programmes"][1]["balance"]["points"] != "120.00":
        assert time.monotonic() < until, served.get("/v1/wallet", headers).json()["programmes"][1]
        time.sleep(0.05)
    return headers, answer.json()


def test_a_grant_says_how_it_came_about_and_proves_itself(
    served: Served, linked: tuple[dict[str, str], dict[str, Any]]
) -> None:
    headers, _ = linked
    until = time.monotonic() + 20
    while (grant := served.get("/v1/wallet/grants", headers).json()["items"][0])["receipt"] is None:
        assert time.monotonic() < until, grant
        time.sleep(0.05)
    assert (grant["amount"]["points"], grant["activity"]) == ("120.00", "RECYCLE-PAPER")
    assert grant["steps_en"]
    assert grant["steps_zh"]
    receipt = served.get(grant["receipt"], headers).json()
    found = verify_receipt(receipt, None, served.city.deployment)
    assert found.ok, found.reason
    assert served.client.post("/v1/verify/receipts", json=receipt).json()["verdict"] == "PASS"
    other, _ = served.resident("stranger", "510107199801011234")
    assert served.get(grant["receipt"], other).status_code == 404
    assert list((served.city.settings.state_dir / "leaves").rglob("*.json*"))


def test_an_agency_sees_its_own_records_refusals_and_nobody_elses(
    served: Served, linked: tuple[dict[str, str], dict[str, Any]]
) -> None:
    agency, other = served.token("green", f"issuer:{GREEN}"), served.token("volunteers", "issuer:1")
    counts = served.get(f"/v1/issuers/{GREEN}/records", agency).json()
    assert (counts["records"], counts["accepted"], counts["refused"]) == ("3", "1", "2")
    assert counts["granted"]["points"] == "120.00"
    first = served.get(f"/v1/issuers/{GREEN}/refusals", agency, limit=1).json()
    rest = served.get(f"/v1/issuers/{GREEN}/refusals", agency, cursor=first["next_cursor"]).json()
    found = {one["row"]: one for one in first["items"] + rest["items"]}
    assert found.keys() == {2, 3}
    assert found[2]["code"] == "unknown_activity"
    refusal = found[3]
    assert refusal["reason_zh"]
    assert refusal["reason_en"]
    assert served.get(f"/v1/issuers/{GREEN}/refusals", other).status_code == 403
    path = f"/v1/issuers/{GREEN}/refusals/{refusal['refusal_id']}"
    raw = served.get(f"{path}/row", agency).json()["row"]
    assert "{not json" in raw
    # Under another programme's address it does not exist, even for whoever may see that programme.
    assert served.get(f"/v1/issuers/1/refusals/{refusal['refusal_id']}/row", other).status_code == 404


def test_a_mended_row_is_granted_once(served: Served, linked: tuple[dict[str, str], dict[str, Any]]) -> None:
    headers, _ = linked
    agency = served.token("green", f"issuer:{GREEN}")
    refusals = served.get(f"/v1/issuers/{GREEN}/refusals", agency).json()["items"]
    [refusal] = [one for one in refusals if one["row"] == 2]
    values = json.loads(row("REC-0002", "RECYCLE-GLASS", "5"))
    path = f"/v1/issuers/{GREEN}/refusals/{refusal['refusal_id']}/resubmit"
    first = served.post(path, {"values": values}, agency, key="resubmit-0001")
    assert first.json()["statuses"] == {"correction": 1}, first.text
    again = served.post(path, {"values": values}, agency, key="resubmit-0001")
    assert again.headers["idempotency-replayed"] == "true"
    until = time.monotonic() + 30
    while served.get("/v1/wallet", headers).json()["programmes"][1]["balance"]["points"] != "140.00":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert [one["row"] for one in served.get(f"/v1/issuers/{GREEN}/refusals", agency).json()["items"]] == [3]
