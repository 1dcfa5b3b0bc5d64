"""Rows of the outbox as the sender writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, update
from sqlalchemy.orm import Session

from ledger.outbox import decide
from ledger.outbox.decide import Receipt, Verdict
from ledger.outbox.leases import CLOCKS_APART_S
from ledger.outbox.states import MessageState
from ledger.standard.ids import AccountBytes
from ledger.store.database import bulk_insert, bulk_insert_new, fetch_by_keys
from ledger.store.models.outbox import OutboxMessageRow, OutboxTransactionRow

AHEAD_S = max(decide.PAUSE_RETRY_S, decide.CEILING_RETRY_S) + CLOCKS_APART_S
"""A pause that ends later than this was written under a clock that was set ahead, and does not count."""

_TRANSACTIONS = cast(Table, OutboxTransactionRow.__table__)


class NewTransaction(NamedTuple):
    """A signed transaction that nobody has sent yet, in the columns of its table."""

    relayer: AccountBytes
    nonce: int
    kind: str
    hash: bytes
    raw: bytes
    gas: int
    state: str
    message_count: int
    attempts: int
    sent_at: int
    created_at: int


class OpenTransaction(NamedTuple):
    """A transaction without an outcome, as SQL has it."""

    transaction_id: int
    relayer: AccountBytes
    nonce: int
    hash: bytes
    gas: int
    kind: str


def insert_transactions(session: Session, rows: Sequence[NewTransaction]) -> dict[bytes, int]:
    """Store transactions; return their ids by hash."""
    bulk_insert(session, _TRANSACTIONS, list(NewTransaction._fields), list(rows))
    found = fetch_by_keys(session, _TRANSACTIONS, ["hash", "transaction_id"], "hash", [row.hash for row in rows])
    return {bytes(digest): number for digest, number in found}


def insert_new_transactions(session: Session, rows: Sequence[NewTransaction]) -> None:
    """Store those transactions that are not there yet."""
    bulk_insert_new(session, _TRANSACTIONS, list(NewTransaction._fields), list(rows))


def is_message_due(now: int) -> ColumnElement[bool]:
    """Return the condition that a message may be sent at Unix time ``now``."""
    return (OutboxMessageRow.not_before <= now) | (OutboxMessageRow.not_before > now + AHEAD_S)


def set_messages(session: Session, ids: Sequence[int], now: int, **values: Any) -> None:
    """Change messages by id."""
    for start in range(0, len(ids), 10_000):
        session.execute(
            update(OutboxMessageRow)
            .where(OutboxMessageRow.message_id.in_(ids[start : start + 10_000]))
            .values(updated_at=now, **values)
            .execution_options(synchronize_session=False)
        )


def set_transactions(session: Session, ids: Sequence[int], **values: Any) -> None:
    """Change transactions by id."""
    if ids:
        session.execute(
            update(OutboxTransactionRow)
            .where(OutboxTransactionRow.transaction_id.in_(ids))
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def apply_verdict(
    message: OutboxMessageRow, verdict: Verdict, attempts: int, receipt: Receipt | None, now: int
) -> None:
    """Write down what is to become of a message whose transaction reverted."""
    message.state = verdict.state
    message.reason = verdict.reason[:512]
    message.not_before = verdict.not_before
    message.attempts = attempts
    message.updated_at = now
    message.block_number = (
        receipt.block_number if receipt is not None and verdict.state is not MessageState.QUEUED else None
    )
    if verdict.gas is not None and not message.is_order:
        message.gas = verdict.gas
