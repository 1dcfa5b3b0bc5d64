"""Who may keep a connection open, and for how long: bounds below anything that looks at a request.

A connection on which no request comes is closed, and where there are too many, the one that has been idle longest goes
first, so that nobody is kept out by connections that do nothing. A request's head and the pauses in its body have a
time; a head that can be read in two ways (two lengths, or a length beside a transfer coding; RFC 9112, 6.3) is refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ledger.errors import ConfigurationError

_LENGTH, _CODING = b"content-length", b"transfer-encoding"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Seconds, bytes and numbers of connections."""

    head_s: float = 10.0
    """From the connection's beginning, or the request's first byte, to the end of its head."""
    pause_s: float = 20.0
    """Between two parts of a body, while somebody here waits for them."""
    body_s: float = 600.0
    """A body in all."""
    head_bytes_max: int = 65_536
    connections_max: int = 900
    """Beyond these the one that has been idle longest is closed for each new one."""
    address_connections_max: int = 200
    """Of one address, but of a declared proxy."""
    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def is_proxy(self, address: str) -> bool:
        """Return whether an address is a declared proxy's."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in one for one in self.proxies if one.version == found.version)


def proxy_networks(proxies: Sequence[str]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Return the networks of declared proxies. Raises ConfigurationError."""
    try:
        return tuple(ipaddress.ip_network(one) for one in proxies)
    except ValueError as error:
        raise ConfigurationError(f"TONGDUI_PROXIES: {error}") from error


@dataclass(slots=True)
class _Open:
    """The connections of one server. Used in its event loop alone."""

    count: int = 0
    by_address: Counter[str] = field(default_factory=Counter)
    idle: OrderedDict[BoundedProtocol, None] = field(default_factory=OrderedDict)
    """Longest idle first."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds; see `bounded`."""

    limits = ConnectionLimits()
    open = _Open()

    _timer: asyncio.TimerHandle | None = None
    _address = ""
    _is_counted = False
    _head_bytes = 0
    _body_ends_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        state, limits = self.open, self.limits
        if state.by_address[self._address] >= limits.address_connections_max and not limits.is_proxy(self._address):
            transport.abort()
            return
        self._is_counted = True
        state.count += 1
        state.by_address[self._address] += 1
        if state.count > limits.connections_max and state.idle:
            longest, _ = state.idle.popitem(last=False)
            longest.transport.abort()
        state.idle[self] = None
        self._arm(limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self.open.idle.pop(self, None)
        if self._is_counted:
            self._is_counted = False
            self.open.count -= 1
            self.open.by_address[self._address] -= 1
            if self.open.by_address[self._address] <= 0:
                del self.open.by_address[self._address]
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        if self._timer is None:
            self._arm(self.limits.head_s)

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        check_framing(self.headers)
        self.open.idle.pop(self, None)
        self._body_ends_at = self.loop.time() + self.limits.body_s
        self._arm(self.limits.pause_s)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._arm(self.limits.pause_s)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_counted and not self.transport.is_closing():
            self.open.idle[self] = None
            self.open.idle.move_to_end(self)

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.head_bytes_max:
            raise ValueError("the head is too large")

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        is_reading = self.flow.read_paused
        if is_reading and self.loop.time() < self._body_ends_at:
            self._arm(self.limits.pause_s)  # it is we who let the sender wait
            return
        self.transport.abort()


def check_framing(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse a head whose body's end can be read in two ways. Raises ValueError, which is answered 400."""
    lengths = [value for name, value in headers if name == _LENGTH]
    codings = [value for name, value in headers if name == _CODING]
    if len(lengths) > 1 or len(codings) > 1 or (lengths and codings):
        raise ValueError("two lengths, or a length beside a transfer coding")
    if lengths and not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) <= 18):
        raise ValueError("the length is no number")
    if codings and codings[0].strip().lower() != b"chunked":
        raise ValueError("a transfer coding that is not known here")


def bounded(limits: ConnectionLimits) -> type[Any]:
    """Return a protocol for ``uvicorn.Config(http=…)`` with limits, and a count of its own."""
    return type("Bounded", (BoundedProtocol,), {"limits": limits, "open": _Open()})
