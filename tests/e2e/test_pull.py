"""A REST pull from the command line: tokens that expire, a rate limit, a server that fails, and a cursor that stays."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.runs import tongdui

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = 50
CLIENT, SECRET = "tongdui", "s3cr3t-of-the-source"


@dataclass
class Source:
    """A ticket system on a bad day."""

    items: list[dict[str, str]]
    url: str = ""
    tokens: int = 0
    pages_left: int = 0
    """How many more pages the current token is good for."""
    limited: int = 1
    """How many answers will be 429."""
    failing: int = 1
    """How many answers will be 503."""
    limited_at: list[float] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)


@contextmanager
def served(source: Source) -> Iterator[Source]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if given != f"{CLIENT}:{SECRET}" or body != "grant_type=client_credentials":
                return self._answer(401, {"error": "invalid_client"})
            source.tokens += 1
            source.pages_left = 4
            return self._answer(200, {"access_token": f"t{source.tokens}", "token_type": "Bearer"})

        def do_GET(self) -> None:
            source.asked_at.append(time.monotonic())
            if not source.pages_left or self.headers["Authorization"] != f"Bearer t{source.tokens}":
                return self._answer(401, {})
            start = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
            if start >= 2 * PAGE and source.limited:
                source.limited -= 1
                source.limited_at.append(time.monotonic())
                return self._answer(429, {}, {"Retry-After": "1"})
            if start >= 3 * PAGE and source.failing:
                source.failing -= 1
                return self._answer(503, {})
            source.pages_left -= 1
            end = start + PAGE
            following = str(end) if end < len(source.items) else None
            return self._answer(200, {"items": source.items[start:end], "next_cursor": following})

        def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    source.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield source
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ticket(number: int) -> dict[str, str]:
    """A ticket of a person whom nobody has linked yet."""
    return {
        "order_no": f"WH{number:06d}",
        "member_no": f"WH-{number % 90:07d}",
        "category": "theatre",
        "paid": "20",
        "currency_unit": "yuan",
        "used_at": f"2026-08-{number % 28 + 1:02d}T19:30:00",
    }


def test_a_pull_gets_everything_once(tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    with served(Source([ticket(number) for number in range(320)])) as source:
        command = ["issuers", "ingest", "culture", "--rest", source.url, "--token-url", f"{source.url}/oauth/token"]
        credentials = {"TONGDUI_SOURCE_CLIENT_ID": CLIENT, "TONGDUI_SOURCE_CLIENT_SECRET": SECRET}
        refused = tongdui(*command, *state, "--json", **credentials)
        assert "not public" in refused.err, "a network that nobody named is not asked"
        credentials["TONGDUI_OUTGOING_NETWORKS"] = '["127.0.0.0/8"]'
        without = tongdui(*command, *state, "--json")
        assert without.code == 2, "a secret never comes by the command line"
        assert "TONGDUI_SOURCE_CLIENT_SECRET" in without.err
        done = tongdui(*command, *state, "--json", **credentials)
        assert done.code == 0, done.err
        [delivery] = done.last["deliveries"]
        assert (delivery["rows"], done.last["counts"]["awaiting_link"]) == (320, 320)
        assert source.tokens >= 2, "the first token ended on the way"
        waited = min(at for at in source.asked_at if at > source.limited_at[0]) - source.limited_at[0]
        assert waited >= 1.0, "Retry-After is kept"
        assert (source.limited, source.failing) == (0, 0)
        source.items += [ticket(number) for number in range(320, 330)]
        again = tongdui(*command, *state, "--json", **credentials).last
        assert (again["counts"]["records"], again["counts"]["awaiting_link"]) == (330, 330)
        assert again["counts"]["refused"] == 0, "what was taken before is not asked to count again"
    assert SECRET not in done.out + done.err
