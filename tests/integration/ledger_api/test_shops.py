"""A shop's way in over real HTTP: it applies, a second person approves, the chain registers it, a resident pays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.deployment.city import CityActors
from ledger.deployment.city import load as load_city
from ledger.store.models.outbox import FinanceActRow
from ledger_api.routes.merchant.applications import new_application
from ledger_api.schemas.merchants import ApplicationIn
from tests.eventually import eventually
from tests.integration.ledger_api.served import Served, served_city
from tongdui import bootstrap
from tongdui.bootstrap import city_actors, open_city
from tongdui.settings import Settings

PASSWORD = "correct horse battery"
ACCOUNT = "6222020000012345678"
SHOPS = "/v1/merchant-applications"
CULTURE = 4


def application(**changes: Any) -> dict[str, Any]:
    return {
        "licence": "91510107MA6CQ0000X",
        "name_zh": "望江书屋",
        "name_en": "Wangjiang Books",
        "category": "books",
        "address_zh": "望江路 1 号",
        "address_en": "1 Wangjiang Road",
        "scopes": ["books"],
        "first_contact": {"name": "赵六", "address": "13800000001"},
        "second_contact": {"name": "钱七", "address": "qian.qi@books.example"},
        "payee": {"holder": "望江书屋有限公司", "bank": "成都银行", "bank_account": ACCOUNT},
        **changes,
    }


def soon(*args: Any) -> CityActors:
    """The actors of every installation; what an institution announces waits one second."""
    return replace(city_actors(*args), institution_delay_s=1)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "city_actors", soon)
        with served_city(tmp_path_factory.mktemp("shops"), rate_per_minute=100_000) as found:
            yield found


def signed_in(city: Served, name: str) -> dict[str, str]:
    answer = city.client.post("/v1/sessions", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def registered(city: Served, application_id: str) -> dict[str, Any]:
    operator = city.token("clerk-2", "operator")
    return eventually(
        lambda: city.get(f"{SHOPS}/{application_id}", operator).json(),
        lambda found: found["state"] == "registered",
        timeout_s=60,
    )


def test_a_shop_comes_in_and_is_paid(city: Served) -> None:
    made = city.client.post("/v1/logins", json={"name": "zhao.liu", "password": PASSWORD})
    assert made.status_code == 201, made.text
    applicant = signed_in(city, "zhao.liu")
    applied = city.post(SHOPS, application(), applicant, key="application-0001")
    assert (applied.status_code, applied.json()["state"]) == (201, "applied"), applied.text
    shop = f"{SHOPS}/{applied.json()['application_id']}"
    again = city.post(SHOPS, application(), applicant, key="application-0001")
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == applied.json()
    other = city.post(SHOPS, application(name_en="Other"), applicant)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/application-exists")

    assert applied.json()["payee"] is None, "answers to writes are kept"
    assert city.get(shop, applicant).json()["payee"]["bank_account"] is None
    assert city.get(shop, city.token("clerk-1", "operator")).json()["payee"]["bank_account"] == ACCOUNT
    for who in (applicant, city.token("someone", "merchant:1"), city.token("bureau", "finance")):
        assert city.post(f"{shop}/approve", None, who).status_code == 403
    approved = city.post(f"{shop}/approve", None, city.token("clerk-1", "operator"), key="approve-0001")
    assert (approved.status_code, approved.json()["state"]) == (202, "approved"), approved.text
    number = approved.json()["merchant"]
    assert city.get(shop, city.token("clerk-1", "operator")).json()["payee"]["bank_account"] is None, "it is decided"
    repeat = city.post(f"{shop}/approve", None, city.token("clerk-1", "operator"), key="approve-0001")
    assert repeat.json() == approved.json()
    twice = city.post(f"{shop}/approve", None, city.token("clerk-1", "operator"))
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/application-state")

    owner = signed_in(city, "zhao.liu")  # the right is there from the next sign-in on
    offer = {"title_zh": "诗集", "title_en": "Poems", "price_fen": "100", "stock_total": 5}
    offered = city.post(f"/v1/merchants/{number}/offers", offer, owner)
    assert offered.status_code == 201, offered.text
    if city.get(f"/v1/merchants/{number}").json()["is_registered"] is False:
        assert city.get("/v1/offers", merchant=number).json()["items"] == [], "who cannot be paid offers nothing"

    hooks = f"/v1/merchants/{number}/webhooks"
    inside = city.post(hooks, {"url": "https://127.0.0.1/hook"}, owner)
    assert (inside.status_code, inside.json()["type"]) == (422, "/problems/address-refused")
    hook = city.post(hooks, {"url": "https://203.0.113.1/hook"}, owner)
    assert hook.json().get("reason") == "it leads into a network that is not public"
    hook = city.post(hooks, {"url": "https://1.1.1.1/tongdui"}, owner).json()
    assert hook["state"] == "new"
    assert "secret" not in hook
    hooks += f"/{hook['endpoint_id']}"
    assert city.client.post(f"{hooks}/secret", headers=city.token("other", "merchant:1")).status_code == 403
    assert city.client.post(f"{hooks}/secret", headers=owner).json()["secret"].startswith("whsec_")

    registered(city, applied.json()["application_id"])
    assert city.get(f"/v1/merchants/{number}").json()["is_registered"] is True
    [listed] = city.get("/v1/offers", merchant=number).json()["items"]
    assert listed["prices"], "it has a price as soon as it is listed"
    resident, person = city.resident("buyer", "510107198201010101")
    city.grant(person["account"], CULTURE, 100_000)
    eventually(
        lambda: city.get("/v1/wallet", resident).json()["programmes"][CULTURE - 1]["balance"]["points"],
        lambda points: points == "1000.00",
        timeout_s=60,
    )
    body = {"offer": offered.json()["offer_id"], "quantity": 1}
    order = city.post("/v1/redemptions", body, resident)
    assert order.status_code in {200, 201, 202}, order.text
    assert city.wait(order.json()["order_id"], resident)["state"] == "paid"
    [sold] = city.get(f"/v1/merchants/{number}/orders", owner).json()["items"]
    assert sold["state"] == "paid"
    kinds = {
        (one["kind"], one["contact"]) for one in city.get(f"/v1/merchants/{number}/notices", owner).json()["items"]
    }
    assert kinds == {("registered", 1), ("registered", 2)}
    told = city.get(f"{hooks}/deliveries", owner).json()["items"]
    assert [one["type"] for one in told] in (["order.paid", "merchant.registered"], ["order.paid"])
    again = city.post(f"{hooks}/deliveries/{told[0]['message_id']}/replay", None, owner)
    assert (again.status_code, again.json()["message_id"]) == (202, told[0]["message_id"])
    assert city.post(f"{hooks}/end", None, owner).json()["state"] == "ended"
    assert city.get(f"{hooks}/deliveries", owner).status_code == 404
    city.city.invariants.refresh()
    assert city.get("/v1/invariants").json()["ok"] is True


def test_nobody_approves_what_he_applied_for(city: Served) -> None:
    clerk = city.token("clerk-1", "operator")
    applied = city.post(SHOPS, application(licence="91510107MA6CQ0001A"), clerk).json()
    shop = f"{SHOPS}/{applied['application_id']}"
    own = city.post(f"{shop}/approve", None, clerk)
    assert (own.status_code, own.json()["type"]) == (403, "/problems/second-person")
    stranger = city.token("stranger", "resident:self")
    assert city.get(shop, stranger).status_code == 404
    assert city.post(f"{shop}/withdraw", None, stranger).status_code == 404
    refused = city.post(f"{shop}/refuse", {"reason": "no licence shown"}, city.token("clerk-2", "operator"))
    assert (refused.json()["state"], refused.json()["reason"]) == ("refused", "no licence shown")
    again = city.post(SHOPS, application(licence="91510107MA6CQ0001A"), clerk)
    assert again.status_code == 201, "who was refused may apply again"
    taken_back = city.post(f"{SHOPS}/{again.json()['application_id']}/withdraw", None, clerk)
    assert taken_back.json()["state"] == "withdrawn"
    scope = city.post(SHOPS, application(licence="91510107MA6CQ0002B", scopes=["weapons"]), clerk)
    assert (scope.status_code, scope.json()["type"]) == (422, "/problems/unknown-shop-scope")


def test_what_the_supervisor_or_the_chain_refuses_is_named_and_can_be_resumed(city: Served) -> None:
    applied = city.post(SHOPS, application(licence="91510107MA6CQ0003C"), city.token("clerk-1", "operator")).json()
    shop = f"{SHOPS}/{applied['application_id']}"
    second = city.token("clerk-2", "operator")
    early = city.post(f"{shop}/resume", None, second)
    assert (early.status_code, early.json()["type"]) == (409, "/problems/application-state")
    with city.city.database.transaction() as session:
        city.city.applications.approve(session, applied["application_id"], "urn:tongdui:local clerk-2")
        key = f"merchant:{applied['application_id']}:1"
        session.get_one(FinanceActRow, key).state = "cancelled"
    failed = eventually(lambda: city.get(shop, second).json(), lambda found: found["state"] == "failed")
    assert failed["reason"] == "cancelled"
    assert city.post(f"{shop}/resume", None, second).json()["state"] == "approved"
    registered(city, applied["application_id"])


def test_a_payee_changes_by_two_people_in_three_days(city: Served) -> None:
    clerk = city.token("clerk-1", "operator")
    applied = city.post(SHOPS, application(licence="91510107MA6CQ0004D"), clerk).json()
    approved = city.post(f"{SHOPS}/{applied['application_id']}/approve", None, city.token("clerk-2", "operator"))
    number = approved.json()["merchant"]
    payee = f"/v1/merchants/{number}/payee"
    owner, bureau = city.token("owner", f"merchant:{number}"), city.token("bureau", "finance")
    assert city.get(payee, owner).json()["current"] == {
        "holder": "望江书屋有限公司",
        "bank": "成都银行",
        "number_end": "5678",
        "bank_account": None,
    }
    assert city.get(payee, bureau).json()["current"]["bank_account"] == ACCOUNT
    new = {"holder": "望江书屋有限公司", "bank": "成都银行", "bank_account": "6222020000099999999"}
    assert city.post(payee, new, clerk).status_code == 403
    proposed = city.post(payee, new, owner).json()
    assert (proposed["state"], proposed["effective_at"], proposed["number_end"]) == ("proposed", None, "9999")
    confirm = f"{payee}/{proposed['change_id']}/confirm"
    assert city.post(confirm, None, owner).json()["type"] == "/problems/second-person"
    confirmed = city.post(confirm, None, city.token("clerk-2", "operator")).json()
    assert confirmed["state"] == "confirmed"
    assert city.get(payee, bureau).json()["current"]["bank_account"] == ACCOUNT, "not for three days"
    busy = city.post(payee, new, owner)
    assert (busy.status_code, busy.json()["type"]) == (409, "/problems/payee-change-waits")
    assert city.post(f"{payee}/withdraw", None, bureau).json()["state"] == "withdrawn"
    none = city.post(f"{payee}/withdraw", None, bureau)
    assert (none.status_code, none.json()["type"]) == (409, "/problems/no-payee-change")
    told = city.get(f"/v1/merchants/{number}/notices", owner).json()["items"]
    kinds = [one["kind"] for one in told if one["contact"] == 1 and one["kind"] != "registered"]
    assert kinds == ["payee_withdrawn", "payee_confirmed", "payee_proposed"]
    for file in (city.city.settings.state_dir).rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert ACCOUNT.encode() not in content, file
            assert b"13800000001" not in content, file
            assert "赵六".encode() not in content, file


def test_a_registration_goes_on_after_a_stop_at_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "city_actors", soon)
    config = load_city()
    with open_city(Settings(state_dir=tmp_path, workers=False, _env_file=None), config=config) as city:
        applications = city.applications
        with city.database.transaction() as session:
            made = applications.apply(session, new_application(ApplicationIn.model_validate(application())), "one")
            applications.approve(session, made.application_id, "other")
    # The process stopped with the call ordered and nothing sent; then with its announcement in the outbox.
    with open_city(Settings(state_dir=tmp_path, workers=False, _env_file=None)) as city:
        assert city.registrar.advance() == 1
    with served_city(tmp_path) as served:
        found = registered(served, made.application_id)
        assert served.get(f"/v1/merchants/{found['merchant']}").json()["is_registered"] is True
