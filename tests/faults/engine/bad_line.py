"""A line to a node that loses, delays, repeats and garbles, by a seed. It stands between a client and a real node."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import orjson

MISHAPS = (
    "cut before",  # the node never hears of it
    "cut after",  # the node did it, and nobody hears
    "late",  # the answer comes when the caller has given up
    "twice",  # the node hears it twice, the caller gets the second answer
    "garbage",
    "half",  # the answer is cut off in the middle
    "another",  # the answer to another call
    "refused",  # the node says that it failed
    "unavailable",  # a balancer says that there is no node
    "too many",  # a balancer wants fewer requests
)


class BadLine:
    """Relays to ``target``; at ``rate`` a request meets a mishap. ``late_s`` is longer than callers wait."""

    def __init__(self, target: str, seed: int, rate: float, late_s: float) -> None:
        self._target = target
        self._rng = random.Random(seed)
        self._rate = rate
        self._late_s = late_s
        self._lock = threading.Lock()
        self.met: Counter[str] = Counter()
        """How often each mishap happened."""
        self._http = httpx.Client(trust_env=False, timeout=30.0)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to call."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Take the line down."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._http.close()

    def draw(self) -> str | None:
        """Return the next request's mishap, or None."""
        with self._lock:
            if self._rng.random() >= self._rate:
                return None
            mishap = self._rng.choice(MISHAPS)
            self.met[mishap] += 1
            return mishap

    def relay(self, body: bytes) -> bytes:
        """Ask the node."""
        return self._http.post(self._target, content=body, headers={"content-type": "application/json"}).content

    def answer(self, body: bytes, mishap: str | None) -> tuple[int, bytes] | None:
        """Return (status, body), or None to cut the connection."""
        match mishap:
            case "cut before":
                return None
            case "cut after":
                self.relay(body)
                return None
            case "late":
                answer = self.relay(body)
                time.sleep(self._late_s)
                return 200, answer
            case "twice":
                self.relay(body)
                return 200, self.relay(body)
            case "garbage":
                return 200, b"<html>Welcome to the captive portal</html>"
            case "half":
                answer = self.relay(body)
                return 200, answer[: len(answer) // 2]
            case "another":
                return 200, orjson.dumps({"jsonrpc": "2.0", "id": -1, "result": "0x1"})
            case "refused":
                error = {"code": -32603, "message": "internal error"}
                return 200, orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})
            case "unavailable":
                return 503, b"no node"
            case "too many":
                return 429, b"slow down"
            case _:
                return 200, self.relay(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """Say nothing: a caller that gave up is the point of it."""


def _handler(line: BadLine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = line.answer(body, line.draw())
            if answer is None:
                self.close_connection = True
                return
            status, content = answer
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            pass

    return Handler
