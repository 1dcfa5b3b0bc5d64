from __future__ import annotations

import csv
import io

import pytest

from ledger_api.auth.withdrawal import withdraw_subject
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import Q2026_4, VOLUNTEER

Resident = tuple[dict[str, str], int]


@pytest.fixture
def resident(api: Api) -> Resident:
    headers, made = api.register()
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    return headers, int(made["resident_id"])


def test_a_resident_sees_which_institution_looked_and_nobodys_name(api: Api, resident: Resident) -> None:
    headers, number = resident
    for desk in ("shuangnan", "caotang"):
        clerk = api.token(f"clerk chen at {desk}", f"desk:{desk}")
        assert api.get(f"/v1/desk/residents/{number}/wallet", clerk).status_code == 200
    first = api.get("/v1/residents/me/looks?limit=1", headers)
    [look] = first.json()["items"]
    assert (look["institution"], look["operation"]) == ("desk:caotang", "getWalletAtDesk")
    rest = api.get(f"/v1/residents/me/looks?cursor={first.json()['next_cursor']}", headers).json()
    assert [one["institution"] for one in rest["items"]] == ["desk:shuangnan"]
    assert rest["next_cursor"] is None
    assert "chen" not in first.text
    stranger, _ = api.register("li", "510107196001011234")
    assert api.get("/v1/residents/me/looks", stranger).json()["items"] == []


def test_an_export_has_all_that_is_ones_own_and_nothing_of_others(api: Api, resident: Resident) -> None:
    headers, number = resident
    api.post("/v1/residents/me/sources", {"links": [{"programme": 1, "source_id": "V-000123"}]}, headers)
    order = api.post("/v1/redemptions", {"offer": "rice"}, headers).json()["order_id"]
    clerk = api.token("clerk", "desk:shuangnan")
    api.get(f"/v1/desk/residents/{number}/wallet", clerk)
    other, made = api.register("li", "510107196001011234")
    answer = api.get("/v1/residents/me/export", headers)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert found["is_complete"] is True
    assert found["resident"]["resident_id"] == str(number)
    assert found["sources"] == [{"programme": 1, "source_id": "V-000123", "state": "linked"}]
    assert [one["order_id"] for one in found["orders"]] == [order]
    assert [one["institution"] for one in found["looks"]] == ["desk:shuangnan"]
    assert found["wallet"]["account"] == found["resident"]["account"]
    assert made["account"] not in answer.text
    assert api.get("/v1/residents/me/export", other).json()["orders"] == []


def test_an_export_of_a_withdrawn_token_is_refused(api: Api, resident: Resident) -> None:
    headers, _ = resident
    with api.world.database.transaction() as session:
        withdraw_subject(session, "urn:test wang", api.world.now)
    for path in ("residents/me/export", "residents/me/looks", "wallet/history/csv"):
        assert problem(api.get(f"/v1/{path}", headers))[0] == 401


def test_the_history_opens_in_a_spreadsheet_in_the_readers_language(api: Api, resident: Resident) -> None:
    headers, _ = resident
    for language, first in (("zh-CN", "时间"), ("en", "time")):
        answer = api.get("/v1/wallet/history/csv", {**headers, "Accept-Language": language})
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert rows[0][0] == first
        assert {len(row) for row in rows} == {9}
