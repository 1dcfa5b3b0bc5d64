"""A whole city for integration tests: real Anvil, real SQLite, real HTTP; points minted by a real issuer's key."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from ledger.deployment.city import CityConfig
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.quarters import expiry_quarter
from ledger_api.app import create_app
from tests.http_client import client_of
from tests.integration.ledger_api.minting import mint
from tongdui.api import open_token_issuer, services_of
from tongdui.bootstrap import City, open_city
from tongdui.settings import Settings


@dataclass
class Served:
    """A running city, and a client of it."""

    city: City
    url: str
    client: httpx.Client
    orders: list[str] = field(default_factory=list)
    """Ids of orders that a fixture placed."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def token(self, subject: str, *scopes: str) -> dict[str, str]:
        issuer = open_token_issuer(self.city.settings, self.city.clock)
        return {"Authorization": f"Bearer {issuer.issue(subject, scopes)}"}

    def post(self, path: str, body: Any, headers: dict[str, str], key: str | None = None) -> httpx.Response:
        key = key or f"integration-{next(self._numbers):04d}"
        return self.client.post(path, json=body, headers={**headers, "Idempotency-Key": key})

    def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        return self.client.get(path, headers=headers, params=params)

    def wait(self, order_id: str, headers: dict[str, str]) -> dict[str, Any]:
        answer = self.get(f"/v1/orders/{order_id}", headers, wait_s=20)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def grant(self, account: str, programme: int, minor: int) -> dict[str, Any]:
        """Mint as the programme's agency does; return the evidence as it would be published."""
        today = datetime.now(UTC).astimezone(CITY_TZ).date()
        quarter = 0 if programme == 5 else expiry_quarter(today, 4)
        return mint(self.city, account, programme, minor, quarter)

    def resident(self, subject: str, document: str) -> tuple[dict[str, str], dict[str, Any]]:
        headers = self.token(subject, "resident:self", "resident:register")
        answer = self.post("/v1/residents", {"document_number": document}, headers)
        assert answer.status_code in {200, 201}, answer.text
        return headers, answer.json()


@contextmanager
def served_city(state_dir: Path, config: CityConfig | None = None, **settings: Any) -> Iterator[Served]:
    """Serve a city on a free port of loopback until the block ends."""
    chosen = Settings(state_dir=state_dir, port=0, rpc_proxy_port=0, _env_file=None, **settings)
    with open_city(chosen, config=config) as city:
        config = uvicorn.Config(create_app(services_of(city)), host="127.0.0.1", port=0, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        try:
            with client_of(url) as client:
                yield Served(city, url, client)
        finally:
            server.should_exit = True
            thread.join(15)
