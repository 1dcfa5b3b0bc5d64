"""What is corrupted is found: a forged chain by the auditor, a changed row by the running check."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from ledger.audit.cells import locate
from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.transactions import sign_legacy
from ledger.deployment.file import Deployment
from ledger.proofs.layout import Layout
from ledger.standard.signatures import SigningKey
from tests.e2e.runs import balances, tongdui, tongdui_here
from tongdui.clock import clock_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def copy(undisturbed: Path, tmp_path: Path) -> Path:
    """A city with a story, to be corrupted."""
    shutil.copytree(undisturbed, tmp_path / "city")
    return tmp_path / "city"


BY_HTTP = EmbeddedOptions(isolate=False, second_node=False)
"""The auditor is another process."""


def holder(state_dir: Path) -> tuple[bytes, int]:
    """Return an account and a lot that it holds."""
    with sqlite3.connect(state_dir / "books.db") as connection:
        query = "SELECT account, token_id FROM balances WHERE amount_minor > 0 ORDER BY account, token_id LIMIT 1"
        account, token = connection.execute(query).fetchone()
    connection.close()
    return bytes(account), int(token)


def test_a_forged_balance_is_named_and_the_exit_code_says_so(copy: Path) -> None:
    account, token = holder(copy)
    file = copy / "deployment.json"
    deployment = Deployment.read(file)
    key, shift = locate(token)
    with EmbeddedEngine.open(copy / "chain", clock_of(copy), BY_HTTP) as engine:
        leaves = ("--leaves", str(copy / "leaves"))
        honest = tongdui_here("audit", "--rpc", engine.url, "--deployment", str(file), *leaves, "--json")
        assert honest.code == 0, honest.err
        address = deployment.address("PointsLedger")
        slot = f"0x{Layout.load('PointsLedger').at('_lanes', key, account):064x}"
        word = int(engine.rpc.call("eth_getStorageAt", [address, slot, "latest"]), 16)
        engine.rpc.call("anvil_setStorageAt", [address, slot, f"0x{word + (1 << shift):064x}"])
        forged = tongdui("audit", "--rpc", engine.url, "--deployment", str(file), *leaves, "--json")
    assert forged.code == 1
    assert forged.last["verdict"] == "FAIL"
    assert account.hex() in str(forged.last["contradiction"]).lower()


def test_another_citys_deployment_is_not_this_chains(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert tongdui_here("deploy", "--state-dir", str(other)).code == 0
    with EmbeddedEngine.open(copy / "chain", clock_of(copy), BY_HTTP) as engine:
        ended = tongdui("audit", "--rpc", engine.url, "--deployment", str(other / "deployment.json"), "--json")
    assert ended.code == 1
    assert ended.last["contradiction"]["what"] == "chain id"


def test_a_changed_row_is_found_and_rebuilt_from_the_chain(copy: Path) -> None:
    account, token = holder(copy)
    before = balances(copy)
    with sqlite3.connect(copy / "books.db") as connection:
        connection.execute(
            "UPDATE balances SET amount_minor = amount_minor + 1 WHERE account = ? AND token_id = ?", (account, token)
        )
    connection.close()
    assert balances(copy) != before
    found = tongdui("status", "--state-dir", str(copy), "--json")
    assert found.code == 5, found.out
    assert found.last["ok"] is False
    rebuilt = tongdui_here("reindex", "--state-dir", str(copy), "--json")
    assert rebuilt.code == 0, rebuilt.err
    assert rebuilt.last["differences"] == 0
    assert balances(copy) == before
    assert tongdui_here("status", "--state-dir", str(copy), "--json").code == 0


def test_a_chain_that_was_helped_along_is_made_anew_and_nothing_is_lost(copy: Path) -> None:
    """Somebody set a balance in the node, and the block of it was journaled: no start since then."""
    before = balances(copy)
    deployment = Deployment.read(copy / "deployment.json")
    stranger = SigningKey(b"\x01" * 32)
    with EmbeddedEngine.open(copy / "chain", clock_of(copy), BY_HTTP) as engine:
        engine.rpc.call("anvil_setBalance", [stranger.address, "0x1"])
        raw, _ = sign_legacy(stranger, engine.chain_id, 0, deployment.address("PointsLedger"), b"", 100_000)
        engine.submit([raw])
        engine.produce()
        height = engine.final_height()
    state = ("--state-dir", str(copy), "--json")
    refused = tongdui_here("status", *state)
    assert (refused.code, refused.last["error"]["type"]) == (5, "ReplayMismatch")
    found = tongdui_here("chain", "check", *state)
    assert (found.code, found.last["first"], found.last["transactions"]) == (1, height, 1)
    repaired = tongdui_here("chain", "repair", "--from", str(height), *state)
    assert repaired.code == 0, repaired.err
    assert repaired.last["dropped"] == []
    assert tongdui_here("chain", "check", *state).code == 0
    rebuilt = tongdui_here("reindex", *state)
    assert rebuilt.code == 0, rebuilt.err
    assert balances(copy) == before
    assert tongdui_here("status", *state).code == 0
