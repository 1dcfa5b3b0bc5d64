"""Whether a node's answer to a query for logs is all of it: a node that lags answers with a part, or with nothing.

Three things tell. Logs are numbered through a block, so one that is missing in the middle leaves a hole. A block's
header has a Bloom filter over the addresses and topics of its logs (Yellow Paper, 4.3.1): a contract of ours that is in
it and has no log was left out; and in blocks with few logs the filter of what came must be the header's own, or
something is missing. Where other contracts speak in our blocks these are doubts and no proofs: the receipts decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.indexer.decode import Contracts, Header
from ledger.indexer.errors import InconsistentAnswer
from ledger.indexer.logs import Log
from ledger.standard.keccak import keccak256

_COMPARED_MAX = 600
"""Logs up to which a block's filter is made anew: above, it is full of ones and costs more than it tells."""
_BITS = 2_048


def require_all(rpc: RpcClient, contracts: Contracts, headers: Sequence[Header], logs: Sequence[Log]) -> None:
    """Raise InconsistentAnswer if logs of our contracts are missing from what a node gave for these blocks."""
    by_block: dict[str, list[Log]] = {}
    for log in logs:
        number = log.get("blockNumber")
        if not isinstance(number, str):
            raise InconsistentAnswer(headers[0].number, "a log is no log")
        by_block.setdefault(number, []).append(log)
    for header in headers:
        found = by_block.pop(hex(header.number), [])
        if not is_beyond_doubt(contracts, header, found):
            _ask_receipts(rpc, contracts, header, found)
    if by_block:
        raise InconsistentAnswer(headers[0].number, f"a log is of block {next(iter(by_block))}, which nobody asked for")


def is_beyond_doubt(contracts: Contracts, header: Header, logs: Sequence[Log]) -> bool:
    """Return whether these are certainly all logs of a block. Pure."""
    if header.bloom == 0:
        return not logs
    if not logs:
        return not any(_is_in(header.bloom, address) for address in contracts.names)
    try:
        if int(logs[-1]["logIndex"], 16) + 1 != len(logs):
            return False
        if len(logs) > _COMPARED_MAX:
            return True
        bloom = 0
        for item in {item for log in logs for item in (log["address"], *log["topics"])}:
            bloom |= bloom_bits(item)
    except (KeyError, TypeError, ValueError):
        return False
    return bloom == header.bloom


def speaks_of(contracts: Contracts, header: Header) -> bool:
    """Return whether a block's filter may have a contract of ours. Pure."""
    return header.bloom != 0 and any(_is_in(header.bloom, address) for address in contracts.names)


@lru_cache(maxsize=100_000)
def bloom_bits(item: str) -> int:
    """Return the three bits of an address or topic (hexadecimal) in a Bloom filter, as a number of 2,048 bits."""
    digest = keccak256(bytes.fromhex(item[2:]))
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") % _BITS)
    return bits


def _is_in(bloom: int, item: str) -> bool:
    bits = bloom_bits(item)
    return bloom & bits == bits


def _ask_receipts(rpc: RpcClient, contracts: Contracts, header: Header, logs: Sequence[Log]) -> None:
    """Compare with the logs in the block's receipts; where a node has no such method, with a second answer."""
    try:
        receipts = rpc.call("eth_getBlockReceipts", [hex(header.number)])
        whole = [log for receipt in receipts for log in receipt["logs"]]
    except RpcError as error:
        if error.reason is not RpcReason.METHOD_NOT_FOUND:
            raise
        question = {"fromBlock": hex(header.number), "toBlock": hex(header.number), "address": list(contracts.names)}
        whole = rpc.call("eth_getLogs", [question])
    except (KeyError, TypeError) as error:
        raise InconsistentAnswer(header.number, "the node does not show its receipts") from error
    ours = {address.lower() for address in contracts.names}
    try:
        expected = [(log["logIndex"], log["transactionHash"]) for log in whole if log["address"].lower() in ours]
        given = [(log["logIndex"], log["transactionHash"]) for log in logs]
    except (KeyError, TypeError, AttributeError) as error:
        raise InconsistentAnswer(header.number, "a log is no log") from error
    if given != expected:
        raise InconsistentAnswer(header.number, f"it has {len(expected)} logs of ours, the node gave {len(given)}")
