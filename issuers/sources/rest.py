"""REST pull: a paged API by cursor, number, offset or address, with backoff, Retry-After, and tokens that expire.

A pull ends well only at an end that the source names; everything else is an error after what was brought is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Protocol

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from issuers.errors import SourceUnavailable
from issuers.sources.mapping import Mapping, RestSpec
from issuers.sources.paging import Answer, Page, next_address, read_answer
from issuers.sources.readers.json_documents import decode_document
from ledger.errors import ConfigurationError

_RETRY_AFTER_MAX_S = 60.0
_PAGE_BYTES_MAX = 64 << 20
_EMPTY_PAGES_MAX = 100
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


class TokenSource(Protocol):
    """Where bearer tokens come from."""

    def token(self, *, renew: bool) -> str:
        """Return a token; with ``renew`` a new one, for the last was refused."""
        ...


class StaticToken:
    """A token that was given; it cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, *, renew: bool) -> str:
        """Return the token. Raises SourceUnavailable if it was refused."""
        if renew:
            raise SourceUnavailable("token", "the token was refused, and there is no way to renew it")
        return self._token


class ClientCredentials:
    """OAuth 2 client credentials (RFC 6749, 4.4)."""

    def __init__(self, url: str, client_id: str, client_secret: str, timeout_s: float = 15.0) -> None:
        self._url = url
        self._auth = (client_id, client_secret)
        self._timeout_s = timeout_s
        self._token: str | None = None

    def token(self, *, renew: bool) -> str:
        """Return the current or a new token. Raises httpx.HTTPError or SourceUnavailable."""
        if self._token is None or renew:
            answer = httpx.post(
                self._url, data={"grant_type": "client_credentials"}, auth=self._auth, timeout=self._timeout_s
            )
            answer.raise_for_status()
            token = answer.json().get("access_token")
            if not isinstance(token, str):
                raise SourceUnavailable("token", "the token endpoint gave no access_token")
            self._token = token
        return self._token


class _Busy(Exception):  # private: a temporary answer, turned into SourceUnavailable after all attempts
    def __init__(self, detail: str, retry_after_s: float | None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class RestSource:
    """Reads one system's pages."""

    def __init__(
        self, mapping: Mapping, base_url: str, tokens: TokenSource, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if mapping.rest is None:
            raise ConfigurationError(f"mapping {mapping.name} has no section `rest`")
        self._mapping = mapping
        self._spec: RestSpec = mapping.rest
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._sleep = sleep

    @property
    def is_numbered(self) -> bool:
        """Whether pages are asked for by number or offset, which move when records before them are deleted."""
        return self._spec.paging in ("page", "offset")

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Yield pages from a cursor on until the source says that there is no next one.

        Raises SourceUnavailable (also behind the last page, where the source says that more follows and not where) or
        ReadFailure.
        """
        with httpx.Client(timeout=self._spec.timeout_s, follow_redirects=False) as client:
            if self._spec.paging in ("cursor", "next_url"):
                yield from self._linked(client, cursor)
            else:
                yield from self._numbered(client, cursor)

    def _linked(self, client: httpx.Client, cursor: str | None) -> Iterator[Page]:
        """Follow what each page names: a cursor, or an address."""
        seen = {cursor}
        empty = 0
        while True:
            answer = self._page(client, cursor)
            following = answer.following
            if following is not None and self._spec.paging == "next_url":
                address = next_address(self._address(cursor), following, self._base_url)
                if address is None:
                    yield Page(answer.records, None, answer.total)
                    raise self._unfinished("names a page on another host, which is not followed")
                following = address
            is_echo = following == cursor and not answer.records
            if answer.has_more is False or (is_echo and not answer.has_more):
                following = None
            yield Page(answer.records, None if following in seen else following, answer.total)
            if following is None:
                if answer.has_more:
                    raise self._unfinished("says that more follows, but not where")
                return
            if following in seen:
                raise self._unfinished("names a page again that was read already")
            empty = 0 if answer.records else empty + 1
            if empty > _EMPTY_PAGES_MAX:
                raise self._unfinished(f"sent {empty} empty pages, one after the other")
            seen.add(following)
            cursor = following

    def _numbered(self, client: httpx.Client, cursor: str | None) -> Iterator[Page]:
        """Ask for one page after the other. A page is handed on when the next one is known: the last one with records
        is where the next pull goes on."""
        at = cursor
        answer = self._page(client, at)
        while answer.records and answer.has_more is not False:
            following = self._following(at, answer)
            beyond = self._page(client, following)
            if not beyond.records:
                if answer.has_more or beyond.has_more:
                    yield Page(answer.records, None, answer.total)
                    raise self._unfinished("says that more follows, and sends an empty page")
                break
            if beyond.records == answer.records:
                if answer.total is not None:
                    break  # a source that answers with its last page behind its end; the total says whether it was
                yield Page(answer.records, None, answer.total)
                raise self._unfinished("sends the same page again")
            yield Page(answer.records, following, answer.total)
            at, answer = following, beyond
        yield Page(answer.records, None, answer.total)

    def _following(self, cursor: str | None, answer: Answer) -> str:
        if self._spec.paging == "page":
            return str(int(cursor or self._spec.first) + 1)
        return str(int(cursor or 0) + len(answer.records))

    def _unfinished(self, what: str) -> SourceUnavailable:
        return SourceUnavailable(self._mapping.system, f"the source {what}; not everything was brought")

    def _address(self, cursor: str | None) -> str:
        return cursor if cursor is not None and self._spec.paging == "next_url" else self._base_url + self._spec.path

    def _page(self, client: httpx.Client, cursor: str | None) -> Answer:
        backoff = wait_exponential_jitter(multiplier=0.1, max=20)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome is not None else None
            if isinstance(error, _Busy) and error.retry_after_s is not None:
                return error.retry_after_s
            return backoff(state)

        retrying = Retrying(
            stop=stop_after_attempt(self._spec.attempts_max),
            wait=wait,
            retry=retry_if_exception_type((_Busy, httpx.TransportError)),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            content = retrying(self._get, client, cursor)
        except (_Busy, httpx.HTTPError) as error:
            raise SourceUnavailable(self._mapping.system, str(error)) from error
        return read_answer(decode_document(content), self._mapping, self._spec)

    def _get(self, client: httpx.Client, cursor: str | None) -> bytes:
        url = self._address(cursor)
        parameters = {self._spec.size_parameter: str(self._spec.size)}
        if self._spec.paging == "next_url" and cursor is not None:
            parameters = {}  # the address has its own
        elif self._spec.paging == "page":
            parameters[self._spec.cursor_parameter] = cursor or str(self._spec.first)
        elif cursor is not None:
            parameters[self._spec.cursor_parameter] = cursor
        answer = self._ask(client, url, parameters, renew=False)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            answer = self._ask(client, url, parameters, renew=True)
        if answer.status_code in _TEMPORARY:
            raise _Busy(f"HTTP {answer.status_code}", _retry_after(answer))
        if answer.status_code != httpx.codes.OK:
            raise SourceUnavailable(self._mapping.system, f"HTTP {answer.status_code}")
        return answer.content

    def _ask(self, client: httpx.Client, url: str, parameters: dict[str, str], *, renew: bool) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._tokens.token(renew=renew)}", "Accept": "application/json"}
        with client.stream("GET", url, params=parameters or None, headers=headers) as answer:
            parts, total = [], 0
            for part in answer.iter_bytes():
                total += len(part)
                if total > _PAGE_BYTES_MAX:
                    raise SourceUnavailable(self._mapping.system, "a page is larger than 64 MiB")
                parts.append(part)
            return httpx.Response(answer.status_code, headers=_plain(answer), content=b"".join(parts))


def _plain(answer: httpx.Response) -> dict[str, str]:
    """Headers without the content's encoding: the body is decoded already."""
    dropped = {"content-encoding", "content-length", "transfer-encoding"}
    return {name: value for name, value in answer.headers.items() if name.lower() not in dropped}


def _retry_after(answer: httpx.Response) -> float | None:
    """Return the seconds to wait, which a server names as a number or (RFC 9110, 10.2.3) as a date."""
    text = answer.headers.get("Retry-After", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), _RETRY_AFTER_MAX_S) if seconds == seconds else None  # NaN
