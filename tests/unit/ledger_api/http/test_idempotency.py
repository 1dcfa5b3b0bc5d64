from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ledger.store.models.api import IdempotencyRow, WithdrawnTokenRow
from ledger_api.http.idempotency import StoredAnswer, forget_before, run_apart, run_once, write_request
from ledger_api.schemas.residents import Done
from redemption.errors import WeakPin
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import Q2026_4, VOLUNTEER, World

BODY = {"offer": "rice"}


def resident(api: Api) -> dict[str, str]:
    headers, made = api.register()
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    return headers


def test_a_repeat_gets_the_first_answer_and_has_no_second_effect(api: Api) -> None:
    headers = resident(api)
    first = api.post("/v1/redemptions", BODY, headers, key="order-0001")
    again = api.post("/v1/redemptions", BODY, headers, key="order-0001")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert api.world.offer().stock_reserved == 1
    assert api.woken.count("write") == 2  # registration and the first order


def test_another_body_under_the_key_is_refused_and_does_nothing(api: Api) -> None:
    headers = resident(api)
    api.post("/v1/redemptions", BODY, headers, key="order-0001")
    other = api.post("/v1/redemptions", {**BODY, "quantity": 2}, headers, key="order-0001")
    assert problem(other) == (409, "/problems/idempotency-key-reused")
    elsewhere = api.post("/v1/residents/me/pin", {"pin": "481903"}, headers, key="order-0001")
    assert problem(elsewhere) == (409, "/problems/idempotency-key-reused")
    assert api.world.offer().stock_reserved == 1


def test_keys_of_different_people_do_not_meet(api: Api) -> None:
    wang = resident(api)
    li, made = api.register("li", "510107195001011234")
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    first = api.post("/v1/redemptions", BODY, wang, key="order-0001").json()
    second = api.post("/v1/redemptions", BODY, li, key="order-0001").json()
    assert first["order_id"] != second["order_id"]


def test_what_failed_can_be_tried_again_under_its_key(api: Api) -> None:
    headers, made = api.register()
    assert problem(api.post("/v1/redemptions", BODY, headers, key="order-0001")) == (
        409,
        "/problems/not-enough-points",
    )
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    assert api.post("/v1/redemptions", BODY, headers, key="order-0001").status_code == 202


@pytest.mark.parametrize("key", ["", "short", "x" * 161, "with space", "tab\tkey123"])
def test_a_write_without_a_usable_key_is_refused(api: Api, key: str) -> None:
    headers = resident(api)
    answer = api.client.post("/v1/redemptions", json=BODY, headers={**headers, "Idempotency-Key": key})
    assert problem(answer) == (400, "/problems/idempotency-key-missing")
    assert api.world.offer().stock_reserved == 0


def test_every_write_asks_for_a_key(api: Api) -> None:
    """Of all operations that change something, none is left out but sign-ins; questions by POST change nothing."""
    questions = {
        "quoteExchange",
        "quoteRedemption",
        "prepareExchange",
        "prepareRedemption",
        "checkCode",
        "makeLinkCode",
        "prepareAccountProof",
        "verifyReceipt",
        "verifyGrant",
    }
    # What they are asked and answer hold passwords and secrets, which no table of answers may keep.
    with_secrets = {"createLogin", "changePassword", "signIn", "makeShopWebhookSecret", "makeAgencyWebhookSecret"}
    by_webhook_id = {"pushRecords"}
    schema = api.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            named = {parameter["name"] for parameter in operation.get("parameters", [])}
            is_write = (
                method in {"post", "put", "patch", "delete"}
                and operation["operationId"] not in questions | with_secrets
            )
            if operation["operationId"] in by_webhook_id:
                assert "webhook-id" in named
                continue
            assert ("Idempotency-Key" in named) == is_write, (method, path)


def test_two_at_once_have_one_effect(world: World) -> None:
    """The second waits for the first and then gets its answer."""
    request = write_request(b"k" * 32, "wang", "together-1", "POST /x", "/x", None)
    inside, answers = threading.Event(), []

    def effect(session: Session) -> tuple[int, Any]:
        inside.set()
        session.add(WithdrawnTokenRow(token_id="effect", expires_at=0, withdrawn_at=0))
        session.flush()
        return 200, Done()

    def run() -> None:
        answers.append(run_once(world.database, world.clock, request, effect))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.is_replay for answer in answers].count(False) == 1
    assert len({answer.content for answer in answers}) == 1
    with world.database.read() as session:
        assert session.scalar(select(func.count()).select_from(WithdrawnTokenRow)) == 1


def test_a_failed_effect_leaves_no_key(world: World) -> None:
    request = write_request(b"k" * 32, "wang", "failing-1", "POST /x", "/x", None)

    def failing(_session: Session) -> tuple[int, Any]:
        raise WeakPin

    with pytest.raises(WeakPin):
        run_once(world.database, world.clock, request, failing)
    with world.database.read() as session:
        assert session.scalar(select(func.count()).select_from(IdempotencyRow)) == 0


def test_old_answers_are_forgotten(world: World) -> None:
    request = write_request(b"k" * 32, "wang", "old-key-1", "POST /x", "/x", None)
    run_once(world.database, world.clock, request, lambda _: (200, Done()))
    for moment, expected in ((world.now, 0), (world.now + 1, 1)):
        with world.database.transaction() as session:
            assert forget_before(session, moment) == expected


def test_a_stored_digest_cannot_be_guessed_without_the_secret() -> None:
    one = write_request(b"k" * 32, "wang", "same-key-1", "POST /x", "/x", Done())
    other = write_request(b"j" * 32, "wang", "same-key-1", "POST /x", "/x", Done())
    assert one.digest != other.digest
    assert StoredAnswer(200, b"", is_replay=True).is_replay


def test_a_repeat_that_fails_beside_the_first_does_not_drop_its_answer(world: World) -> None:
    request = write_request(b"s", "subject", "apart-0001", "POST /x", "/x", None)

    def first(_was_begun: bool) -> tuple[int, Done]:
        def second(was_begun: bool) -> tuple[int, Done]:
            assert was_begun
            raise WeakPin

        with pytest.raises(WeakPin):  # the same request once more, while the first is at work
            run_apart(world.database, world.clock, request, second)
        return 200, Done()

    assert run_apart(world.database, world.clock, request, first) == StoredAnswer(200, b'{"done":true}', False)

    def never(_was_begun: bool) -> tuple[int, Done]:
        raise AssertionError("the answer is stored")

    assert run_apart(world.database, world.clock, request, never) == StoredAnswer(200, b'{"done":true}', True)
