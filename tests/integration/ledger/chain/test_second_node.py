"""Where any process can reach the node, a second one makes each block before it counts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.rpc import RpcClient
from tests.integration.ledger.chain.kit import chain_hashes, manual_clock, senders, succeeded

RICH = "0x" + "11" * 20


@pytest.fixture
def rng() -> random.Random:
    return random.Random(20261130)


def opened(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine.open(folder, manual_clock(), EmbeddedOptions(isolate=False))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    with opened(tmp_path / "chain") as one:
        yield one


def balance(engine: EmbeddedEngine) -> int:
    return int(engine.rpc.call("eth_getBalance", [RICH, "latest"]), 16)


def test_a_state_that_a_stranger_changed_never_becomes_final(
    engine: EmbeddedEngine, tmp_path: Path, rng: random.Random, caplog: pytest.LogCaptureFixture
) -> None:
    [sender] = senders(engine, 1, rng)
    with RpcClient(engine.url, 10.0) as stranger:
        stranger.call("anvil_setBalance", [RICH, hex(10**24)])
    assert balance(engine) == 10**24, "the node itself believes it"
    [outcome] = engine.submit([sender.sign(1, rng)])
    assert outcome.in_pool
    assert engine.produce() == 1
    assert "is another one on the second node" in caplog.text
    assert balance(engine) == 0
    assert all(succeeded(engine, sender.sent))
    before = chain_hashes(engine)
    engine.close()
    with opened(tmp_path / "chain") as again:
        assert chain_hashes(again) == before


def test_a_second_node_that_died_is_replaced(engine: EmbeddedEngine, rng: random.Random) -> None:
    [sender] = senders(engine, 1, rng)
    assert engine._second is not None
    engine._second.drop()
    engine.submit([sender.sign(3, rng)])
    assert engine.produce() == 1
    assert all(succeeded(engine, sender.sent))


def test_an_isolated_node_needs_no_second(tmp_path: Path) -> None:
    with EmbeddedEngine.open(tmp_path / "chain", manual_clock(), EmbeddedOptions(second_node=None)) as one:
        assert (one._second is None) == one.is_isolated
