"""REST pull against a server in this process: pages by cursor, patience with what is temporary, tokens that expire."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from issuers.errors import SourceUnavailable
from issuers.rules.refusals import ReadFailure
from issuers.sources.mapping import Mapping
from issuers.sources.rest import ClientCredentials, Page, RestSource, StaticToken
from ledger.errors import ConfigurationError
from tests.unit.issuers.build import mapping

Answer = tuple[int, dict[str, str], bytes]


class Server(ThreadingHTTPServer):
    """Gives the answers that a test lists, one a request, and keeps the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.queries: list[dict[str, list[str]]] = []
        self.tokens: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.queries.append(parse_qs(urlsplit(self.path).query))
        self.server.tokens.append(self.headers.get("Authorization", ""))
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        status, headers, body = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def page(records: list[Any], following: Any = None) -> Answer:
    return 200, {}, json.dumps({"data": {"rows": records}, "next_cursor": following}).encode()


def error(status: int, **headers: str) -> Answer:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}"


def rest(**changes: Any) -> Mapping:
    return mapping(format="json", records="data.rows", rest={"path": "/deeds", "attempts_max": 3, **changes})


def pull(server: Server, *answers: Answer, cursor: str | None = None) -> tuple[list[Page], list[float]]:
    """Return the pages, and how long was slept between attempts."""
    server.answers = list(answers)
    slept: list[float] = []
    source = RestSource(rest(), server.url + "/", StaticToken("t"), slept.append)
    return list(source.pages(cursor)), slept


def test_pages_follow_the_cursor_to_the_last(server: Server) -> None:
    pages, _ = pull(server, page([1], "b"), page([2], "c"), page([3]))
    assert pages == [Page(["1"], "b"), Page(["2"], "c"), Page(["3"], None)], "numbers stay text"
    assert server.queries == [{"limit": ["500"]}, *({"limit": ["500"], "cursor": [at]} for at in ("b", "c"))]
    assert set(server.tokens) == {"Bearer t"}


def test_a_stored_cursor_is_where_it_goes_on(server: Server) -> None:
    pages, _ = pull(server, page([3]), cursor="c")
    assert (pages, server.queries) == ([Page(["3"], None)], [{"limit": ["500"], "cursor": ["c"]}])


@pytest.mark.parametrize("following", ["", None, ["b"], {"next": "b"}, "a"])
def test_an_empty_a_strange_and_the_same_cursor_end_the_run(server: Server, following: Any) -> None:
    pages, _ = pull(server, page([1], following), cursor="a")
    assert len(pages) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_is_temporary_is_asked_for_again_after_the_time_that_the_server_names(server: Server, status: int) -> None:
    pages, slept = pull(server, error(status, Retry_After="7"), error(status, Retry_After="3600"), page([1]))
    assert (pages, slept) == ([Page(["1"], None)], [7.0, 60.0]), "an hour is too long to hold a worker"


@pytest.mark.parametrize("wait", ["soon", "-5"])
def test_a_strange_time_to_wait_does_no_harm(server: Server, wait: str) -> None:
    _, slept = pull(server, error(503, Retry_After=wait), page([1]))
    assert len(slept) == 1
    assert 0 <= slept[0] <= 20


def test_a_server_that_stays_busy_is_left_after_the_last_attempt(server: Server) -> None:
    with pytest.raises(SourceUnavailable, match="503"):
        pull(server, *[error(503)] * 3)
    assert len(server.queries) == 3


@pytest.mark.parametrize("status", [302, 400, 403, 404])
def test_what_another_attempt_cannot_change_is_asked_for_once(server: Server, status: int) -> None:
    with pytest.raises(SourceUnavailable, match=str(status)):
        pull(server, error(status, Location="/elsewhere"))
    assert len(server.queries) == 1


def test_a_given_token_that_is_refused_cannot_be_renewed(server: Server) -> None:
    with pytest.raises(SourceUnavailable, match="no way to renew"):
        pull(server, error(401))


def test_an_expired_token_is_renewed_once_for_the_same_page(server: Server) -> None:
    tokens = [(200, {}, json.dumps({"access_token": name}).encode()) for name in ("old", "new")]
    server.answers = [tokens[0], error(401), tokens[1], page([1], "b"), page([2])]
    source = RestSource(rest(), server.url, ClientCredentials(server.url + "/token", "id", "secret"), lambda _s: None)
    assert [one.records for one in source.pages(None)] == [["1"], ["2"]]
    assert server.tokens == ["Bearer old", "Bearer new", "Bearer new"]


def test_a_token_endpoint_without_a_token_is_no_source(server: Server) -> None:
    server.answers = [(200, {}, b'{"token": 5}')]
    with pytest.raises(SourceUnavailable, match="access_token"):
        ClientCredentials(server.url, "id", "secret").token(renew=False)


def test_a_page_that_is_no_json_is_no_page(server: Server) -> None:
    with pytest.raises(ReadFailure):
        pull(server, (200, {}, b"<html>"))


def test_a_server_that_does_not_listen_is_unavailable(server: Server) -> None:
    source = RestSource(rest(), "http://127.0.0.1:1", StaticToken("t"), lambda _s: None)
    with pytest.raises(SourceUnavailable):
        list(source.pages(None))


def test_a_mapping_without_pages_cannot_be_pulled() -> None:
    with pytest.raises(ConfigurationError, match="rest"):
        RestSource(mapping(), "http://127.0.0.1", StaticToken("t"))
