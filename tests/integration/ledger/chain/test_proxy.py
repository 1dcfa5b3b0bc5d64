"""The window on the chain over real HTTP and a real chain: outsiders see what is final and can do no more than that."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ledger.chain.embedded.engine import EmbeddedEngine
from ledger.chain.embedded.proxy import BATCH_MAX, BODY_BYTES_MAX, Proxy
from ledger.chain.embedded.window import WindowLimits
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.chain.transactions import contract_address, sign_legacy
from ledger.standard.signatures import SigningKey
from tests.integration.ledger.chain.kit import chain_hashes, manual_clock, senders

STORE = contract_address(SigningKey(random.Random(3).randbytes(32)).address, 0)
"""What `senders` creates with that seed."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    with EmbeddedEngine.open(tmp_path, manual_clock()) as engine:
        yield engine


@pytest.fixture
def submitted() -> list[bool]:
    return []


@pytest.fixture
def proxy(engine: EmbeddedEngine, submitted: list[bool]) -> Iterator[Proxy]:
    limits = WindowLimits(answer_bytes_max=20_000)
    with Proxy(engine, targets=[STORE], limits=limits, on_submitted=lambda: submitted.append(True)) as proxy:
        yield proxy


@pytest.fixture
def outsider(proxy: Proxy) -> Iterator[RpcClient]:
    with RpcClient(proxy.url, timeout_s=10.0) as client:
        yield client


def test_an_auditor_reads_the_chain(engine: EmbeddedEngine, outsider: RpcClient) -> None:
    rng = random.Random(3)
    [sender] = senders(engine, 1, rng)
    for _ in range(4):
        engine.submit([sender.sign(3, rng)])
        engine.produce()
    assert outsider.call("eth_blockNumber") == "0x5"
    assert int(outsider.call("eth_chainId"), 16) == engine.chain_id
    blocks = outsider.batch([("eth_getBlockByNumber", [hex(number), False]) for number in range(6)])
    assert [block["hash"] for block in blocks] == chain_hashes(engine)
    logs = outsider.call("eth_getLogs", [{"fromBlock": "earliest", "toBlock": "0xffff"}])
    assert [int(log["blockNumber"], 16) for log in logs] == [2, 3, 4, 5]
    assert outsider.call("eth_getTransactionReceipt", ["0x" + sender.sent[0].hex()])["status"] == "0x1"
    assert outsider.call("eth_getCode", [sender.store, "latest"]) != "0x"
    assert outsider.call("eth_getProof", [sender.store, [], "safe"])["storageHash"] != "0x"


def test_a_resident_with_a_key_of_his_own_sends(
    engine: EmbeddedEngine, outsider: RpcClient, submitted: list[bool]
) -> None:
    rng = random.Random(3)
    [sender] = senders(engine, 1, rng)
    tx_hash = outsider.call("eth_sendRawTransaction", ["0x" + sender.sign(1, rng).hex()])
    assert bytes.fromhex(tx_hash[2:]) == sender.sent[0]
    assert submitted == [True]
    assert outsider.call("eth_getTransactionByHash", [tx_hash]) is None, "it is not final"
    assert outsider.call("eth_getTransactionCount", [sender.key.address, "pending"]) == "0x1"
    engine.produce()
    assert outsider.call("eth_getTransactionByHash", [tx_hash])["blockNumber"] == "0x2"
    assert outsider.call("eth_getTransactionCount", [sender.key.address, "pending"]) == "0x2"
    with pytest.raises(RpcError) as caught:
        outsider.call("eth_sendRawTransaction", ["0xdead"])
    assert not caught.value.is_retryable
    assert submitted == [True]


def test_a_mined_block_that_is_not_journaled_does_not_exist(engine: EmbeddedEngine, outsider: RpcClient) -> None:
    rng = random.Random(3)
    [sender] = senders(engine, 1, rng)
    engine.submit([sender.sign(1, rng)])
    engine.rpc.call("evm_mine")  # as if the journal were just about to be written
    tx_hash = "0x" + sender.sent[0].hex()
    ahead = engine.rpc.call("eth_getBlockByNumber", ["latest", False])
    assert ahead["number"] == "0x2"
    assert outsider.call("eth_blockNumber") == "0x1"
    assert outsider.call("eth_getBlockByNumber", ["latest", False])["number"] == "0x1"
    assert outsider.call("eth_getTransactionReceipt", [tx_hash]) is None
    assert outsider.call("eth_getBlockByHash", [ahead["hash"], False]) is None
    assert outsider.call("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}]) == []
    with pytest.raises(RpcError) as caught:
        outsider.call("eth_getBlockByNumber", ["0x2", False])
    assert caught.value.reason is RpcReason.BLOCK_UNAVAILABLE


@pytest.mark.parametrize("method", ["anvil_setStorageAt", "evm_mine", "anvil_reset", "eth_sendTransaction", "eth_sign"])
def test_the_nodes_own_powers_are_out_of_reach(engine: EmbeddedEngine, outsider: RpcClient, method: str) -> None:
    with pytest.raises(RpcError) as caught:
        outsider.call(method, [])
    assert caught.value.reason is RpcReason.METHOD_NOT_FOUND
    assert engine.rpc.call("eth_blockNumber") == "0x0"


def test_requests_that_are_none(proxy: Proxy) -> None:
    json = {"content-type": "application/json"}
    with httpx.Client(base_url=proxy.url, trust_env=False) as http:
        assert http.post("/", content=b"{", headers=json).json()["error"]["code"] == -32700
        for body in (
            b"5",
            b"[]",
            b'{"method": 5}',
            b'{"method": "eth_chainId", "params": {}}',
            b'{"id": [], "method": "x"}',
        ):
            assert http.post("/", content=body, headers=json).json()["error"]["code"] == -32600
        batch = [{"id": number, "method": "eth_chainId"} for number in range(BATCH_MAX + 1)]
        assert http.post("/", json=batch).json()["error"]["code"] == -32600
        mixed = http.post("/", json=[{"id": 1, "method": "eth_chainId"}, 5, {"id": 2, "method": "evm_mine"}]).json()
        assert ["result" in answer for answer in mixed] == [True, False, False]
        assert http.post("/", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
        assert http.post("/", content=b"x" * (BODY_BYTES_MAX + 1), headers=json).status_code == 413
        assert http.get("/").status_code == 501


def test_the_window_stays_open_when_the_node_dies(engine: EmbeddedEngine, outsider: RpcClient) -> None:
    rng = random.Random(3)
    senders(engine, 1, rng)
    engine._drop_node()
    assert outsider.call("eth_getBlockByNumber", ["latest", False])["number"] == "0x1"


def test_a_batch_gets_so_many_bytes_and_no_more(proxy: Proxy, outsider: RpcClient) -> None:
    """A small question must not fetch hundreds of megabytes: what goes beyond is refused, call by call."""
    batch = [{"id": n, "method": "eth_getBlockByNumber", "params": ["0x0", True]} for n in range(99)]
    answer = httpx.post(proxy.url, json=batch, trust_env=False)
    refused = [one for one in answer.json() if "error" in one]
    assert len(answer.content) < 40_000
    assert 0 < len(refused) < 99
    assert {one["error"]["code"] for one in refused} == {-32005}
    calls = [("eth_getBlockByNumber", ["0x0", True])] * 99
    assert len(outsider.batch(calls)) == 99, "who asks for less at a time gets it"


def test_burners_of_gas_and_foreign_code_are_kept_out(
    engine: EmbeddedEngine, outsider: RpcClient, submitted: list[bool]
) -> None:
    stranger = SigningKey(b"\x07" * 32)
    for to, gas in ((None, 1_000_000), (stranger.address, 21_000), (STORE, 30_000_000)):
        raw, _ = sign_legacy(stranger, engine.chain_id, 0, to, b"", gas)
        with pytest.raises(RpcError, match="here"):
            outsider.call("eth_sendRawTransaction", ["0x" + raw.hex()])
    assert submitted == []
    assert engine.produce() == 0


def test_other_names_and_chunked_bodies_are_refused(proxy: Proxy) -> None:
    question = b'{"id":1,"method":"eth_chainId","params":[]}'
    with httpx.Client(base_url=proxy.url, trust_env=False) as http:
        json = {"content-type": "application/json"}
        assert http.post("/", content=question, headers=json | {"host": "evil.example"}).status_code == 403
        assert http.post("/", content=iter([question]), headers=json).status_code == 411
        assert http.post("/", content=question, headers=json).status_code == 200
