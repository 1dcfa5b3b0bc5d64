"""A chain whose blocks others make: here an Anvil that the test mines by hand, in the place of a network."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.remote import Finality, RemoteEngine
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.chain.transactions import contract_address, sign_legacy
from ledger.errors import ConfigurationError
from ledger.standard.signatures import SigningKey
from tests.integration.ledger.chain.kit import START_TIMESTAMP, STORE_CODE, Sender, succeeded


@pytest.fixture
def node(tmp_path: Path) -> Iterator[AnvilNode]:
    node = AnvilNode.start(NodeSettings(1_234, START_TIMESTAMP), tmp_path)
    yield node
    node.kill()


def test_blocks_are_the_networks_business(node: AnvilNode) -> None:
    rng = random.Random(5)
    with RemoteEngine.open(node.url) as engine:
        assert engine.chain_id == 1_234
        key = SigningKey(rng.randbytes(32))
        creation, _ = sign_legacy(key, 1_234, 0, None, STORE_CODE, 1_000_000)
        sender = Sender(key, 1_234, contract_address(key.address, 0), nonce=1)
        outcomes = engine.submit([creation, *(sender.sign(1, rng) for _ in range(5)), creation])
        assert [outcome.reason for outcome in outcomes] == [None] * 6 + [RpcReason.ALREADY_KNOWN]
        assert engine.produce() == 0
        assert engine.final_height() == 0
        engine.rpc.call("evm_mine")
        assert engine.final_height() == 1
        assert all(succeeded(engine, sender.sent))


def test_a_depth_keeps_the_youngest_blocks_back(node: AnvilNode) -> None:
    with RemoteEngine.open(node.url, Finality.parse("depth:3")) as engine:
        heights = []
        for _ in range(5):
            engine.rpc.call("evm_mine")
            heights.append(engine.final_height())
        assert heights == [0, 0, 0, 1, 2]


def test_a_node_that_went_back_behind_what_was_final_gets_no_hearing(node: AnvilNode) -> None:
    with RemoteEngine.open(node.url) as engine:
        snapshot = engine.rpc.call("evm_snapshot")
        engine.rpc.call("evm_mine")
        assert engine.final_height() == 1
        with RpcClient(node.url) as direct:
            direct.call("evm_revert", [snapshot])
            with pytest.raises(RpcError, match="was final"):
                engine.final_height()


def test_a_dead_node_is_an_rpc_error(node: AnvilNode) -> None:
    with RemoteEngine.open(node.url) as engine:
        node.kill()
        for act in (engine.final_height, lambda: engine.submit([b"\x01"])):
            with pytest.raises(RpcError) as caught:
                act()
            assert caught.value.reason is RpcReason.UNREACHABLE
    with pytest.raises(RpcError):
        RemoteEngine.open(node.url)


@pytest.mark.parametrize("text", ["", "finalized", "depth:", "depth:0", "depth:-1", "depth:x", "depth:1.5", "latest:1"])
def test_other_finality_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="finality"):
        Finality.parse(text)


def test_finality_in_words() -> None:
    assert Finality.parse("latest") == Finality(0)
    assert Finality.parse("depth:12") == Finality(12)
