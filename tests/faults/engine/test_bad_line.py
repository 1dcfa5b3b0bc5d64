"""A node behind a line that loses, delays, repeats and garbles: everything lands, and nothing lands twice."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.remote import RemoteEngine
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.chain.transactions import contract_address, sign_legacy
from ledger.deployment import deploy
from ledger.deployment.city import CityActors, load
from ledger.standard.signatures import SigningKey
from scripts.faults.flaky_proxy import MISHAPS, FlakyProxy
from tests.faults.engine.load import Load
from tests.integration.ledger.chain.kit import START_TIMESTAMP, STORE_CODE

SEED = int(os.environ.get("SEED", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "4"))
PATIENCE_S = 0.3
T = TypeVar("T")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[AnvilNode]:
    """A node whose blocks come by themselves, as a network's do."""
    node = AnvilNode.start(NodeSettings(99, START_TIMESTAMP, history_states=5_000), tmp_path)
    stop = threading.Event()

    def mine() -> None:
        with RpcClient(node.url) as client:
            while not stop.wait(0.03):
                client.call("evm_mine")

    miner = threading.Thread(target=mine)
    miner.start()
    yield node
    stop.set()
    miner.join()
    node.kill()


@pytest.fixture
def line(node: AnvilNode) -> Iterator[FlakyProxy]:
    line = FlakyProxy(node.url, SEED, rate=0.35, late_s=3 * PATIENCE_S)
    yield line
    line.close()


def insist(act: Callable[[], T]) -> T:
    """Do it again until it works. Only what may be tried again may fail."""
    for _ in range(200):
        try:
            return act()
        except RpcError as error:
            if not error.is_retryable:
                raise
    raise AssertionError("it never works")


def test_everything_lands_once(node: AnvilNode, line: FlakyProxy) -> None:
    rng = random.Random(SEED)
    key = SigningKey(rng.randbytes(32))
    creation, _ = sign_legacy(key, 99, 0, None, STORE_CODE, 1_000_000)
    engine = insist(lambda: RemoteEngine.open(line.url, timeout_s=PATIENCE_S))
    insist(lambda: engine.submit([creation]))
    load_ = Load(engine, contract_address(key.address, 0), rng, accounts=3)
    heights: list[int] = []
    for _ in range(8 * ROUNDS):
        raws = load_.draw(rng.randint(1, 10))
        outcomes = insist(lambda raws=raws: engine.submit(raws))
        assert RpcReason.UNKNOWN not in {outcome.reason for outcome in outcomes}
        heights.append(insist(engine.final_height))
    missing = list(load_.sent)
    for _ in range(200):
        asked = [("eth_getTransactionReceipt", ["0x" + tx.hex()]) for tx in missing]
        receipts = insist(lambda asked=asked: engine.rpc.batch(asked))
        missing = [tx for tx, receipt in zip(missing, receipts, strict=True) if receipt is None]
        if not missing:
            break
        again = [load_.sent[tx] for tx in missing]
        insist(lambda again=again: engine.submit(again))
        time.sleep(0.02)
    assert missing == []
    assert heights == sorted(heights)
    engine.close()
    with RpcClient(node.url) as direct:
        count = int(direct.call("eth_blockNumber"), 16) + 1
        blocks = direct.batch([("eth_getBlockByNumber", [hex(number), False]) for number in range(count)])
    mined = [tx for block in blocks for tx in block["transactions"]]
    assert len(mined) == len(set(mined)) == len(load_.sent) + 1
    print(f"SEED={SEED}: {len(mined)} transactions, {sum(line.met.values())} mishaps: {dict(line.met)}")
    assert len(line.met) > len(MISHAPS) / 2, "the line was bad enough to prove something"


def test_a_city_is_deployed_over_a_bad_line(node: AnvilNode, line: FlakyProxy) -> None:
    rng = random.Random(SEED)
    config = load()

    def account() -> SigningKey:
        return SigningKey(rng.randbytes(32))

    deployer = account()
    actors = CityActors(
        council=tuple(account().address for _ in range(3)),
        council_threshold=2,
        finance_bureau=account().address,
        guardian=account().address,
        registrar=account().address,
        supervisor=account().address,
        arbiter=account().address,
        arbiter_key=account().address,
        issuers={programme.id: (account().address,) for programme in config.programmes},
        merchants={merchant.id: account().address for merchant in config.merchants},
    )
    engine = insist(lambda: RemoteEngine.open(line.url, timeout_s=PATIENCE_S))
    deployment = deploy.deploy(engine, config, actors, deployer)
    engine.close()
    with RemoteEngine.open(node.url) as direct:
        deployment.check(direct)
        assert deploy.deploy(direct, config, actors, deployer) == deployment
        sent = int(direct.rpc.call("eth_getTransactionCount", [deployer.address, "latest"]), 16)
        final = direct.final_height()
        receipts = direct.rpc.batch(
            [("eth_getBlockReceipts", [hex(number)]) for number in range(deployment.block, final + 1)]
        )
        statuses = [receipt["status"] for block in receipts for receipt in block]
    assert statuses == ["0x1"] * sent, "every transaction of the deployment succeeded, and no step was made twice"
    assert sum(line.met.values()) > 5
