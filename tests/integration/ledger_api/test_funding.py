"""Near, at and beyond the limit of a programme's money, over real HTTP; and an appropriation that lets it go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.deployment.city import CityActors
from ledger.deployment.city import load as load_city
from ledger.standard.civil_time import CITY_TZ
from tests.eventually import eventually
from tests.integration.ledger_api.served import Served, served_city
from tongdui import bootstrap
from tongdui.bootstrap import city_actors

GREEN = 2  # 0.05 yuan a point
LIMIT_FEN = 1_000  # 200 points


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = load_city()
    # The day's ceiling is not what this test is about, and the bureau's acts need not wait for their day.
    config = replace(config, programmes=tuple(replace(one, daily_mint_fen=10**9) for one in config.programmes))
    small = tuple(replace(one, fen=LIMIT_FEN) if one.programme == GREEN else one for one in config.appropriations)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "city_actors", at_once)
        with served_city(tmp_path_factory.mktemp("funding"), replace(config, appropriations=small)) as found:
            yield found


def at_once(*args: Any) -> CityActors:
    """The actors of every installation, with institutions whose acts wait for nobody."""
    return replace(city_actors(*args), institution_delay_s=0)


def ingest(city: Served, folder: Path, number: int, kilograms: str) -> None:
    started = datetime.now(CITY_TZ) - timedelta(days=1 + number)
    record = {
        "id": f"FUND-{number:04d}",
        "user_id": "zd_f0000001",
        "item": "RECYCLE-PAPER",
        "started_at": started.strftime("%Y-%m-%d %H:%M:%S"),
        "quantity": kilograms,
        "unit": "kg",
    }
    path = folder / f"{number}.jsonl"
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    assert dict(city.city.issuers.ingest_file(GREEN, path).statuses) == {"accepted": 1}


def counts(city: Served) -> dict[str, Any]:
    found: dict[str, Any] = city.get(f"/v1/issuers/{GREEN}/records", city.token("agency", f"issuer:{GREEN}")).json()
    return found


def wait_until(city: Served, accepted: str, waiting: str, points: str) -> dict[str, Any]:
    def shown() -> tuple[str, str, str]:
        found = counts(city)
        balance = city.get("/v1/wallet", city.token("saver", "resident:self")).json()["programmes"][1]["balance"]
        return found["accepted"], found["waiting"], balance["points"]

    eventually(shown, lambda seen: seen == (accepted, waiting, points), timeout_s=40)
    return counts(city)  # what is missing now that the balance is there


def pipeline(city: Served) -> dict[str, Any]:
    answer = city.get(f"/v1/issuers/{GREEN}/pipeline", city.token("agency", f"issuer:{GREEN}"))
    return {one["stage"]: one for one in answer.json()["stages"]}


def appropriate(city: Served, yuan: str, document: str, key: str | None = None) -> Any:
    body = {"document": document, "fiscal_year": 2026, "amount_yuan": yuan}
    return city.post(f"/v1/programmes/{GREEN}/appropriations", body, city.token("bureau", "finance"), key=key)


def confirm(city: Served, proposed: Any, who: str = "bureau-2") -> Any:
    path = f"/v1/programmes/{GREEN}/appropriations/{proposed.json()['document_hash']}/confirm"
    return city.post(path, None, city.token(who, "finance"))


def test_nothing_is_dropped_at_the_limit_and_money_lets_it_go_on(city: Served, tmp_path: Path) -> None:
    headers = city.token("saver", "resident:self", "resident:register")
    body = {"document_number": "510107198201010001", "links": [{"programme": GREEN, "source_id": "zd_f0000001"}]}
    assert city.post("/v1/residents", body, headers).status_code == 201
    ingest(city, tmp_path, 1, "12")
    near = wait_until(city, "1", "0", "120.00")
    assert near["funding"] is None
    ingest(city, tmp_path, 2, "8.01")
    wait_until(city, "1", "1", "120.00")
    ingest(city, tmp_path, 3, "8")
    beyond = wait_until(city, "2", "1", "200.00")
    funding = beyond["funding"]
    # 200 points are all that 10 yuan cover; 80.10 more need 4.005 yuan, which is 4.01 in whole fen.
    assert (funding["batches"], funding["amount"]["points"]) == (1, "80.10")
    assert (funding["missing"]["yuan"], funding["available"]["yuan"]) == ("4.01", "10.00")
    assert funding["reason_en"] == "the appropriations do not cover it: 4.01 yuan are missing"
    assert funding["reason_zh"] == "经费额度不足,尚缺 4.01 元。"

    # The issuers' next round hears of it.
    stages = eventually(lambda: pipeline(city), lambda stages: "sending" not in stages["chain"]["waits"])
    assert (stages["read"]["done"], stages["grant"]["done"], stages["sign"]["done"]) == ("3", "3", "3")
    assert (stages["chain"]["done"], stages["chain"]["waits"]) == ("2", {"funding": 1})
    metrics = city.get("/metrics", city.token("op", "operator")).text
    labels = 'for="funding",programme="environmental",stage="chain"'
    assert f"tongdui_issuance_waiting{{{labels}}} 1.0" in metrics
    assert 'tongdui_issuance_missing_fen{programme="environmental"} 401.0' in metrics
    assert 'tongdui_issuance_done{programme="environmental",stage="read"} 3.0' in metrics

    agency = city.token("agency", f"issuer:{GREEN}")
    body = {"document": "追加一", "fiscal_year": 2026, "amount_yuan": "4.00"}
    assert city.post(f"/v1/programmes/{GREEN}/appropriations", body, agency).status_code == 403
    first = appropriate(city, "4.00", "追加一", key="appropriation-0001")
    assert (first.status_code, first.json()["state"]) == (202, "proposed"), first.text
    assert confirm(city, first, "bureau").json()["type"] == "/problems/second-person"
    assert confirm(city, first).json()["state"] == "ordered"
    assert appropriate(city, "4.00", "追加一", key="appropriation-0001").headers["idempotency-replayed"] == "true"
    eventually(lambda: counts(city), lambda found: found["funding"]["missing"]["fen"] == "1")
    again = appropriate(city, "4.00", "追加一")
    assert again.json()["state"] == "recorded", "the same document under another key is the same appropriation"
    other = appropriate(city, "5.00", "追加一")
    assert (other.status_code, other.json()["type"]) == (409, "/problems/appropriation-differs")
    unknown = city.post("/v1/programmes/99/appropriations", body, city.token("bureau", "finance"))
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-programme")
    assert counts(city)["waiting"] == "1", "one fen is missing"

    assert confirm(city, appropriate(city, "0.01", "追加二")).status_code == 202
    done = wait_until(city, "3", "0", "280.10")
    assert done["funding"] is None
    listed = city.get(f"/v1/programmes/{GREEN}/appropriations", agency).json()["items"]
    assert [(one["document"], one["amount"]["fen"], one["state"]) for one in listed] == [
        (None, "1000", "recorded"),
        ("追加一", "400", "recorded"),
        ("追加二", "1", "recorded"),
    ]
    shown = city.get(f"/v1/programmes/{GREEN}", agency).json()["funding"]
    assert (shown["appropriated"]["fen"], shown["available"]["fen"]) == ("1401", "0")
    city.city.invariants.refresh()
    assert city.get("/v1/invariants").json()["ok"] is True
