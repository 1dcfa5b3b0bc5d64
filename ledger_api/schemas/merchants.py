"""Merchants and what they offer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from ledger.standard.ids import MerchantId, ProgrammeId
from ledger_api.schemas.common import Identifier, In, LongText, Moment, Money, Out, Points, Text


class MerchantOut(Out):
    """A merchant."""

    merchant_id: MerchantId
    name_zh: str
    name_en: str
    category: str
    address_zh: str
    address_en: str
    status: str


class MerchantPage(Out):
    """Merchants by number."""

    items: list[MerchantOut]
    next_cursor: str | None = None


class MerchantIn(In):
    """A merchant's details; its key and scope are registered on chain."""

    name_zh: Text
    name_en: Text
    category: Identifier
    address_zh: Text
    address_en: Text
    status: Literal["active", "suspended"] | None = Field(
        default=None, description="Only the operator changes it; left out it stays, and a new merchant is active."
    )


class ProgrammePrice(Out):
    """What an offer costs in one programme's points alone."""

    programme: ProgrammeId
    slug: str
    price: Points


class OfferOut(Out):
    """Something that points can buy."""

    offer_id: str = Field(examples=["rice-5kg"])
    merchant: MerchantId
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    prices: list[ProgrammePrice] = Field(description="The price in each programme's points; any mix will do.")
    stock_left: str | None = Field(description="Null is without limit.")
    per_resident_max: int | None
    opens_at: datetime | None
    closes_at: datetime | None
    status: str
    price: Money | None = Field(default=None, description="For the merchant and institutions only.")


class OfferPage(Out):
    """Offers by id."""

    items: list[OfferOut]
    next_cursor: str | None = None


class OfferIn(In):
    """A new offer."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"title_zh": "大米 5 公斤", "title_en": "Rice, 5 kg", "price_fen": "2800", "stock_total": 200}]
        },
    )

    title_zh: Text
    title_en: Text
    description_zh: LongText = ""
    description_en: LongText = ""
    price_fen: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{1,9}$")]
    stock_total: int | None = Field(default=None, ge=0, le=10**9, strict=True)
    per_resident_max: int | None = Field(default=None, ge=1, le=10**6, strict=True)
    opens_at: Moment | None = None
    closes_at: Moment | None = None

    @model_validator(mode="after")
    def _closes_later(self) -> OfferIn:
        if self.opens_at is not None and self.closes_at is not None and self.closes_at <= self.opens_at:
            raise ValueError("closes_at must be later than opens_at")
        return self


class OfferChange(In):
    """A change of an offer's stock or state; its price never changes (make a new offer)."""

    stock_total: int | None = Field(default=None, ge=0, le=10**9, strict=True)
    status: Literal["active", "paused", "ended"] | None = None
