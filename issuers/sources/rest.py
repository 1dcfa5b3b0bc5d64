"""REST pull: a paged API by cursor, number, offset or address, with backoff, Retry-After, and tokens that expire.

A pull ends well only at an end that the source names; everything else is an error after what was brought is kept.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import islice
from typing import Protocol
from urllib.parse import quote_plus, urlencode

import orjson
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from issuers.errors import SourceUnavailable
from issuers.sources.mapping import Mapping, RestSpec
from issuers.sources.paging import Answer, Page, next_address, read_answer
from issuers.sources.readers.json_documents import decode_document
from ledger.errors import ConfigurationError
from ledger.outgoing import AddressRefused, NoAnswer, Outgoing
from ledger.outgoing import Answer as Reply

_RETRY_AFTER_MAX_S = 60.0
_PAGE_BYTES_MAX = 64 << 20
_PAGE_S = 60.0
"""Seconds that a page may take at least, to its last byte; `timeout_s` of the mapping where that is longer."""
_EMPTY_PAGES_MAX = 100
_PAGES_MAX = 100_000
"""Pages of one pull; the next goes on behind them. A cursor that never ends keeps no worker for ever."""
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

    def __init__(
        self, url: str, client_id: str, client_secret: str, outgoing: Outgoing, timeout_s: float = 15.0
    ) -> None:
        self._url = url
        both = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"  # RFC 6749, 2.3.1
        self._authorization = f"Basic {b64encode(both.encode()).decode()}"
        self._outgoing = outgoing
        self._timeout_s = timeout_s
        self._token: str | None = None

    def token(self, *, renew: bool) -> str:
        """Return the current or a new token. Raises NoAnswer, AddressRefused or SourceUnavailable."""
        if self._token is None or renew:
            answer = self._outgoing.ask(
                self._url,
                method="POST",
                body=b"grant_type=client_credentials",
                headers={
                    "Authorization": self._authorization,
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                },
                deadline_s=self._timeout_s,
            )
            token = _access_token(answer)
            if token is None:
                raise SourceUnavailable("token", "the token endpoint gave no access_token")
            self._token = token
        return self._token


def _access_token(answer: Reply) -> str | None:
    if answer.status != HTTPStatus.OK:
        raise SourceUnavailable("token", f"the token endpoint answered HTTP {answer.status}")
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    token = found.get("access_token") if isinstance(found, dict) else None
    return token if isinstance(token, str) else None


class _Busy(Exception):  # private: a temporary answer, turned into SourceUnavailable after all attempts
    def __init__(self, detail: str, retry_after_s: float | None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class RestSource:
    """Reads one system's pages."""

    def __init__(
        self,
        mapping: Mapping,
        base_url: str,
        tokens: TokenSource,
        outgoing: Outgoing,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if mapping.rest is None:
            raise ConfigurationError(f"mapping {mapping.name} has no section `rest`")
        self._mapping = mapping
        self._spec: RestSpec = mapping.rest
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._outgoing = outgoing
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
        pages = self._linked(cursor) if self._spec.paging in ("cursor", "next_url") else self._numbered(cursor)
        yield from islice(pages, _PAGES_MAX)

    def _linked(self, cursor: str | None) -> Iterator[Page]:
        """Follow what each page names: a cursor, or an address."""
        seen = {cursor}
        empty = 0
        while True:
            answer = self._page(cursor)
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

    def _numbered(self, cursor: str | None) -> Iterator[Page]:
        """Ask for one page after the other. A page is handed on when the next one is known: the last one with records
        is where the next pull goes on."""
        at = cursor
        answer = self._page(at)
        while answer.records and answer.has_more is not False:
            following = self._following(at, answer)
            beyond = self._page(following)
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

    def _page(self, cursor: str | None) -> Answer:
        backoff = wait_exponential_jitter(multiplier=0.1, max=20)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome is not None else None
            if isinstance(error, _Busy) and error.retry_after_s is not None:
                return error.retry_after_s
            return backoff(state)

        retrying = Retrying(
            stop=stop_after_attempt(self._spec.attempts_max),
            wait=wait,
            retry=retry_if_exception_type((_Busy, NoAnswer)),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            content = retrying(self._get, cursor)
        except (_Busy, NoAnswer, AddressRefused) as error:
            raise SourceUnavailable(self._mapping.system, str(error)) from error
        return read_answer(decode_document(content), self._mapping, self._spec)

    def _get(self, cursor: str | None) -> bytes:
        url = self._address(cursor)
        parameters = {self._spec.size_parameter: str(self._spec.size)}
        if self._spec.paging == "next_url" and cursor is not None:
            parameters = {}  # the address has its own
        elif self._spec.paging == "page":
            parameters[self._spec.cursor_parameter] = cursor or str(self._spec.first)
        elif cursor is not None:
            parameters[self._spec.cursor_parameter] = cursor
        answer = self._ask(url, parameters, renew=False)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = self._ask(url, parameters, renew=True)
        if answer.status in _TEMPORARY:
            raise _Busy(f"HTTP {answer.status}", _retry_after(answer))
        if answer.status != HTTPStatus.OK:
            raise SourceUnavailable(self._mapping.system, f"HTTP {answer.status}")
        return answer.body

    def _ask(self, url: str, parameters: dict[str, str], *, renew: bool) -> Reply:
        headers = {"Authorization": f"Bearer {self._tokens.token(renew=renew)}", "Accept": "application/json"}
        if parameters:
            url += f"{'&' if '?' in url else '?'}{urlencode(parameters)}"
        return self._outgoing.ask(
            url, headers=headers, bytes_max=_PAGE_BYTES_MAX, deadline_s=max(self._spec.timeout_s, _PAGE_S)
        )


def _retry_after(answer: Reply) -> float | None:
    """Return the seconds to wait, which a server names as a number or (RFC 9110, 10.2.3) as a date."""
    text = answer.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), _RETRY_AFTER_MAX_S) if seconds == seconds else None  # NaN
