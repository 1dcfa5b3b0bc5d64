"""A proxy before a node that loses, delays, repeats and garbles, by a seed. It stands between a client and a real node.

Two kinds of trouble. A *mishap* is the connection's: the answer does not come, or comes late, twice, cut, or is none.
A *false answer* is the node's: well formed and wrong, as from a node that lags behind its balancer or lost its state.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import orjson

from ledger.chain.rpc import tls
from scripts.faults.false_answers import falsify

MISHAPS = (
    "cut before",  # the node never hears of it
    "cut after",  # the node did it, and the answer is lost
    "reset",  # the connection is reset in the middle of the answer
    "late",  # the answer comes when the caller has given up
    "trickle",  # the answer comes byte by byte and never ends in time
    "twice",  # the node hears it twice, the caller gets the second answer
    "answered twice",  # the caller gets the answer again when he asks the next question
    "garbage",
    "binary",
    "empty",
    "half",  # the answer is cut off in the middle
    "another",  # the answer to another call
    "refused",  # the node says that it failed
    "unavailable",  # a balancer says that there is no node
    "too many",  # a balancer wants fewer requests
)
_HTML = b"<html><title>502</title><body>Welcome to the captive portal</body></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets. ``cut_at``: after so many bytes the connection is reset; ``drop_s``: seconds a byte."""

    status: int
    body: bytes
    cut_at: int | None = None
    drop_s: float = 0.0
    times: int = 1


class FlakyProxy:
    """Relays to ``target``; at ``rate`` a request meets a mishap, and at ``false_answers`` its answer is false.

    ``late_s`` is longer than callers wait.
    """

    def __init__(
        self, target: str, seed: int | str, rate: float, late_s: float, *, false_answers: float = 0.0, port: int = 0
    ) -> None:
        self._target = target
        self._rng = random.Random(seed)
        self._rate = rate
        self._false_answers = false_answers
        self._late_s = late_s
        self._lock = threading.Lock()
        self._is_down = threading.Event()
        self.met: Counter[str] = Counter()
        """How often each mishap and each false answer happened."""
        limits = httpx.Limits(max_connections=None)
        self._http = httpx.Client(trust_env=False, timeout=60.0, limits=limits, verify=tls())
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to call."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Take the line down for good."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._http.close()

    def cut(self) -> None:
        """Cut the connection: open calls are lost, new ones are refused, until `restore`."""
        self._is_down.set()
        self._server.reset_all()

    def restore(self) -> None:
        """End what ``cut`` began."""
        self._is_down.clear()

    @property
    def is_down(self) -> bool:
        """Whether the line is cut."""
        return self._is_down.is_set()

    def draw(self) -> str | None:
        """Return the next request's mishap, or None."""
        with self._lock:
            if self._rng.random() >= self._rate:
                return None
            mishap = self._rng.choice(MISHAPS)
            self.met[mishap] += 1
            return mishap

    def relay(self, body: bytes) -> bytes:
        """Ask the node; now and then the answer is falsified."""
        with self._lock:
            false_answers = self._false_answers > 0 and self._rng.random() < self._false_answers
            rng = random.Random(self._rng.random()) if false_answers else None
        if rng is not None:
            question = orjson.loads(body)
            inputs = falsify(question, rng, lambda asked: orjson.loads(self._ask(orjson.dumps(asked))))
            if inputs is not None:
                with self._lock:
                    self.met[inputs.name] += 1
                return orjson.dumps(inputs.answer)
        return self._ask(body)

    def _ask(self, body: bytes) -> bytes:
        return self._http.post(self._target, content=body, headers=_JSON).content

    def answer(self, body: bytes, mishap: str | None) -> Answer | None:
        """Return the answer, or None to cut the connection."""
        if mishap == "cut before":
            return None
        if mishap in _INSTEAD:
            return _INSTEAD[mishap]
        content = self.relay(body)
        if mishap == "twice":
            content = self.relay(body)
        elif mishap == "late":
            time.sleep(self._late_s)
        return None if mishap == "cut after" else self._spoiled(content, mishap)

    def _spoiled(self, content: bytes, mishap: str | None) -> Answer:
        match mishap:
            case "reset":
                return Answer(200, content, cut_at=len(content) // 2)
            case "trickle":
                return Answer(200, content, drop_s=self._late_s / 10)
            case "answered twice":
                return Answer(200, content, times=2)
            case "half":
                return Answer(200, content[: len(content) // 2])
            case _:
                return Answer(200, content)


_FAILED = {"code": -32603, "message": "internal error"}
_INSTEAD: Mapping[str | None, Answer] = {
    "garbage": Answer(200, _HTML),
    "binary": Answer(200, b"\x00\xff\xfe{\x80" * 7),
    "empty": Answer(200, b""),
    "another": Answer(200, orjson.dumps({"jsonrpc": "2.0", "id": -1, "result": "0x1"})),
    "refused": Answer(200, orjson.dumps({"jsonrpc": "2.0", "id": None, "error": _FAILED})),
    "unavailable": Answer(503, b"no node"),
    "too many": Answer(429, b"slow down"),
}
"""Answers that never came from the node."""
_JSON: Mapping[str, str] = {"content-type": "application/json", "accept-encoding": "identity"}
_TRICKLE_BYTES = 40


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def reset_all(self) -> None:
        """Reset every open connection."""
        with self._open_lock:
            for connection in self._open:
                reset(connection)

    def handle_error(self, *_args: object) -> None:
        """Say nothing: a caller that gave up is the point of it."""


def reset(connection: socket.socket) -> None:
    """Make the other side see a reset instead of an orderly end."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        return  # it is closed already


def _handler(proxy: FlakyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = None if proxy.is_down else proxy.answer(body, proxy.draw())
            if answer is None or proxy.is_down:
                reset(self.connection)
                self.close_connection = True
                return
            for _ in range(answer.times):
                self._send(answer)

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if answer.drop_s:
                for at in range(min(len(answer.body), _TRICKLE_BYTES)):
                    self.wfile.write(answer.body[at : at + 1])
                    time.sleep(answer.drop_s)
                self.close_connection = True
            elif answer.cut_at is not None:
                self.wfile.write(answer.body[: answer.cut_at])
                self.wfile.flush()
                reset(self.connection)
                self.close_connection = True
            else:
                self.wfile.write(answer.body)

        def log_message(self, *_args: object) -> None:
            pass

    return Handler
