"""REST pull against a server in this process: pages by cursor, patience with what is temporary, tokens that expire."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from issuers.errors import SourceUnavailable
from issuers.rules.refusals import ReadFailure
from issuers.sources.mapping import Mapping
from issuers.sources.paging import Page
from issuers.sources.rest import ClientCredentials, RestSource, StaticToken
from ledger.errors import ConfigurationError
from ledger.outgoing import Outgoing
from tests.unit.issuers.build import mapping

LOOPBACK = Outgoing.of(["127.0.0.0/8"])
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
    source = RestSource(rest(), server.url + "/", StaticToken("t"), LOOPBACK, slept.append)
    return list(source.pages(cursor)), slept


def test_pages_follow_the_cursor_to_the_last(server: Server) -> None:
    pages, _ = pull(server, page([1], "b"), page([2], "c"), page([3]))
    assert pages == [Page(["1"], "b"), Page(["2"], "c"), Page(["3"], None)], "numbers stay text"
    assert server.queries == [{"limit": ["500"]}, *({"limit": ["500"], "cursor": [at]} for at in ("b", "c"))]
    assert set(server.tokens) == {"Bearer t"}


def test_a_stored_cursor_is_where_it_goes_on(server: Server) -> None:
    pages, _ = pull(server, page([3]), cursor="c")
    assert (pages, server.queries) == ([Page(["3"], None)], [{"limit": ["500"], "cursor": ["c"]}])


@pytest.mark.parametrize("following", ["", None])
def test_no_cursor_ends_the_run(server: Server, following: Any) -> None:
    pages, _ = pull(server, page([1], following), cursor="a")
    assert len(pages) == 1


def test_an_empty_page_that_names_its_own_cursor_is_the_end(server: Server) -> None:
    pages, _ = pull(server, page([1], "a"), page([], "a"))
    assert [one.records for one in pages] == [["1"], []]


@pytest.mark.parametrize("following", [["b"], {"next": "b"}, True])
def test_a_strange_cursor_is_an_error(server: Server, following: Any) -> None:
    with pytest.raises(SourceUnavailable, match="no cursor"):
        pull(server, page([1], following))


def brought(
    server: Server, *answers: Answer, by: Mapping | None = None, cursor: str | None = None
) -> tuple[list[Any], str]:
    """Return the records that came, and how the pull failed (nothing: it did not)."""
    server.answers = list(answers)
    records: list[Any] = []
    try:
        for one in RestSource(by or rest(), server.url, StaticToken("t"), LOOPBACK, lambda _s: None).pages(cursor):
            records += one.records
    except SourceUnavailable as unavailable:
        return records, str(unavailable)
    return records, ""


def test_cursors_that_go_in_a_circle_end_the_pull_with_an_error(server: Server) -> None:
    records, failure = brought(server, page([1], "b"), page([2], "c"), page([3], "b"))
    assert (records, len(server.queries)) == (["1", "2", "3"], 3)
    assert "not everything was brought" in failure
    assert "read already" in brought(server, page([1], "a"), cursor="a")[1]


def enveloped(records: Any, **beside: Any) -> Answer:
    return 200, {}, json.dumps({"data": {"rows": records}, **beside}).encode()


@pytest.mark.parametrize(
    "beside",
    [
        {"code": 401},
        {"code": "500"},
        {"errcode": 40001},
        {"success": False},
        {"status": "error"},
        {"error": {"m": "x"}},
        {"ok": "0"},
        {"code": -1},
        {"resultCode": "TOKEN_EXPIRED"},
    ],
)
def test_an_answer_of_200_with_an_error_inside_is_no_last_page(server: Server, beside: dict[str, Any]) -> None:
    records, failure = brought(server, page([1], "b"), enveloped([], **beside))
    assert records == ["1"]
    assert "the source answered" in failure


@pytest.mark.parametrize(
    "beside",
    [
        {"code": 0},
        {"code": "200"},
        {"errcode": "0000", "errmsg": "ok"},
        {"success": True},
        {"status": "success"},
        {"error": None},
        {"code": 200, "message": "操作成功"},
    ],
)
def test_an_envelope_that_says_success_is_a_page(server: Server, beside: dict[str, Any]) -> None:
    assert brought(server, enveloped([1], **beside)) == (["1"], "")


def test_a_mapping_says_what_success_is(server: Server) -> None:
    by = rest(success={"head.rc": ["A0", "777"]})
    assert brought(server, enveloped([1], head={"rc": 777}, code=500), by=by) == (["1"], "")
    for head in ({"rc": 0}, {}, None):
        assert "head.rc" in brought(server, enveloped([1], head=head), by=by)[1]


@pytest.mark.parametrize("name", ["has_more", "hasMore"])
def test_more_without_a_cursor_is_an_error_after_what_came(server: Server, name: str) -> None:
    records, failure = brought(server, enveloped([1], **{name: True}))
    assert records == ["1"]
    assert "more follows" in failure
    assert brought(server, enveloped([1], **{name: False}, next_cursor="x")) == (["1"], "")


@pytest.mark.parametrize("last", [None, []])
def test_null_for_the_records_is_an_empty_page(server: Server, last: Any) -> None:
    assert brought(server, page([1], "b"), enveloped(last)) == (["1"], "")
    assert "no list" in brought(server, (200, {}, b'{"data": {}}'))[1]


def test_pages_by_number_go_on_to_an_empty_page_however_short_they_are(server: Server) -> None:
    """A source that caps the size of a page sends short ones all the way."""
    by = rest(paging="page", cursor_parameter="pageNum", size_parameter="pageSize", size=5)
    assert brought(server, page([1, 2]), page([3]), page([4]), page([]), by=by) == (["1", "2", "3", "4"], "")
    assert [query["pageNum"] for query in server.queries] == [["1"], ["2"], ["3"], ["4"]]
    server.answers = [page([3]), page([])]
    pages = list(RestSource(by, server.url, StaticToken("t"), LOOPBACK).pages("2"))
    assert [(one.records, one.next_cursor) for one in pages] == [(["3"], None)], (
        "the last page is asked for again next time"
    )


def test_pages_by_offset_count_what_came(server: Server) -> None:
    by = rest(paging="offset", cursor_parameter="offset", first=0)
    assert brought(server, page([1, 2]), page([3]), page([]), by=by) == (["1", "2", "3"], "")
    assert [query.get("offset") for query in server.queries] == [None, ["2"], ["3"]]


def test_a_source_that_sends_one_page_for_ever_is_left(server: Server) -> None:
    by = rest(paging="page")
    records, failure = brought(server, page([1]), page([2]), page([2]), by=by)
    assert (records, "same page" in failure) == (["1", "2"], True)
    counted = rest(paging="page", total="total")
    last = enveloped([2], total=2)
    assert brought(server, enveloped([1], total=2), last, last, by=counted) == (["1", "2"], "")


def test_the_next_address_is_followed_on_the_sources_host_alone(server: Server) -> None:
    by = rest(paging="next_url", next_cursor="links.next")

    def linked(records: list[int], following: str | None) -> Answer:
        return enveloped(records, links={"next": following})

    answers = (
        linked([1], f"{server.url}/deeds?page=2"),
        linked([2], "/deeds?page=3"),
        linked([3], "?page=4"),
        linked([4], None),
    )
    assert brought(server, *answers, by=by) == (["1", "2", "3", "4"], "")
    assert server.queries == [{"limit": ["500"]}, {"page": ["2"]}, {"page": ["3"]}, {"page": ["4"]}]
    for elsewhere in (
        "http://127.0.0.1:9/deeds",
        "http://example.org/",
        "//example.org/x",
        "https://127.0.0.1/",
        "file:///etc/passwd",
    ):
        records, failure = brought(server, linked([1], elsewhere), by=by)
        assert "another host" in failure
        assert records == ["1"]


def test_a_total_must_be_there_where_the_mapping_names_it(server: Server) -> None:
    by = rest(total="data.total")
    assert "how many" in brought(server, enveloped([1]), by=by)[1]
    server.answers = [(200, {}, b'{"data": {"rows": [1], "total": 7}}')]
    [only] = RestSource(by, server.url, StaticToken("t"), LOOPBACK).pages(None)
    assert only.total == 7


def test_the_time_to_wait_may_be_a_date(server: Server) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    pages, slept = pull(server, error(429, Retry_After=soon), error(429, Retry_After=past), page([1]))
    assert len(pages) == 1
    assert 15 < slept[0] <= 20
    assert slept[1] == 0


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
    source = RestSource(
        rest(),
        server.url,
        ClientCredentials(server.url + "/token", "id", "secret", LOOPBACK),
        LOOPBACK,
        lambda _s: None,
    )
    assert [one.records for one in source.pages(None)] == [["1"], ["2"]]
    assert server.tokens == ["Bearer old", "Bearer new", "Bearer new"]


def test_a_token_endpoint_without_a_token_is_no_source(server: Server) -> None:
    server.answers = [(200, {}, b'{"token": 5}')]
    with pytest.raises(SourceUnavailable, match="access_token"):
        ClientCredentials(server.url, "id", "secret", LOOPBACK).token(renew=False)


def test_a_page_that_is_no_json_is_no_page(server: Server) -> None:
    with pytest.raises(ReadFailure):
        pull(server, (200, {}, b"<html>"))


def test_a_server_that_does_not_listen_is_unavailable(server: Server) -> None:
    source = RestSource(rest(), "http://127.0.0.1:1", StaticToken("t"), LOOPBACK, lambda _s: None)
    with pytest.raises(SourceUnavailable):
        list(source.pages(None))


def test_a_mapping_without_pages_cannot_be_pulled() -> None:
    with pytest.raises(ConfigurationError, match="rest"):
        RestSource(mapping(), "http://127.0.0.1", StaticToken("t"), LOOPBACK)


def test_a_source_inside_a_network_that_nobody_named_is_not_asked(server: Server) -> None:
    source = RestSource(rest(), server.url, StaticToken("t"), Outgoing(), lambda _s: None)
    with pytest.raises(SourceUnavailable, match="not public"):
        list(source.pages(None))
    tokens = ClientCredentials(server.url, "id", "secret", Outgoing())
    source = RestSource(rest(), server.url, tokens, LOOPBACK, lambda _s: None)
    with pytest.raises(SourceUnavailable, match="not public"):
        list(source.pages(None))
    assert server.queries == []


def test_a_pull_ends_although_the_cursor_does_not(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuers.sources.rest._PAGES_MAX", 3)
    pages, _ = pull(server, *(page([at], f"c{at}") for at in range(9)))
    assert [one.next_cursor for one in pages] == ["c0", "c1", "c2"]
