"""Merchants, what they offer, the orders that pay them, and the slips that a merchant checks at the counter."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ledger.standard.ids import MerchantId, OrderId
from ledger.store.base import AddressBytes, Base, Fen, Hash32, PointsMinor, Serial, UnixTime, Word


class MerchantRow(Base):
    """What people read about a merchant; its key and scope are the chain's (``chain_merchants``)."""

    __tablename__ = "merchants"

    merchant_id: Mapped[MerchantId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name_zh: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    category: Mapped[Word]
    address_zh: Mapped[str] = mapped_column(String(400))
    address_en: Mapped[str] = mapped_column(String(400))
    signer_name: Mapped[Word | None]
    """The key of the keystore that signs captures and refunds; NULL where the merchant holds its own key."""
    status: Mapped[Word]
    """``active`` or ``suspended`` (takes no new orders; what is open runs on)."""
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]


class OfferRow(Base):
    """Something that points can buy. ``stock_total`` NULL is without limit."""

    __tablename__ = "offers"

    offer_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[MerchantId] = mapped_column(ForeignKey("merchants.merchant_id"))
    title_zh: Mapped[str] = mapped_column(String(200))
    title_en: Mapped[str] = mapped_column(String(200))
    description_zh: Mapped[str] = mapped_column(Text, default="")
    description_en: Mapped[str] = mapped_column(Text, default="")
    price_fen: Mapped[Fen]
    stock_total: Mapped[int | None] = mapped_column(BigInteger)
    stock_reserved: Mapped[int] = mapped_column(BigInteger, default=0)
    stock_taken: Mapped[int] = mapped_column(BigInteger, default=0)
    per_resident_max: Mapped[int | None] = mapped_column(Integer)
    opens_at: Mapped[UnixTime | None]
    closes_at: Mapped[UnixTime | None]
    status: Mapped[Word]
    """``active``, ``paused`` or ``ended``."""
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]

    __table_args__ = (
        CheckConstraint("price_fen > 0", name="price"),
        CheckConstraint(
            "stock_reserved >= 0 AND stock_taken >= 0"
            " AND (stock_total IS NULL OR stock_reserved + stock_taken <= stock_total)",
            name="stock",
        ),
        Index("ix_offers_merchant_id", "merchant_id", "status"),
    )


class RedemptionOrderRow(Base):
    """A signed order that pays a merchant with lots. ``state`` says what the chain made of it."""

    __tablename__ = "redemption_orders"

    sequence: Mapped[Serial]
    """The cursor of lists."""
    order_id: Mapped[OrderId] = mapped_column(LargeBinary(32), unique=True)
    request_key: Mapped[str | None] = mapped_column(String(160), unique=True)
    """The caller's own name of the request, where it has one: a repeat gets this order back."""
    kind: Mapped[Word]
    """``redeem`` (paid at once) or ``hold`` (escrowed until captured)."""
    resident_id: Mapped[int] = mapped_column(ForeignKey("residents.resident_id"))
    holder: Mapped[AddressBytes]
    merchant_id: Mapped[MerchantId] = mapped_column(ForeignKey("merchants.merchant_id"))
    offer_id: Mapped[str | None] = mapped_column(ForeignKey("offers.offer_id"))
    quantity: Mapped[int] = mapped_column(Integer)
    price_fen: Mapped[Fen]
    """What the merchant asks for all of it."""
    value_fen: Mapped[Fen]
    """What the lots are worth, rounded down once; at least the price."""
    nonce: Mapped[int] = mapped_column(BigInteger)
    deadline: Mapped[UnixTime]
    capture_by: Mapped[UnixTime | None]
    is_cancellable: Mapped[bool]
    state: Mapped[Word]
    """``placed paid held captured released refunded part_refunded rejected expired``."""
    reject_code: Mapped[int | None] = mapped_column(Integer)
    paid_fen: Mapped[Fen]
    """What the merchant has for it, after captures and refunds."""
    kept_lots: Mapped[int | None] = mapped_column(Integer)
    kept_last_minor: Mapped[PointsMinor | None]
    """With ``kept_lots`` the prefix of its lots that the merchant has, once the chain has named one."""
    stock_state: Mapped[Word]
    """``none``, ``reserved``, ``taken`` or ``released``: each step happens once."""
    channel: Mapped[Word]
    """``app`` or ``desk``."""
    desk_id: Mapped[Word | None]
    clerk: Mapped[str | None] = mapped_column(String(255))
    """The subject who served the resident at the desk; never the one who hands over."""
    approver: Mapped[str | None] = mapped_column(String(255))
    """The second clerk who approved it there; never the one who hands over either."""
    handed_over_at: Mapped[UnixTime | None]
    handed_over_by: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]
    final_at: Mapped[UnixTime | None]

    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("paid_fen >= 0 AND paid_fen <= value_fen", name="paid"),
        Index("ix_redemption_orders_resident_id", "resident_id", "sequence"),
        Index("ix_redemption_orders_merchant_id", "merchant_id", "sequence"),
        Index("ix_redemption_orders_desk_id", "desk_id", "sequence"),
        Index("ix_redemption_orders_state", "state", "deadline"),
    )


class RedemptionLotRow(Base):
    """The lots of an order, in the signed order."""

    __tablename__ = "redemption_lots"

    order_id: Mapped[OrderId] = mapped_column(
        LargeBinary(32), ForeignKey("redemption_orders.order_id"), primary_key=True
    )
    place: Mapped[int] = mapped_column(Integer, primary_key=True)
    token_id: Mapped[int] = mapped_column(BigInteger)
    amount_minor: Mapped[PointsMinor]


class RedemptionActRow(Base):
    """An act on an order (`redemption.acts`): what was asked for, by whom, and what came of it."""

    __tablename__ = "redemption_acts"

    act_id: Mapped[Serial]
    order_id: Mapped[OrderId] = mapped_column(LargeBinary(32), ForeignKey("redemption_orders.order_id"))
    act: Mapped[Word]
    """``redemption.acts.table.Act``."""
    act_key: Mapped[str | None] = mapped_column(String(160))
    """The client's own id of it; NULL for what this program does by itself."""
    keep_fen: Mapped[Fen | None]
    """What the client said that the shop keeps in all."""
    fen: Mapped[Fen]
    """What it takes for the shop (capture, hand-over) or gives back (the others)."""
    left_fen: Mapped[Fen]
    """What the shop has of the order once it is final."""
    kept_lots: Mapped[int] = mapped_column(Integer)
    kept_last_minor: Mapped[PointsMinor]
    state: Mapped[Word]
    """``redemption.acts.book.ActState``."""
    failure: Mapped[str | None] = mapped_column(String(400))
    reason: Mapped[str] = mapped_column(String(400))
    requested_by: Mapped[str] = mapped_column(String(320))
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]

    __table_args__ = (
        UniqueConstraint("requested_by", "act_key"),
        Index("ix_redemption_acts_order_id", "order_id", "act_id"),
        # One act an order is under way, whatever any gateway believes.
        Index(
            "uq_redemption_acts_under_way",
            "order_id",
            unique=True,
            sqlite_where=text("state = 'under_way'"),
            postgresql_where=text("state = 'under_way'"),
        ),
    )


class SlipRow(Base):
    """A one-time code for an order. The code itself is derived by a key from ``slip_id`` and stored nowhere."""

    __tablename__ = "redemption_slips"

    slip_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[OrderId] = mapped_column(LargeBinary(32), ForeignKey("redemption_orders.order_id"), index=True)
    code_hmac: Mapped[Hash32] = mapped_column(LargeBinary(32), unique=True)
    expires_at: Mapped[UnixTime]
    used_at: Mapped[UnixTime | None]
    used_by: Mapped[str | None] = mapped_column(String(255))
    is_replaced: Mapped[bool]
    """A newer slip of the same order makes this one void."""
    issued_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[UnixTime] = mapped_column(index=True)


class DeskPinRow(Base):
    """The PIN of a resident's card at the community desk, as a salted scrypt hash."""

    __tablename__ = "desk_pins"

    resident_id: Mapped[int] = mapped_column(ForeignKey("residents.resident_id"), primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    digest: Mapped[Hash32] = mapped_column(LargeBinary(32))
    failures: Mapped[int] = mapped_column(Integer)
    locked_until: Mapped[UnixTime]
    set_by: Mapped[str] = mapped_column(String(255))
    set_at: Mapped[UnixTime]


class DeskPinProposalRow(Base):
    """A PIN that a clerk has set in the place of another, until a second clerk confirms it."""

    __tablename__ = "desk_pin_proposals"

    resident_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("residents.resident_id"), primary_key=True, autoincrement=False
    )
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    digest: Mapped[Hash32] = mapped_column(LargeBinary(32))
    proposed_by: Mapped[str] = mapped_column(String(320))
    expires_at: Mapped[UnixTime]


class RefundProposalRow(Base):
    """A large refund that one login has proposed, until another carries it out; one an order."""

    __tablename__ = "refund_proposals"

    order_id: Mapped[OrderId] = mapped_column(primary_key=True)
    merchant_id: Mapped[MerchantId] = mapped_column(index=True)
    keep_fen: Mapped[Fen]
    reason: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[str] = mapped_column(String(320))
    resident_id: Mapped[int | None] = mapped_column(BigInteger)
    """The resident that the login is bound to, if it is."""
    proposed_at: Mapped[UnixTime]


class DeskApprovalRow(Base):
    """A second clerk's word for one purchase of one resident, to be used once by another clerk."""

    __tablename__ = "desk_approvals"

    approval_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    desk_id: Mapped[Word]
    resident_id: Mapped[int] = mapped_column(ForeignKey("residents.resident_id"))
    offer_id: Mapped[str] = mapped_column(ForeignKey("offers.offer_id"))
    quantity: Mapped[int] = mapped_column(Integer)
    approver: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[UnixTime]
    used_at: Mapped[UnixTime | None]
    created_at: Mapped[UnixTime]


class RedemptionCursorRow(Base):
    """Up to which block of the projection the orders are settled; the only row has id 1."""

    __tablename__ = "redemption_cursor"

    cursor_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    block_number: Mapped[int] = mapped_column(BigInteger)


class TillShiftRow(Base):
    """A member of a shop's staff at its counter, from then to then. Its totals are computed from the acts."""

    __tablename__ = "till_shifts"

    shift_id: Mapped[Serial]
    merchant_id: Mapped[MerchantId] = mapped_column(BigInteger, ForeignKey("merchants.merchant_id"))
    subject: Mapped[str] = mapped_column(String(320))
    opened_at: Mapped[UnixTime]
    closed_at: Mapped[UnixTime | None]

    __table_args__ = (
        # Nobody has two open at one shop, however many browsers ask at once.
        Index(
            "uq_till_shifts_open",
            "merchant_id",
            "subject",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_till_shifts_merchant_id", "merchant_id", "shift_id"),
    )


class MerchantApplicationRow(Base):
    """A shop that wants to be paid with points: see `redemption.shops.applications`."""

    __tablename__ = "merchant_applications"

    sequence: Mapped[Serial]
    """The cursor of lists."""
    application_id: Mapped[str] = mapped_column(String(40), unique=True)
    licence: Mapped[str] = mapped_column(String(18))
    """The unified social credit code of its business licence."""
    name_zh: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    category: Mapped[Word]
    address_zh: Mapped[str] = mapped_column(String(400))
    address_en: Mapped[str] = mapped_column(String(400))
    scope_names: Mapped[str] = mapped_column(Text)
    """What it sells, by the city's scopes, with spaces between them."""
    scope: Mapped[Hash32] = mapped_column(LargeBinary(32))
    """The same as on chain."""
    own_key: Mapped[AddressBytes | None] = mapped_column(LargeBinary(20))
    """The account with which it signs itself; NULL where the installation keeps its key."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    """Contacts and payee, encrypted."""
    state: Mapped[Word]
    """``redemption.shops.applications.ApplicationState``."""
    reason: Mapped[str | None] = mapped_column(String(512))
    applied_by: Mapped[str] = mapped_column(String(320), index=True)
    applied_at: Mapped[UnixTime]
    decided_by: Mapped[str | None] = mapped_column(String(320))
    decided_at: Mapped[UnixTime | None]
    merchant_id: Mapped[MerchantId | None] = mapped_column(BigInteger, unique=True)
    chain_key: Mapped[AddressBytes | None] = mapped_column(LargeBinary(20))
    attempt: Mapped[int] = mapped_column(Integer)
    """How often its registration was ordered."""
    registered_at: Mapped[UnixTime | None]

    __table_args__ = (
        Index("ix_merchant_applications_state", "state", "sequence"),
        # One licence is one shop, whatever any gateway believes.
        Index(
            "uq_merchant_applications_live_licence",
            "licence",
            unique=True,
            sqlite_where=text("state NOT IN ('refused', 'withdrawn')"),
            postgresql_where=text("state NOT IN ('refused', 'withdrawn')"),
        ),
    )


class MerchantContactsRow(Base):
    """The two contacts of a shop, encrypted."""

    __tablename__ = "merchant_contacts"

    merchant_id: Mapped[MerchantId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class MerchantPayeeRow(Base):
    """A bank account that a shop is paid to, from some time on, or a change that waits: `redemption.shops.payees`."""

    __tablename__ = "merchant_payees"

    payee_id: Mapped[Serial]
    merchant_id: Mapped[MerchantId] = mapped_column(BigInteger)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    """Holder, bank and account number, encrypted."""
    state: Mapped[Word]
    """``redemption.shops.payees.PayeeState``."""
    proposed_by: Mapped[str] = mapped_column(String(320))
    proposed_at: Mapped[UnixTime]
    confirmed_by: Mapped[str | None] = mapped_column(String(320))
    effective_at: Mapped[UnixTime | None]
    """From when on money goes there; NULL before it is confirmed."""
    ended_by: Mapped[str | None] = mapped_column(String(320))
    """Who withdrew it."""

    __table_args__ = (
        Index("ix_merchant_payees_merchant_id", "merchant_id", "payee_id"),
        # One change of a shop waits at a time.
        Index(
            "uq_merchant_payees_proposed",
            "merchant_id",
            unique=True,
            sqlite_where=text("state = 'proposed'"),
            postgresql_where=text("state = 'proposed'"),
        ),
    )


class MerchantNoticeRow(Base):
    """What a contact of a shop has to be told; it names no account."""

    __tablename__ = "merchant_notices"

    notice_id: Mapped[Serial]
    merchant_id: Mapped[MerchantId] = mapped_column(BigInteger)
    contact: Mapped[int] = mapped_column(Integer)
    """1 or 2."""
    kind: Mapped[Word]
    """``redemption.shops.payees.NoticeKind``."""
    effective_at: Mapped[UnixTime | None]
    created_at: Mapped[UnixTime]

    __table_args__ = (Index("ix_merchant_notices_merchant_id", "merchant_id", "notice_id"),)
