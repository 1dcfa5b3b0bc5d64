"""Redemptions, slips, captures, refunds and statements."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from ledger.standard.ids import MerchantId, OrderIdText
from ledger_api.schemas.common import AsOf, In, Money, OfferIdText, Out, ProgrammeNumberIn, Text
from ledger_api.schemas.orders import ActOut, OrderLot, OrderState


class RedeemIn(In):
    """Redeem an offer."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"offer": "rice-5kg", "quantity": 1}]}
    )

    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=1000, strict=True)
    programmes: list[ProgrammeNumberIn] | None = Field(
        default=None,
        max_length=50,
        description="Use these programmes' points only; by default any, soonest expiry first.",
    )
    mode: Literal["redeem", "hold"] = Field(
        default="redeem", description="`redeem` pays at once; `hold` sets the points aside until the merchant captures."
    )


class RedeemQuoteOut(Out):
    """What a redemption would take now."""

    offer: str
    quantity: int
    merchant: MerchantId
    lots: list[OrderLot]


class SlipOut(Out):
    """A one-time code for an order. The code itself is on the slip, and in no stored answer."""

    slip_id: str
    order_id: OrderIdText
    expires_at: datetime
    html: str = Field(description="Where the printable slip is.")
    svg: str = Field(description="Where the QR code alone is.")


class SlipCodeOut(Out):
    """The code, for a resident's own screen."""

    slip_id: str
    order_id: OrderIdText
    code: str = Field(examples=["7K2QF-9XM4D"])
    digits: str = Field(
        description="To be read out where nothing can scan: good as long as the code, at this shop only.",
        examples=["402915"],
    )
    qr_content: str = Field(examples=["TONGDUI:7K2QF9XM4D"])
    expires_at: datetime


class CodeIn(In):
    """What the merchant scanned or typed."""

    code: Annotated[str, StringConstraints(min_length=6, max_length=24)] = Field(
        description="The ten signs, or the six digits of a code on a screen.", examples=["7K2QF-9XM4D"]
    )


class MerchantActOut(ActOut):
    """An act as the shop sees it."""

    amount: Money = Field(description="What it takes for the shop (hand-over, capture) or gives back (the others).")
    reason: str


RefusalReason = Literal[
    "not_final",
    "capture_under_way",
    "release_under_way",
    "refund_under_way",
    "still_held",
    "already_paid",
    "already_handed_over",
    "released",
    "refunded",
    "rejected",
    "expired",
    "not_cancellable",
    "own_order",
    "merchant_own_key",
]


class MerchantOrderOut(Out):
    """An order as its merchant sees it: nothing that tells who the resident is."""

    order_id: OrderIdText
    kind: Literal["redeem", "hold"]
    state: OrderState
    offer: str | None
    title_zh: str | None = None
    title_en: str | None = None
    quantity: int
    price: Money
    paid: Money = Field(description="What the shop has for it now, after captures and refunds that are final.")
    locked: Money | None = Field(
        default=None, description="What the consumer arbiter has locked for the order; null where nothing was."
    )
    locked_until: datetime | None = None
    placed_at: datetime
    capture_by: datetime | None = Field(default=None, description="Of a hold: until when it may be captured.")
    handed_over_at: datetime | None = None
    act: MerchantActOut | None = Field(
        default=None, description="The last act on the order: the one that is under way, where one is."
    )
    outcome: Literal["created", "exists"] | None = Field(
        default=None, description="Of an act just asked for: whether this request made it, or an earlier one."
    )


class CheckedOrderOut(MerchantOrderOut):
    """The order behind a code, and whether handing over would be refused now."""

    can_hand_over: bool
    refused_because: RefusalReason | None = Field(
        default=None, description="Why not; the first four pass by themselves."
    )


class MerchantOrderDetail(MerchantOrderOut):
    """An order with all acts on it, oldest first."""

    acts: list[MerchantActOut]


class MerchantOrderPage(Out):
    """A merchant's orders, newest first."""

    items: list[MerchantOrderOut]
    next_cursor: str | None = None


class CaptureIn(In):
    """How much of a hold the merchant captures."""

    keep_fen: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,9}$")] = Field(examples=["1500"])


class ReasonIn(In):
    """Why."""

    reason: Text


class RefundIn(In):
    """What the merchant keeps, and why the rest goes back."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"keep_fen": "0", "reason": "out of date"}]}
    )

    keep_fen: Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,9})$")] = Field(
        default="0", description="What the merchant keeps of the order in all, in fen; 0 gives all back."
    )
    reason: Text


class RefundProposalOut(Out):
    """A refund that waits for another login."""

    order_id: OrderIdText
    keep_fen: str = Field(description="What the merchant keeps of the order in all, in fen.")
    reason: str
    proposed_at: datetime
    expires_at: datetime


class RefundProposalsOut(Out):
    """Refunds that wait for another login."""

    items: list[RefundProposalOut]


class RefundOut(MerchantOrderOut):
    """A refund under way. While it is, the order takes no other act; `act` says what came of it."""

    refunded: Money = Field(description="What this refund gives back: the difference to what the shop had before it.")
    keeps: Money = Field(description="What the shop keeps once it is final.")


class StatementLine(Out):
    """One movement of a merchant's account."""

    at: datetime
    kind: Literal["redeem", "capture", "refund", "payout"]
    order_id: OrderIdText | None = Field(description="Null for a payout.")
    offer: str | None
    amount: Money
    is_by_arbiter: bool = Field(description="Of a refund: whether the consumer arbiter signed it.")
    payment_reference: str | None = Field(description="Of a payout: the hash of its reference.")


class StatementOut(Out):
    """A merchant's statement over a time."""

    merchant: MerchantId
    since: datetime
    until: datetime
    orders: int
    paid: Money
    refunded: Money
    paid_out: Money = Field(description="Payouts of this time.")
    position: Money = Field(description="The whole claim, on chain, now.")
    matured: Money = Field(description="What of the claim can be paid out, but for what is locked.")
    maturing: Money = Field(description="What of the claim is younger and matures within two periods.")
    locked: Money = Field(description="What the consumer arbiter has locked for disputed orders.")
    as_of: AsOf
    lines: list[StatementLine]
    next_cursor: str | None = None
