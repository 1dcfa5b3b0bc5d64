"""The server as a process of its own: it starts from nothing, ends cleanly, and survives a kill at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from ledger.clock import SystemClock
from ledger.residents.registry import NewResident
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.quarters import expiry_quarter
from tests import nursery
from tests.http_client import client_of
from tests.integration.ledger_api.minting import mint
from tests.nursery import Child
from tongdui.api import open_token_issuer
from tongdui.bootstrap import open_city
from tongdui.settings import Settings

SERVER = "tests.integration.ledger_api.server"


@contextmanager
def serving(state_dir: Path) -> Iterator[tuple[Child, httpx.Client]]:
    """Start a server; kill it at the end if it still lives."""
    with (state_dir.parent / "server.log").open("a") as log:
        process = nursery.start(SERVER, [str(state_dir)], env=os.environ, stdout=subprocess.PIPE, stderr=log.fileno())
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), (state_dir.parent / "server.log").read_text()
            with client_of(url, 30) as client:
                yield process, client
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(60)
            if process.stdout is not None:
                process.stdout.close()


def token(state_dir: Path, subject: str, *scopes: str) -> dict[str, str]:
    issuer = open_token_issuer(Settings(state_dir=state_dir, _env_file=None), SystemClock())
    return {"Authorization": f"Bearer {issuer.issue(subject, scopes)}"}


def register(client: httpx.Client, headers: dict[str, str]) -> dict[str, Any]:
    answer = client.post(
        "/v1/residents",
        json={"document_number": "510107195403071234"},
        headers={**headers, "Idempotency-Key": "register-0001"},
    )
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_terminated_server_ends_cleanly_and_comes_back_as_it_was(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state) as (process, client):
        headers = token(state, "wang", "resident:self", "resident:register")
        made = register(client, headers)
        programmes = client.get("/v1/programmes").json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with serving(state) as (_, client):
        assert client.get("/v1/residents/me", headers=headers).json()["account"] == made["account"]
        assert register(client, headers) == made
        again = client.get("/v1/programmes").json()
        assert again["items"] == programmes["items"]
        assert client.get("/readyz").json()["ready"] is True


def test_a_killed_server_comes_back_as_it_was(tmp_path: Path) -> None:
    state = tmp_path / "state"
    headers: dict[str, str] = {}
    made: dict[str, Any] = {}
    for round_number in range(3):
        with serving(state) as (process, client):
            headers = headers or token(state, "wang", "resident:self", "resident:register")
            found = register(client, headers)
            made = made or found
            assert found == made
            time.sleep(0.05 * round_number)
            process.kill()
            process.wait(60)
    with serving(state) as (_, client):
        client.get("/v1/invariants")
        assert client.get("/v1/invariants").json()["ok"] is True


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state):
        pass
    for path in state.rglob("*"):
        if path.is_file() and (path.suffix in {".key", ".pem"} or path.name in {"keyring", "keystore.json"}):
            assert path.stat().st_mode & 0o077 == 0, path
    assert state.stat().st_mode & 0o077 == 0


def test_the_log_is_json_and_names_nobody(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state) as (process, client):
        headers = token(state, "wang", "resident:self", "resident:register")
        register(client, headers)
        client.get("/v1/wallet", headers=headers)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    log = (tmp_path / "server.log").read_text()
    assert '"route": "/v1/wallet"' in log
    for secret in ("510107195403071234", headers["Authorization"].removeprefix("Bearer ")):
        assert secret not in log


def test_one_state_directory_has_one_server(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state) as (_, client):
        other = nursery.run(SERVER, [str(state)], env=os.environ, timeout=60)
        assert other.returncode != 0
        assert "EngineBusy" in other.stderr
        assert client.get("/healthz").status_code == 200


def test_orders_that_a_kill_interrupts_are_paid_once_after_the_restart(tmp_path: Path) -> None:
    """The client knows only its keys: it sends everything again, whatever it had heard before."""
    state = tmp_path / "state"
    with open_city(Settings(state_dir=state, workers=False, _env_file=None)) as city:
        with city.database.transaction() as session:
            made = city.registry.register(session, NewResident("510107195403071234")).resident
        today = datetime.now(CITY_TZ).date()
        mint(city, made.account, 1, 60_000, expiry_quarter(today, 4))
        city.run_until_idle()
    heard: list[str] = []
    for attempt in range(3):
        with serving(state) as (process, client):
            headers = token(state, "wang", "resident:self", "resident:register")
            register(client, headers)
            for number in range(6):
                key = {"Idempotency-Key": f"vegetables-{number:04d}"}
                answer = client.post("/v1/redemptions", json={"offer": "vegetables"}, headers={**headers, **key})
                assert answer.status_code == 202, answer.text
                heard.append(answer.json()["order_id"])
                if number == 2 * attempt + 1 and attempt < 2:
                    process.kill()
                    break
            else:
                for order_id in dict.fromkeys(heard):
                    found = client.get(f"/v1/orders/{order_id}", params={"wait_s": 20}, headers=headers).json()
                    assert found["state"] == "paid", found
                wallet = client.get("/v1/wallet", headers=headers).json()
    assert len(set(heard)) == 6
    # Six times 5 yuan at 0.20 yuan a point.
    assert wallet["programmes"][0]["balance"]["points"] == "450.00"
