"""Receipts as the trie holds them, and how they are read from a node."""

from __future__ import annotations

from typing import Any

import pytest
import rlp as reference
from trie import HexaryTrie

from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.proofs import receipts
from ledger.proofs.errors import BrokenPath, MalformedRlp, UnprovableLog

BLOOM = "0x" + "00" * 255 + "01"
LOG = {"address": "0x" + "11" * 20, "topics": ["0x" + "22" * 32, "0x" + "33" * 32], "data": "0x0102"}


def receipt(index: int, **changes: Any) -> dict[str, Any]:
    """A receipt as a node gives it."""
    made = {
        "transactionIndex": hex(index),
        "type": "0x0",
        "status": "0x1",
        "cumulativeGasUsed": hex(21_000 * (index + 1)),
        "logsBloom": BLOOM,
        "logs": [LOG] * (index % 3),
    }
    return made | changes


def expected(status: bytes, gas: int, logs: int) -> bytes:
    log = [b"\x11" * 20, [b"\x22" * 32, b"\x33" * 32], b"\1\2"]
    gas_bytes = gas.to_bytes((gas.bit_length() + 7) // 8, "big")
    encoded: bytes = reference.encode([status, gas_bytes, bytes.fromhex(BLOOM[2:]), [log] * logs])
    return encoded


def test_a_legacy_receipt_is_its_rlp() -> None:
    assert receipts.encode(receipt(2)) == expected(b"\1", 63_000, 2)
    assert receipts.encode(receipt(0, status="0x0")) == expected(b"", 21_000, 0)


def test_a_typed_receipt_is_preceded_by_its_type() -> None:
    assert receipts.encode(receipt(1, type="0x2")) == b"\2" + expected(b"\1", 42_000, 1)


@pytest.mark.parametrize("kind", ["0x0", "0x2"])
def test_what_was_encoded_is_decoded(kind: str) -> None:
    status, gas, bloom, logs = receipts.decode(receipts.encode(receipt(1, type=kind)))
    assert (status, gas, bloom) == (b"\1", (42_000).to_bytes(2, "big"), bytes.fromhex(BLOOM[2:]))
    assert isinstance(logs, list)
    assert len(logs) == 1


def test_what_is_no_receipt_is_refused() -> None:
    for value in (b"", b"\xc0", b"\2\xc0", b"\x81\xff"):
        with pytest.raises((BrokenPath, MalformedRlp)):
            receipts.decode(value)


def test_the_trie_of_a_mixed_block_equals_the_general_package() -> None:
    """More than 128 receipts: keys of one and of two bytes, legacy and typed side by side."""
    block = [receipt(index, type="0x2" if index % 5 == 0 else "0x0") for index in range(140)]
    other = HexaryTrie({})
    for index, each in enumerate(block):
        other[reference.encode(index)] = receipts.encode(each)
    assert receipts.trie_of(block).root == other.root_hash


class Node(RpcClient):
    """A node that knows only some methods."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9")
        self.answers = answers

    def call(self, method: str, params: Any = (), *, timeout_s: float | None = None) -> Any:
        if method not in self.answers:
            raise RpcError(RpcReason.METHOD_NOT_FOUND, "no such method", method=method)
        return self.answers[method]

    def batch(self, calls: Any, *, timeout_s: float | None = None, chunk: int | None = None) -> list[Any]:
        return [self.answers[method][params[0]] for method, params in calls]


def test_receipts_come_sorted_in_one_answer_or_one_by_one() -> None:
    whole = Node({"eth_getBlockReceipts": [receipt(1), receipt(0)]})
    single = Node({"eth_getTransactionReceipt": {"0xa": receipt(0), "0xb": receipt(1)}})
    for node in (whole, single):
        assert receipts.read(node, 5, ["0xa", "0xb"]) == [receipt(0), receipt(1)]
        node.close()


def test_a_receipt_kept_back_is_an_error() -> None:
    node = Node({"eth_getBlockReceipts": [receipt(0)]})
    with pytest.raises(UnprovableLog):
        receipts.read(node, 5, ["0xa", "0xb"])
    node.close()
