from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import structlog

from ledger_api.http.middleware import BUCKETS_MAX, RateLimiter
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import World
from tongdui.settings import Settings


class Steady:
    """A clock nobody sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_gets_its_rate_and_no_more() -> None:
    steady = Steady()
    limiter = RateLimiter(60, steady)
    assert [limiter.take("wang").left for _ in range(60)] == list(range(59, -1, -1))
    assert limiter.take("wang").is_exceeded
    assert not limiter.take("li").is_exceeded
    steady.now = 1.0
    assert not limiter.take("wang").is_exceeded
    assert limiter.take("wang").is_exceeded


@pytest.mark.parametrize("per_minute", [1, 7, 60, 600])
def test_what_is_said_to_wait_is_enough_and_a_second_less_is_not(per_minute: int) -> None:
    steady = Steady()
    limiter = RateLimiter(per_minute, steady)
    for _ in range(per_minute):
        quota = limiter.take("wang")
    assert (quota.left, quota.is_exceeded) == (0, False)
    if quota.next_s > 1:
        steady.now = quota.next_s - 1.01
        assert limiter.take("wang").is_exceeded
    steady.now = float(quota.next_s)
    assert not limiter.take("wang").is_exceeded


def test_idle_buckets_are_forgotten() -> None:
    limiter = RateLimiter(1, Steady())
    for number in range(BUCKETS_MAX + 10):
        limiter.take(str(number))
    assert not limiter.take("0").is_exceeded  # forgotten, so full again
    assert limiter.take(str(BUCKETS_MAX + 9)).is_exceeded


@pytest.fixture
def tight(world: World) -> Iterator[Api]:
    settings = Settings(state_dir=world.directory, body_bytes_max=1024, _env_file=None)
    served = Api(world, settings=settings, limiter=RateLimiter(3))
    yield served
    served.client.close()


def test_a_rate_is_counted_by_subject_and_said_in_retry_after(tight: Api) -> None:
    wang, li = tight.token("wang", "resident:self"), tight.token("li", "resident:self")
    for _ in range(3):
        tight.get("/v1/wallet", wang)
    answer = tight.get("/v1/wallet", wang)
    assert problem(answer) == (429, "/problems/too-many-requests")
    assert int(answer.headers["retry-after"]) >= 1
    assert tight.get("/v1/wallet", li).status_code == 403


def test_every_counted_answer_says_what_is_left(tight: Api) -> None:
    """In the fields of draft-ietf-httpapi-ratelimit-headers-10, also where the answer is a refusal."""
    wang = tight.token("wang", "resident:self")
    left = []
    for _ in range(4):
        answer = tight.get("/v1/wallet", wang)
        assert answer.headers["ratelimit-policy"] == '"subject";q=3;w=60'
        found = re.fullmatch(r'"subject";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
        assert found is not None
        left.append(int(found[1]))
        assert 1 <= int(found[2]) <= 21
    assert left == [2, 1, 0, 0]
    assert problem(answer)[0] == 429
    assert found[2] == answer.headers["retry-after"]
    for _ in range(2):
        answer = tight.get("/v1/offers")
        assert answer.headers["ratelimit"].startswith('"address";r=')
    assert "ratelimit" not in tight.get("/healthz").headers


def test_whoever_guesses_tokens_is_counted_by_address(tight: Api) -> None:
    for _ in range(3):
        assert problem(tight.get("/v1/wallet", {"Authorization": "Bearer x"})) == (401, "/problems/invalid-token")
    answer = tight.get("/v1/wallet", {"Authorization": "Bearer x"})
    assert problem(answer) == (429, "/problems/too-many-requests")


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_not_read(tight: Api, declared: bool) -> None:
    content = b'{"name":"' + b"x" * 2000 + b'"}'
    headers = {**tight.token("w", "resident:register"), "Content-Type": "application/json"}
    body = content if declared else iter([content[:500], content[500:]])
    answer = tight.client.post("/v1/residents", content=body, headers=headers)
    assert problem(answer) == (413, "/problems/body-too-large")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_answer_has_an_id_and_the_security_headers(api: Api) -> None:
    for path in ("/healthz", "/v1/nothing", "/v1/wallet", "/v1/offers"):
        answer = api.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers["x-request-id"]) == 24
        assert "server" not in answer.headers


@pytest.mark.parametrize(("given", "is_kept"), [("my-request-1", True), ("x", False), ("bad id\u007f", False)])
def test_a_request_id_is_taken_over_if_it_is_one(api: Api, given: str, is_kept: bool) -> None:
    answer = api.get("/healthz", {"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) is is_kept


def test_the_log_names_the_route_and_nobody(api: Api) -> None:
    headers, made = api.register()
    with structlog.testing.capture_logs() as logs:
        api.get(f"/v1/orders/0x{'11' * 32}", headers)
        api.get(f"/v1/desk/residents/{made['resident_id']}/wallet", headers)
        api.get("/v1/nothing/510107195403071234")
    assert [line["route"] for line in logs] == [
        "/v1/orders/{order_id}",
        "/v1/desk/residents/{resident_id}/wallet",
        "unmatched",
    ]
    for secret in ("11" * 32, made["resident_id"], "510107195403071234", "wang"):
        assert secret not in str(logs)
    assert all(line["request_id"] and line["status"] for line in logs)


def test_a_crash_is_a_problem_too_and_tells_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("ledger_api.views.queries.programmes", crash)
    answer = api.get("/v1/programmes", {"Accept-Language": "zh-CN"})
    assert problem(answer) == (500, "/problems/internal")
    assert "secret" not in answer.text
    assert answer.headers["content-language"] == "zh-CN"
    assert answer.headers["x-frame-options"] == "DENY"
