"""What every request passes: an id, a body limit, a rate limit, a log line without personal data, security headers.

Pure ASGI, so that bodies stream and nothing is buffered twice.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger_api.errors import BodyTooLarge, MalformedBody
from ledger_api.http.answers import problem_response
from ledger_api.http.metrics import Metrics
from ledger_api.http.problems import INTERNAL
from ledger_api.http.strict_json import check_json, is_json

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

_EVERY_ANSWER = [
    (name.lower().encode(), value.encode()) for name, value in {**SECURITY_HEADERS, "Cache-Control": "no-store"}.items()
]

BUCKETS_MAX = 50_000

log = structlog.get_logger("tongdui.api")


@dataclass(frozen=True, slots=True)
class Quota:
    """Where a caller stands: of ``limit`` a minute ``left`` may come at once; another one in ``next_s`` seconds.

    ``is_exceeded``: the request that was counted was one too many.
    """

    is_exceeded: bool
    limit: int
    left: int
    next_s: int

    def headers(self, policy: str) -> dict[str, str]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers-10; ``policy`` says by what is counted."""
        return {
            "RateLimit-Policy": f'"{policy}";q={self.limit};w=60',
            "RateLimit": f'"{policy}";r={self.left};t={self.next_s}',
        }


def counted(per_minute: int, level: float, since_s: float) -> tuple[Quota, float]:
    """Count a request against a bucket that held ``level`` requests ``since_s`` seconds ago; return where its caller
    stands, and the level now. Pure."""
    rate = per_minute / 60
    level = max(0.0, min(float(per_minute), level + since_s * rate))
    enough = level >= 1
    level -= 1 if enough else 0
    left = int(level)
    return Quota(not enough, per_minute, left, max(1, int((left + 1 - level) / rate) + 1)), level


class Limiter(Protocol):
    """Counts requests by caller."""

    def take(self, caller: str) -> Quota:
        """Count one request, and return where the caller stands after it."""
        ...


class RateLimiter:
    """A token bucket a caller: ``per_minute`` on average, as many at once. The longest idle buckets are forgotten."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> Quota:
        """Count one request, and return where the caller stands after it."""
        now = self._monotonic()
        with self._lock:
            level, at = self._buckets.pop(caller, (float(self._per_minute), now))
            quota, level = counted(self._per_minute, level, now - at)
            self._buckets[caller] = (level, now)
            if len(self._buckets) > BUCKETS_MAX:
                self._buckets.popitem(last=False)
        return quota


class RequestLayer:
    """Request id, security headers, metrics and the log line. The log has the route's template, never the path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        is_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, is_started
            if message["type"] == "http.response.start":
                status, is_started = message["status"], True
                message["headers"] = _with_headers(message.get("headers", ()), request_id, scope["state"].get("quota"))
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            # The last resort: whatever nobody foresaw is a problem document too, and its traceback is in the log only.
            # As plain text: a renderer that adds the frames' variables would put people's data into the log.
            trace = "".join(traceback.format_exception(error))
            log.error("crashed", request_id=request_id, error=type(error).__name__, traceback=trace)
            if is_started:
                raise
            await problem_response(Request(scope), kind=INTERNAL)(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.observe(scope["method"], route, status, seconds)
            write = log.info if status < 500 else log.error
            write(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
            )


def _with_headers(
    given: Iterable[tuple[bytes, bytes]], request_id: str, quota: Mapping[str, str] | None
) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with those that every answer has; names are in small letters, as ASGI wants them."""
    headers = list(given)
    said = {name for name, _ in headers}
    headers.append((b"x-request-id", request_id.encode()))
    headers += [one for one in _EVERY_ANSWER if one[0] not in said]
    if quota:
        headers += [(name.lower().encode(), value.encode()) for name, value in quota.items()]
    return headers


class BodyLimit:
    """Reads a body up to the limit before anything else looks at it, and answers 413 itself where there is more.

    A JSON body that can be read in two ways is answered here too, so that no route can forget to look.
    """

    def __init__(self, app: ASGIApp, bytes_max: int, streamed: str | None = None) -> None:
        """``streamed``: the beginning of paths whose route reads its body itself, and bounds it."""
        self._app = app
        self._bytes_max = bytes_max
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        is_streamed = self._streamed is not None and scope.get("path", "").startswith(self._streamed)
        if scope["type"] != "http" or is_streamed:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        is_long = declared.isascii() and declared.isdigit() and int(declared) > self._bytes_max
        try:
            body = None if is_long else await self._read(receive)
        except ClientDisconnect:
            return  # half a body is no request, and nobody hears an answer
        if body is None:
            answer = problem_response(Request(scope), BodyTooLarge(self._bytes_max))
            answer.headers["Connection"] = "close"
            await answer(scope, receive, send)
            return
        if body and is_json(headers.get("content-type", "")):
            try:
                check_json(body)
            except MalformedBody as error:
                await problem_response(Request(scope), error)(scope, receive, send)
                return
        is_given = False

        async def replay() -> Message:
            nonlocal is_given
            if is_given:
                return await receive()
            is_given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._bytes_max:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)
