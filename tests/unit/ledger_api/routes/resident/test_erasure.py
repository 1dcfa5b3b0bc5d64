"""Being erased: told what is lost, confirmed by saying it back; what the API itself remembers goes too."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select

from ledger.custody.keyring import IdentityHasher
from ledger.store.models.api import ApiSubjectRow, IdempotencyRow, WithdrawnTokenRow
from ledger.store.models.redemption import DeskPinRow
from ledger.store.models.residents import ErasureRow, ResidentRow, TombstoneRow
from tests.unit.ledger_api.api import Api, problem

DOCUMENT = "510107195403071234"


def erasing(api: Api, headers: dict[str, str]) -> dict[str, Any]:
    """Return the body that says back what is lost."""
    return {"confirm": "erase", "loses": api.get("/v1/residents/me/erasure", headers).json()}


def test_an_erased_resident_is_gone_and_the_login_free(api: Api) -> None:
    headers, made = api.register()
    assert api.post("/v1/residents/me/pin", {"pin": "481903"}, headers).status_code == 200
    body = erasing(api, headers)
    unsure = api.post("/v1/residents/me/erase", {**body, "confirm": "maybe"}, headers)
    assert problem(unsure) == (422, "/problems/invalid-request")
    assert problem(api.post("/v1/residents/me/erase", {"confirm": "erase"}, headers))[0] == 422
    answer = api.post("/v1/residents/me/erase", body, headers, key="erase-key-01")
    assert answer.json() == {"done": True}
    [called] = api.issuers.erase.call_args_list
    assert called.args[1].resident_id == int(made["resident_id"])
    assert problem(api.get("/v1/residents/me", headers)) == (403, "/problems/not-registered")
    with api.world.database.read() as session:
        assert session.scalars(select(DeskPinRow)).all() == []
        assert session.scalars(select(ApiSubjectRow)).all() == []
        assert session.get_one(ResidentRow, int(made["resident_id"])).data_key is None
        assert len(session.scalars(select(TombstoneRow)).all()) == 1
        assert session.get(ErasureRow, int(made["resident_id"])) is not None
    again = api.post("/v1/residents/me/erase", body, headers, key="erase-key-01")
    assert again.headers["idempotency-replayed"] == "true"


def test_what_is_lost_is_said_and_has_to_be_said_back(api: Api) -> None:
    headers, _ = api.register()
    loses = api.get("/v1/residents/me/erasure", headers).json()
    assert loses == {"is_custodial": True, "points": [], "holds": [], "orders": []}
    other = {**loses, "points": [{"programme": 1, "points": "29.80"}]}
    refused = api.post("/v1/residents/me/erase", {"confirm": "erase", "loses": other}, headers)
    assert problem(refused) == (409, "/problems/erasure-differs")
    assert refused.json()["loses"] == loses
    assert api.get("/v1/residents/me", headers).status_code == 200


def test_no_stored_answer_names_who_was_erased(api: Api) -> None:
    """The registration's, repeated under its key, told resident and account for a week."""
    headers, made = api.register("wang", DOCUMENT)
    other, _ = api.register("li", "510107195001011234")
    body = erasing(api, headers)
    assert api.post("/v1/residents/me/erase", body, headers, key="erase-key-02").status_code == 200
    with api.world.database.read() as session:
        rows = session.scalars(select(IdempotencyRow)).all()
    assert [row.key for row in rows if "wang" in row.subject] == ["erase-key-02"]
    for row in rows:
        assert made["account"].encode() not in row.answer
        assert made["resident_id"].encode() not in row.answer
    assert any("li" in row.subject for row in rows), "others keep theirs"
    assert api.get("/v1/residents/me", other).status_code == 200


def test_who_comes_back_is_a_new_resident_with_a_new_account(api: Api) -> None:
    headers, made = api.register("wang", DOCUMENT)
    api.post("/v1/residents/me/erase", erasing(api, headers), headers)
    _, again = api.register("wang-again", DOCUMENT)
    assert again["outcome"] == "created"
    assert (again["account"] != made["account"], again["resident_id"] != made["resident_id"]) == (True, True)
    with api.world.database.read() as session:
        assert session.scalars(select(TombstoneRow)).all() == [], "it was taken away"


def test_no_memory_hard_hash_is_computed_while_others_wait_to_write(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    headers, _ = api.register()
    plain, computed = IdentityHasher.stretch, []

    def stretch(hasher: IdentityHasher, identity_hmac: bytes) -> tuple[bytes, bytes]:
        def write() -> None:
            with api.world.database.transaction() as session:
                session.add(WithdrawnTokenRow(token_id=f"t{len(computed)}", expires_at=0, withdrawn_at=0))

        other = Thread(target=write, daemon=True)
        other.start()
        other.join(20)
        computed.append(other.is_alive())
        return plain(hasher, identity_hmac)

    monkeypatch.setattr(IdentityHasher, "stretch", stretch)
    assert api.post("/v1/residents/me/erase", erasing(api, headers), headers).status_code == 200
    api.register("zhang", "510107195403071299")
    assert api.register()[1]["resident_id"]
    assert len(computed) >= 3
    assert not any(computed)
