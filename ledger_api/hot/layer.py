"""The layer before the framework: it answers the plain cases of a few routes, and lets all else through untouched.

A request is plain if its headers are said once, its token is a bearer's, and its body is what the route takes. Whatever
else comes is the framework's, which knows every way to refuse it. So nothing is answered here that the framework would
answer differently: same checks, same limit, same log line, same bytes; a test compares them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as DatabaseTimeout
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.errors import TongduiError
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import bearer_of
from ledger_api.errors import TooManyRequests
from ledger_api.http.answers import busy_response, failed_response
from ledger_api.services import Services

_ONCE = frozenset(
    {
        b"authorization",
        b"content-type",
        b"content-length",
        b"transfer-encoding",
        b"idempotency-key",
        b"if-none-match",
        b"accept-language",
    }
)


@dataclass(frozen=True, slots=True)
class Plain:
    """A plain request: headers by name in small letters, its token, and its body."""

    headers: Mapping[bytes, bytes]
    token: str
    body: bytes


class HotRoute(Protocol):
    """A route that is answered here."""

    method: str
    path: str
    has_body: bool
    scope: str
    """The scope that the token has to carry."""

    def understand(self, plain: Plain) -> Any:
        """Return the request as `answer` takes it, or None where the framework has to look at it."""

    async def answer(self, plain: Plain, principal: Principal, asked: Any) -> Response:
        """Return the answer. Raises TongduiError."""

    def close(self) -> None:
        """Finish what was begun."""


class HotLayer:
    """ASGI middleware in front of the framework's routes, behind what every request passes."""

    def __init__(self, app: ASGIApp, services: Services, routes: Mapping[str, tuple[HotRoute, Any]]) -> None:
        """``routes``: by method and path, as in ``GET /v1/wallet``, with the framework's route of the same."""
        self._app = app
        self._services = services
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI call."""
        found = self._routes.get(f"{scope['method']} {scope['path']}") if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        hot, route = found
        plain = _plain(scope["headers"])
        if plain is None:
            await self._app(scope, receive, send)
            return
        if hot.has_body:
            message = await receive()
            plain = Plain(plain.headers, plain.token, message.get("body", b""))
            receive = _again(message, receive)
        asked = hot.understand(plain)
        principal = None if asked is None else await self._principal(plain.token, hot.scope)
        if principal is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        answer = await self._answer(scope, hot, plain, principal, asked)
        await answer(scope, receive, send)

    async def _principal(self, token: str, needed: str) -> Principal | None:
        """Return who a good token with the scope speaks for, or None: the framework says what is wrong with another."""
        try:
            principal = await bearer_of(self._services, token)
        except TongduiError:
            return None
        return principal if principal.has(needed) else None

    async def _answer(self, scope: Scope, hot: HotRoute, plain: Plain, principal: Principal, asked: Any) -> Response:
        request = Request(scope)
        quota = self._services.limiter.take(principal.subject)
        scope["state"]["quota"] = quota.headers("subject")
        try:
            if quota.is_exceeded:
                raise TooManyRequests(quota.next_s)
            return await hot.answer(plain, principal, asked)
        except TongduiError as error:
            return failed_response(request, error)
        except (OperationalError, DatabaseTimeout) as error:
            return busy_response(request, error)


def _plain(headers: list[tuple[bytes, bytes]]) -> Plain | None:
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _ONCE:
            if name in found:
                return None
            found[name] = value
    kind, _, token = found.get(b"authorization", b"").partition(b" ")
    if kind.lower() != b"bearer" or not token.isascii() or b" " in token or not token:
        return None
    return Plain(found, token.decode(), b"")


def _again(message: Message, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Return a way to receive a message that was read already, and then what follows it."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return message

    return replay
