"""web3 over our client: it only reads, its requests are plain JSON, and no failure loses its reason on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hexbytes import HexBytes
from web3.datastructures import AttributeDict
from web3.exceptions import Web3Exception

from ledger.chain.provider import READ_METHODS, RpcProvider, connect
from ledger.chain.rpc import Call, RpcClient, RpcError, RpcReason

WHO = "0x" + "00" * 20
QBFT_BLOCK = {
    "number": "0x5",
    "hash": "0x" + "11" * 32,
    "extraData": "0x" + "f8" * 140,
    "difficulty": "0x1",
    "baseFeePerGas": "0x0",
}


class ScriptedClient(RpcClient):
    """A client that never connects: each answer, or error, is in ``answers`` by its method."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9")
        self.answers = answers
        self.asked: list[Call] = []

    def call(self, method: str, params: Sequence[Any] = (), *, timeout_s: float | None = None) -> Any:
        self.asked.append((method, params))
        answer = self.answers[method]
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def batch(self, calls: Sequence[Call], *, timeout_s: float | None = None, chunk: int | None = None) -> list[Any]:
        return [self.call(*call) for call in calls]


@pytest.mark.parametrize("reason", list(RpcReason))
def test_an_error_comes_out_as_it_was_raised(reason: RpcReason) -> None:
    error = RpcError(reason, "words", method="eth_call", code=3, data=b"\xde\xad")
    web3 = connect(ScriptedClient({"eth_call": error, "eth_getBlockByNumber": error}), 7)
    with pytest.raises(RpcError) as caught:
        web3.eth.call({"to": WHO, "data": "0x"}, "latest")
    assert caught.value is error
    batch = web3.batch_requests()
    batch.add(web3.eth.get_block(5))
    with pytest.raises(RpcError) as block:
        batch.execute()
    assert block.value is error


def test_a_known_chain_id_is_never_asked_and_an_unknown_one_once() -> None:
    client = ScriptedClient({"eth_chainId": "0x539"})
    assert connect(client, 7).eth.chain_id == 7
    assert client.asked == []
    web3 = connect(client)
    assert [web3.eth.chain_id, web3.eth.chain_id] == [1337, 1337]
    assert client.asked == [("eth_chainId", [])]


@pytest.mark.parametrize(
    "method", ["eth_sendRawTransaction", "eth_sendTransaction", "eth_sign", "eth_gasPrice", "eth_newFilter", "evm_mine"]
)
def test_it_only_reads(method: Any) -> None:
    client = ScriptedClient({method: "0x1"})
    provider = RpcProvider(client)
    for act in (lambda: provider.make_request(method, []), lambda: provider.make_batch_request([(method, [])])):
        with pytest.raises(RpcError) as caught:
            act()
        assert caught.value.reason is RpcReason.METHOD_NOT_FOUND
    assert client.asked == []
    assert method not in READ_METHODS


def test_parameters_become_plain_json() -> None:
    client = ScriptedClient({"eth_getStorageAt": "0x"})
    RpcProvider(client).make_request("eth_getStorageAt", (HexBytes("0x05"), AttributeDict({"a": (b"\x01", 2)})))
    assert client.asked == [("eth_getStorageAt", ["0x05", {"a": ["0x01", 2]}])]


def test_blocks_of_permissioned_engines_are_read() -> None:
    """QBFT's and Clique's extraData is longer than 32 bytes, which web3 refuses under that name."""
    client = ScriptedClient({"eth_getBlockByNumber": QBFT_BLOCK})
    block: Any = connect(client, 7).eth.get_block(5)
    assert (block["number"], len(block["proofOfAuthorityData"]), block["baseFeePerGas"]) == (5, 140, 0)


def test_no_middleware_and_no_name_service_is_at_work() -> None:
    web3 = connect(ScriptedClient({}), 7)
    assert [name for _, name in web3.middleware_onion.middleware] == ["poa"]
    assert web3.ens is None
    assert not web3.provider.global_ccip_read_enabled


@pytest.mark.parametrize("answer", [None, 5, "zz", "0xz", [], {}])
def test_an_answer_of_the_wrong_shape_is_the_nodes_fault(answer: Any) -> None:
    web3 = connect(ScriptedClient({"eth_call": answer, "eth_getLogs": answer or None}), 7)
    with pytest.raises(RpcError) as caught:
        web3.eth.call({"to": WHO, "data": "0x"}, "latest")
    assert caught.value.reason is RpcReason.MALFORMED_ANSWER
    with pytest.raises(RpcError) as of_logs:
        web3.eth.get_logs({"fromBlock": 1, "toBlock": 1})
    assert of_logs.value.reason is RpcReason.MALFORMED_ANSWER


def test_whether_the_node_answers() -> None:
    assert RpcProvider(ScriptedClient({"eth_chainId": "0x7"})).is_connected()
    gone = RpcProvider(ScriptedClient({"eth_chainId": RpcError(RpcReason.UNREACHABLE, "gone")}))
    assert not gone.is_connected()
    with pytest.raises(RpcError):
        gone.is_connected(show_traceback=True)
    assert not issubclass(RpcError, Web3Exception)
