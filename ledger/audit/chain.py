"""Reads a chain for the auditor: headers whose hashes it recomputes, and all that their roots vouch for.

Of every block both the transactions' and the receipts' root are rebuilt, so that neither bytes nor logs can be left
out or changed. Some blocks are read ahead, and none is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ledger.audit.report import Contradicted
from ledger.chain.rpc import Call, RpcClient, RpcError, RpcReason
from ledger.proofs import receipts, seals, transactions
from ledger.proofs.errors import ProofError
from ledger.proofs.headers import Header
from ledger.proofs.trie import EMPTY_ROOT

BATCH_CALLS = 100
"""Calls in one request: what the embedded engine's window takes."""

_WINDOW_BLOCKS = 50
_WINDOW_TRANSACTIONS = 100
"""Transactions whose receipts are asked for in one request."""
_AHEAD = 3
_WORKERS = 4

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total) as the audit goes on."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block whose hash and roots were recomputed; transactions and receipts as the node gave them."""

    header: Header
    hash: bytes
    transactions: Sequence[Mapping[str, Any]]
    receipts: Sequence[Mapping[str, Any]]


def read_many(rpc: RpcClient, calls: Sequence[Call]) -> list[Any]:
    """Return the results of many reads in their order, some requests at a time. Raises RpcError."""
    parts = [calls[at : at + BATCH_CALLS] for at in range(0, len(calls), BATCH_CALLS)]
    if len(parts) <= 1:
        return rpc.batch(calls) if calls else []
    with ThreadPoolExecutor(_WORKERS) as pool:
        return [result for part in pool.map(rpc.batch, parts) for result in part]


def read_chain(rpc: RpcClient, first: int, last: int) -> Iterator[Block]:
    """Yield blocks ``first`` to ``last``, each linked to the one before. Raises Contradicted or RpcError."""
    starts = iter(range(first, last + 1, _WINDOW_BLOCKS))
    waiting: deque[tuple[int, Future[list[tuple[Any, list[Any]]]]]] = deque()
    parent: bytes | None = None
    with ThreadPoolExecutor(_AHEAD) as pool:
        while True:
            while len(waiting) < _AHEAD and (start := next(starts, None)) is not None:
                end = min(start + _WINDOW_BLOCKS - 1, last)
                waiting.append((start, pool.submit(_read_window, rpc, start, end)))
            if not waiting:
                return
            start, window = waiting.popleft()
            for number, (answer, given) in enumerate(window.result(), start):
                block = _checked(answer, given, number, parent)
                parent = block.hash
                yield block


def read_head(rpc: RpcClient, number: int) -> bytes:
    """Return the recomputed hash of a block as the node gives it now. Raises Contradicted or RpcError."""
    return _header(rpc.call("eth_getBlockByNumber", [hex(number), False]), number, None)[1]


def _read_window(rpc: RpcClient, first: int, last: int) -> list[tuple[Any, list[Any]]]:
    blocks = rpc.batch([("eth_getBlockByNumber", [hex(number), True]) for number in range(first, last + 1)])
    full = [block for block in blocks if block is not None and block.get("transactions")]
    given: dict[str, list[Any]] = {}
    part: list[Any] = []
    for block in full:
        part.append(block)
        if sum(len(one["transactions"]) for one in part) >= _WINDOW_TRANSACTIONS:
            given |= _read_receipts(rpc, part)
            part = []
    given |= _read_receipts(rpc, part)
    return [(block, given.get(block["number"], []) if block is not None else []) for block in blocks]


def _read_receipts(rpc: RpcClient, blocks: Sequence[Any]) -> dict[str, list[Any]]:
    numbers = [block["number"] for block in blocks]
    if not numbers:
        return {}
    try:
        found = rpc.batch([("eth_getBlockReceipts", [number]) for number in numbers])
    except RpcError as error:
        if error.reason not in (RpcReason.METHOD_NOT_FOUND, RpcReason.NOT_PERMITTED):
            raise
        hashes = [(block["number"], transaction["hash"]) for block in blocks for transaction in block["transactions"]]
        answers = rpc.batch([("eth_getTransactionReceipt", [digest]) for _, digest in hashes], chunk=BATCH_CALLS)
        listed: dict[str, list[Any]] = {number: [] for number in numbers}
        for (number, _), answer in zip(hashes, answers, strict=True):
            listed[number].append(answer)
        return listed
    return {number: list(answer or []) for number, answer in zip(numbers, found, strict=True)}


def _header(answer: Any, number: int, parent: bytes | None) -> tuple[Header, bytes]:
    where = f"block {number}"
    if answer is None:
        raise Contradicted("block", where, "a block", "none")
    try:
        header, block_hash = seals.checked_header(answer)
    except ProofError as error:
        raise Contradicted("block hash", where, answer.get("hash"), error) from error
    if header.number != number:
        raise Contradicted("block number", where, number, header.number)
    if parent is not None and header.parent_hash != parent:
        raise Contradicted("header linkage", where, "0x" + parent.hex(), "0x" + header.parent_hash.hex())
    return header, block_hash


def _checked(answer: Any, given: list[Any], number: int, parent: bytes | None) -> Block:
    """The block whose header, transactions and receipts these are."""
    header, block_hash = _header(answer, number, parent)
    listed = answer["transactions"]
    _check_root(f"transactions of block {number}", number, header.transactions_root, listed, transactions.trie_of)
    if len(given) != len(listed) or None in given:
        what = f"receipts of block {number}"
        raise Contradicted(what, f"block {number}", "one a transaction", f"{len(given)} for {len(listed)}")
    given = sorted(given, key=lambda receipt: int(receipt["transactionIndex"], 16))
    _check_root(f"receipts of block {number}", number, header.receipts_root, given, receipts.trie_of)
    return Block(header, block_hash, listed, given)


def _check_root(what: str, number: int, root: bytes, items: Sequence[Any], trie_of: Callable[[Any], Any]) -> None:
    where = f"block {number}"
    try:
        found = trie_of(items).root if items else EMPTY_ROOT
    except (ProofError, KeyError, TypeError, ValueError) as error:
        raise Contradicted(what, where, "what its root vouches for", error) from error
    if found != root:
        raise Contradicted(what, where, "0x" + root.hex(), "0x" + found.hex())
