"""Where messages and the transactions that carry them stand: the columns ``state`` of the outbox's tables."""

from __future__ import annotations

from enum import StrEnum


class MessageState(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    SENT = "sent"
    """Part of a signed transaction, which is persisted and will be submitted until its outcome is known."""
    DONE = "done"
    """Landed in a final block. What it did is for the projections to say."""
    WAITING_FUNDING = "waiting_funding"
    """A mint that the programme's funding did not cover; `Outbox.requeue` sends it again."""
    FAILED = "failed"
    """It reverted, or can never be accepted, for ``reason``."""
    EXPIRED = "expired"
    """An order whose deadline passed before it was sent."""


class TransactionState(StrEnum):
    """Where a signed transaction stands."""

    SIGNED = "signed"
    """No node has answered yet."""
    PENDING = "pending"
    """A node has it."""
    MINED = "mined"
    """Landed in a final block."""
    REVERTED = "reverted"
    """Landed in a final block without effect."""
    REPLACED = "replaced"
    """It can never land: another transaction has its nonce, or no node will accept it."""


OPEN_STATES = (TransactionState.SIGNED, TransactionState.PENDING)
"""States of a transaction that has no outcome yet."""
