"""REST pull: a paged API by cursor, with backoff, a rate limit's Retry-After, and tokens that expire."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from issuers.errors import SourceUnavailable
from issuers.sources.mapping import Mapping, RestSpec
from issuers.sources.readers.json_documents import decode_document, dig
from ledger.errors import ConfigurationError

_RETRY_AFTER_MAX_S = 60.0
_PAGE_BYTES_MAX = 64 << 20
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


class Page(NamedTuple):
    """One page: its records, and the cursor of the next (None: there is none yet)."""

    records: Any
    next_cursor: str | None


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

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Yield pages from a cursor on until there is no next one. Raises SourceUnavailable or ReadFailure."""
        with httpx.Client(timeout=self._spec.timeout_s, follow_redirects=False) as client:
            while True:
                page = self._page(client, cursor)
                yield page
                if page.next_cursor is None or page.next_cursor == cursor:
                    return
                cursor = page.next_cursor

    def _page(self, client: httpx.Client, cursor: str | None) -> Page:
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
        document = decode_document(content)
        next_cursor = dig(document, self._spec.next_cursor.split("."))
        records = dig(document, self._mapping.records.split(".")) if self._mapping.records else document
        return Page(records, next_cursor if isinstance(next_cursor, str) and next_cursor else None)

    def _get(self, client: httpx.Client, cursor: str | None) -> bytes:
        parameters = {self._spec.size_parameter: str(self._spec.size)}
        if cursor is not None:
            parameters[self._spec.cursor_parameter] = cursor
        url = self._base_url + self._spec.path
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
        with client.stream("GET", url, params=parameters, headers=headers) as answer:
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
    try:
        return min(max(float(answer.headers["Retry-After"]), 0.0), _RETRY_AFTER_MAX_S)
    except (KeyError, ValueError):
        return None
