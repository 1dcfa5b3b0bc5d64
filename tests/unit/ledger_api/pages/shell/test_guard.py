"""A page is served under our name only, and takes forms of ours only."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from ledger_api.errors import CrossSite, UnknownHost
from ledger_api.pages.shell.guard import check_host, check_origin, is_https, own_path
from ledger_api.ports import PageSettings

PUBLIC = PageSettings("https://points.example.cn")


def request(method: str = "GET", client: str | None = "127.0.0.1", **headers: str) -> Request:
    named = {"host": "127.0.0.1:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": None if client is None else (client, 1),
    }
    return Request(scope)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_loopback_is_served_to_this_machine(host: str) -> None:
    check_host(request(host=host), PageSettings())
    with pytest.raises(UnknownHost):
        check_host(request(host=host, client="192.0.2.7"), PageSettings())
    with pytest.raises(UnknownHost):
        check_host(request(host=host, client=None), PageSettings())


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "via"])
def test_what_a_proxy_passes_on_is_not_this_machine_s(header: str) -> None:
    with pytest.raises(UnknownHost):
        check_host(request(**{header: "192.0.2.7"}), PageSettings())


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "points.example.cn", "", "[", "a@b"])
def test_another_name_is_refused_also_when_it_leads_to_loopback(host: str) -> None:
    with pytest.raises(UnknownHost):
        check_host(request(host=host), PageSettings())


def test_the_declared_name_is_served_to_everybody_as_https() -> None:
    asked = request(host="points.example.cn", client="192.0.2.7")
    check_host(asked, PUBLIC)
    assert is_https(asked, PUBLIC)
    assert not is_https(request(), PUBLIC)
    assert not is_https(request(), PageSettings())


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_a_form_of_another_site_is_refused(site: str) -> None:
    with pytest.raises(CrossSite):
        check_origin(request("POST", sec_fetch_site=site, origin="http://127.0.0.1:8080"))


@pytest.mark.parametrize("origin", ["", "null", "http://127.0.0.1", "http://127.0.0.1:8081", "https://evil.example"])
def test_without_the_browser_s_word_the_origin_decides(origin: str) -> None:
    with pytest.raises(CrossSite):
        check_origin(request("POST", origin=origin))


def test_our_own_forms_pass_and_reading_needs_nothing() -> None:
    check_origin(request("POST", sec_fetch_site="same-origin"))
    check_origin(request("POST", origin="http://127.0.0.1:8080"))
    check_origin(request("GET", sec_fetch_site="cross-site"))


@pytest.mark.parametrize(
    ("text", "goes_to"),
    [
        ("/book?x=1", "/book?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("book", "/"),
        ("", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("/账", "/"),
        ("/" + "a" * 500, "/"),
    ],
)
def test_a_way_back_is_a_path_of_ours(text: str, goes_to: str) -> None:
    assert own_path(text) == goes_to
