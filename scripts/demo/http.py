"""The city's own HTTP API, served to the demo on loopback: the scenes at the counter use the public API."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from ledger.errors import ConfigurationError
from ledger_api.app import create_app
from ledger_api.auth.tokens import LocalIssuer
from scripts.demo.environment import DemoStepFailed
from tongdui.api import services_of
from tongdui.bootstrap import City
from tongdui.logs import configure_logs

_START_S = 30.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token: who, and what for."""

    subject: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The API over HTTP."""

    client: httpx.Client
    issuer: LocalIssuer

    def get(self, caller: Caller, path: str) -> Any:
        """Read something. Raises DemoStepFailed."""
        return self._send(caller, "GET", path, None, None, 200)

    def post(self, caller: Caller, path: str, body: dict[str, Any] | None, key: str, *, status: int = 200) -> Any:
        """Write something under an idempotency key. Raises DemoStepFailed unless the answer has ``status``."""
        return self._send(caller, "POST", path, body, f"demo-{key}", status)

    def _send(
        self, caller: Caller, method: str, path: str, body: dict[str, Any] | None, key: str | None, status: int
    ) -> Any:
        headers = {"Authorization": f"Bearer {self.issuer.issue(caller.subject, caller.scopes)}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = self.client.request(method, path, json=body, headers=headers)
        if answer.status_code != status:
            raise DemoStepFailed(f"{method} {path}", f"{answer.status_code} {answer.text[:400]}")
        if "json" in answer.headers.get("content-type", ""):
            return answer.json()
        return answer.text


@contextmanager
def front_door(city: City) -> Iterator[FrontDoor]:
    """Serve the city's API on a free loopback port until the block ends."""
    services = services_of(city)
    issuer = services.local_issuer
    if issuer is None:
        raise ConfigurationError("the demo issues its own tokens; unset TONGDUI_OIDC_JWKS_URL for it")
    configure_logs("error")
    server = uvicorn.Server(
        uvicorn.Config(create_app(services), host="127.0.0.1", port=0, log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run, name="demo-api", daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise DemoStepFailed("the API", "it did not start")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        limits = httpx.Limits(keepalive_expiry=1.0)  # before the server ends them
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False, limits=limits) as client:
            yield FrontDoor(client, issuer)
    finally:
        server.should_exit = True
        thread.join(_START_S)
