"""Receipts of a block's transactions, as a node gives them and as the receipts trie holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.proofs import rlp
from ledger.proofs.errors import UnprovableLog
from ledger.proofs.trie import Trie


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
    """Return the RLP of a legacy receipt [status, gas, bloom, logs]. Raises UnprovableLog for a typed one."""
    if int(receipt.get("type") or "0x0", 16) != 0:
        raise UnprovableLog(f"transaction {receipt.get('transactionHash')}", "its receipt is not a legacy one")
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
    return rlp.encode([status, gas, bytes.fromhex(receipt["logsBloom"][2:]), logs])


def key_of(transaction_index: int) -> bytes:
    """Return the key of a transaction's receipt in its block's trie."""
    return rlp.encode(rlp.encode_int(transaction_index))


def trie_of(receipts: Sequence[Mapping[str, Any]]) -> Trie:
    """Return the trie of a block's receipts, in order of their transactions."""
    return Trie({key_of(index): encode(receipt) for index, receipt in enumerate(receipts)})
