"""Several API processes beside one with the workers, as real processes: any of them may be killed at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from ledger.chain.embedded.anvil import find_binary
from scripts.bench.issue import bench_city
from scripts.bench.processes import own_children
from scripts.bench.redeem import OFFER, count_paid, settle_in
from tests.eventually import eventually
from tongdui.bootstrap import City, open_city
from tongdui.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

ROOT = Path(__file__).resolve().parents[3]
WALLETS = 6


def settings(state: Path) -> Settings:
    return Settings(state_dir=state, workers=False, port=0, _env_file=None)


@contextmanager
def opened(state: Path) -> Iterator[City]:
    with open_city(settings(state), config=bench_city()) as city:
        yield city


class Serving:
    """``tongdui serve`` with two API processes."""

    def __init__(self, state: Path, **variables: str) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
        command = [sys.executable, "-m", "tongdui", "serve", "--port", "0", "--processes", "2", "--json"]
        with (state.parent / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--state-dir", str(state)],
                env={**env, **variables},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (state.parent / "serve.log").read_text()[-2_000:]
        self.url: str = orjson.loads(line)["url"]

    @property
    def apis(self) -> list[int]:
        children = own_children(self.process.pid)
        return [one for one in children if b"serving.child" in Path(f"/proc/{one}/cmdline").read_bytes()]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(300)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def client(keep_alive: int = 1) -> httpx.Client:
    limits = httpx.Limits(max_keepalive_connections=keep_alive)
    return httpx.Client(verify=False, trust_env=False, timeout=60, limits=limits)


class Buyer(threading.Thread):
    """Places orders one after another, each under a key of its own, until somebody answers; the address may change."""

    def __init__(self, token: str, name: str) -> None:
        super().__init__(daemon=True)
        self.headers = {"Authorization": f"Bearer {token}"}
        self.buyer = name
        self.placed: list[str] = []
        self.url = ""
        self.is_over = threading.Event()
        # One for all requests: to load the system's certificates anew for each takes longer than the order.
        self.client = client()

    def run(self) -> None:
        number = 0
        while not self.is_over.is_set():
            key = {"Idempotency-Key": f"{self.buyer}-{number:04d}"}
            try:
                body = {"offer": OFFER, "quantity": 1}
                answer = self.client.post(self.url + "/v1/redemptions", json=body, headers={**self.headers, **key})
            except httpx.TransportError:
                self.is_over.wait(0.2)
                continue  # nobody knows what came of it: the same key again
            if answer.status_code >= 500:
                self.is_over.wait(0.2)
                continue
            assert answer.status_code == 202, answer.text
            self.placed.append(answer.json()["order_id"])
            number += 1
        self.client.close()


def test_nothing_is_lost_or_doubled_when_any_of_the_processes_is_killed(tmp_path: Path) -> None:
    find_binary()
    state = tmp_path / "s"
    with opened(state) as city:
        tokens = settle_in(city, WALLETS)
    buyers = [Buyer(token, f"buyer-{number}") for number, token in enumerate(tokens)]
    serving = Serving(state)

    def go_on(more: int) -> None:
        before = sum(len(one.placed) for one in buyers)
        eventually(lambda: sum(len(one.placed) for one in buyers) >= before + more, timeout_s=300)

    try:
        for one in buyers:
            one.url = serving.url
            one.start()
        go_on(20)
        for victim in serving.apis:
            os.kill(victim, signal.SIGKILL)
            go_on(20)
        eventually(lambda: len(serving.apis) == 2, timeout_s=300)
        serving.end(signal.SIGKILL)
        serving = Serving(state)
        for one in buyers:
            one.url = serving.url
        go_on(20)
    finally:
        for one in buyers:
            one.is_over.set()
        for one in buyers:
            one.join(60)
        assert serving.end(signal.SIGTERM) == 0
    with opened(state) as city:
        city.run_until_idle()
        lost, doubled = count_paid(city, [order for one in buyers for order in one.placed])
    assert (lost, doubled) == (0, 0)


def test_processes_share_one_limit_and_one_count_and_end_together(tmp_path: Path) -> None:
    state = tmp_path / "s"
    serving = Serving(state, TONGDUI_RATE_PER_MINUTE="30")
    children = serving.apis
    began = time.monotonic()
    with client(keep_alive=0) as http:  # a connection each, so that both processes are asked
        answers = [http.get(serving.url + "/v1/programmes") for _ in range(40)]
        took_s = time.monotonic() - began
        ready: dict[str, Any] = http.get(serving.url + "/readyz").json()
    passed = [one for one in answers if one.status_code == 200]
    assert 30 <= len(passed) <= 31 + took_s / 2  # one comes back every two seconds
    assert {one["name"]: one["ok"] for one in ready["checks"]}["workers"] is True
    assert serving.end(signal.SIGTERM) == 0
    eventually(lambda: not any(Path(f"/proc/{one}").exists() for one in children))
