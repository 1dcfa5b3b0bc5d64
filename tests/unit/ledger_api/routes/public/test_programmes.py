from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from ledger.store.models.projection import FlowRow, PositionChangeRow, PositionRow
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import VOLUNTEER


def test_everybody_sees_supply_and_flows_and_nobody_the_money(api: Api) -> None:
    with api.world.database.transaction() as session:
        session.add(FlowRow(programme=VOLUNTEER, kind="mint", amount_minor=70_000, events=3))
    programmes = api.get("/v1/programmes").json()["items"]
    volunteer = programmes[0]
    assert (volunteer["slug"], volunteer["supply"]["points"], volunteer["state"]) == ("volunteer", "500.00", "active")
    assert volunteer["flows"] == [{"kind": "mint", "amount": {"points": "700.00", "minor": "70000"}, "events": "3"}]
    assert volunteer["funding"] is None
    residence = programmes[-1]
    assert (residence["par_microfen"], residence["is_redeemable"]) == ("0", False)


def test_funding_is_for_the_agency_finance_and_auditors(api: Api) -> None:
    for scope in ("issuer:1", "finance", "auditor"):
        funding = api.get("/v1/programmes/1", api.token("a", scope)).json()["funding"]
        assert funding == {
            "liability": {"yuan": "100.00", "fen": "10000"},
            "appropriated": {"yuan": "10000.00", "fen": "1000000"},
            "paid": {"yuan": "0.00", "fen": "0"},
            "position": {"yuan": "-28.00", "fen": "-2800"},
            "available": {"yuan": "9872.00", "fen": "987200"},
            "due": {"yuan": "0.00", "fen": "0"},
            "due_older": {"yuan": "0.00", "fen": "0"},
            "mint_ceiling": {"yuan": "1000.00", "fen": "100000"},
            "revoke_ceiling": {"yuan": "100.00", "fen": "10000"},
        }
    for scope in ("issuer:2", "merchant:1", "resident:self", "operator"):
        assert problem(api.get("/v1/programmes/1", api.token("a", scope))) == (403, "/problems/forbidden")
    assert problem(api.get("/v1/programmes/9", api.token("a", "finance"))) == (404, "/problems/not-found")


def test_clearing_shows_every_position_and_their_sum(api: Api) -> None:
    clearing = api.get("/v1/clearing", api.token("a", "finance")).json()
    assert clearing["sum"]["fen"] == "0"
    assert [(one["kind"], one["name_en"], one["position"]["fen"]) for one in clearing["positions"]] == [
        ("programme", "Volunteering", "-2800"),
        ("merchant", "Hongqi Grocery", "2800"),
    ]
    with api.world.database.transaction() as session:
        session.merge(PositionRow(participant=2 << 32 | 1, position_fen=2801, block_number=1))
    assert api.get("/v1/clearing", api.token("a", "auditor")).json()["sum"]["fen"] == "1"
    assert problem(api.get("/v1/clearing", api.token("a", "merchant:1"))) == (403, "/problems/forbidden")


def test_a_participant_sees_its_own_position_only(api: Api) -> None:
    merchant = api.token("m", "merchant:1")
    assert api.get("/v1/clearing/merchants/1", merchant).json()["position"]["yuan"] == "28.00"
    assert problem(api.get("/v1/clearing/merchants/2", merchant)) == (403, "/problems/forbidden")
    agency = api.token("v", "issuer:1")
    assert api.get("/v1/clearing/programmes/1", agency).json()["position"]["yuan"] == "-28.00"
    assert problem(api.get("/v1/clearing/programmes/2", agency)) == (403, "/problems/forbidden")


@pytest.mark.parametrize("who", ["merchants", "programmes"])
def test_nobody_unheard_of_has_a_position(api: Api, who: str) -> None:
    finance = api.token("bureau", "finance")
    assert api.get(f"/v1/clearing/{who}/1", finance).status_code == 200
    assert problem(api.get(f"/v1/clearing/{who}/99", finance)) == (404, "/problems/not-found")


def test_who_would_pay_whom_is_for_finance_and_auditors(api: Api) -> None:
    with api.world.database.transaction() as session:
        for log, (participant, delta) in enumerate([(1 << 32 | 1, -2000), (1 << 32 | 2, -800), (2 << 32 | 1, 2800)]):
            session.add(
                PositionChangeRow(
                    block_number=1,
                    log_index=log,
                    participant=participant,
                    delta_fen=delta,
                    position_fen=delta,
                    block_timestamp=api.world.now,
                )
            )
    later = {"until": "2027-01-01T00:00:00+08:00"}
    found = api.get("/v1/clearing/payments", api.token("f", "finance"), params=later).json()
    assert found["total"]["yuan"] == "28.00"
    assert [(one["debtor_en"], one["merchant_en"], one["amount"]["fen"]) for one in found["payments"]] == [
        ("Volunteering", "Hongqi Grocery", "2000"),
        ("Environment", "Hongqi Grocery", "800"),
    ]
    now = api.get("/v1/clearing/payments", api.token("f", "finance")).json()
    assert [(one["debtor_en"], one["amount"]["fen"]) for one in now["payments"]] == [("Volunteering", "2800")]
    before = api.get("/v1/clearing/payments", api.token("f", "auditor"), params={"until": "2026-01-01T00:00:00Z"})
    assert before.json()["payments"] == []
    assert problem(api.get("/v1/clearing/payments", api.token("m", "merchant:1"))) == (403, "/problems/forbidden")


def test_a_programme_that_does_not_exist_has_no_appropriations_to_list(api: Api) -> None:
    finance = api.token("finance", "finance")
    assert api.get("/v1/programmes/1/appropriations", finance).json() == {"items": []}
    assert problem(api.get("/v1/programmes/77/appropriations", finance)) == (404, "/problems/not-found")


APPROPRIATIONS = "/v1/programmes/1/appropriations"


def propose(api: Api, document: str = "关于追加经费的通知", yuan: str = "100.00", who: str = "wu") -> httpx.Response:
    body = {"document": document, "fiscal_year": 2026, "amount_yuan": yuan}
    return api.post(APPROPRIATIONS, body, api.token(who, "finance"))


def second(api: Api, proposed: httpx.Response, act: str, who: str) -> httpx.Response:
    return api.post(f"{APPROPRIATIONS}/{proposed.json()['document_hash']}/{act}", None, api.token(who, "finance"))


def test_one_person_appropriates_nothing(api: Api) -> None:
    """Two persons are two logins, not two tokens of one; what is confirmed is confirmed once."""
    proposed = propose(api)
    assert (proposed.status_code, proposed.json()["state"]) == (202, "proposed")
    assert propose(api, who="hu").json()["state"] == "proposed", "proposing it once more is no confirmation"
    assert problem(second(api, proposed, "confirm", "wu")) == (403, "/problems/second-person")
    outsider = api.token("hu", "auditor", "operator")
    path = f"{APPROPRIATIONS}/{proposed.json()['document_hash']}/confirm"
    assert problem(api.post(path, None, outsider)) == (403, "/problems/forbidden")
    assert second(api, proposed, "confirm", "hu").json()["state"] == "ordered"
    assert problem(second(api, proposed, "confirm", "hu")) == (409, "/problems/nothing-waits")
    assert problem(second(api, proposed, "withdraw", "wu")) == (409, "/problems/nothing-waits")


def test_a_proposal_can_be_taken_back_and_does_not_wait_for_ever(api: Api) -> None:
    proposed = propose(api)
    assert second(api, proposed, "withdraw", "wu").json() == {"done": True}
    assert api.get(APPROPRIATIONS, api.token("wu", "finance")).json() == {"items": []}
    assert problem(second(api, proposed, "confirm", "hu")) == (409, "/problems/nothing-waits")
    assert propose(api, yuan="200.00").json()["state"] == "proposed"
    api.world.clock.set(api.world.clock.now() + timedelta(days=7))
    assert [one["state"] for one in api.get(APPROPRIATIONS, api.token("hu", "finance")).json()["items"]] == ["expired"]
    assert problem(second(api, proposed, "confirm", "hu")) == (409, "/problems/nothing-waits")
    again = propose(api, yuan="300.00", who="hu")
    assert (again.json()["state"], again.json()["amount"]["yuan"]) == ("proposed", "300.00")
    assert second(api, again, "confirm", "wu").json()["state"] == "ordered"


def test_a_year_takes_no_more_than_the_contract_does(api: Api) -> None:
    for number in range(120):
        answer = propose(api, f"文件{number}", "99999999999.99")
        if answer.status_code != 202:
            break
    assert problem(answer) == (422, "/problems/year-full")
    listed = api.get(APPROPRIATIONS, api.token("wu", "finance")).json()["items"]
    assert sum(int(one["amount"]["fen"]) for one in listed) <= 10**15
