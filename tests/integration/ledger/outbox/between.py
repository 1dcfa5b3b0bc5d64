"""A real HTTP proxy between us and a real node: it passes calls on, answers some itself, is late, cuts, or is gone."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

Answer = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Makes the error of a call, or None: the node shall answer."""


def error(code: int, message: str) -> dict[str, Any]:
    """An error object as nodes send it."""
    return {"code": code, "message": message}


class Between:
    """Listens on a port of its own; ``answer`` sees every call first."""

    def __init__(self, node: str, port: int = 0) -> None:
        self.node = node
        self.answer: Answer = lambda _call: None
        self.late_s = 0.0
        """Seconds by which answers to submissions are late; the node has them by then."""
        self.cuts = 0
        """How many of the next submissions are passed on and then hung up on."""
        self.calls: Counter[str] = Counter()
        self.is_gone = False
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening, and hang up on whoever is connected."""
        self.is_gone = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def respond(self, body: bytes) -> bytes | None:
        """Return what the caller gets, or None: hang up."""
        if self.is_gone:
            return None
        request = orjson.loads(body)
        calls = request if isinstance(request, list) else [request]
        self.calls.update(call["method"] for call in calls)
        refused = {call["id"]: found for call in calls if (found := self.answer(call)) is not None}
        passed = [call for call in calls if call["id"] not in refused]
        answers = {one["id"]: one for one in self._ask(passed)} if passed else {}
        is_submission = any(call["method"] == "eth_sendRawTransaction" for call in calls)
        if is_submission and self.late_s:
            time.sleep(self.late_s)
        if is_submission and self.cuts:
            self.cuts -= 1
            return None
        found = [
            {"jsonrpc": "2.0", "id": call["id"], "error": refused[call["id"]]}
            if call["id"] in refused
            else answers[call["id"]]
            for call in calls
        ]
        return orjson.dumps(found if isinstance(request, list) else found[0])

    def _ask(self, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        asked = urllib.request.Request(
            self.node, orjson.dumps(calls), {"content-type": "application/json"}, method="POST"
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(asked, timeout=30) as answer:
            found: list[dict[str, Any]] = orjson.loads(answer.read())
            return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def _handler(between: Between) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                answer = between.respond(body)
            except OSError:
                answer = None  # the node behind is gone
            if answer is None:
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            pass

    return Handler
