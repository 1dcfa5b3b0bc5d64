"""Static files, preferences, reports of broken policy, and what every page says to the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ledger_api.http.middleware import RateLimiter
from ledger_api.pages.shell.policy import CONTENT, REPORTS_PATH, Surface, headers
from tests.unit.ledger_api.api import Api

FORM = {"Sec-Fetch-Site": "same-origin"}
Client = Any


def test_a_page_has_the_pages_policy_and_the_api_keeps_its_own(people: Client) -> None:
    page = people.get("/")
    assert page.headers["content-security-policy"] == CONTENT
    assert "form-action 'self'" in CONTENT
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-cache"
    assert "camera=()" in page.headers["permissions-policy"]
    assert "form-action 'none'" in people.get("/v1/programmes").headers["content-security-policy"]


def test_what_is_somebody_s_own_is_not_stored_and_only_scanning_has_a_camera() -> None:
    assert headers(Surface.SIGNED_IN, is_https=False)["Cache-Control"] == "no-store"
    scanning = headers(Surface.SCANNING, is_https=True)
    assert scanning["Permissions-Policy"].startswith("camera=(self)")
    assert "geolocation=()" in scanning["Permissions-Policy"]
    assert "Strict-Transport-Security" in scanning


def test_static_files_are_kept_for_good_and_only_under_their_own_hash(people: Client) -> None:
    href = people.get("/").text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    sheet = people.get(href)
    assert sheet.status_code == 200
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert people.get("/assets/0000000000000000/style.css").status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "shown"), [("language", "en", 'lang="en"'), ("size", "largest", "size-largest")]
)
def test_a_preference_is_kept_and_leads_back(people: Client, field: str, value: str, shown: str) -> None:
    answer = people.post("/preferences", data={field: value, "back": "/help"}, headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/help")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=lax" in answer.headers["set-cookie"]
    assert shown in people.get("/help").text


def refused_by_origin(people: Client) -> httpx.Response:
    return people.post("/preferences", data={"size": "large"}, headers={"Sec-Fetch-Site": "cross-site"})


def refused_by_type(people: Client) -> httpx.Response:
    return people.post("/preferences", json={"size": "large"}, headers=FORM)


def refused_by_repetition(people: Client) -> httpx.Response:
    return people.post(
        "/preferences",
        content="size=large&size=normal",
        headers={**FORM, "Content-Type": "application/x-www-form-urlencoded"},
    )


@pytest.mark.parametrize(
    ("ask", "status"), [(refused_by_origin, 403), (refused_by_type, 400), (refused_by_repetition, 400)]
)
def test_what_no_form_of_ours_sends_changes_nothing(
    people: Client, ask: Callable[[Client], httpx.Response], status: int
) -> None:
    answer = ask(people)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_an_unknown_preference_sets_nothing(people: Client) -> None:
    answer = people.post("/preferences", data={"size": "huge", "back": "//evil.example"}, headers=FORM)
    assert answer.headers["location"] == "/"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [
        b'{"csp-report": {"effective-directive": "script-src-elem", "document-uri": "http://x/secret"}}',
        b"not json",
        b"[" * 100_000,
        b'{"csp-report": {"effective-directive": "' + b"x" * 20_000 + b'"}}',
    ],
)
def test_reports_of_broken_policy_are_counted_and_nothing_of_the_visitor_is_kept(
    api: Api, people: Client, body: bytes
) -> None:
    answer = people.post(REPORTS_PATH, content=body, headers={"Content-Type": "application/csp-report"})
    assert answer.status_code == 204
    assert b"tongdui_policy_reports_total 1.0" in api.services.metrics.render()


@pytest.mark.parametrize("path", ["/nowhere", "/book/programmes/99", "/book/programmes/x", "/book/orders/0x12"])
def test_what_does_not_exist_is_a_page_with_a_way_back(people: Client, path: str) -> None:
    answer = people.get(path)
    assert answer.status_code == 404
    assert "没有这个页面" in answer.text
    assert 'href="/"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_the_api_s_unknown_paths_stay_problem_documents(people: Client) -> None:
    assert people.get("/v1/nowhere").headers["content-type"] == "application/problem+json"
    assert people.get("/nowhere", headers={"Accept": "*/*"}).headers["content-type"] == "application/problem+json"


def test_a_foreign_host_gets_no_page(people: Client) -> None:
    answer = people.get("/book", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "志愿服务" not in answer.text


def test_a_fault_is_a_page_without_its_reason(api: Api, people: Client) -> None:
    api.report = None  # type: ignore[assignment]  # what nobody foresaw
    answer = people.get("/book")
    assert answer.status_code == 500
    assert "您的积分没有变化" in answer.text
    assert "NoneType" not in answer.text


def test_too_many_requests_are_a_page_that_says_when_to_come_again(api: Api, people: Client) -> None:
    object.__setattr__(api.services, "limiter", RateLimiter(1))
    people.get("/help")
    answer = people.get("/help")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "请求太多了" in answer.text


def test_the_first_page_is_small_over_the_wire(people: Client) -> None:
    """The page and its sheet, packed, without images."""
    page = people.get("/", headers={"Accept-Encoding": "gzip"})
    href = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    sheet = people.get(href, headers={"Accept-Encoding": "gzip"})
    sizes = [int(answer.headers["content-length"]) for answer in (page, sheet)]
    assert sum(sizes) <= 30_000
    assert page.headers["content-encoding"] == "gzip"
