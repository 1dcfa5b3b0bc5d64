"""What is answered before the framework is answered as the framework does: status, headers and bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import httpx
import structlog

from ledger.standard.civil_time import DAY_S
from ledger.store.models.api import WithdrawnTokenRow
from ledger_api.http.middleware import RateLimiter
from tests.unit.ledger_api.api import Api
from tests.unit.redemption.world import CULTURE, GREEN, GROCER, Q2026_4, Q2027_1, RESIDENCE, VOLUNTEER, World

Ask = Callable[[Api], httpx.Response]
_PASSING = {"x-request-id", "date", "ratelimit"}


def framework_alone(api: Api) -> Api:
    """Return a client of the same services whose application has no hot routes."""
    other = Api(api.world)
    layers = [one for one in other.client.app.user_middleware if one.cls.__name__ != "HotLayer"]  # type: ignore[attr-defined]
    other.client.app.user_middleware = layers  # type: ignore[attr-defined]
    return other


def said(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Return what an answer says, without what differs from one request to the next."""
    headers = {name: value for name, value in answer.headers.items() if name not in _PASSING}
    body = answer.content
    if answer.headers.get("content-type") == "application/problem+json":
        body = body.replace(answer.headers["x-request-id"].encode(), b"")
    return answer.status_code, headers, body


def same(api: Api, ask: Ask) -> tuple[int, dict[str, str], bytes]:
    """Return an answer that both ways give."""
    framework = framework_alone(api)
    fast, slow = ask(api), ask(framework)
    framework.client.close()
    assert said(fast) == said(slow)
    return said(fast)


def rich(api: Api, world: World) -> tuple[dict[str, str], Any]:
    headers, resident = api.register()
    account = resident["account"]
    for programme, quarter, minor in (
        (VOLUNTEER, Q2026_4, 20_000),
        (VOLUNTEER, Q2027_1, 1),
        (GREEN, Q2026_4, 0),
        (CULTURE, 0, 123),
        (RESIDENCE, Q2026_4 - 4, 5),
        (99, Q2027_1, 700),
    ):
        world.give(account, programme, quarter, minor)
    return headers, resident


def test_a_wallet(api: Api, world: World) -> None:
    headers, _ = rich(api, world)
    status, found, body = same(api, lambda one: one.get("/v1/wallet", headers))
    assert (status, found["cache-control"]) == (200, "private, max-age=0, must-revalidate")
    assert b'"minor":"20000"' in body
    order = api.post("/v1/redemptions", {"offer": "rice", "quantity": 1}, headers)
    assert order.status_code == 202
    promised = same(api, lambda one: one.get("/v1/wallet", headers))[2]
    assert promised != body
    world.end_spending(VOLUNTEER, world.now + DAY_S)
    same(api, lambda one: one.get("/v1/wallet", headers))
    world.freeze(CULTURE, world.now + DAY_S)
    same(api, lambda one: one.get("/v1/wallet", headers))


def test_a_wallet_that_is_known(api: Api, world: World) -> None:
    headers, _ = rich(api, world)
    tag = api.get("/v1/wallet", headers).headers["etag"]
    for known in (tag, f'W/{tag}, "other"', "*", '"other"'):
        status = same(api, lambda one, known=known: one.get("/v1/wallet", {**headers, "If-None-Match": known}))[0]  # type: ignore[misc]
        assert status == (200 if known == '"other"' else 304)


def test_who_may_not_read_a_wallet(api: Api, world: World) -> None:
    headers, _ = rich(api, world)
    assert same(api, lambda one: one.get("/v1/wallet"))[0] == 401
    assert same(api, lambda one: one.get("/v1/wallet", {"Authorization": "Bearer nonsense"}))[0] == 401
    assert same(api, lambda one: one.get("/v1/wallet", {"Authorization": "Basic d2FuZw=="}))[0] == 401
    assert same(api, lambda one: one.get("/v1/wallet", api.token("wang", "merchant:1")))[0] == 403
    assert same(api, lambda one: one.get("/v1/wallet", api.token("nobody", "resident:self")))[0] == 403
    token = headers["Authorization"].removeprefix("Bearer ")
    principal = api.services.verifier.verify(token)
    with world.database.transaction() as session:
        session.add(WithdrawnTokenRow(token_id=principal.token_id, expires_at=principal.expires_at, withdrawn_at=1))
    assert same(api, lambda one: one.get("/v1/wallet", {**headers, "Accept-Language": "zh-CN"}))[0] == 401
    assert same(api, lambda one: one.post("/v1/redemptions", {"offer": "rice"}, headers))[0] == 401


def test_one_limit_counts_both_ways(world: World) -> None:
    api = Api(world, limiter=RateLimiter(4, lambda: 0.0))  # however long an answer takes
    headers, _ = rich(api, world)
    with structlog.testing.capture_logs():
        left = [api.get(path, headers).headers["ratelimit"] for path in ("/v1/wallet", "/v1/wallet/expiring")]
        assert left == ['"subject";r=2;t=16', '"subject";r=1;t=16']
        api.get("/v1/wallet", headers)
        refused = api.get("/v1/wallet", headers)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
    assert int(refused.headers["retry-after"]) >= 1
    api.client.close()


def test_the_log_has_the_same_line(api: Api, world: World) -> None:
    headers, _ = rich(api, world)
    lines = []
    for one in (api, framework_alone(api)):
        with structlog.testing.capture_logs() as logged:
            one.get("/v1/wallet", headers)
        lines.append([{key: line[key] for key in line if key not in ("ms", "request_id")} for line in logged])
    assert (
        lines[0]
        == lines[1]
        == [{"event": "request", "log_level": "info", "method": "GET", "route": "/v1/wallet", "status": 200}]
    )


def test_an_order(api: Api, world: World) -> None:
    headers, resident = rich(api, world)
    body = {"offer": "rice", "quantity": 1}
    first = api.post("/v1/redemptions", body, headers, key="a-key-of-mine")
    assert (first.status_code, first.json()["state"]) == (202, "placed")
    assert api.woken[-1] == "write"
    # Each way answers a repeat of the other's.
    repeat = same(api, lambda one: one.post("/v1/redemptions", body, headers, key="a-key-of-mine"))
    assert (repeat[0], repeat[1]["idempotency-replayed"], repeat[2]) == (202, "true", first.content)
    with world.database.read() as session:
        assert len(world.redemptions.of_resident(session, int(resident["resident_id"]), 10)) == 1


def test_orders_that_are_refused(api: Api, world: World) -> None:
    headers, _ = rich(api, world)
    rice = {"offer": "rice"}

    keys = (f"refused-{number}" for number in itertools.count())

    def refused(body: Any, token: dict[str, str] | None = None, key: str | None = None) -> int:
        ask, key = {**headers, **(token or {})}, key or next(keys)
        return same(api, lambda one: one.post("/v1/redemptions", body, ask, key=key))[0]

    assert refused({"offer": "nothing"}) == 404
    assert refused({"offer": "rice", "quantity": 900}) == 409
    assert refused({"offer": "rice", "quantity": "1"}) == 422
    assert refused({"offer": "rice", "more": 1}) == 422
    assert refused(rice, key="short") == 400
    assert refused(rice, api.token("wang", "merchant:1")) == 403
    assert refused(rice, api.token("nobody", "resident:self")) == 403
    assert refused(rice, api.token("wang", "resident:self", f"merchant:{GROCER}")) == 403
    api.post("/v1/redemptions", rice, headers, key="a-key-of-mine")
    assert refused({"offer": "rice", "quantity": 2}, key="a-key-of-mine") == 409
    raw = {**headers, "Idempotency-Key": "another-key", "Content-Type": "application/json"}
    for content in (b"", b"{", b'{"offer":"rice","offer":"oil"}', b"[]"):
        same(api, lambda one, content=content: one.client.post("/v1/redemptions", content=content, headers=raw))  # type: ignore[misc]
    text = {**raw, "Content-Type": "text/plain"}
    same(api, lambda one: one.client.post("/v1/redemptions", content=b'{"offer":"rice"}', headers=text))
