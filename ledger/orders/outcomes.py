"""What the chain has said of orders, or our own outbox while it has said nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from ledger.indexer.tables import table_of
from ledger.standard.contract import rejection_word
from ledger.standard.ids import OrderId
from ledger.store.database import fetch_by_keys
from ledger.store.models.projection import OrderOutcomeRow


class OrderState(StrEnum):
    """Where an order stands."""

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """The chain refused it; ``code`` says why."""
    EXPIRED = "expired"
    """Its deadline passed before it was sent."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """What is known of an order. Amounts in minor units; None where the chain has not said, or says nothing."""

    order_id: OrderId
    state: OrderState
    code: int | None = None
    reason: str | None = None
    fen: int | None = None
    amount_out_minor: int | None = None
    block_number: int | None = None
    block_timestamp: int | None = None
    transaction_hash: bytes | None = None
    log_index: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in (OrderState.QUEUED, OrderState.SENT)


def read_outcomes(session: Session, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderStatus]:
    """Return the chain's word on orders: success if it was ever said, else the last rejection."""
    columns = ["order_id", "code", "fen", "amount_out", "block_number", "block_timestamp", "transaction_hash"]
    rows = fetch_by_keys(
        session, table_of(OrderOutcomeRow), [*columns, "log_index", "kind"], "order_id", list(order_ids)
    )
    found: dict[OrderId, OrderStatus] = {}
    for order_id, code, fen, amount_out, block, time, transaction, log_index, kind in sorted(
        rows, key=lambda row: (row[4], row[7])
    ):
        key = OrderId(bytes(order_id))
        if kind in ("capture", "release", "refund"):
            continue  # what happens to a hold or a payment later is not the outcome of placing it
        if code and key in found and found[key].state is OrderState.ACCEPTED:
            continue
        found[key] = OrderStatus(
            order_id=key,
            state=OrderState.REJECTED if code else OrderState.ACCEPTED,
            code=code or None,
            reason=rejection_word(code) if code else None,
            fen=fen,
            amount_out_minor=amount_out,
            block_number=block,
            block_timestamp=time,
            transaction_hash=bytes(transaction),
            log_index=log_index,
        )
    return found
