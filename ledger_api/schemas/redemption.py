"""Redemptions, slips, captures, refunds and statements."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from ledger.standard.ids import MerchantId, OrderIdText
from ledger_api.schemas.common import AsOf, In, Money, OfferIdText, Out, ProgrammeNumber, Text
from ledger_api.schemas.orders import OrderLot


class RedeemIn(In):
    """Redeem an offer."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"offer": "rice-5kg", "quantity": 1}]}
    )

    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=1000)
    programmes: list[ProgrammeNumber] | None = Field(
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
    qr_content: str = Field(examples=["TONGDUI:7K2QF9XM4D"])
    expires_at: datetime


class CodeIn(In):
    """What the merchant scanned or typed."""

    code: Annotated[str, StringConstraints(min_length=10, max_length=24)] = Field(examples=["7K2QF-9XM4D"])


class MerchantOrderOut(Out):
    """An order as its merchant sees it: nothing that tells who the resident is."""

    order_id: OrderIdText
    kind: Literal["redeem", "hold"]
    state: str
    offer: str | None
    title_zh: str | None = None
    title_en: str | None = None
    quantity: int
    price: Money
    paid: Money
    locked: Money | None = Field(
        default=None, description="What the consumer arbiter has locked for the order; null where nothing was."
    )
    locked_until: datetime | None = None
    placed_at: datetime
    handed_over_at: datetime | None = None


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


class RefundOut(Out):
    """A refund on its way. A repeat does nothing: what the merchant keeps can only fall."""

    order_id: OrderIdText
    refunded: Money


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
