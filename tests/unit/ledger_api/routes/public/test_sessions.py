from __future__ import annotations

from datetime import timedelta

import httpx

from ledger.standard.civil_time import DAY_S
from ledger_api.auth.withdrawal import withdraw_subject
from tests.unit.ledger_api.api import Api, problem

LOGIN = {"name": "wang.xiuying", "password": "correct horse battery"}


def pass_time(api: Api, seconds: int) -> None:
    api.world.clock.set(api.world.clock.now() + timedelta(seconds=seconds))


def make(api: Api, login: dict[str, str] = LOGIN) -> None:
    assert api.client.post("/v1/logins", json=login).status_code == 201


def sign_in(api: Api, login: dict[str, str] = LOGIN) -> tuple[dict[str, str], httpx.Response]:
    answer = api.client.post("/v1/sessions", json=login, headers={"User-Agent": "curl/8"})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}, answer


def test_a_person_signs_in_and_becomes_a_resident(api: Api) -> None:
    make(api)
    headers, answer = sign_in(api)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["scopes"] == ["resident:register", "resident:self"]
    made = api.post("/v1/residents", {"document_number": "510107195403071234"}, headers)
    assert made.status_code == 201
    assert api.get("/v1/residents/me", headers).json()["account"] == made.json()["account"]


def test_the_answer_to_an_unknown_name_is_that_to_a_wrong_password(api: Api) -> None:
    make(api)
    seen = []
    for name in ("wang.xiuying", "nobody"):
        answer = api.client.post("/v1/sessions", json={"name": name, "password": "wrong horse battery"})
        assert problem(answer) == (401, "/problems/sign-in-refused")
        seen.append({**answer.json(), "request_id": ""})
    assert seen[0] == seen[1]


def test_too_many_attempts_say_when_to_come_again(api: Api) -> None:
    make(api)
    for _ in range(4):
        api.client.post("/v1/sessions", json={**LOGIN, "password": "wrong horse battery"})
    answer = api.client.post("/v1/sessions", json=LOGIN)
    assert problem(answer) == (429, "/problems/too-many-sign-ins")
    assert answer.headers["retry-after"] == "60"


def test_sessions_are_listed_and_ended_by_their_owner(api: Api) -> None:
    make(api)
    make(api, {**LOGIN, "name": "li.wei"})
    here, there, others = sign_in(api)[0], sign_in(api)[0], sign_in(api, {**LOGIN, "name": "li.wei"})[0]
    listed = api.get("/v1/sessions", here).json()["items"]
    assert sorted(one["is_this"] for one in listed) == [False, True]
    assert {one["agent"] for one in listed} == {"curl"}
    other = api.get("/v1/sessions", others).json()["items"][0]["session_id"]
    assert problem(api.post(f"/v1/sessions/{other}/end", None, here)) == (404, "/problems/unknown-session")
    ended = next(one["session_id"] for one in listed if not one["is_this"])
    assert api.post(f"/v1/sessions/{ended}/end", None, here).status_code == 200
    assert problem(api.get("/v1/sessions", there)) == (401, "/problems/invalid-token")
    assert api.post("/v1/sessions/end", None, here).json() == {"ended": 1}
    assert problem(api.get("/v1/sessions", here)) == (401, "/problems/invalid-token")
    assert api.get("/v1/sessions", others).status_code == 200


def test_a_session_lies_unused_for_thirty_days_at_most(api: Api) -> None:
    make(api)
    headers, _ = sign_in(api)
    pass_time(api, 30 * DAY_S)
    assert problem(api.get("/v1/sessions", headers)) == (401, "/problems/invalid-token")


def test_a_session_in_a_cookie_opens_nothing(api: Api) -> None:
    make(api)
    token = sign_in(api)[1].json()["token"]
    for name in ("session", "__Host-session", "Authorization"):
        answer = api.get("/v1/sessions", {"Cookie": f"{name}={token}"})
        assert problem(answer) == (401, "/problems/unauthenticated")


def test_a_password_is_changed_with_the_old_one(api: Api) -> None:
    make(api)
    headers, _ = sign_in(api)
    change = {"password": LOGIN["password"], "new_password": "another long phrase"}
    wrong = {**change, "password": "wrong horse battery"}
    assert problem(api.post("/v1/logins/me/password", wrong, headers)) == (401, "/problems/sign-in-refused")
    weak = {**change, "new_password": "short"}
    assert problem(api.post("/v1/logins/me/password", weak, headers)) == (422, "/problems/weak-password")
    assert api.post("/v1/logins/me/password", change, headers).status_code == 200
    assert problem(api.get("/v1/sessions", headers)) == (401, "/problems/invalid-token")
    sign_in(api, {**LOGIN, "password": "another long phrase"})


def test_no_answer_with_a_password_or_a_token_is_stored(api: Api) -> None:
    make(api)
    token = sign_in(api)[1].json()["token"]
    with api.world.database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        dump = "\n".join(raw.iterdump())
    assert LOGIN["password"] not in dump
    assert token not in dump


def test_all_tokens_of_a_subject_are_withdrawn_and_later_ones_are_good(api: Api) -> None:
    old = api.token("wang", "operator")
    assert api.get("/metrics", old).status_code == 200
    with api.world.database.transaction() as session:
        withdraw_subject(session, "urn:test wang", api.world.now)
    assert problem(api.get("/metrics", old)) == (401, "/problems/invalid-token")
    assert api.get("/metrics", api.token("li", "operator")).status_code == 200
    pass_time(api, 1)
    assert api.get("/metrics", api.token("wang", "operator")).status_code == 200
