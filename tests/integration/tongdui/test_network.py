"""`tongdui network` with real geth processes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.remote import Finality, RemoteEngine
from ledger.chain.rpc import RpcClient, RpcError
from ledger.chain.transactions import sign_legacy
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey
from tests.eventually import eventually
from tests.integration.tongdui.clique import needs_geth, network
from tongdui.network import processes
from tongdui.network.errors import BadNetwork, NetworkNotUp
from tongdui.network.folder import NetworkChoices, make_trial
from tongdui.network.plan import EngineKind, NetworkPlan
from tongdui.network.status import NetworkStatus, status


def look(plan: NetworkPlan) -> NetworkStatus:
    return status(plan, int(time.time()))


def receipt_of(engine: RemoteEngine, hashed: str) -> Any:
    """Return a transaction's receipt, or None as long as there is none or the node is still indexing."""
    try:
        return engine.rpc.call("eth_getTransactionReceipt", [hashed])
    except RpcError as error:
        if not error.is_retryable:
            raise
        return None


@needs_geth
def test_a_network_of_three_signers_seals_takes_free_transactions_and_misses_who_is_stopped(tmp_path: Path) -> None:
    with network(tmp_path / "net", 3) as plan:
        answering = plan.member("rpc")
        eventually(lambda: look(plan), lambda seen: not seen.alarms and all(one.sealed for one in seen.turns))
        key = SigningKey(keccak256(b"somebody"))
        raw, digest = sign_legacy(key, plan.chain_id, 0, key.address, b"", 21_000)
        with RemoteEngine.open(answering.url, Finality.parse(plan.finality)) as engine:
            assert [one.in_pool for one in engine.submit([raw])] == [True]
            hashed = "0x" + digest.hex()
            receipt = eventually(lambda: receipt_of(engine, hashed))
            eventually(engine.final_height, lambda height: height >= int(receipt["blockNumber"], 16))
        gone = plan.validators[0]
        assert processes.stop(tmp_path / "net", gone)
        seen = eventually(
            lambda: look(plan), lambda seen: any(one.missed for one in seen.turns if one.name == gone.name)
        )
        assert any(gone.name in alarm and "0 more may fail" in alarm for alarm in seen.alarms)
        before = seen.nodes[-1].height
        eventually(lambda: look(plan).nodes[-1].height, lambda height: height > before + 2)
        processes.start(tmp_path / "net", plan, gone)
        processes.ready(tmp_path / "net", plan, gone)
        eventually(lambda: look(plan).alarms, lambda alarms: not alarms)
    assert all(processes.running(tmp_path / "net", one) is None for one in plan.members)


@needs_geth
def test_a_port_that_another_chain_answers_at_is_refused(tmp_path: Path) -> None:
    with network(tmp_path / "one", 1) as plan:
        other = make_trial(tmp_path / "two", 1, NetworkChoices(), first_port=plan.members[0].ports.p2p)
        with pytest.raises(NetworkNotUp):
            processes.ready(tmp_path / "two", other, plan.members[0], timeout_s=5)
        with RpcClient(plan.members[0].url) as rpc:
            assert rpc.call("eth_chainId") == hex(plan.chain_id)


def test_besu_is_not_started_from_here(tmp_path: Path) -> None:
    plan = make_trial(tmp_path, 1, NetworkChoices(EngineKind.BESU))
    with pytest.raises(BadNetwork, match="compose"):
        processes.up(tmp_path, plan)
