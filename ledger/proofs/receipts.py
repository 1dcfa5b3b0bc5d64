"""Receipts of a block's transactions, as a node gives them and as the receipts trie holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.proofs import rlp
from ledger.proofs.errors import BrokenPath, UnprovableLog
from ledger.proofs.trie import Trie

_FIELDS = 4


def read(rpc: RpcClient, block: int, transactions: Sequence[str]) -> list[dict[str, Any]]:
    """Return the receipts of a block in order. Raises RpcError or UnprovableLog.

    ``transactions`` are the block's hashes, for nodes without eth_getBlockReceipts.
    """
    try:
        found = rpc.call("eth_getBlockReceipts", [hex(block)])
    except RpcError as error:
        if error.reason not in (RpcReason.METHOD_NOT_FOUND, RpcReason.NOT_PERMITTED):
            raise
        calls = [("eth_getTransactionReceipt", [digest]) for digest in transactions]
        found = rpc.batch(calls, chunk=100) if calls else []
    if not isinstance(found, list) or len(found) != len(transactions) or None in found:
        raise UnprovableLog(f"block {block}", "the node does not give all its receipts")
    return sorted(found, key=lambda receipt: int(receipt["transactionIndex"], 16))


def encode(receipt: Mapping[str, Any]) -> bytes:
    """Return a receipt as the trie holds it: the RLP of [status, gas, bloom, logs], after its type unless that is 0.

    Our own transactions are of type 0, but others may stand in the same block (EIP-2718).
    """
    kind = int(receipt.get("type") or "0x0", 16)
    logs: list[rlp.Item] = [
        [
            bytes.fromhex(log["address"][2:]),
            [bytes.fromhex(topic[2:]) for topic in log["topics"]],
            bytes.fromhex(log["data"][2:]),
        ]
        for log in receipt["logs"]
    ]
    status = rlp.encode_int(int(receipt["status"], 16))
    gas = rlp.encode_int(int(receipt["cumulativeGasUsed"], 16))
    body = rlp.encode([status, gas, bytes.fromhex(receipt["logsBloom"][2:]), logs])
    return bytes([kind]) + body if kind else body


def decode(value: bytes) -> list[rlp.Decoded]:
    """Return [status, gas, bloom, logs] of what the trie holds. Raises BrokenPath or MalformedRlp."""
    typed = value[:1] < b"\x80"  # a list never begins so
    fields = rlp.decode(value[1:] if typed else value)
    if not isinstance(fields, list) or len(fields) != _FIELDS:
        raise BrokenPath("the path does not lead to a receipt")
    return fields


def key_of(transaction_index: int) -> bytes:
    """Return the key of a transaction's receipt in its block's trie."""
    return rlp.encode(rlp.encode_int(transaction_index))


def trie_of(receipts: Sequence[Mapping[str, Any]]) -> Trie:
    """Return the trie of a block's receipts, in order of their transactions."""
    return Trie({key_of(index): encode(receipt) for index, receipt in enumerate(receipts)})
