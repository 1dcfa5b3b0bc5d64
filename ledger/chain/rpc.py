"""A JSON-RPC 2.0 client for Ethereum nodes whose failures are a closed set of reasons (see `reasons`)."""

from __future__ import annotations

import itertools
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpx
import orjson

from ledger.chain.errors import ChainError
from ledger.chain.reasons import RpcReason, classify, classify_status, is_retryable
from ledger.errors import Unavailable

__all__ = ["Call", "HealingRpcClient", "RpcClient", "RpcError", "RpcLimits", "RpcReason", "read_answer", "request_body"]


class RpcError(ChainError, Unavailable):
    """A call failed. ``code`` and ``data`` are the node's, where it gave them; ``data`` is revert data as bytes."""

    def __init__(
        self,
        reason: RpcReason,
        message: str,
        *,
        method: str = "",
        code: int | None = None,
        data: bytes | None = None,
    ) -> None:
        self.reason = reason
        self.node_message = message
        self.method = method
        self.code = code
        self.data = data
        at = f"{method}: " if method else ""
        super().__init__(f"{at}{reason.value}: {message}" + (f" (code {code})" if code is not None else ""))

    @property
    def is_retryable(self) -> bool:
        """See `is_retryable`."""
        return is_retryable(self.reason)


@dataclass(frozen=True, slots=True)
class RpcLimits:
    """How much one HTTP request may carry and bring back. The defaults fit Besu's and geth's (1,000 calls, 5 MB)."""

    batch_calls_max: int = 500
    request_bytes_max: int = 4 * 1024 * 1024
    answer_bytes_max: int = 256 * 1024 * 1024


Call = tuple[str, Sequence[Any]]

_Prepared = tuple[int, str, bytes]
"""A call's id, method and body."""

_TOO_LARGE = frozenset({RpcReason.RANGE_TOO_LARGE})


UNIX_SOCKET: Final = "unix:"
"""Before the path of a socket, in an address."""


@dataclass(frozen=True, slots=True)
class _Line:
    """The connections to one address, and what stands in a request's first line."""

    url: str
    http: httpx.Client
    target: str


class RpcClient:
    """Calls one node over HTTP with keep-alive. Safe to share between threads. It never retries by itself.

    Raises `RpcError`, and nothing else, for each failure on the way.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float = 30.0,
        *,
        limits: RpcLimits | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Prepare to call ``url``: http, https, or ``unix:`` before a socket's path.

        ``headers`` may carry a bearer token; they are never logged.
        """
        self._limits = limits or RpcLimits()
        self._calls_max = self._limits.batch_calls_max
        self._ids = itertools.count(1)
        self._timeout_s = timeout_s
        self._headers = {"content-type": "application/json", "accept-encoding": "identity", **(headers or {})}
        self._line = self._connected(url)

    @property
    def url(self) -> str:
        """The node's address."""
        return self._line.url

    def _connected(self, url: str) -> _Line:
        """Return a line to an address; nothing is sent on it yet."""
        path = url.removeprefix(UNIX_SOCKET)
        is_socket = path != url
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=60.0)
        client = httpx.Client(
            timeout=self._timeout_s,
            # The environment may name a proxy, which loopback calls must not pass.
            trust_env=False,
            headers=self._headers,
            transport=httpx.HTTPTransport(
                uds=path if is_socket else None, verify=tls(), limits=limits, trust_env=False
            ),
        )
        return _Line(url, client, "http://localhost/" if is_socket else url)

    def call(self, method: str, params: Sequence[Any] = (), *, timeout_s: float | None = None) -> Any:
        """Return the result of one call, as JSON gives it."""
        identifier = next(self._ids)
        answer = self._post(request_body(identifier, method, params), method, timeout_s)
        if not isinstance(answer, dict):
            raise RpcError(RpcReason.MALFORMED_ANSWER, "the answer is not an object", method=method)
        result = _read_one(answer, identifier, method)
        if isinstance(result, RpcError):
            raise result
        return result

    def batch(self, calls: Sequence[Call], *, timeout_s: float | None = None, chunk: int | None = None) -> list[Any]:
        """Return the results of many calls in their order; raise the first failure, if any.

        Warning: a node may run the calls of a batch in any order. Anvil does so from the 64th call on (measured).
        """
        results = self.batch_outcomes(calls, timeout_s=timeout_s, chunk=chunk)
        for result in results:
            if isinstance(result, RpcError):
                raise result
        return results

    def batch_outcomes(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, chunk: int | None = None
    ) -> list[Any]:
        """Return for each call, in order, its result or the `RpcError` it failed with.

        A failure of the whole request (unreachable, timeout) is raised; what earlier chunks did then stays done.
        ``chunk`` limits the calls of one HTTP request further than the client's limits do.
        """
        results: list[Any] = []
        for part in self._chunks(calls, chunk):
            results.extend(self._batch_in_parts(part, timeout_s))
        return results

    def _batch_in_parts(self, part: list[_Prepared], timeout_s: float | None) -> list[Any]:
        """Send a batch; where a node takes fewer calls at once, in halves, and remember that."""
        if not part:
            return []
        try:
            results: list[Any] = self._batch_once(part, timeout_s)
        except RpcError as error:
            if error.reason not in _TOO_LARGE or len(part) == 1:
                raise
            results = [error] * len(part)
        refused = [isinstance(one, RpcError) and one.reason in _TOO_LARGE for one in results]
        if len(part) == 1 or not any(refused):
            return results
        half = len(part) // 2
        self._calls_max = max(1, min(self._calls_max, half))
        again = [one for one, is_refused in zip(part, refused, strict=True) if is_refused]
        half = -(-len(again) // 2)
        answers = iter([*self._batch_in_parts(again[:half], timeout_s), *self._batch_in_parts(again[half:], timeout_s)])
        return [next(answers) if is_refused else one for one, is_refused in zip(results, refused, strict=True)]

    def close(self) -> None:
        """Close the connections."""
        self._line.http.close()

    def __enter__(self) -> RpcClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _chunks(self, calls: Sequence[Call], chunk: int | None) -> Iterator[list[_Prepared]]:
        calls_max = min(chunk or self._calls_max, self._calls_max)
        part: list[_Prepared] = []
        size = 0
        for method, params in calls:
            identifier = next(self._ids)
            body = request_body(identifier, method, params)
            if part and (len(part) >= calls_max or size + len(body) > self._limits.request_bytes_max):
                yield part
                part, size = [], 0
            part.append((identifier, method, body))
            size += len(body) + 1
        if part:
            yield part

    def _batch_once(self, part: list[_Prepared], timeout_s: float | None) -> list[Any]:
        label = part[0][1] if len({method for _, method, _ in part}) == 1 else "batch"
        answer = self._post(b"[" + b",".join(body for _, _, body in part) + b"]", label, timeout_s)
        if isinstance(answer, dict):  # the node refused the batch as a whole
            refused = _read_one(answer, None, label)
            raise (
                refused
                if isinstance(refused, RpcError)
                else RpcError(RpcReason.MALFORMED_ANSWER, "a batch was answered by one result", method=label)
            )
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise RpcError(RpcReason.MALFORMED_ANSWER, "the answer to a batch is not a list of objects", method=label)
        by_id = {_identifier(item.get("id")): item for item in answer}
        if len(answer) != len(part) or len(by_id) != len(part):
            raise RpcError(RpcReason.MALFORMED_ANSWER, f"{len(part)} calls got {len(answer)} answers", method=label)
        missing = [identifier for identifier, _, _ in part if identifier not in by_id]
        if missing:
            raise RpcError(RpcReason.MALFORMED_ANSWER, f"no answer to call {missing[0]}", method=label)
        return [_read_one(by_id[identifier], identifier, method) for identifier, method, _ in part]

    def _post(self, body: bytes, method: str, timeout_s: float | None) -> Any:
        timeout = self._timeout_s if timeout_s is None else timeout_s
        line = self._line
        try:
            with line.http.stream("POST", line.target, content=body, timeout=timeout) as response:
                content = self._read(response, method, time.monotonic() + timeout)
                status = response.status_code
        except httpx.TimeoutException as error:
            raise RpcError(RpcReason.TIMEOUT, type(error).__name__, method=method) from error
        except httpx.InvalidURL as error:
            raise RpcError(RpcReason.UNREACHABLE, str(error), method=method) from error
        except httpx.DecodingError as error:
            raise RpcError(RpcReason.MALFORMED_ANSWER, str(error), method=method) from error
        except httpx.HTTPError as error:
            raise RpcError(RpcReason.UNREACHABLE, str(error) or type(error).__name__, method=method) from error
        except RuntimeError as error:  # httpx: "Cannot send a request, as the client has been closed."
            raise RpcError(RpcReason.UNREACHABLE, str(error), method=method) from error
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            reason = RpcReason.MALFORMED_ANSWER if status == 200 else classify_status(status)
            raise RpcError(reason, f"HTTP {status}, {len(content)} bytes: {error}", method=method) from error
        if status != 200 and not (isinstance(answer, dict) and "error" in answer):
            raise RpcError(classify_status(status), f"HTTP {status}", method=method, code=status)
        return answer

    def _read(self, response: httpx.Response, method: str, deadline_s: float) -> bytes:
        """Read the body; httpx's timeout is for each piece, so an answer in drops would never end by it."""
        chunks: list[bytes] = []
        size = 0
        for piece in response.iter_bytes():
            size += len(piece)
            if time.monotonic() > deadline_s:
                raise RpcError(RpcReason.TIMEOUT, "the answer does not end", method=method)
            if size > self._limits.answer_bytes_max:
                raise RpcError(
                    RpcReason.MALFORMED_ANSWER,
                    f"the answer is larger than {self._limits.answer_bytes_max} bytes",
                    method=method,
                )
            chunks.append(piece)
        return b"".join(chunks)


class HealingRpcClient(RpcClient):
    """A client that can be moved to another address, and that asks for healing when the node is gone.

    The embedded engine gives this one to readers: a node that died is replaced, and the reader's call goes to the new
    one. ``heal`` returns True if the call should be tried again; it is called without any lock held here.
    """

    def __init__(self, url: str, timeout_s: float, heal: Callable[[str], bool], *, limits: RpcLimits | None = None):
        super().__init__(url, timeout_s, limits=limits)
        self._heal = heal
        self._moved = threading.Lock()
        self._former: list[_Line] = []

    def move_to(self, url: str) -> None:
        """Send all further calls to ``url``; those under way end on the line that they began on."""
        with self._moved:
            if url != self._line.url:
                self._former.append(self._line)
                self._line = self._connected(url)

    def close(self) -> None:
        """Close the connections, those to former addresses too."""
        super().close()
        for line in self._former:
            line.http.close()

    def _post(self, body: bytes, method: str, timeout_s: float | None) -> Any:
        for _attempt in range(_HEALING_ATTEMPTS):
            url = self.url
            try:
                return super()._post(body, method, timeout_s)
            except RpcError as error:
                if error.reason is not RpcReason.UNREACHABLE or not self._heal(url):
                    raise
        return super()._post(body, method, timeout_s)


_HEALING_ATTEMPTS = 3


@cache
def tls() -> ssl.SSLContext:
    """Return how servers' certificates are checked. Reading the system's authorities takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)


def request_body(identifier: int, method: str, params: Sequence[Any]) -> bytes:
    """Return the body of one call."""
    return orjson.dumps({"jsonrpc": "2.0", "id": identifier, "method": method, "params": list(params)})


def read_answer(answer: Any, identifier: int, method: str) -> Any:
    """Return the result in an answer object. Raises RpcError: what it carries instead, or that it is none."""
    result = _read_one(answer if isinstance(answer, dict) else {}, identifier, method)
    if isinstance(result, RpcError):
        raise result
    return result


def _read_one(answer: dict[str, Any], identifier: int | None, method: str) -> Any:
    """Return the result in an answer object, or the `RpcError` it carries (returned, so that a batch can go on)."""
    error = answer.get("error")
    if error is not None:
        return _node_error(error, method)
    if "result" not in answer or (identifier is not None and _identifier(answer.get("id")) != identifier):
        return RpcError(RpcReason.MALFORMED_ANSWER, "no result, or the answer to another call", method=method)
    return answer["result"]


def _identifier(value: object) -> int | None:
    """Return an answer's id as we gave it: some nodes return it as text. Anything else is nobody's."""
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def _node_error(error: Any, method: str) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(RpcReason.MALFORMED_ANSWER, f"the error is {error!r}"[:200], method=method)
    code = error.get("code")
    code = int(code) if isinstance(code, int | str) and str(code).lstrip("-").isdecimal() else None
    message = str(error.get("message", ""))[:2_000]
    detail = error.get("data")
    words = f"{message} {detail}" if isinstance(detail, str) and not detail.startswith("0x") else message
    return RpcError(classify(code, words), message, method=method, code=code, data=_revert_data(detail, message))


def _revert_data(detail: Any, message: str) -> bytes | None:
    """Return the revert data, wherever a node puts it: bare, in an object, or after "Reverted " in a text."""
    for _ in range(_WRAPPED_MAX):
        if not isinstance(detail, dict):
            break
        detail = detail.get("data") or detail.get("result")
    for text in (detail, message):
        if isinstance(text, str) and (found := _REVERT_DATA.search(text)):
            return bytes.fromhex(found[1])
    return None


_WRAPPED_MAX = 3
_REVERT_DATA = re.compile(r"(?:^|[Rr]everted )0x((?:[0-9a-fA-F]{2})*)$")
