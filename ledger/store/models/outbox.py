"""What must reach the chain, persisted before anything is sent, and its outcome."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from ledger.standard.ids import OrderId, ProgrammeId
from ledger.store.base import (
    AddressBytes,
    Base,
    Big,
    Blob,
    Fen,
    Hash32,
    Serial,
    UnixTime,
    Word,
)


class OutboxMessageRow(Base):
    """One call (a mint, a void, …) or one signed order. ``dedupe_key`` makes enqueueing idempotent."""

    __tablename__ = "outbox_messages"

    message_id: Mapped[Serial]
    kind: Mapped[Word]
    dedupe_key: Mapped[str] = mapped_column(String(160), unique=True)
    is_order: Mapped[bool]
    target: Mapped[AddressBytes | None] = mapped_column(LargeBinary(20))
    """The contract of a call; NULL for an order: the sender knows the module that takes its kind."""
    payload: Mapped[Blob]
    """Calldata of a call; the packed order with its signature of an order."""
    gas: Mapped[Big]
    order_id: Mapped[OrderId | None] = mapped_column(LargeBinary(32), unique=True)
    deadline: Mapped[UnixTime | None]
    state: Mapped[Word]
    """``queued``, ``sent`` (part of a signed transaction), ``done``, ``waiting_funding``, ``failed``, ``expired``."""
    reason: Mapped[str | None] = mapped_column(String(512))
    transaction_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("outbox_transactions.transaction_id"))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    not_before: Mapped[UnixTime] = mapped_column(BigInteger, default=0)
    block_number: Mapped[Big | None]
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]

    __table_args__ = (
        Index("ix_outbox_messages_state", "state", "is_order", "message_id"),
        Index("ix_outbox_messages_transaction_id", "transaction_id"),
    )


class OutboxTransactionRow(Base):
    """One signed transaction. Its bytes are here before any node has seen them."""

    __tablename__ = "outbox_transactions"

    transaction_id: Mapped[Serial]
    relayer: Mapped[AddressBytes]
    nonce: Mapped[Big]
    kind: Mapped[Word]
    hash: Mapped[Hash32] = mapped_column(LargeBinary(32), unique=True)
    raw: Mapped[Blob]
    gas: Mapped[Big]
    state: Mapped[Word]
    """See `TransactionState` in ledger.outbox.states."""
    reason: Mapped[str | None] = mapped_column(String(512))
    message_count: Mapped[int] = mapped_column(Integer)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    sent_at: Mapped[UnixTime]
    """When it was last handed to a node; 0 for never."""
    block_number: Mapped[Big | None]
    created_at: Mapped[UnixTime]

    __table_args__ = (
        Index("ix_outbox_transactions_state", "state", "relayer", "nonce"),
        Index("ix_outbox_transactions_relayer_nonce", "relayer", "nonce"),
    )


class RelayerRow(Base):
    """A sending key of this gateway and its own nonce; a lease lets several gateways share the table."""

    __tablename__ = "relayers"

    address: Mapped[AddressBytes] = mapped_column(LargeBinary(20), primary_key=True)
    next_nonce: Mapped[Big]
    lease_owner: Mapped[Word | None]
    leased_until: Mapped[UnixTime | None]


class OrderNonceRow(Base):
    """A nonce allotted to an order of a holder in the word of one (programme, year)."""

    __tablename__ = "order_nonces"

    holder: Mapped[AddressBytes] = mapped_column(LargeBinary(20), primary_key=True)
    word: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    nonce: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    order_id: Mapped[OrderId]
    deadline: Mapped[UnixTime]
    state: Mapped[Word]
    """``open`` or ``spent``; the row of an order that can no longer land is deleted, and its nonce is free again."""
    lots: Mapped[bytes] = mapped_column(LargeBinary)
    """(token id 8 | amount 8)*: what the order would spend, not to be promised twice while it is open."""

    __table_args__ = (UniqueConstraint("order_id"),)


class ExchangeOrderRow(Base):
    """An exchange order that was placed here, for its holder's list; its bytes and outcome are the outbox's."""

    __tablename__ = "exchange_orders"

    sequence: Mapped[Serial]
    """The cursor of lists."""
    order_id: Mapped[OrderId] = mapped_column(LargeBinary(32), unique=True)
    holder: Mapped[AddressBytes] = mapped_column(LargeBinary(20))
    created_at: Mapped[UnixTime]

    __table_args__ = (Index("ix_exchange_orders_holder", "holder", "sequence"),)


class AppropriationRow(Base):
    """An appropriation that the finance bureau has ordered to be recorded; the chain says whether it was."""

    __tablename__ = "appropriations"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    document_hash: Mapped[Hash32] = mapped_column(LargeBinary(32), primary_key=True)
    document: Mapped[str] = mapped_column(String(200))
    """Its title, as it is hashed."""
    fiscal_year: Mapped[int] = mapped_column(Integer)
    amount_fen: Mapped[Fen]
    subject: Mapped[str] = mapped_column(String(320))
    """Who ordered it."""
    created_at: Mapped[UnixTime]


class FinanceActRow(Base):
    """A call of finance bureau or registrar to the clearing book, announced first: see `ledger.clearing.office`."""

    __tablename__ = "finance_acts"

    act_key: Mapped[str] = mapped_column(String(140), primary_key=True)
    office: Mapped[Word] = mapped_column(server_default="finance")
    """Whose act it is: ``finance`` or ``registrar``."""
    function: Mapped[Word]
    calldata: Mapped[Blob]
    gas: Mapped[Big]
    state: Mapped[Word] = mapped_column(index=True)
    """``ledger.clearing.office.ActState``."""
    reason: Mapped[str | None] = mapped_column(String(512))
    ready_at: Mapped[UnixTime | None]
    subject: Mapped[str] = mapped_column(String(320))
    """Who ordered it."""
    confirmed_by: Mapped[str | None] = mapped_column(String(320))
    """The second person, where the act needs one."""
    created_at: Mapped[UnixTime]
