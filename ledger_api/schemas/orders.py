"""Orders, and what a resident with an own key signs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from ledger.standard.ids import MerchantId, OrderIdText, ProgrammeId
from ledger_api.schemas.common import (
    AccountText,
    In,
    MerchantNumberIn,
    OfferIdText,
    Out,
    Points,
    PointsIn,
    ProgrammeNumberIn,
    SignatureText,
)


class OrderLot(Out):
    """A lot of an order."""

    token_id: str
    programme: ProgrammeId
    amount: Points


OrderState = Literal[
    "placed",
    "paid",
    "held",
    "captured",
    "released",
    "part_refunded",
    "refunded",
    "rejected",
    "expired",
    "done",
    "failed",
]
ActKind = Literal["hand_over", "capture", "release", "cancel", "lapse", "refund", "arbiter_refund"]


class ActOut(Out):
    """Something that was asked for on an order, and what came of it."""

    act_id: str = Field(description="Its number here; acts of an order follow each other in it.")
    act: ActKind = Field(
        description="`hand_over`, `capture`, `release` and `refund` are the shop's, `cancel` is the resident's; "
        "`lapse` gives back a hold whose time is over; `arbiter_refund` is the consumer arbiter's."
    )
    state: Literal["under_way", "done", "failed"] = Field(
        description="One act of an order is under way at a time. `failed`: the order is as it was before."
    )
    failure: str | None = Field(default=None, description="Why it failed.")
    requested_at: datetime
    ended_at: datetime | None = None


class OrderOut(Out):
    """An order and what the chain made of it."""

    order_id: OrderIdText = Field(examples=["0x" + "5a" * 32])
    kind: Literal["exchange", "redeem", "hold"]
    state: OrderState = Field(
        description="`placed` is on its way; `paid`, `done`, `captured`, `released`, `refunded`, `part_refunded`, "
        "`rejected`, `expired` and `failed` are final; `held` waits for the merchant.",
        examples=["paid"],
    )
    is_final: bool
    reject_code: int | None = Field(default=None, description="The chain's code where it was rejected.")
    reject_reason: str | None = None
    lots: list[OrderLot] = Field(default_factory=list, description="What the order spends, as it was signed.")
    taken: list[OrderLot] = Field(
        default_factory=list, description="What the merchant has of it now: less what was not captured or was refunded."
    )
    to_programme: ProgrammeId | None = None
    amount_out: Points | None = None
    merchant: MerchantId | None = None
    merchant_zh: str | None = None
    merchant_en: str | None = None
    offer: str | None = None
    title_zh: str | None = None
    title_en: str | None = None
    quantity: int | None = None
    placed_at: datetime | None = None
    capture_by: datetime | None = Field(default=None, description="Of a hold: until when the merchant may capture.")
    is_cancellable: bool | None = Field(default=None, description="Of a hold: whether its resident may take it back.")
    handed_over_at: datetime | None = None
    act: ActOut | None = Field(
        default=None, description="The last act on the order: the one that is under way, where one is."
    )
    outcome: Literal["created", "exists"] | None = Field(
        default=None, description="Of an act just asked for: whether this request made it, or an earlier one."
    )
    final_at: datetime | None = None
    deadline: datetime | None = None
    transaction: str | None = None
    receipt: str | None = Field(
        default=None, description="Where the receipt of the last event is: a payment's, a release's, a refund's."
    )


class OrdersPlaced(Out):
    """The orders that one request made (an exchange makes one a lot)."""

    orders: list[OrderOut]


class OrderPage(Out):
    """Orders, newest first."""

    items: list[OrderOut]
    next_cursor: str | None = None


Number64 = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]


class UnsignedExchangeIn(In):
    """An exchange of one lot, to be signed by the resident's own key."""

    from_programme: ProgrammeNumberIn
    to_programme: ProgrammeNumberIn
    amount: PointsIn = Field(description="At most what the soonest-expiring lot holds is taken.")


class UnsignedRedeemIn(In):
    """A redemption, to be signed by the resident's own key."""

    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=1000, strict=True)
    programmes: list[ProgrammeNumberIn] | None = Field(default=None, max_length=50)


class UnsignedOrder(Out):
    """An order to sign. Nothing is reserved until it comes back signed."""

    order_id: OrderIdText
    typed_data: dict[str, Any] = Field(description="EIP-712 JSON for `eth_signTypedData_v4`.")


class SignedExchangeIn(In):
    """An exchange order that its holder signed; the terms are the typed data's message."""

    holder: AccountText
    from_id: Number64
    amount: Number64
    to_programme: ProgrammeNumberIn
    min_out: Number64
    nonce: int = Field(ge=0, le=2**32 - 1, strict=True)
    deadline: Number64
    signature: SignatureText


class SignedLot(In):
    """A lot of a signed order."""

    id: Number64
    amount: Number64


class SignedRedeemIn(In):
    """A redeem order that its holder signed, and the offer it is meant for."""

    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=1000, strict=True)
    holder: AccountText
    merchant: MerchantNumberIn
    lots: list[SignedLot] = Field(min_length=1, max_length=16)
    nonce: int = Field(ge=0, le=2**32 - 1, strict=True)
    deadline: Number64
    signature: SignatureText
