"""The port between Tongdui and a chain: submit signed transactions, have blocks made, know what is final.

Finality is the engine's policy and never the node's ``finalized`` tag (0 on Anvil, absent on GoQuorum).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.chain.reasons import is_retryable
from ledger.chain.rpc import RpcClient, RpcReason


@dataclass(frozen=True, slots=True)
class SubmitOutcome:
    """What the node said to one raw transaction. It says nothing about success: that is the receipt's to say."""

    tx_hash: bytes
    """32 bytes: Keccak-256 of the raw transaction, computed here."""
    reason: RpcReason | None
    """None: accepted into the pool. Else why not."""
    message: str = ""

    @property
    def in_pool(self) -> bool:
        """True if the node now holds the transaction: accepted, or already known."""
        return self.reason is None or self.reason is RpcReason.ALREADY_KNOWN

    @property
    def is_retryable(self) -> bool:
        """True if the same bytes may be accepted later."""
        return self.reason is not None and is_retryable(self.reason)


class Engine(Protocol):
    """A chain to write to and read from.

    Warning: a node shows blocks before they are final. Read state and logs at or below `final_height`, and take a
    receipt as an outcome only if its block is.
    """

    @property
    def is_own(self) -> bool:
        """Whether the node is ours alone, so that its answers need less proof than those of nodes that others run."""
        ...

    @property
    def troubles(self) -> tuple[str, ...]:
        """Which nodes are not asked at present, and why."""
        ...

    @property
    def rpc(self) -> RpcClient:
        """The client to read with. It may point at another address later (a node that died was replaced)."""
        ...

    @property
    def url(self) -> str:
        """The node's address now."""
        ...

    @property
    def chain_id(self) -> int:
        """The chain id, fixed for the life of the installation."""
        ...

    def submit(self, raw: Sequence[bytes]) -> list[SubmitOutcome]:
        """Submit signed raw transactions, in order; one outcome each.

        Raises `RpcError` if the node cannot be reached: then nothing is known, and submitting the same bytes again is
        harmless.
        """
        ...

    def produce(self) -> int:
        """Make blocks of what is pending, durable before it returns; the number of blocks made.

        A remote engine makes none: blocks are the network's business.
        """
        ...

    def final_height(self) -> int:
        """Return the number of the last block that can never be taken back."""
        ...

    def close(self) -> None:
        """Release the node, files and connections. Closing twice is harmless."""
        ...
