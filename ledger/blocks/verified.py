"""A block's transactions and receipts, believed only if they give the roots in the header that the block's hash covers.

One answer of a node proves nothing, and a second from the same index at the same moment is the first once more. A
header's hash does prove something: it is computed here, and with it stand the transactions, their outcomes and every
log of the block, none missing and none added. What is left to believe is that the block is in the chain, which its
parents' hashes, and other nodes, say.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.chain.answers import contradiction, hex_bytes, logs, member, quantity
from ledger.chain.rpc import RpcClient, RpcError
from ledger.proofs import receipts, rlp
from ledger.proofs.errors import ProofError
from ledger.proofs.headers import Header
from ledger.proofs.seals import checked_header
from ledger.proofs.trie import Trie
from ledger.standard.keccak import keccak256

Log = dict[str, Any]

_GET_BLOCK = "eth_getBlockByNumber"
_GET_RECEIPTS = "eth_getBlockReceipts"
_TRANSACTIONS_ROOT_AT = 4
_KEPT_LOGS_MAX = 60_000
"""Logs of past blocks that are kept for the next who asks: some tens of megabytes."""
_KEPT_BLOCKS_MAX = 256


@dataclass(frozen=True, slots=True)
class Ended:
    """How a transaction ended."""

    succeeded: bool
    gas_used: int


@dataclass(frozen=True, slots=True)
class VerifiedBlock:
    """What a block did."""

    number: int
    hash: bytes
    ended: Mapping[bytes, Ended]
    """By transaction hash."""
    logs: tuple[Log, ...]
    """All of its logs in order, addresses and topics in small letters."""


class VerifiedBlocks:
    """Reads blocks whole and checks them; remembers the last ones. Safe to share between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, VerifiedBlock] = OrderedDict()
        self._logs = 0
        self._lock = threading.Lock()

    def read(self, rpc: RpcClient, number: int, digest: bytes | None = None) -> VerifiedBlock:
        """Return a block by number, and by hash where that is known.

        Raises `RpcError` (malformed answer) where the node's answers do not give the header's roots.
        """
        if digest is not None and (known := self._known(digest)) is not None:
            return known
        block = rpc.call(_GET_BLOCK, [hex(number), True])
        header, found = header_of(block, number)
        if digest is not None and found != digest:
            raise contradiction(f"its block {number} is another than before", _GET_BLOCK)
        if (known := self._known(found)) is not None:
            return known
        made = _verified(rpc, number, found, header, member(block, "transactions", _GET_BLOCK))
        self._keep(made)
        return made

    def _known(self, digest: bytes) -> VerifiedBlock | None:
        with self._lock:
            return self._kept.get(digest)

    def _keep(self, block: VerifiedBlock) -> None:
        with self._lock:
            if block.hash not in self._kept:
                self._kept[block.hash] = block
                self._logs += len(block.logs)
            while len(self._kept) > 1 and (self._logs > _KEPT_LOGS_MAX or len(self._kept) > _KEPT_BLOCKS_MAX):
                _, oldest = self._kept.popitem(last=False)
                self._logs -= len(oldest.logs)


def header_of(block: Any, number: int) -> tuple[Header, bytes]:
    """Return (header, hash) of a node's block, the hash computed here. Raises `RpcError` (malformed answer)."""
    if not isinstance(block, dict):
        raise contradiction(f"it does not show block {number}", _GET_BLOCK)
    try:
        header, digest = checked_header(block)
    except (ProofError, ValueError, TypeError, AttributeError) as error:
        raise contradiction(f"block {number}: {error}", _GET_BLOCK) from error
    if header.number != number:
        raise contradiction(f"block {number} was asked for, and it shows {header.number}", _GET_BLOCK)
    return header, digest


def _verified(rpc: RpcClient, number: int, digest: bytes, header: Header, transactions: Any) -> VerifiedBlock:
    if not isinstance(transactions, list) or not all(isinstance(one, dict) for one in transactions):
        raise contradiction(f"block {number} has no list of transactions", _GET_BLOCK)
    hashes = _hashes(number, header.fields[_TRANSACTIONS_ROOT_AT], transactions)
    try:
        found = receipts.read(rpc, number, ["0x" + one.hex() for one in hashes])
        root = receipts.trie_of(found).root
    except RpcError:
        raise
    except (ProofError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise contradiction(f"the receipts of block {number}: {error!r}", _GET_RECEIPTS) from error
    if root != header.receipts_root:
        raise contradiction(f"the receipts of block {number} do not give the root in its header", _GET_RECEIPTS)
    ended: dict[bytes, Ended] = {}
    all_logs: list[Log] = []
    for index, (tx_hash, receipt) in enumerate(zip(hashes, found, strict=True)):
        gas = quantity(member(receipt, "gasUsed", _GET_RECEIPTS), _GET_RECEIPTS)
        ended[tx_hash] = Ended(quantity(receipt["status"], _GET_RECEIPTS) == 1, gas)
        for log in receipt["logs"]:
            # Where a log stands is computed, not believed: the root covers address, topics and data.
            all_logs.append(
                {
                    "address": log["address"].lower(),
                    "topics": [topic.lower() for topic in log["topics"]],
                    "data": log["data"].lower(),
                    "blockNumber": hex(number),
                    "blockHash": "0x" + digest.hex(),
                    "transactionHash": "0x" + tx_hash.hex(),
                    "transactionIndex": hex(index),
                    "logIndex": hex(len(all_logs)),
                }
            )
    return VerifiedBlock(number, digest, ended, tuple(logs(all_logs, _GET_RECEIPTS)))


def _hashes(number: int, root: bytes, transactions: Sequence[dict[str, Any]]) -> list[bytes]:
    """Return the transactions' hashes: computed, and their root checked, where all are of the kind we send (type 0).

    A block in which somebody else's stand keeps the node's word for which hash stands where.
    """
    if any(quantity(one.get("type") or "0x0", _GET_BLOCK) != 0 for one in transactions):
        return [hex_bytes(one.get("hash"), _GET_BLOCK, 32) for one in transactions]
    raw = [_encoded(one) for one in transactions]
    if Trie({receipts.key_of(index): one for index, one in enumerate(raw)}).root != root:
        raise contradiction(f"the transactions of block {number} do not give the root in its header", _GET_BLOCK)
    return [keccak256(one) for one in raw]


def _encoded(transaction: dict[str, Any]) -> bytes:
    """Return a transaction of type 0 as it was signed: RLP([nonce, price, gas, to, value, data, v, r, s])."""
    numbers = [
        rlp.encode_int(quantity(member(transaction, name, _GET_BLOCK), _GET_BLOCK))
        for name in ("nonce", "gasPrice", "gas", "value", "v", "r", "s")
    ]
    nonce, price, gas, value, v, r, s = numbers
    to = b"" if transaction.get("to") is None else hex_bytes(transaction["to"], _GET_BLOCK, 20)
    data = hex_bytes(member(transaction, "input", _GET_BLOCK), _GET_BLOCK)
    return rlp.encode([nonce, price, gas, to, value, data, v, r, s])
