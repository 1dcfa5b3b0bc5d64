"""Programmes, funding, positions and payments."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from ledger.standard.ids import MerchantId, ProgrammeId
from ledger_api.schemas.common import AsOf, In, Money, Out, Points, Text, YuanIn


class FlowOut(Out):
    """How many points moved, by kind of movement."""

    kind: str
    amount: Points
    events: str


class FundingOut(Out):
    """Whether what is outstanding is covered: liability ≤ appropriated − paid + position, checked at every mint."""

    liability: Money = Field(description="Supply at par, rounded up.")
    appropriated: Money
    paid: Money
    position: Money
    available: Money = Field(description="What can still be granted.")
    due: Money = Field(description="What the agency has yet to pay of the cycle opened last, by that cycle's date.")
    due_older: Money = Field(description="What it has yet to pay of cycles before.")
    mint_ceiling: Money = Field(description="The most that may be granted in a day.")
    revoke_ceiling: Money = Field(description="The most that may be taken back in a day.")


class ProgrammeOut(Out):
    """A programme as the chain has it."""

    programme: ProgrammeId
    slug: str
    name_zh: str
    name_en: str
    par_microfen: str = Field(description="Micro-fen a point; 20000000 is 0.20 元.", examples=["20000000"])
    is_transferable: bool
    is_exchangeable_in: bool
    is_exchangeable_out: bool
    is_redeemable: bool
    state: Literal["active", "closing", "closed"]
    frozen_until: datetime | None = Field(
        description="Until then no new order takes its points, and nothing is granted; null where it is not frozen."
    )
    rulebook_version: int
    rulebook_hash: str | None
    supply: Points
    escrowed: Points
    funding: FundingOut | None
    flows: list[FlowOut]


class ProgrammesOut(Out):
    """All programmes."""

    as_of: AsOf
    items: list[ProgrammeOut]


class PositionOut(Out):
    """What a participant is owed (above 0) or owes; the pool is money in the treasury account, the treasury what
    expired."""

    participant: str
    kind: Literal["programme", "merchant", "pool", "treasury"]
    number: int
    name_zh: str
    name_en: str
    position: Money


class ClearingOut(Out):
    """All positions; they sum to 0."""

    as_of: AsOf
    sum: Money
    positions: list[PositionOut]


class PaymentOut(Out):
    """What one debtor would pay one merchant."""

    programme: ProgrammeId
    debtor_zh: str
    debtor_en: str
    merchant: MerchantId
    merchant_zh: str
    merchant_en: str
    amount: Money


class PaymentsOut(Out):
    """Who would pay whom if a cycle closed at a moment; each debtor pays from its own account."""

    until: datetime = Field(description="Blocks before this moment count.")
    total: Money
    payments: list[PaymentOut]


class AppropriationIn(In):
    """What the finance bureau makes available to a programme in a fiscal year."""

    document: Text = Field(
        description="Title of the document that grants it; its Keccak-256 goes on chain, and it counts once.",
        examples=["示范市财政局关于追加2026年绿色环保积分经费的通知"],
    )
    fiscal_year: int = Field(ge=2000, le=9999, strict=True, examples=[2026])
    amount_yuan: YuanIn


class AppropriationOut(Out):
    """An appropriation, and whether the chain has it."""

    document_hash: str
    document: str | None = Field(description="Null where it was not ordered here.")
    fiscal_year: int
    amount: Money
    state: Literal["proposed", "expired", "ordered", "announced", "recorded", "cancelled", "failed"] = Field(
        description="`proposed`: it waits for a second person, for a week; `expired`: none came. "
        "`announced`: it waits a day, in which the supervisor can cancel it; `recorded`: in a final block."
    )
    reason: str | None
    recorded_at: datetime | None


class AppropriationList(Out):
    """A programme's appropriations: those on the chain in its order, then those under way."""

    items: list[AppropriationOut]
