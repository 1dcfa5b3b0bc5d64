"""Whose a number is: link codes, contested numbers, and the agency's decision, over real HTTP."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from ledger.standard.civil_time import CITY_TZ
from tests.eventually import eventually
from tests.integration.ledger_api.served import Served

GREEN = 2


def record(record_id: str, user: str) -> str:
    started = datetime.now(CITY_TZ) - timedelta(days=1)
    return json.dumps(
        {
            "id": record_id,
            "user_id": user,
            "item": "RECYCLE-PAPER",
            "started_at": started.strftime("%Y-%m-%d %H:%M:%S"),
            "quantity": "3",
            "unit": "kg",
        }
    )


def deliver(served: Served, folder: Path, *records: str) -> dict[str, int]:
    path = folder / f"{records[0][8:16]}.jsonl"
    path.write_text("\n".join(records) + "\n", encoding="utf-8")
    return dict(served.city.issuers.ingest_file(GREEN, path).statuses)


def link(served: Served, headers: dict[str, str], source_id: str, code: str | None = None) -> str:
    body = {"links": [{"programme": GREEN, "source_id": source_id, **({"code": code} if code else {})}]}
    answer = served.post("/v1/residents/me/sources", body, headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["links"][0]["state"])


def wait_for_points(served: Served, headers: dict[str, str], points: str) -> None:
    eventually(
        lambda: served.get("/v1/wallet", headers).json()["programmes"][1],
        lambda shown: shown["balance"]["points"] == points,
    )


def test_a_number_that_two_claim_goes_to_whom_two_people_of_the_agency_name(served: Served, tmp_path: Path) -> None:
    thief, _ = served.resident("claims-thief", "510107198001010001")
    owner, _ = served.resident("claims-owner", "510107198001010002")
    assert link(served, thief, "zd_c0000001") == "linked"
    assert link(served, owner, "zd_c0000001") == "frozen"
    assert deliver(served, tmp_path, record("REC-C001", "zd_c0000001")) == {"awaiting_link": 1}
    chen, zhou = served.token("chen", f"issuer:{GREEN}"), served.token("zhou", f"issuer:{GREEN}")
    assert served.get(f"/v1/issuers/{GREEN}/claims", served.token("other", "issuer:1")).status_code == 403
    [found] = served.get(f"/v1/issuers/{GREEN}/claims", chen).json()["items"]
    assert (found["source_id"], found["state"], found["records_waiting"]) == ("zd_c0000001", "frozen", 1)
    assert len(found["claimants"]) == 2
    path = f"/v1/issuers/{GREEN}/claims/{found['claim']}/decide"
    member = {"document_number": "510107198001010002", "note": "showed the card at the counter"}
    unknown = served.post(path, {"document_number": "510107198001019999"}, chen)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-link")
    assert served.post(path, member, served.token("other", "issuer:1")).status_code == 403
    assert served.post(path, {**member, "nobody": True}, chen).status_code == 422
    assert served.post(path, member, chen).json()["status"] == "first"
    again = served.post(path, member, chen)
    assert (again.status_code, again.json()["type"]) == (403, "/problems/same-decider")
    assert served.post(path, member, zhou).json()["status"] == "decided"
    assert served.get(f"/v1/issuers/{GREEN}/claims", chen).json()["items"] == []
    wait_for_points(served, owner, "30.00")
    assert link(served, thief, "zd_c0000001") == "refused"
    assert served.get("/v1/wallet", thief).json()["programmes"][1]["balance"]["points"] == "0.00"


def test_a_link_code_keeps_a_number_from_whoever_only_knows_it(served: Served, tmp_path: Path) -> None:
    thief, _ = served.resident("claims-thief", "510107198001010001")
    owner, _ = served.resident("claims-member", "510107198001010003")
    agency = served.token("chen", f"issuer:{GREEN}")
    made = served.client.post(
        f"/v1/issuers/{GREEN}/link-codes", json={"source_id": "zd_c0000002"}, headers=agency
    ).json()
    wrong = {"links": [{"programme": GREEN, "source_id": "zd_c0000003", "code": made["code"]}]}
    refused = served.post("/v1/residents/me/sources", wrong, owner)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/link-code-refused")
    assert link(served, owner, "zd_c0000002", made["code"]) == "linked"
    assert link(served, thief, "zd_c0000002") == "waiting"
    assert deliver(served, tmp_path, record("REC-C002", "zd_c0000002")) == {"accepted": 1}
    wait_for_points(served, owner, "30.00")
    [found] = served.get(f"/v1/issuers/{GREEN}/claims", agency).json()["items"]
    assert {one["proof"]: one["is_holder"] for one in found["claimants"]} == {"code": True, "bare": False}


def test_whoever_collects_other_peoples_numbers_is_stopped(served: Served) -> None:
    victim, _ = served.resident("claims-victim", "510107198001010004")
    vandal, _ = served.resident("claims-vandal", "510107198001010005")
    for number in range(4):
        assert link(served, victim, f"zd_d000000{number}") == "linked"
    numbers = [{"programme": GREEN, "source_id": f"zd_d000000{number}"} for number in range(4)]
    answer = served.post("/v1/residents/me/sources", {"links": numbers}, vandal)
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-claims")
    states = {one["state"] for one in served.get("/v1/residents/me/sources", victim).json()["items"]}
    assert states == {"linked"}, "what was refused changed nothing"
