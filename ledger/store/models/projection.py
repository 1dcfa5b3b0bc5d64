"""What the chain says, as tables: every row here can be dropped and rebuilt from final blocks."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from ledger.standard.ids import MerchantId, OrderId, ProgrammeId
from ledger.store.base import (
    AddressBytes,
    Base,
    Big,
    Fen,
    Hash32,
    PointsMinor,
    UnixTime,
    Word,
)


class ProjectionCursorRow(Base):
    """How far the projection has come; the only row has id 1."""

    __tablename__ = "projection_cursor"

    cursor_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    chain_id: Mapped[Big]
    deployment_salt: Mapped[Hash32]
    ledger: Mapped[AddressBytes]
    block_number: Mapped[Big]
    block_hash: Mapped[Hash32]
    block_timestamp: Mapped[UnixTime]
    maturity_s: Mapped[Big]
    """Seconds of a period of the clearing book, fixed at its deployment."""


class ProjectedBlockRow(Base):
    """A block that was read: its hash and its parent's, kept to find where a reorganised chain forks."""

    __tablename__ = "projected_blocks"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    block_hash: Mapped[Hash32]
    parent_hash: Mapped[Hash32]
    block_timestamp: Mapped[UnixTime]


class EntryRow(Base):
    """One side of one ERC-6909 transfer: the history of an account. Σ delta of a lot = its balance."""

    __tablename__ = "entries"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    side: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """0 what the receiver got, 1 what the sender gave."""
    account: Mapped[AddressBytes]
    token_id: Mapped[Big]
    delta_minor: Mapped[PointsMinor]
    kind: Mapped[Word]
    """``mint exchange_in exchange_out redeem hold capture release refund revoke collect sweep succession transfer
    burn``; ``collect`` is what was owed for a revocation."""
    reference: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """The order id, or for a mint or a revocation the batch (programme 4 bytes, number 8 bytes)."""
    transaction_hash: Mapped[Hash32]
    block_timestamp: Mapped[UnixTime]

    __table_args__ = (
        Index("ix_entries_account", "account", "block_number", "log_index"),
        {"sqlite_with_rowid": False},
    )


class BalanceRow(Base):
    """What an account holds of a lot (escrow not counted)."""

    __tablename__ = "balances"

    account: Mapped[AddressBytes] = mapped_column(LargeBinary(20), primary_key=True)
    token_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    amount_minor: Mapped[PointsMinor]

    __table_args__ = (
        CheckConstraint("amount_minor >= 0 AND amount_minor < 4611686018427387904", name="range"),
        {"sqlite_with_rowid": False},
    )


class SupplyRow(Base):
    """A lot's supply: minted less burned; what is escrowed is part of it."""

    __tablename__ = "supplies"

    token_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, index=True)
    supply_minor: Mapped[PointsMinor]
    escrowed_minor: Mapped[PointsMinor]

    __table_args__ = (CheckConstraint("supply_minor >= 0 AND escrowed_minor >= 0", name="range"),)


class FlowRow(Base):
    """Running totals of a programme by kind of movement: granted + in + refunded − out − redeemed − … = outstanding."""

    __tablename__ = "flows"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[Word] = mapped_column(primary_key=True)
    amount_minor: Mapped[PointsMinor]
    events: Mapped[Big]


class ChainProgrammeRow(Base):
    """A programme as the chain has it. ``par_microfen`` is micro-fen a point and never changes."""

    __tablename__ = "chain_programmes"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    par_microfen: Mapped[Big]
    flags: Mapped[int] = mapped_column(Integer)
    state: Mapped[int] = mapped_column(Integer)
    spend_scope: Mapped[Hash32]
    """Bits of the merchant scopes in which its points may be spent; all zero: anywhere."""
    rulebook_version: Mapped[Big]
    rulebook_hash: Mapped[Hash32 | None]
    appropriated_fen: Mapped[Fen]
    paid_fen: Mapped[Fen]
    spendable_until: Mapped[UnixTime] = mapped_column(server_default="0")
    """From when no lot of it can be spent; 0 until it starts closing."""
    frozen_until: Mapped[UnixTime] = mapped_column(default=0)
    """Until when nothing of it is minted, exchanged, redeemed, held, revoked or made void."""
    mint_ceiling_fen: Mapped[Fen] = mapped_column(default=0)
    """Most that it mints a day, as the council chose; 0: a tenth of what is appropriated."""
    revoke_ceiling_fen: Mapped[Fen] = mapped_column(default=0)
    """Most that it revokes a day, as the council chose; 0: a hundredth of what is appropriated."""
    due_fen: Mapped[Fen] = mapped_column(default=0)
    """What it has yet to pay of the cycle opened last, by that cycle's date."""
    due_older_fen: Mapped[Fen] = mapped_column(default=0)
    """What it has yet to pay of cycles before; their date has passed."""
    waived_until: Mapped[UnixTime] = mapped_column(default=0)
    """Until when the council waives the consequence of being overdue."""


class IssuerKeyRow(Base):
    """Who may sign a programme's batches, and from when; 0: no longer."""

    __tablename__ = "issuer_keys"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[AddressBytes] = mapped_column(LargeBinary(20), primary_key=True)
    active_from: Mapped[UnixTime]


class ChainMerchantRow(Base):
    """A merchant as the chain has it."""

    __tablename__ = "chain_merchants"

    merchant: Mapped[MerchantId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[AddressBytes]
    scope: Mapped[Hash32]


class ClaimRow(Base):
    """A merchant's claim by age as of a period, in fen: see `ledger.standard.claims`. Its sum is the position."""

    __tablename__ = "chain_claims"

    merchant: Mapped[MerchantId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    matured_fen: Mapped[Fen]
    younger_fen: Mapped[Fen]
    youngest_fen: Mapped[Fen]
    period: Mapped[Big]


class PositionRow(Base):
    """A participant's net position; Σ over all participants is 0."""

    __tablename__ = "positions"

    participant: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position_fen: Mapped[Fen]
    block_number: Mapped[Big]


class PositionChangeRow(Base):
    """Each change of a position, for statements and for undoing a reorganised block."""

    __tablename__ = "position_changes"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    participant: Mapped[Big]
    delta_fen: Mapped[Fen]
    position_fen: Mapped[Fen]
    block_timestamp: Mapped[UnixTime]
    cause: Mapped[Word | None]
    """Of a merchant's claim: ``earned``, ``refunded`` or ``paid_out``."""
    reference: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """The order that was refunded, or the payment's reference."""

    __table_args__ = (Index("ix_position_changes_participant", "participant", "block_number"),)


class FundingEventRow(Base):
    """Appropriations and payments of a programme: ``recorded``, ``lapsed``, ``reclaimed``, ``paid``."""

    __tablename__ = "funding_events"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, index=True)
    kind: Mapped[Word]
    fiscal_year: Mapped[int] = mapped_column(Integer)
    """0 for ``reclaimed`` and ``paid``."""
    amount_fen: Mapped[Fen]
    total_fen: Mapped[Fen]
    """What is available afterwards; for ``paid``, all that the programme ever paid."""
    document_hash: Mapped[Hash32 | None]
    payment_reference: Mapped[Hash32 | None]
    block_timestamp: Mapped[UnixTime]


class PayoutRow(Base):
    """A payout to a merchant from the treasury account."""

    __tablename__ = "payouts"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    merchant: Mapped[MerchantId] = mapped_column(BigInteger, index=True)
    amount_fen: Mapped[Fen]
    payment_reference: Mapped[Hash32]
    transaction_hash: Mapped[Hash32]
    block_timestamp: Mapped[UnixTime]


class CycleRow(Base):
    """A clearing cycle: what is due in all, and by when."""

    __tablename__ = "chain_cycles"

    cycle: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    total_fen: Mapped[Fen]
    due_by: Mapped[UnixTime]
    block_number: Mapped[Big]
    block_timestamp: Mapped[UnixTime]


class DueRow(Base):
    """What a programme had to pay when a cycle was opened; `ChainProgrammeRow` has what is left of it."""

    __tablename__ = "chain_dues"

    cycle: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    fen: Mapped[Fen]
    older_fen: Mapped[Fen]
    block_number: Mapped[Big]
    log_index: Mapped[int] = mapped_column(Integer)


class OrderLockRow(Base):
    """Value of a merchant locked for a disputed order (above 0), or freed again (below 0)."""

    __tablename__ = "order_locks"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    order_id: Mapped[OrderId] = mapped_column(LargeBinary(32), index=True)
    merchant: Mapped[MerchantId] = mapped_column(BigInteger, index=True)
    delta_fen: Mapped[Fen]
    until: Mapped[UnixTime | None]
    """When it lapses to the merchant, where it was locked."""
    complaint_hash: Mapped[Hash32 | None]
    block_timestamp: Mapped[UnixTime]


class BatchRow(Base):
    """A batch that landed, or whose number was voided."""

    __tablename__ = "chain_batches"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Of 64 bits; 2^63 and more are kept less 2^64: see `ledger.indexer.decode.stored_number`."""
    state: Mapped[Word]
    """``landed`` or ``void``."""
    quarter: Mapped[int | None] = mapped_column(Integer)
    evidence_root: Mapped[Hash32 | None]
    grants: Mapped[int] = mapped_column(Integer)
    amount_minor: Mapped[PointsMinor]
    signer: Mapped[AddressBytes | None]
    word: Mapped[Hash32 | None]
    """What the ledger stores of it: the struct hash of what was signed."""
    transaction_hash: Mapped[Hash32]
    block_number: Mapped[Big] = mapped_column(BigInteger, index=True)
    block_timestamp: Mapped[UnixTime]


class OrderOutcomeRow(Base):
    """What the chain said of an order, in its own words. ``code`` 0 is success, else the rejection code."""

    __tablename__ = "order_outcomes"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    order_id: Mapped[OrderId] = mapped_column(LargeBinary(32), index=True)
    kind: Mapped[Word]
    """``exchange redeem hold capture release refund`` or ``rejected``."""
    code: Mapped[int] = mapped_column(Integer)
    holder: Mapped[AddressBytes | None]
    """Who signed; of a release or refund, who received; None for a capture."""
    merchant: Mapped[MerchantId | None]
    from_id: Mapped[Big | None]
    amount_in: Mapped[PointsMinor | None]
    to_id: Mapped[Big | None]
    amount_out: Mapped[PointsMinor | None]
    fen: Mapped[Fen | None]
    kept_lots: Mapped[int | None] = mapped_column(Integer)
    kept_last_minor: Mapped[PointsMinor | None]
    """With ``kept_lots`` the prefix of its lots that a payment keeps, or keeps after a refund."""
    is_by_arbiter: Mapped[bool] = mapped_column(default=False)
    """Of a refund: whether the consumer arbiter signed it in the merchant's place."""
    transaction_hash: Mapped[Hash32]
    block_timestamp: Mapped[UnixTime]


class RevocationRow(Base):
    """Part of a grant taken back: what was burned, and what the account owes besides."""

    __tablename__ = "revocations"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    programme: Mapped[ProgrammeId]
    number: Mapped[Big]
    grant_index: Mapped[int] = mapped_column(Integer)
    token_id: Mapped[Big]
    account: Mapped[AddressBytes] = mapped_column(LargeBinary(20), index=True)
    """Whose points: the account granted to, or the end of its line of successors."""
    revoked_total_minor: Mapped[PointsMinor]
    """All that is revoked of the grant, this time included."""
    taken_minor: Mapped[PointsMinor]
    owed_minor: Mapped[PointsMinor]
    reason: Mapped[int] = mapped_column(Integer)
    transaction_hash: Mapped[Hash32]
    block_timestamp: Mapped[UnixTime]

    __table_args__ = (Index("ix_revocations_batch", "programme", "number"),)


class CollectionRow(Base):
    """Something that was owed for revocations and was burned later. Σ owed - Σ collected is owed still."""

    __tablename__ = "collections"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    debtor: Mapped[AddressBytes] = mapped_column(LargeBinary(20), index=True)
    token_id: Mapped[Big]
    account: Mapped[AddressBytes]
    """Whose points were burned: the debtor's, or its successor's."""
    amount_minor: Mapped[PointsMinor]
    block_timestamp: Mapped[UnixTime]


class ChainHoldRow(Base):
    """A hold: what is in escrow for a merchant, and how it ended."""

    __tablename__ = "chain_holds"

    order_id: Mapped[OrderId] = mapped_column(LargeBinary(32), primary_key=True)
    holder: Mapped[AddressBytes]
    merchant: Mapped[MerchantId | None]
    lots: Mapped[bytes] = mapped_column(LargeBinary)
    """(token id 8 | amount 8)*, in the signed order."""
    capture_by: Mapped[UnixTime | None]
    is_cancellable: Mapped[bool]
    state: Mapped[Word]
    """``open``, ``captured`` or ``released``."""
    kept_lots: Mapped[int] = mapped_column(Integer)
    last_amount_minor: Mapped[PointsMinor]
    opened_block: Mapped[Big]
    closed_block: Mapped[Big | None]


class SuccessorRow(Base):
    """An account that gave way to another one for good."""

    __tablename__ = "successors"

    account: Mapped[AddressBytes] = mapped_column(LargeBinary(20), primary_key=True)
    successor: Mapped[AddressBytes]
    block_number: Mapped[Big]


class SuccessionRow(Base):
    """A succession under way: asked for and neither executed nor refused. It may have lapsed since."""

    __tablename__ = "chain_successions"

    account: Mapped[AddressBytes] = mapped_column(LargeBinary(20), primary_key=True)
    new_account: Mapped[AddressBytes]
    state: Mapped[int] = mapped_column(Integer)
    """As `ledger.standard.contract.SuccessionState`."""
    since: Mapped[UnixTime]
    """When it came into this state."""
    requested_by: Mapped[AddressBytes]
    confirmed_by: Mapped[AddressBytes | None]


class RedemptionBatchRow(Base):
    """The Merkle root stored for an executed batch of redemptions."""

    __tablename__ = "redemption_batches"

    batch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[Hash32]
    orders: Mapped[int] = mapped_column(Integer)
    transaction_hash: Mapped[Hash32]
    block_number: Mapped[Big]


class ChainEventRow(Base):
    """Rare events (programmes, keys, merchants, roles, pauses, votes), raw: the operator's log, and what the tables of
    programmes, keys and merchants are rebuilt from when blocks are undone."""

    __tablename__ = "chain_events"

    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    contract: Mapped[Word]
    name: Mapped[Word]
    topics: Mapped[bytes] = mapped_column(LargeBinary)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    block_timestamp: Mapped[UnixTime]
