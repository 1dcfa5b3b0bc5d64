"""The culture source system: a small paged REST API over real HTTP, with a token, a cursor and bad days.

Every ``fault_every``-th page is answered with 503 first, so that a client without retries does not get far.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PATH = "/api/v1/tickets"
SIZE_MAX = 500


@dataclass(frozen=True, slots=True)
class TicketApi:
    """A running server."""

    url: str
    """Base address; the tickets are at ``PATH``."""
    token: str
    """Bearer token, generated when the server started."""


@contextmanager
def serve_tickets(items_file: Path, fault_every: int = 4) -> Iterator[TicketApi]:
    """Serve the JSON array in ``items_file`` on a free loopback port until the block ends."""
    items: list[dict[str, str]] = json.loads(items_file.read_text(encoding="utf-8"))
    token = secrets.token_urlsafe(24)
    failed: set[int] = set()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path != PATH:
                return self._answer(HTTPStatus.NOT_FOUND, {"error": "no such path"})
            given = self.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                return self._answer(HTTPStatus.UNAUTHORIZED, {"error": "a bearer token is needed"})
            query = parse_qs(parts.query)
            try:
                start = int(query.get("cursor", ["0"])[0] or 0)
                size = min(int(query.get("limit", ["100"])[0]), SIZE_MAX)
            except ValueError:
                return self._answer(HTTPStatus.BAD_REQUEST, {"error": "cursor and limit are numbers"})
            with lock:
                bad_day = (start // max(size, 1)) % fault_every == fault_every - 1 and start not in failed
                failed.add(start)
            if bad_day:
                return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "try again"}, retry_after_s=0)
            end = start + size
            page: dict[str, object] = {"items": items[start:end], "next_cursor": str(end) if end < len(items) else None}
            return self._answer(HTTPStatus.OK, page)

        def _answer(self, status: HTTPStatus, body: dict[str, object], retry_after_s: int | None = None) -> None:
            content = json.dumps(body, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            if retry_after_s is not None:
                self.send_header("Retry-After", str(retry_after_s))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: the caller's progress bar owns the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="ticket-api", daemon=True)
    thread.start()
    try:
        yield TicketApi(url=f"http://127.0.0.1:{server.server_address[1]}", token=token)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
