"""From a source system's file to points in a wallet: linked after the deed, granted by workers, proven by a receipt."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ledger.proofs.receipt import verify_receipt
from ledger.standard.civil_time import CITY_TZ
from ledger.store.models.api import IdentityLookRow
from tests.eventually import eventually
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


def wait_for_points(served: Served, headers: dict[str, str], points: str) -> None:
    eventually(
        lambda: served.get("/v1/wallet", headers).json()["programmes"][1],
        lambda shown: shown["balance"]["points"] == points,
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
    wait_for_points(served, headers, "120.00")
    return headers, answer.json()


def test_a_grant_says_how_it_came_about_and_proves_itself(
    served: Served, linked: tuple[dict[str, str], dict[str, Any]]
) -> None:
    headers, _ = linked
    grant = eventually(
        lambda: served.get("/v1/wallet/grants", headers).json()["items"][0],
        lambda grant: grant["receipt"] is not None,
        timeout_s=20,
    )
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
    wait_for_points(served, headers, "140.00")
    assert [one["row"] for one in served.get(f"/v1/issuers/{GREEN}/refusals", agency).json()["items"]] == [3]


def test_a_held_record_is_released_by_two_people_of_its_agency(served: Served, tmp_path: Path) -> None:
    """The same car-free day in two programmes: held, shown with its reason, approved by two, rejected by one."""
    headers = served.token("driver", "resident:self", "resident:register")
    links = [{"programme": 3, "source_id": "RX00000009"}, {"programme": GREEN, "source_id": "zd_0a1b2c99"}]
    body = {"document_number": "510107199901019999", "links": links}
    assert served.post("/v1/residents", body, headers).status_code == 201
    days = [datetime.now(CITY_TZ) - timedelta(days=past) for past in (20, 21)]
    declared = "".join(
        f"RX-9{n},RX00000009,无车日,{day:%Y/%m/%d},1,{day:%Y/%m/%d} 20:00:00\n" for n, day in enumerate(days)
    )
    traffic = tmp_path / "declared.csv"
    traffic.write_text("申报编号,用户编号,行为类型,行为日期,数量,申报时间\n" + declared, encoding="utf-8-sig")
    served.city.issuers.ingest_file(3, traffic)
    trips = tmp_path / "trips.jsonl"
    with trips.open("w", encoding="utf-8") as file:
        for number, day in enumerate(days):
            trip = json.loads(row(f"TRIP-{number:04d}", "CAR-FREE-TRIP", "1", "trip", "zd_0a1b2c99"))
            trip |= {"started_at": f"{day:%Y-%m-%d} 09:00:00", "ended_at": f"{day:%Y-%m-%d} 09:20:00"}
            file.write(json.dumps(trip) + "\n")
    assert served.city.issuers.ingest_file(GREEN, trips).statuses["held"] == 2
    li, wang = served.token("li", f"issuer:{GREEN}"), served.token("wang", f"issuer:{GREEN}")
    first, second = served.get(f"/v1/issuers/{GREEN}/reviews", li).json()["items"]
    assert (first["screen"], first["other_programme"], first["approvals"]) == ("double_claim", "traffic", 0)
    path = f"/v1/issuers/{GREEN}/reviews/{first['review_id']}"
    elsewhere = served.post(f"/v1/issuers/3/reviews/{first['review_id']}/approve", None, served.token("rx", "issuer:3"))
    assert (elsewhere.status_code, elsewhere.json()["type"]) == (404, "/problems/unknown-review")
    assert served.post(f"{path}/approve", None, li).json()["status"] == "first"
    again = served.post(f"{path}/approve", None, li)
    assert (again.status_code, again.json()["type"]) == (403, "/problems/same-approver")
    assert served.post(f"{path}/approve", None, wang).json()["status"] == "accepted"
    closed = served.post(f"{path}/approve", None, wang)
    assert (closed.status_code, closed.json()["type"]) == (409, "/problems/review-closed")
    rejected = served.post(f"/v1/issuers/{GREEN}/reviews/{second['review_id']}/reject", {"note": "same trip"}, wang)
    assert rejected.json()["status"] == "refused"
    assert served.get(f"/v1/issuers/{GREEN}/reviews", li).json()["items"] == []


def test_a_known_number_is_shown_with_both_records_and_corrected_by_two(served: Served, tmp_path: Path) -> None:
    """Another person under a known number: both records side by side for their agency, and the look is logged."""
    days = [datetime.now(CITY_TZ) - timedelta(days=past) for past in (9, 5)]
    for number, day in enumerate(days):
        path = tmp_path / f"{number}.csv"
        declared = f"RX-0700,RX0000007{number},无车日,{day:%Y/%m/%d},1,{day:%Y/%m/%d} 20:00:00\n"
        path.write_text("申报编号,用户编号,行为类型,行为日期,数量,申报时间\n" + declared, encoding="utf-8-sig")
        served.city.issuers.ingest_file(3, path)
    li, wang = served.token("li-rx", "issuer:3"), served.token("wang-rx", "issuer:3")
    [review] = [
        one for one in served.get("/v1/issuers/3/reviews", li).json()["items"] if one["screen"] == "known_number"
    ]
    path_of = f"/v1/issuers/3/reviews/{review['review_id']}"
    pair = served.get(f"{path_of}/records", li).json()
    assert (pair["held"]["content"]["source_id"], pair["other"]["content"]["source_id"]) == ("RX00000071", "RX00000070")
    assert pair["differing"] == ["day", "declared_at", "source_id"]
    other = served.get(
        f"/v1/issuers/{GREEN}/reviews/{review['review_id']}/records", served.token("g", f"issuer:{GREEN}")
    )
    assert other.status_code == 404
    with served.city.database.read() as session:
        looks = session.scalars(select(IdentityLookRow.operation)).all()
    assert f"getHeldRecords {review['review_id']}" in looks
    assert served.post(f"{path_of}/approve", None, li).json()["status"] == "first"
    assert served.post(f"{path_of}/correct", None, wang).json()["status"] == "first"
    assert served.post(f"{path_of}/correct", None, li).json()["status"] == "correction"
