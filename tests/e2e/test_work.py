"""``tongdui work`` by real processes: alone on the embedded chain, and beside an API process on PostgreSQL."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.chain.rpc import RpcClient
from tests.e2e.processes import (
    GREEN,
    LINE_MINOR,
    gateway,
    network,
    register_people,
    token,
    wait_for_supply,
    workers,
    write_records,
)
from tests.e2e.runs import ROOT, environment, tongdui, tongdui_here
from tests.eventually import eventually
from tests.integration.ledger import postgres
from tongdui.readiness import LAG_BLOCKS_MAX
from tongdui.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def drop(state_dir: Path, first: int, last: int) -> None:
    """Drop a file of records as the agency does: under another name first, for half a file must not be read."""
    folder = state_dir / "drop" / "environmental"
    draft = write_records(folder / f".records-{first}.part", first, last)
    draft.rename(folder / f"records-{first}.jsonl")


def wait_for_granted(state_dir: Path, records: int) -> None:
    def stages() -> dict[str, int]:
        ended = tongdui_here("issuers", "stages", str(GREEN), "--state-dir", str(state_dir), "--json")
        assert ended.code == 0, ended.err
        return {stage["name"]: stage["done"] for stage in ended.last["stages"]}

    eventually(
        stages,
        lambda done: done["batch"] == records and done["chain"] == done["sign"] > 0,
        timeout_s=90,
        poll_s=0.2,
    )


def _bytes_of(path: Path) -> bytes:
    """Return a process's environment; nothing where it has ended meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def readiness(client: httpx.Client) -> dict[str, bool]:
    checks: list[dict[str, Any]] = client.get("/readyz").json()["checks"]
    return {check["name"]: check["ok"] for check in checks}


def test_workers_alone_carry_dropped_records_to_the_embedded_chain(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with workers(state) as process:
        register_people(Settings(state_dir=state, _env_file=None))
        drop(state, 0, 80)
        wait_for_granted(state, 80)
        beside = tongdui("serve", "--port", "0", "--state-dir", str(state), "--json")
        assert (beside.code, beside.last["error"]["type"]) == (4, "EngineBusy")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    status = tongdui_here("status", "--state-dir", str(state), "--json")
    assert status.code == 0, status.err
    assert status.last["projected_height"] == status.last["final_height"]
    assert status.last["outbox"] == {}, "nothing is under way"


@pytest.mark.parametrize(
    ("number", "at"),
    [(signal.SIGTERM, "engine.lock"), (signal.SIGINT, "anvil"), (signal.SIGTERM, "journal.sqlite3")],
)
def test_a_signal_while_the_city_opens_interrupts_it_and_leaves_no_node_behind(
    tmp_path: Path, number: signal.Signals, at: str
) -> None:
    chain = tmp_path / "state" / "chain"
    process = subprocess.Popen(
        [sys.executable, "-m", "tongdui", "work", "--state-dir", str(chain.parent)], cwd=ROOT, env=environment()
    )

    def is_there() -> bool:
        assert process.poll() is None
        return (chain / at).exists()

    eventually(is_there, poll_s=0.01)
    process.send_signal(number)
    assert process.wait(30) == 130
    assert not [path for path in Path("/proc").glob("[0-9]*/environ") if bytes(chain) in _bytes_of(path)]


@pytest.mark.postgres
def test_workers_beside_an_api_process_on_postgresql(tmp_path: Path) -> None:
    """The API process sees what the workers project; its readiness fails while no worker runs, and comes back."""
    state = tmp_path / "state"
    with ExitStack() as stack:
        server = stack.enter_context(postgres.server())
        database = stack.enter_context(postgres.fresh_database(server, "w" + secrets.token_hex(6)))
        node = stack.enter_context(network(tmp_path / "node"))
        shared = {"TONGDUI_DATABASE_URL": database, "TONGDUI_RPC_URL": node, "TONGDUI_WORKERS": "false"}
        deployed = tongdui_here("deploy", "--state-dir", str(state), **shared)
        assert deployed.code == 0, deployed.err[-3000:]
        register_people(Settings(state_dir=state, _env_file=None, database_url=database, rpc_url=node))
        client = stack.enter_context(gateway(state, **shared)).client
        with workers(state, **shared) as first, workers(state, **shared) as second:
            drop(state, 0, 120)
            wait_for_supply(client, 120 * LINE_MINOR)
            assert all(readiness(client).values())
            assert {"database", "chain", "projection", "liveness", "alarms", "drops"} == readiness(client).keys()
            first.send_signal(signal.SIGTERM)
            assert first.wait(30) == 0
            drop(state, 120, 240)
            wait_for_supply(client, 240 * LINE_MINOR)
            second.send_signal(signal.SIGINT)
            assert second.wait(30) == 0
        rpc = RpcClient(node)
        rpc.call("anvil_mine", [hex(LAG_BLOCKS_MAX + 20)])
        assert client.get("/readyz").status_code == 503
        assert readiness(client)["projection"] is False
        with workers(state, **shared):
            eventually(
                lambda: client.get("/readyz").status_code, lambda code: code == 200, context=lambda: readiness(client)
            )
        rpc.close()
        agency = token(state, f"issuer:{GREEN}")
        counts = client.get(f"/v1/issuers/{GREEN}/records", headers=agency).json()
        assert (counts["accepted"], counts["waiting"], counts["held"]) == ("240", "0", "0")
        assert client.get("/v1/invariants").json()["ok"] is True
