"""Reads a chain for the auditor: headers whose hashes it recomputes, and logs that the headers' roots vouch for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ledger.audit.report import Contradicted
from ledger.chain.rpc import Call, RpcClient, RpcError, RpcReason
from ledger.proofs import receipts, seals
from ledger.proofs.errors import ProofError
from ledger.proofs.events import RawLog, raw_log
from ledger.proofs.headers import Header
from ledger.proofs.trie import EMPTY_ROOT
from ledger.standard.keccak import keccak256

BATCH_CALLS = 100
"""Calls in one request: what the embedded engine's window takes."""

PAGE_BLOCKS = 2_000
"""Blocks whose logs are asked for at once; Besu stops at 5,000."""

_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Block:
    """A block whose hash was recomputed."""

    header: Header
    hash: bytes
    transactions: tuple[str, ...]


def read_many(rpc: RpcClient, calls: Sequence[Call]) -> list[Any]:
    """Return the results of many reads in their order, some requests at a time. Raises RpcError."""
    parts = [calls[at : at + BATCH_CALLS] for at in range(0, len(calls), BATCH_CALLS)]
    if len(parts) <= 1:
        return rpc.batch(calls) if calls else []
    with ThreadPoolExecutor(_WORKERS) as pool:
        return [result for part in pool.map(rpc.batch, parts) for result in part]


def read_blocks(rpc: RpcClient, first: int, last: int, parent: bytes | None) -> list[Block]:
    """Return blocks ``first`` to ``last``, each linked to the one before and hashing to what the node says.

    ``parent`` is the hash of block first - 1, None if it is not checked. Raises Contradicted or RpcError.
    """
    answers = read_many(rpc, [("eth_getBlockByNumber", [hex(number), False]) for number in range(first, last + 1)])
    blocks: list[Block] = []
    for number, answer in zip(range(first, last + 1), answers, strict=True):
        if answer is None:
            raise Contradicted("block", f"block {number}", "a block", "none")
        try:
            header, block_hash = seals.checked_header(answer)
        except ProofError as error:
            raise Contradicted("block hash", f"block {number}", answer.get("hash"), error) from error
        if header.number != number:
            raise Contradicted("block number", f"block {number}", number, header.number)
        if parent is not None and header.parent_hash != parent:
            raise Contradicted(
                "header linkage", f"block {number}", "0x" + parent.hex(), "0x" + header.parent_hash.hex()
            )
        parent = block_hash
        blocks.append(Block(header, block_hash, tuple(answer["transactions"])))
    return blocks


def read_logs(rpc: RpcClient, addresses: Sequence[bytes], first: int, last: int) -> list[RawLog]:
    """Return the logs of ``addresses`` in a range of blocks; asks for less at once where a node finds it too much."""
    names = ["0x" + address.hex() for address in addresses]
    try:
        found = rpc.call("eth_getLogs", [{"fromBlock": hex(first), "toBlock": hex(last), "address": names}])
    except RpcError as error:
        if error.reason not in (RpcReason.RANGE_TOO_LARGE, RpcReason.TIMEOUT, RpcReason.RATE_LIMITED) or first == last:
            raise
        middle = (first + last) // 2
        return read_logs(rpc, addresses, first, middle) + read_logs(rpc, addresses, middle + 1, last)
    logs = [raw_log(log) for log in found]
    logs.sort(key=lambda log: (log.block, log.index))
    return logs


def check_logs_complete(rpc: RpcClient, addresses: Sequence[bytes], blocks: Sequence[Block], logs: list[RawLog]) -> int:
    """Hold the logs that eth_getLogs gave against the receipts under each header's root; return the blocks checked.

    A block whose bloom filter excludes all our addresses cannot have such a log, so its receipts are not read.
    Raises Contradicted for a log that is missing, added or changed.
    """
    by_block: dict[int, list[RawLog]] = {}
    for log in logs:
        by_block.setdefault(log.block, []).append(log)
    places = [_bloom_bits(address) for address in addresses]
    checked = 0
    for block in blocks:
        number = block.header.number
        given = by_block.pop(number, [])
        bloom = int.from_bytes(block.header.fields[6], "big")
        if not given and (block.header.receipts_root == EMPTY_ROOT or not any(bloom & bits == bits for bits in places)):
            continue
        checked += 1
        proven = _proven_logs(rpc, set(addresses), block)
        if proven != given:
            what = f"logs of block {number}"
            raise Contradicted(
                what, f"block {number}", f"{len(proven)} under its receipts root", _unlike(given, proven)
            )
    if by_block:
        raise Contradicted("logs", f"block {min(by_block)}", "a block that was asked for", "another")
    return checked


def pages(first: int, last: int, size: int = PAGE_BLOCKS) -> Iterator[tuple[int, int]]:
    """Split a range of blocks."""
    for start in range(first, last + 1, size):
        yield start, min(start + size - 1, last)


Progress = Callable[[str, int, int], None]
"""Told (stage, done, total) as the audit goes on."""


def _proven_logs(rpc: RpcClient, addresses: set[bytes], block: Block) -> list[RawLog]:
    number = block.header.number
    try:
        answers = receipts.read(rpc, number, block.transactions)
    except ProofError as error:
        raise Contradicted(f"receipts of block {number}", f"block {number}", "one a transaction", error) from error
    root = receipts.trie_of(answers).root
    if root != block.header.receipts_root:
        what = f"receipts of block {number}"
        raise Contradicted(what, f"block {number}", "0x" + block.header.receipts_root.hex(), "0x" + root.hex())
    found: list[RawLog] = []
    index = 0
    for transaction, answer in enumerate(answers):
        for log in answer["logs"]:
            address = bytes.fromhex(log["address"][2:])
            if address in addresses:
                topics = tuple([bytes.fromhex(topic[2:]) for topic in log["topics"]])
                found.append(RawLog(address, topics, bytes.fromhex(log["data"][2:]), number, transaction, index))
            index += 1
    return found


def _unlike(given: list[RawLog], proven: list[RawLog]) -> str:
    different = next((log for log, other in zip(given, proven, strict=False) if log != other), None)
    return f"{len(given)} from the node" + (f", different at {different.where}" if different else "")


def _bloom_bits(address: bytes) -> int:
    """The three bits of an address in a header's bloom filter (yellow paper 4.3.1)."""
    digest = keccak256(address)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return bits
