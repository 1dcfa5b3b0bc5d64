"""What waits in the node's pool, and how it gets there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.chain.engine import SubmitOutcome
from ledger.chain.rpc import RpcClient, RpcError
from ledger.errors import TongduiError

ORDERED_BATCH = 32
"""Calls of a batch that Anvil surely runs in their order; see `engine`."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction in the node's pool."""

    tx_hash: bytes
    raw: bytes
    gas: int


class LeftOut(TongduiError):
    """The node tried transactions for a block and left them out of it."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} transactions were left out of a block")


def fitting(transactions: Sequence[Waiting], gas: int) -> list[Waiting]:
    """Return as many transactions from the beginning as ``gas`` is enough for."""
    total = 0
    for index, transaction in enumerate(transactions):
        total += transaction.gas
        if total > gas:
            return list(transactions[:index])
    return list(transactions)


def send(client: RpcClient, raws: Sequence[bytes], batch: int = ORDERED_BATCH) -> list[Any]:
    """Send transactions in their order; return the node's answer, or its RpcError, for each."""
    calls = [("eth_sendRawTransaction", ["0x" + raw.hex()]) for raw in raws]
    return client.batch_outcomes(calls, chunk=batch)


def outcome_of(tx_hash: bytes, answer: Any) -> SubmitOutcome:
    """Return what an answer of `send` means for the transaction."""
    if isinstance(answer, RpcError):
        return SubmitOutcome(tx_hash, answer.reason, answer.node_message)
    return SubmitOutcome(tx_hash, None)


def hash_of(text: str) -> bytes:
    """Return the bytes of a hash that the node wrote with 0x."""
    return bytes.fromhex(text[2:])
