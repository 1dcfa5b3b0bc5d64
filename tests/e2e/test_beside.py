"""Intake beside running gateways, by real processes: one gateway on SQLite, several on PostgreSQL."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.rpc import RpcClient
from ledger.clock import SystemClock
from ledger.residents.registry import NewResident
from ledger.standard.civil_time import CITY_TZ
from tests.e2e.runs import ROOT, environment, tongdui
from tests.integration.ledger import postgres
from tongdui.api import open_token_issuer
from tongdui.offline import open_books
from tongdui.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

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


def contest(state_dir: Path) -> int:
    """Let two people claim one number; return whose it is."""
    with open_books(Settings(state_dir=state_dir, _env_file=None)) as books, books.database.transaction() as session:
        made = books.registry.register_many(session, [NewResident("thief"), NewResident("owner")])
        claims = [(one.resident.resident_id, GREEN, "zd_contested") for one in made]
        books.registry.link_many(session, claims)
        return made[1].resident.resident_id


@dataclass
class Gateway:
    """A running ``tongdui serve``."""

    process: subprocess.Popen[str]
    client: httpx.Client

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def gateway(state_dir: Path, **settings: str) -> Iterator[Gateway]:
    """Serve until the block ends."""
    with (state_dir.parent / "gateways.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tongdui", "serve", "--port", "0", "--state-dir", str(state_dir), "--json"],
            cwd=ROOT,
            env=environment() | settings,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("{"), (state_dir.parent / "gateways.log").read_text()[-3000:]
        with httpx.Client(base_url=json.loads(line)["url"], timeout=60) as client:
            yield Gateway(process, client)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def start_ingest(state_dir: Path, file: Path, **settings: str) -> subprocess.Popen[str]:
    """Start an intake of its own."""
    command = ["issuers", "ingest", str(GREEN), str(file), "--state-dir", str(state_dir), "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "tongdui", *command],
        cwd=ROOT,
        env=environment() | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for an intake and return its result. Overlapping files refuse each other's records, which is code 1."""
    out, err = process.communicate(timeout=240)
    assert process.returncode in (0, 1), err[-3000:]
    found = json.loads(out.strip().rsplit("\n", 1)[-1])
    assert isinstance(found, dict)
    return found


def token(state_dir: Path, scope: str) -> dict[str, str]:
    issuer = open_token_issuer(Settings(state_dir=state_dir, _env_file=None), SystemClock())
    return {"Authorization": f"Bearer {issuer.issue('test', [scope])}"}


def wait_for_supply(client: httpx.Client, minor: int) -> None:
    until = time.monotonic() + 120
    while True:
        items = client.get("/v1/programmes").json()["items"]
        [found] = [int(one["supply"]["minor"]) for one in items if one["programme"] == GREEN]
        if found == minor:
            return
        assert found < minor, "more was minted than granted"
        assert time.monotonic() < until, f"{found} of {minor}"
        time.sleep(0.2)


def test_three_intakes_beside_a_gateway_on_sqlite(tmp_path: Path) -> None:
    """Overlapping files, one of them twice, while the API answers: each record counts once, and all is minted."""
    state = tmp_path / "state"
    with gateway(state) as city:
        register_people(Settings(state_dir=state, _env_file=None))
        files = [
            write_records(tmp_path / "a.jsonl", 0, 240),
            write_records(tmp_path / "b.jsonl", 120, RECORDS),
            write_records(tmp_path / "c.jsonl", 0, 240),
        ]
        intakes = [start_ingest(state, file) for file in files]
        agency = token(state, f"issuer:{GREEN}")
        while any(one.poll() is None for one in intakes):
            answer = city.client.get(f"/v1/issuers/{GREEN}/records", headers=agency)
            assert answer.status_code == 200, answer.text
            time.sleep(0.2)
        results = [ended(one) for one in intakes]
        assert sum(one["outcome"] == "exists" for result in results for one in result["deliveries"]) <= 1
        counts = city.client.get(f"/v1/issuers/{GREEN}/records", headers=agency).json()
        assert (counts["accepted"], counts["waiting"], counts["held"]) == (str(RECORDS), "0", "0")
        wait_for_supply(city.client, RECORDS * LINE_MINOR)
        assert city.client.get("/v1/invariants").json()["ok"] is True
        shown = tongdui("issuers", "counts", "--state-dir", str(state), "--json")
        assert shown.code == 0, shown.err
        assert shown.last["programmes"]["environmental"]["accepted"] == RECORDS
        stages = tongdui("issuers", "stages", str(GREEN), "--state-dir", str(state), "--json").last["stages"]
        assert [one["done"] for one in stages if one["name"] == "grant"] == [RECORDS]
        contested = contest(state)
        where = ("--state-dir", str(state), "--json")
        [claim] = tongdui("issuers", "claims", str(GREEN), "--by", "Chen", *where).last["items"]
        assert (claim["source_id"], claim["state"]) == ("zd_contested", "frozen")
        decide = ("issuers", "decide", str(GREEN), claim["claim"], "--for", str(contested), *where)
        assert tongdui(*decide, "--by", "Chen").last["status"] == "first"
        assert tongdui(*decide, "--by", "Chen").code == 3, "one person is not two"
        assert tongdui(*decide, "--by", "Zhou").last["status"] == "decided"
        assert tongdui("issuers", "claims", str(GREEN), "--by", "Chen", *where).last["items"] == []


def test_intakes_without_a_gateway_carry_each_other_out(tmp_path: Path) -> None:
    """Two at once on one state directory: one takes the chain, the other waits for it, and both end."""
    state = tmp_path / "state"
    assert tongdui("deploy", "--state-dir", str(state)).code == 0
    register_people(Settings(state_dir=state, _env_file=None))
    intakes = [
        start_ingest(state, write_records(tmp_path / "a.jsonl", 0, 120)),
        start_ingest(state, write_records(tmp_path / "b.jsonl", 120, 240)),
    ]
    results = [ended(one) for one in intakes]
    assert [one["ok"] for one in results] == [True, True]
    shown = tongdui("issuers", "counts", "--state-dir", str(state), "--json").last["programmes"]["environmental"]
    assert (shown["accepted"], shown["granted_minor"]) == (240, str(240 * LINE_MINOR))
    with gateway(state) as city:
        wait_for_supply(city.client, 240 * LINE_MINOR)


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


@pytest.mark.postgres
def test_several_gateways_and_intakes_on_postgresql(tmp_path: Path) -> None:
    """Two gateways share database and node; one is killed in the middle, and its work is taken over."""
    state = tmp_path / "state"
    with ExitStack() as stack:
        server = stack.enter_context(postgres.server())
        database = stack.enter_context(postgres.fresh_database(server, "b" + secrets.token_hex(6)))
        node = stack.enter_context(network(tmp_path / "node"))
        shared = {"TONGDUI_DATABASE_URL": database, "TONGDUI_RPC_URL": node}
        deployed = tongdui("deploy", "--state-dir", str(state), **shared)
        assert deployed.code == 0, deployed.err[-3000:]
        settings = Settings(state_dir=state, _env_file=None, database_url=database, rpc_url=node)
        register_people(settings)
        first = stack.enter_context(gateway(state, **shared))
        second = stack.enter_context(gateway(state, **shared))
        intakes = [
            start_ingest(state, write_records(tmp_path / "a.jsonl", 0, 240), **shared),
            start_ingest(state, write_records(tmp_path / "b.jsonl", 120, RECORDS), **shared),
        ]
        agency = token(state, f"issuer:{GREEN}")
        until = time.monotonic() + 120
        while int(second.client.get(f"/v1/issuers/{GREEN}/records", headers=agency).json()["accepted"]) < 120:
            assert time.monotonic() < until
            time.sleep(0.05)
        first.kill()
        for one in intakes:
            ended(one)
        counts = second.client.get(f"/v1/issuers/{GREEN}/records", headers=agency).json()
        assert (counts["accepted"], counts["waiting"], counts["held"]) == (str(RECORDS), "0", "0")
        wait_for_supply(second.client, RECORDS * LINE_MINOR)
        assert second.client.get("/v1/invariants").json()["ok"] is True
        batches = second.client.get("/metrics", headers=token(state, "operator")).text
        assert "tongdui_alarms 0.0" in batches
