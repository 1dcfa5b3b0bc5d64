"""Connections that do nothing, or say two things, against a real server with a small application."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvicorn

from ledger.errors import ConfigurationError
from ledger_api.http.connections import ConnectionLimits, bounded, check_framing, proxy_networks
from tests.eventually import eventually
from tongdui.serving.server import http_config
from tongdui.settings import Settings

SHORT = ConnectionLimits(head_s=0.4, pause_s=0.4, connections_max=10, address_connections_max=50)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the client's address and the length of the body."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = f"{scope['client'][0]} {size}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(limits: ConnectionLimits, **options: Any) -> Iterator[int]:
    given = {"http": bounded(limits), "ws": "none", "lifespan": "off", **options}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, **given))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


def connect(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=10)
    made.settimeout(10)
    return made


def answer(port: int, request: bytes) -> bytes:
    with connect(port) as peer:
        peer.sendall(request)
        try:
            return peer.recv(65_536)
        except ConnectionError:
            return b""


def is_closed(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except ConnectionError:
        return True


def drip(peer: socket.socket) -> None:
    for one in b"GET / HTTP/1.1\r\nX: " + b"x" * 200:
        peer.sendall(bytes([one]))
        time.sleep(0.05)


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"])
def test_who_does_not_go_on_is_let_go(begun: bytes) -> None:
    """Nothing, half a head, half a body: each is closed within its time."""
    with serving(SHORT) as port, connect(port) as peer:
        peer.sendall(begun)
        at = time.monotonic()
        assert is_closed(peer)
        assert time.monotonic() - at < 5


def test_a_head_that_drips_does_not_get_more_time() -> None:
    with serving(SHORT) as port, connect(port) as peer:
        at = time.monotonic()
        with pytest.raises(ConnectionError):
            drip(peer)
        assert time.monotonic() - at < 6


def test_idle_connections_keep_nobody_out() -> None:
    """More than the server has places for: the longest idle goes, and a request is answered."""
    with serving(replace(SHORT, head_s=30)) as port:
        idle = [connect(port) for _ in range(25)]
        assert answer(port, GET).startswith(b"HTTP/1.1 200")
        assert is_closed(idle[0])
        for one in idle:
            one.close()


def test_one_address_has_so_many_connections_unless_it_is_a_proxy() -> None:
    few = replace(SHORT, head_s=30, connections_max=100, address_connections_max=3)
    with serving(few) as port:
        held = [connect(port) for _ in range(3)]
        eventually(lambda: answer(port, GET) == b"")
        held.pop().close()
        eventually(lambda: answer(port, GET).startswith(b"HTTP/1.1 200"))
        for one in held:
            one.close()
    with serving(replace(few, proxies=proxy_networks(["127.0.0.0/8"]))) as port:
        held = [connect(port) for _ in range(6)]
        assert answer(port, GET).startswith(b"HTTP/1.1 200")
        for one in held:
            one.close()


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Length: \xc2\xb2",
        b"Content-Length: +2",
        b"Content-Length: 2_0",
        b"Content-Length: -1",
        b"X: " + b"x" * 70_000,
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(head: bytes) -> None:
    with serving(replace(SHORT, head_s=5, pause_s=5)) as port:
        said = answer(port, b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n\r\nab")
        assert not said.startswith(b"HTTP/1.1 200")
        assert said[:12] in (b"HTTP/1.1 400", b"")


def test_a_head_that_says_one_thing_passes() -> None:
    check_framing([(b"content-length", b"12")])
    check_framing([(b"transfer-encoding", b"chunked")])
    check_framing([])


def test_requests_on_one_connection_are_answered_one_after_the_other() -> None:
    with serving(SHORT) as port, connect(port) as peer:
        for _ in range(3):
            peer.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
            assert peer.recv(65_536).endswith(b"127.0.0.1 2")


def test_a_forwarded_address_is_believed_from_a_declared_proxy_alone(tmp_path: Any) -> None:
    request = GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n")
    for proxies, shown in (([], b"127.0.0.1 0"), (["127.0.0.0/8"], b"203.0.113.9 0"), (["10.0.0.0/8"], b"127.0.0.1 0")):
        settings = Settings(state_dir=tmp_path, proxies=proxies, _env_file=None)
        config = http_config(app, settings)
        given = {"proxy_headers": config.proxy_headers, "forwarded_allow_ips": config.forwarded_allow_ips}
        with serving(SHORT, **given) as port:
            assert answer(port, request).endswith(shown)


def test_a_proxy_that_is_none_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="TONGDUI_PROXIES"):
        proxy_networks(["10.0.0.1/8"])
