from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from ledger.store.models.api import IdempotencyRow
from ledger_api.app import create_app
from tests.unit.ledger_api.api import Api, TestClient, problem
from tests.unit.redemption.world import World

DOCUMENT = "510107195403071234"


def test_a_login_becomes_a_resident_and_links_in_one_step(api: Api) -> None:
    headers = api.token("wang", "resident:self", "resident:register")
    body = {"document_number": DOCUMENT, "name": "王秀英", "links": [{"programme": 1, "source_id": "V5101"}]}
    answer = api.post("/v1/residents", body, headers)
    assert answer.status_code == 201
    made = answer.json()
    assert made["outcome"] == "created"
    assert made["links"] == [{"programme": 1, "state": "linked"}]
    assert api.woken == ["write", "link"]
    assert api.get("/v1/residents/me", headers).json()["resident_id"] == made["resident_id"]
    assert api.get("/v1/residents/me/sources", headers).json()["items"] == [
        {"programme": 1, "source_id": "V5101", "state": "linked"}
    ]


def test_one_person_is_one_resident_under_any_login(api: Api) -> None:
    _, first = api.register("wang")
    headers = api.token("wang-on-a-new-phone", "resident:self", "resident:register", identity=DOCUMENT)
    second = api.post("/v1/residents", {}, headers).json()
    assert second["resident_id"] == first["resident_id"]
    assert second["outcome"] == "exists"
    assert api.get("/v1/residents/me", headers).json()["account"] == first["account"]


def test_one_login_is_one_resident(api: Api) -> None:
    headers, _ = api.register("wang")
    answer = api.post("/v1/residents", {"document_number": "510107195001011234"}, headers)
    assert problem(answer) == (409, "/problems/subject-bound")


def test_what_the_identity_provider_checked_is_what_counts(api: Api) -> None:
    headers = api.token("wang", "resident:self", "resident:register", identity=DOCUMENT)
    wrong = api.post("/v1/residents", {"document_number": "510107195001011234"}, headers)
    assert problem(wrong) == (403, "/problems/identity-mismatch")
    assert api.post("/v1/residents", {}, headers).status_code == 201


def test_without_a_document_there_is_no_resident(api: Api) -> None:
    headers = api.token("wang", "resident:self", "resident:register")
    assert problem(api.post("/v1/residents", {}, headers)) == (422, "/problems/empty-identifier")


def test_registering_needs_its_own_scope(api: Api) -> None:
    headers = api.token("wang", "resident:self")
    assert problem(api.post("/v1/residents", {"document_number": DOCUMENT}, headers)) == (403, "/problems/forbidden")


def test_a_login_that_is_no_resident_sees_nothing(api: Api) -> None:
    headers = api.token("stranger", "resident:self")
    for path in ("/v1/wallet", "/v1/residents/me", "/v1/wallet/history", "/v1/redemptions"):
        assert problem(api.get(path, headers)) == (403, "/problems/not-registered")


def test_two_claims_to_one_source_id_freeze_it(api: Api) -> None:
    first, _ = api.register("wang")
    second, _ = api.register("li", "510107195001011234")
    link = {"links": [{"programme": 1, "source_id": "V5101"}]}
    assert api.post("/v1/residents/me/sources", link, first).json()["links"][0]["state"] == "linked"
    assert api.post("/v1/residents/me/sources", link, first).json()["links"][0]["state"] == "exists"
    assert api.post("/v1/residents/me/sources", link, second).json()["links"][0]["state"] == "frozen"
    unlinked = api.post("/v1/residents/me/sources/unlink", link["links"][0], second)
    assert unlinked.json() == {"done": True}
    assert api.get("/v1/residents/me/sources", first).json()["items"][0]["state"] == "linked"


def test_nothing_personal_is_kept_with_the_answer_of_a_write(api: Api) -> None:
    headers = api.token("wang", "resident:self", "resident:register")
    body = {"document_number": DOCUMENT, "name": "王秀英", "links": [{"programme": 1, "source_id": "V5101-7777"}]}
    assert api.post("/v1/residents", body, headers).status_code == 201
    with api.world.database.read() as session:
        row = session.scalars(select(IdempotencyRow)).one()
    for secret in (DOCUMENT, "王秀英", "V5101-7777"):
        assert secret.encode() not in row.answer
        assert secret not in row.operation


def test_a_weak_pin_is_refused_and_a_good_one_kept(api: Api) -> None:
    headers, _ = api.register()
    assert problem(api.post("/v1/residents/me/pin", {"pin": "123456"}, headers)) == (422, "/problems/weak-pin")
    assert api.post("/v1/residents/me/pin", {"pin": "481903"}, headers).json() == {"done": True}


def test_whoever_knows_a_document_number_is_not_that_person(api: Api) -> None:
    owner, _ = api.register("wang")
    thief = api.token("thief", "resident:self", "resident:register")
    answer = api.post("/v1/residents", {"document_number": DOCUMENT}, thief)
    assert problem(answer) == (403, "/problems/identity-unproven")
    assert problem(api.get("/v1/wallet", thief)) == (403, "/problems/not-registered")
    assert api.post("/v1/residents", {"document_number": DOCUMENT}, owner).status_code == 200


def test_an_identity_provider_has_to_name_the_document(world: World) -> None:
    api = Api(world)
    api.services = replace(api.services, local_issuer=None)
    client = TestClient(create_app(api.services))
    headers = {**api.token("wang", "resident:self", "resident:register"), "Idempotency-Key": "register-01"}
    answer = client.post("/v1/residents", json={"document_number": DOCUMENT}, headers=headers)
    assert problem(answer) == (403, "/problems/identity-unproven")


def test_no_resident_has_an_account_that_the_ledger_refuses(api: Api) -> None:
    headers = api.token("wang", "resident:self", "resident:register")
    for account in ("0x" + "00" * 20, api.world.domain.ledger_address):
        answer = api.post("/v1/residents", {"document_number": DOCUMENT, "account": account}, headers)
        assert problem(answer) == (422, "/problems/unusable-account")
