"""The block that a receipt stands on, as a node gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.chain.rpc import RpcClient
from ledger.proofs import seals
from ledger.proofs.document import to_hex
from ledger.proofs.errors import UnprovableLog
from ledger.proofs.headers import Header
from ledger.proofs.seals import Consensus

CLIQUE_FOLLOWING_MAX = 64
"""Headers after a Clique block that a receipt carries at most."""


def read_block(rpc: RpcClient, number: int) -> tuple[Header, Mapping[str, Any]]:
    """Return (header, whose hash was recomputed; the node's answer). Raises UnprovableLog, BadHeader or RpcError."""
    block = rpc.call("eth_getBlockByNumber", [hex(number), False])
    if block is None:
        raise UnprovableLog(f"block {number}", "the chain has none")
    header, _ = seals.checked_header(block)
    return header, block


def following(rpc: RpcClient, header: Header) -> list[str]:
    """Return the headers after a Clique block: they are all the confirmation there is. Others need none."""
    if seals.consensus_of(header) is not Consensus.CLIQUE:
        return []
    latest = min(int(rpc.call("eth_blockNumber"), 16), header.number + CLIQUE_FOLLOWING_MAX)
    return [to_hex(read_block(rpc, number)[0].encode()) for number in range(header.number + 1, latest + 1)]
