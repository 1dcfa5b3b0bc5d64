"""Balances, lots and history of one account."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from ledger.standard.ids import Address, ProgrammeId
from ledger_api.schemas.common import AsOf, Out, Points


class LotOut(Out):
    """Points of one programme that expire together."""

    token_id: str = Field(examples=["4294967403"])
    programme: ProgrammeId = Field(examples=[1])
    expiry_quarter: str | None = Field(description="Null where the points never expire.", examples=["2027Q1"])
    expires_at: datetime | None = Field(description="What is promised: the end of the quarter, or of the programme.")
    spendable_until: datetime | None = Field(
        description="From then on no order takes them: seven days after the quarter, at most."
    )
    amount: Points
    is_expired: bool = Field(description="Whether `spendable_until` has passed.")


class ProgrammeBalance(Out):
    """What a resident holds of one programme."""

    programme: ProgrammeId = Field(examples=[1])
    slug: str = Field(examples=["volunteer"])
    name_zh: str = Field(examples=["志愿服务"])
    name_en: str = Field(examples=["Volunteering"])
    balance: Points = Field(description="Live points, those in orders on their way included.")
    available: Points = Field(description="Live points less those in orders on their way.")
    expiring: Points = Field(description="What expires within 90 days.")
    expired: Points = Field(description="Dead lots that nobody has swept yet.")
    is_spendable: bool = Field(description="Whether these points can buy or be exchanged; a score cannot.")


class WalletOut(Out):
    """All that a resident holds."""

    account: Address
    as_of: AsOf
    programmes: list[ProgrammeBalance]
    lots: list[LotOut]


class HistoryItem(Out):
    """One movement of an account."""

    at: datetime
    kind: str = Field(examples=["mint"])
    programme: ProgrammeId
    token_id: str
    delta: Points
    reference: str | None = Field(description="The order's id, or for a grant its batch.")
    merchant_zh: str | None = Field(default=None, description="Of a redemption: the shop.")
    merchant_en: str | None = None
    title_zh: str | None = Field(default=None, description="Of a redemption: the offer.")
    title_en: str | None = None
    activity: str | None = Field(default=None, description="Of a grant: what it was for, as in the rulebook.")
    transaction: str


class HistoryPage(Out):
    """Movements, newest first."""

    items: list[HistoryItem]
    next_cursor: str | None = None
