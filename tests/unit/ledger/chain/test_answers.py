"""Answers of a wrong shape are the node's fault, by name of the method."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.chain.answers import hex_bytes, logs
from ledger.chain.rpc import RpcError, RpcReason

LOG: dict[str, Any] = {
    "address": "0x" + "11" * 20,
    "data": "0x",
    "topics": ["0x" + "22" * 32],
    "blockNumber": "0x5",
    "transactionIndex": "0x0",
    "logIndex": "0x0",
    "blockHash": "0x" + "33" * 32,
    "transactionHash": "0x" + "44" * 32,
}


def test_bytes_are_hexadecimal_and_as_long_as_asked() -> None:
    assert hex_bytes("0x", "m") == b""
    assert hex_bytes("0xab", "m", 1) == b"\xab"
    for answer in (None, 5, "ab", "0xabc", "0xzz", ["0x"]):
        with pytest.raises(RpcError) as caught:
            hex_bytes(answer, "eth_call")
        assert (caught.value.reason, caught.value.method) == (RpcReason.MALFORMED_ANSWER, "eth_call")
    with pytest.raises(RpcError):
        hex_bytes("0xabcd", "m", 1)


def test_whole_logs_come_as_they_are() -> None:
    assert logs([LOG], "m") == [LOG]
    assert logs([], "m") == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        [5],
        *([{**LOG, name: wrong}] for name in LOG for wrong in (None, "x", "0xzz", 7)),
        [{**LOG, "topics": ["0x22"]}],
        [{**LOG, "address": "0x" + "11" * 21}],
    ],
)
def test_logs_of_another_shape_are_refused(answer: Any) -> None:
    with pytest.raises(RpcError) as caught:
        logs(answer, "eth_getLogs")
    assert caught.value.reason is RpcReason.MALFORMED_ANSWER
