"""Real processes of one city: API processes, workers, intakes and a network's node; records to feed them with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.rpc import RpcClient
from ledger.clock import SystemClock
from ledger.residents.registry import NewResident
from ledger.standard.civil_time import CITY_TZ
from tests import nursery
from tests.e2e.runs import environment
from tests.eventually import eventually
from tests.http_client import client_of
from tests.nursery import Child
from tongdui.api import open_token_issuer
from tongdui.offline import open_books
from tongdui.settings import Settings

GREEN, PEOPLE, RECORDS = 2, 40, 360
LINE_MINOR = 2000  # two kilograms of paper


def write_records(path: Path, first: int, last: int) -> Path:
    """Write records by number, of 40 people; the same number is the same record in every file."""
    start = datetime.now(CITY_TZ).replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=30)
    with path.open("w", encoding="utf-8") as file:
        for number in range(first, last):
            day = start + timedelta(days=number // PEOPLE)
            record = {
                "id": f"REC-{number:06d}",
                "user_id": f"zd_{number % PEOPLE:08x}",
                "item": "RECYCLE-PAPER",
                "started_at": day.strftime("%Y-%m-%d %H:%M:%S"),
                "quantity": "2",
                "unit": "kg",
            }
            file.write(json.dumps(record) + "\n")
    return path


def register_people(settings: Settings) -> None:
    """Register and link people, beside whatever runs."""
    with open_books(settings) as books, books.database.transaction() as session:
        made = books.registry.register_many(session, [NewResident(f"99{number:016d}") for number in range(PEOPLE)])
        claims = [(one.resident.resident_id, GREEN, f"zd_{number:08x}") for number, one in enumerate(made)]
        books.registry.link_many(session, claims)


@dataclass
class Gateway:
    """A running ``tongdui serve``."""

    process: Child
    client: httpx.Client

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def workers(state_dir: Path, **settings: str) -> Iterator[Child]:
    """Run ``tongdui work``, from the moment it is ready until the block ends."""
    with (state_dir.parent / "workers.log").open("a") as log:
        process = nursery.start(
            "tongdui",
            ["work", "--state-dir", str(state_dir), "--json"],
            env=environment() | settings,
            stdout=subprocess.PIPE,
            stderr=log.fileno(),
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("{"), (state_dir.parent / "workers.log").read_text()[-3000:]
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def gateway(state_dir: Path, **settings: str) -> Iterator[Gateway]:
    """Serve until the block ends."""
    with (state_dir.parent / "gateways.log").open("a") as log:
        process = nursery.start(
            "tongdui",
            ["serve", "--port", "0", "--state-dir", str(state_dir), "--json"],
            env=environment() | settings,
            stdout=subprocess.PIPE,
            stderr=log.fileno(),
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("{"), (state_dir.parent / "gateways.log").read_text()[-3000:]
        with client_of(json.loads(line)["url"]) as client:
            yield Gateway(process, client)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


@dataclass
class Intake:
    """A running ``tongdui issuers ingest``, and where its output goes."""

    process: Child
    out: Path
    err: Path

    def poll(self) -> int | None:
        return self.process.poll()


def start_ingest(state_dir: Path, file: Path, **settings: str) -> Intake:
    """Start an intake of its own."""
    command = ["issuers", "ingest", str(GREEN), str(file), "--state-dir", str(state_dir), "--json"]
    kept = file.with_suffix(".out"), file.with_suffix(".err")
    with kept[0].open("wb") as out, kept[1].open("wb") as err:
        process = nursery.start(
            "tongdui", command, env=environment() | settings, stdout=out.fileno(), stderr=err.fileno()
        )
    return Intake(process, *kept)


def ended(intake: Intake) -> dict[str, Any]:
    """Wait for an intake and return its result. Overlapping files refuse each other's records, which is code 1."""
    assert intake.process.wait(240) in (0, 1), intake.err.read_text()[-3000:]
    found = json.loads(intake.out.read_text().strip().rsplit("\n", 1)[-1])
    assert isinstance(found, dict)
    return found


def token(state_dir: Path, scope: str) -> dict[str, str]:
    issuer = open_token_issuer(Settings(state_dir=state_dir, _env_file=None), SystemClock())
    return {"Authorization": f"Bearer {issuer.issue('test', [scope])}"}


def wait_for_supply(client: httpx.Client, minor: int) -> None:
    def supply() -> int:
        items = client.get("/v1/programmes").json()["items"]
        [found] = [int(item["supply"]["minor"]) for item in items if item["programme"] == GREEN]
        assert found <= minor, "more was minted than granted"
        return found

    eventually(supply, lambda found: found == minor, timeout_s=120, poll_s=0.1)


@contextmanager
def network(folder: Path) -> Iterator[str]:
    """A node that others run: it makes blocks whenever there is something to put into them."""
    node = AnvilNode.start(NodeSettings(chain_id=77_001, genesis_timestamp=int(datetime.now(UTC).timestamp())), folder)
    stopping = threading.Event()

    def mine() -> None:
        rpc = RpcClient(node.url)
        while not stopping.is_set():
            if int(rpc.call("txpool_status")["pending"], 16):
                rpc.call("evm_mine")
            stopping.wait(0.05)
        rpc.close()

    miner = threading.Thread(target=mine, daemon=True)
    miner.start()
    try:
        yield node.url
    finally:
        stopping.set()
        miner.join(10)
        node.kill()
