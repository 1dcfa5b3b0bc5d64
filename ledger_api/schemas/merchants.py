"""Merchants and what they offer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from ledger.standard.ids import MerchantId, ProgrammeId
from ledger_api.schemas.common import AccountText, Identifier, In, LongText, Moment, Money, Out, Points, Text


class MerchantOut(Out):
    """A merchant."""

    merchant_id: MerchantId
    name_zh: str
    name_en: str
    category: str
    address_zh: str
    address_en: str
    status: str
    is_registered: bool = Field(description="Whether the chain knows it, so that it can be paid.")


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


BankNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{8,32}$")]
Licence = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$")]


class PayeeIn(In):
    """Where a shop's money goes."""

    holder: Text = Field(description="The account holder's name, as the bank has it.")
    bank: Text
    bank_account: BankNumber = Field(
        description="The account's number, digits alone.", examples=["6222020000012345678"]
    )


class ContactIn(In):
    """A person of the shop who is told of changes."""

    name: Text
    address: Text = Field(description="Telephone number or e-mail address.")


class ApplicationIn(In):
    """A shop's application."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "licence": "91510107MA6CQ0000X",
                    "name_zh": "望江书屋",
                    "name_en": "Wangjiang Books",
                    "category": "books",
                    "address_zh": "望江路 1 号",
                    "address_en": "1 Wangjiang Road",
                    "scopes": ["books"],
                    "first_contact": {"name": "赵六", "address": "+86 28 5550 0001"},
                    "second_contact": {"name": "钱七", "address": "shop@books.example"},
                    "payee": {"holder": "望江书屋有限公司", "bank": "示范银行", "bank_account": "6222020000012345678"},
                }
            ]
        },
    )

    licence: Licence = Field(
        description="The unified social credit code of its business licence.", examples=["91510107MA6CQ0000X"]
    )
    name_zh: Text
    name_en: Text
    category: Identifier
    address_zh: Text
    address_en: Text
    scopes: list[Identifier] = Field(
        min_length=1, max_length=64, description="What it sells, by the city's scopes.", examples=[["food"]]
    )
    own_key: AccountText | None = Field(
        default=None,
        description="The account with which it signs captures and refunds itself; left out, a key is kept for it.",
    )
    first_contact: ContactIn
    second_contact: ContactIn
    payee: PayeeIn

    @model_validator(mode="after")
    def _two_contacts(self) -> ApplicationIn:
        if self.first_contact.address == self.second_contact.address:
            raise ValueError("the two contacts must have different addresses")
        if self.own_key is not None and int(self.own_key, 16) == 0:
            raise ValueError("own_key must not be zero")
        return self


class PayeeOut(Out):
    """A payee; its account's last four digits, and the whole of it for whoever has to compare or to pay."""

    holder: str
    bank: str
    number_end: str = Field(examples=["5678"])
    bank_account: str | None = None


class ContactOut(Out):
    """A contact."""

    name: str
    address: str


class ChainCallOut(Out):
    """A call that the registrar sends with a key of its own."""

    to: str
    data: str


ApplicationStateText = Literal["applied", "refused", "withdrawn", "approved", "announced", "registered", "failed"]


class ApplicationOut(Out):
    """An application."""

    application_id: str
    state: ApplicationStateText
    reason: str | None = Field(description="Why it was refused, or why its registration failed.")
    licence: str
    name_zh: str
    name_en: str
    category: str
    address_zh: str
    address_en: str
    scopes: list[str]
    own_key: str | None
    contacts: list[ContactOut] | None = Field(description="Null in answers to writes, which are kept in clear.")
    payee: PayeeOut | None = Field(description="Null in answers to writes, which are kept in clear.")
    applied_at: datetime
    decided_at: datetime | None
    merchant: MerchantId | None = Field(description="The shop's number, once it is approved.")
    registered_at: datetime | None
    call: ChainCallOut | None = Field(description="Set while a registrar who keeps the key has to send it.")


class ApplicationPage(Out):
    """Applications, newest first."""

    items: list[ApplicationOut]
    next_cursor: str | None = None


class RefusalIn(In):
    """Why an application is refused."""

    reason: Text


class PayeeChangeOut(Out):
    """A change of a shop's payee."""

    change_id: str
    state: Literal["proposed", "confirmed", "withdrawn"]
    number_end: str
    payee: PayeeOut | None = Field(description="Null in answers to writes, which are kept in clear.")
    proposed_at: datetime
    effective_at: datetime | None = Field(description="From when on money goes there; null before it is confirmed.")


class PayeeStandingOut(Out):
    """Where a shop's money goes, and the change that waits."""

    current: PayeeOut | None
    waiting: PayeeChangeOut | None
    contacts: list[ContactOut]


class NoticeOut(Out):
    """What one of a shop's contacts has to be told."""

    notice_id: str
    contact: Literal[1, 2]
    kind: Literal["registered", "payee_proposed", "payee_confirmed", "payee_withdrawn"]
    effective_at: datetime | None
    created_at: datetime


class NoticePage(Out):
    """Notices, newest first."""

    items: list[NoticeOut]
    next_cursor: str | None = None
