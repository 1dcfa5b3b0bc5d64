"""The JSON of the API. Amounts are text, times RFC 3339 in UTC+8, ids of the chain 0x and hexadecimal digits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ledger.standard.quarters import CITY_TZ
from ledger_api.amounts import points_text, yuan_text

HASH = r"^0x[0-9a-f]{64}$"
ACCOUNT = r"^0x[0-9a-fA-F]{40}$"
AMOUNT = r"^(0|[1-9][0-9]{0,12})(\.[0-9]{1,2})?$"


def _no_controls(text: str) -> str:
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise ValueError("control characters are not allowed")
    return text


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL is not allowed; PostgreSQL cannot store it")
    return text


def _fits_bigint(text: str) -> str:
    if int(text) >= 2**63:
        raise ValueError("no such number: more than 63 bits")
    return text


def _in_reach(when: datetime) -> datetime:
    if not 1970 <= when.year <= 9998:  # a zone's offset carries the years at the ends out of what a date can say
        raise ValueError("the year must be from 1970 to 9998")
    return when


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_no_controls)
]
LongText = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_no_nul)]
Identifier = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(_no_controls)
]
HashText = Annotated[str, StringConstraints(pattern=HASH)]
AccountText = Annotated[str, StringConstraints(pattern=ACCOUNT)]
PointsIn = Annotated[
    str,
    StringConstraints(pattern=AMOUNT),
    Field(description="Points as text, at most two decimals.", examples=["12.50"]),
]
ResidentIdText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$"), AfterValidator(_fits_bigint)]
Moment = Annotated[datetime, AfterValidator(_in_reach)]
OfferIdText = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
MerchantNumber = Annotated[int, Field(ge=1, le=2**32 - 1)]
ProgrammeNumber = Annotated[int, Field(ge=1, le=2**32 - 1)]


class In(BaseModel):
    """Base of request bodies: what is not known is refused, so that a misspelt field never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(frozen=True)


class Points(Out):
    """An amount of points."""

    points: str = Field(description="Points with two decimals.", examples=["12.50"])
    minor: str = Field(description="The same in hundredths of a point, as whole-number text.", examples=["1250"])


class Money(Out):
    """A value in RMB; shown to institutions only."""

    yuan: str = Field(description="元 with two decimals.", examples=["2.50"])
    fen: str = Field(description="The same in fen, as whole-number text.", examples=["250"])


def points(minor: int) -> Points:
    """Return an amount in its two forms."""
    return Points(points=points_text(minor), minor=str(minor))


def money(fen: int) -> Money:
    """Return a value in its two forms."""
    return Money(yuan=yuan_text(fen), fen=str(fen))


def moment(timestamp: int) -> datetime:
    """Return a Unix time as the city's civil time."""
    return datetime.fromtimestamp(timestamp, UTC).astimezone(CITY_TZ)


def hex_text(value: bytes) -> str:
    """Return bytes as 0x and hexadecimal digits."""
    return "0x" + value.hex()


class FieldProblem(Out):
    """One field that is wrong."""

    pointer: str = Field(description="Where it is, as a JSON pointer into the body, or the parameter's name.")
    reason: str


class ProblemDocument(Out):
    """RFC 9457 problem details. Branch on ``type``; titles and details are for people, by ``Accept-Language``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(examples=["/problems/not-enough-points"])
    title: str = Field(examples=["Not enough points"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["The points that can be spent at this merchant are not enough."])
    request_id: str = Field(examples=["4f0c0f2f6f6e4f4e9a7f1c2d"])
    fields: list[FieldProblem] | None = None


class ProblemKind(Out):
    """What a ``type`` means."""

    type: str
    status: int
    title_en: str
    title_zh: str
    detail_zh: str


class AsOf(Out):
    """The final block up to which an answer is true."""

    block_number: str = Field(examples=["184"])
    time: datetime


# ------------------------------------------------------------------------------------------------ residents


class SourceLinkIn(In):
    """A source id to link: a volunteer number, a card number."""

    programme: ProgrammeNumber = Field(examples=[1])
    source_id: Identifier = Field(examples=["V5101000000001"])


class ResidentIn(In):
    """Register the token's subject as a resident."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "document_number": "510107195403071234",
                    "name": "王秀英",
                    "links": [{"programme": 1, "source_id": "V5101000000001"}],
                }
            ]
        },
    )

    document_number: Identifier | None = Field(
        default=None,
        description="The identity document's number. Not needed where the token carries the number that the identity "
        "provider checked (claim `identity`). Stored only as a keyed hash.",
    )
    name: Text | None = Field(default=None, description="Kept encrypted under the resident's own key.")
    links: list[SourceLinkIn] = Field(default_factory=list, max_length=20)
    account: AccountText | None = Field(
        default=None, description="For residents who hold their own key; else a custodial account is made."
    )


class SourceLinkOut(Out):
    """What became of a link, in the order asked. The source id is not repeated: answers to writes are stored."""

    programme: int
    state: Literal["linked", "exists", "frozen", "refused"] = Field(
        description="`frozen`: another resident claims it too and the agency decides."
    )


class SourceOut(Out):
    """A source id that the resident has linked."""

    programme: int
    source_id: str
    state: str = Field(examples=["linked"])


class SourcesOut(Out):
    """All of a resident's source ids."""

    items: list[SourceOut]


class SourcesIn(In):
    """Source ids to link."""

    links: list[SourceLinkIn] = Field(min_length=1, max_length=20)


class SourceLinksOut(Out):
    """What became of each link, in the order asked."""

    links: list[SourceLinkOut]


class ResidentOut(Out):
    """A resident: no personal data."""

    resident_id: str = Field(examples=["3190424424402113527"])
    account: str = Field(examples=["0x8ba1f109551bD432803012645Ac136ddd64DBA72"])
    is_custodial: bool
    status: str
    registered_at: datetime
    outcome: Literal["created", "exists", "exists_with_different_account"] | None = None
    links: list[SourceLinkOut] | None = None


class PinIn(In):
    """A PIN for the community desk."""

    pin: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class EraseIn(In):
    """Said on purpose: points left in the account can never be spent again."""

    confirm: Literal["erase"]


class Done(Out):
    """A write that has nothing else to say."""

    done: Literal[True] = True


# --------------------------------------------------------------------------------------------------- wallet


class LotOut(Out):
    """Points of one programme that expire together."""

    token_id: str = Field(examples=["4294967403"])
    programme: int = Field(examples=[1])
    expiry_quarter: str | None = Field(description="Null where the points never expire.", examples=["2027Q1"])
    expires_at: datetime | None
    amount: Points
    is_expired: bool


class ProgrammeBalance(Out):
    """What a resident holds of one programme."""

    programme: int = Field(examples=[1])
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

    account: str
    as_of: AsOf
    programmes: list[ProgrammeBalance]
    lots: list[LotOut]


class HistoryItem(Out):
    """One movement of an account."""

    at: datetime
    kind: str = Field(examples=["mint"])
    programme: int
    token_id: str
    delta: Points
    reference: str | None = Field(description="The order's id, or for a grant its batch.")
    transaction: str


class HistoryPage(Out):
    """Movements, newest first."""

    items: list[HistoryItem]
    next_cursor: str | None = None


# ------------------------------------------------------------------------------------------------- exchange


class ExchangeIn(In):
    """Points of one programme to be turned into another's."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"from_programme": 2, "to_programme": 4, "amount": "100"}]},
    )

    from_programme: ProgrammeNumber
    to_programme: ProgrammeNumber
    amount: PointsIn
    min_out: PointsIn | None = Field(default=None, description="Refuse less than this; by default the quote.")


class ExchangePart(Out):
    """One lot's part of an exchange; a lot keeps its expiry quarter."""

    from_token_id: str
    amount_in: Points
    amount_out: Points
    expires_at: datetime | None


class ExchangeQuoteOut(Out):
    """What an exchange would give now."""

    from_programme: int
    to_programme: int
    amount_in: Points
    amount_out: Points
    parts: list[ExchangePart]


# --------------------------------------------------------------------------------------------------- orders


class OrderLot(Out):
    """A lot of an order."""

    token_id: str
    programme: int
    amount: Points


class OrderOut(Out):
    """An order and what the chain made of it."""

    order_id: str = Field(examples=["0x" + "5a" * 32])
    kind: Literal["exchange", "redeem", "hold"]
    state: str = Field(
        description="`placed` is on its way; `paid`, `done`, `captured`, `released`, `refunded`, `part_refunded`, "
        "`rejected`, `expired` and `failed` are final; `held` waits for the merchant.",
        examples=["paid"],
    )
    is_final: bool
    reject_code: int | None = Field(default=None, description="The chain's code where it was rejected.")
    reject_reason: str | None = None
    lots: list[OrderLot] = Field(default_factory=list)
    to_programme: int | None = None
    amount_out: Points | None = None
    merchant: int | None = None
    offer: str | None = None
    quantity: int | None = None
    placed_at: datetime | None = None
    final_at: datetime | None = None
    deadline: datetime | None = None
    transaction: str | None = None
    receipt: str | None = Field(default=None, description="Where the receipt is, once there is one.")


class OrdersPlaced(Out):
    """The orders that one request made (an exchange makes one a lot)."""

    orders: list[OrderOut]


class OrderPage(Out):
    """Orders, newest first."""

    items: list[OrderOut]
    next_cursor: str | None = None


Number64 = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
SignatureText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{130}$")]


class UnsignedExchangeIn(In):
    """An exchange of one lot, to be signed by the resident's own key."""

    from_programme: ProgrammeNumber
    to_programme: ProgrammeNumber
    amount: PointsIn = Field(description="At most what the soonest-expiring lot holds is taken.")


class UnsignedRedeemIn(In):
    """A redemption, to be signed by the resident's own key."""

    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=1000)
    programmes: list[ProgrammeNumber] | None = Field(default=None, max_length=50)


class UnsignedOrder(Out):
    """An order to sign. Nothing is reserved until it comes back signed."""

    order_id: str
    typed_data: dict[str, Any] = Field(description="EIP-712 JSON for `eth_signTypedData_v4`.")


class SignedExchangeIn(In):
    """An exchange order that its holder signed; the terms are the typed data's message."""

    holder: AccountText
    from_id: Number64
    amount: Number64
    to_programme: ProgrammeNumber
    min_out: Number64
    nonce: int = Field(ge=0, le=2**32 - 1)
    deadline: Number64
    signature: SignatureText


class SignedLot(In):
    """A lot of a signed order."""

    id: Number64
    amount: Number64


class SignedRedeemIn(In):
    """A redeem order that its holder signed, and the offer it is meant for."""

    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=1000)
    holder: AccountText
    merchant: MerchantNumber
    lots: list[SignedLot] = Field(min_length=1, max_length=16)
    nonce: int = Field(ge=0, le=2**32 - 1)
    deadline: Number64
    signature: SignatureText


# ---------------------------------------------------------------------------------------- merchants and offers


class MerchantOut(Out):
    """A merchant."""

    merchant_id: int
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

    programme: int
    slug: str
    price: Points


class OfferOut(Out):
    """Something that points can buy."""

    offer_id: str = Field(examples=["rice-5kg"])
    merchant: int
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
    price_fen: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,9}$")]
    stock_total: int | None = Field(default=None, ge=0, le=10**9)
    per_resident_max: int | None = Field(default=None, ge=1, le=10**6)
    opens_at: Moment | None = None
    closes_at: Moment | None = None


class OfferChange(In):
    """A change of an offer's stock or state; its price never changes (make a new offer)."""

    stock_total: int | None = Field(default=None, ge=0, le=10**9)
    status: Literal["active", "paused", "ended"] | None = None


# ----------------------------------------------------------------------------------------------- redemption


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
    merchant: int
    lots: list[OrderLot]


class SlipOut(Out):
    """A one-time code for an order. The code itself is on the slip, and in no stored answer."""

    slip_id: str
    order_id: str
    expires_at: datetime
    html: str = Field(description="Where the printable slip is.")
    svg: str = Field(description="Where the QR code alone is.")


class SlipCodeOut(Out):
    """The code, for a resident's own screen."""

    slip_id: str
    order_id: str
    code: str = Field(examples=["7K2QF-9XM4D"])
    qr_content: str = Field(examples=["TONGDUI:7K2QF9XM4D"])
    expires_at: datetime


class CodeIn(In):
    """What the merchant scanned or typed."""

    code: Annotated[str, StringConstraints(min_length=10, max_length=24)] = Field(examples=["7K2QF-9XM4D"])


class MerchantOrderOut(Out):
    """An order as its merchant sees it: nothing that tells who the resident is."""

    order_id: str
    kind: Literal["redeem", "hold"]
    state: str
    offer: str | None
    title_zh: str | None = None
    title_en: str | None = None
    quantity: int
    price: Money
    paid: Money
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

    order_id: str
    refunded: Money


class StatementLine(Out):
    """One movement of a merchant's account."""

    at: datetime
    kind: str
    order_id: str | None
    offer: str | None
    amount: Money


class StatementOut(Out):
    """A merchant's statement over a time."""

    merchant: int
    since: datetime
    until: datetime
    orders: int
    paid: Money
    refunded: Money
    position: Money = Field(description="What the merchant has to get, on chain, now.")
    as_of: AsOf
    lines: list[StatementLine]
    next_cursor: str | None = None


# ----------------------------------------------------------------------------------------------------- desk


class PinProof(In):
    """The resident's card and PIN."""

    kind: Literal["pin"]
    pin: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class SecondClerkProof(In):
    """A second clerk's approval."""

    kind: Literal["second_clerk"]
    approval_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class DeskOrderIn(In):
    """A purchase for a resident who is at the desk."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "resident_id": "3190424424402113527",
                    "offer": "rice-5kg",
                    "quantity": 1,
                    "proof": {"kind": "pin", "pin": "481903"},
                }
            ]
        },
    )

    resident_id: ResidentIdText
    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=100)
    proof: Annotated[PinProof | SecondClerkProof, Field(discriminator="kind")]


class DeskApprovalIn(In):
    """What the second clerk approves."""

    resident_id: ResidentIdText
    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=100)


class DeskApprovalOut(Out):
    """An approval, good once."""

    approval_id: str
    expires_at: datetime


class DeskOrderOut(Out):
    """The order and its slip."""

    order: OrderOut
    slip: SlipOut


class DeskPinIn(In):
    """A new PIN for a resident, which a second clerk has to set."""

    resident_id: ResidentIdText
    pin: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


# ----------------------------------------------------------------------------------- programmes and clearing


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


class ProgrammeOut(Out):
    """A programme as the chain has it."""

    programme: int
    slug: str
    name_zh: str
    name_en: str
    par_microfen: str = Field(description="Micro-fen a point; 20000000 is 0.20 元.", examples=["20000000"])
    is_transferable: bool
    is_exchangeable_in: bool
    is_exchangeable_out: bool
    is_redeemable: bool
    state: Literal["active", "closing", "closed"]
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
    """What a participant is owed (above 0) or owes."""

    participant: str
    kind: Literal["programme", "merchant"]
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

    programme: int
    debtor_zh: str
    debtor_en: str
    merchant: int
    merchant_zh: str
    merchant_en: str
    amount: Money


class PaymentsOut(Out):
    """Who would pay whom if a cycle closed at a moment; each debtor pays from its own account."""

    until: datetime = Field(description="Blocks before this moment count.")
    total: Money
    payments: list[PaymentOut]


# ----------------------------------------------------------------------------------------------- verification


class ReceiptIn(BaseModel):
    """A receipt as this API gave it out."""

    model_config = ConfigDict(extra="allow")


class LeafIn(In):
    """An evidence leaf, as the agencies publish it."""

    grant_id: HashText
    account: AccountText
    token_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
    amount: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")] = Field(description="Minor units.")
    activity_code: HashText
    rulebook_version: int = Field(ge=0, le=2**32 - 1)
    commitment: HashText


class GrantIn(In):
    """A grant to check: its batch, its leaf, and the leaf's path to the batch's root."""

    batch: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
    leaf: LeafIn
    proof: list[HashText] = Field(max_length=64)


class VerdictOut(Out):
    """Whether a receipt holds, and what it says."""

    verdict: Literal["PASS", "FAIL"]
    statement: str | None = Field(default=None, description="What the receipt proves, in words.")
    reason: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class ChainOrderOut(Out):
    """What the chain says of an order: nothing from our database."""

    order_id: str
    outcome: Literal["landed", "rejected", "unknown"]
    kind: str | None = None
    reject_code: int | None = None
    fen: str | None = None
    block_number: str | None = None
    block_hash: str | None = None
    transaction: str | None = None
    final_block: str


class ChainBatchOut(Out):
    """What the chain says of a batch of grants."""

    programme: int
    number: str
    state: Literal["unused", "landed", "void"]
    evidence_root: str | None
    final_block: str


# ----------------------------------------------------------------------------------------------- operations


class CheckOut(Out):
    """One thing that has to be right."""

    name: str
    ok: bool
    detail: str


class HealthOut(Out):
    """Alive."""

    status: Literal["ok"] = "ok"


class ReadinessOut(Out):
    """Whether requests can be served."""

    ready: bool
    checks: list[CheckOut]


class InvariantsOut(Out):
    """The rules that must always hold, as last checked."""

    ok: bool
    as_of: AsOf
    checks: list[CheckOut]


class WithdrawIn(In):
    """A token to refuse."""

    token_id: Annotated[str, StringConstraints(min_length=1, max_length=160)] = Field(description="Its `jti`.")


# ------------------------------------------------------------------------------------------------- issuing


class RecordCounts(Out):
    """Where a programme's records stand: records = accepted + refused + awaiting_link + held + waiting."""

    programme: int
    slug: str
    records: str
    accepted: str
    refused: str
    awaiting_link: str = Field(description="The source id is nobody's yet.")
    held: str = Field(description="Waiting for a review, or self-reported and waiting for its time.")
    waiting: str = Field(description="Waiting for funding.")
    granted: Points
    revoked: Points
    refusals: dict[str, int] = Field(description="Open refusals by code.")


class RefusalOut(Out):
    """A record that was refused: where, and why. The row itself is personal data and has an address of its own."""

    refusal_id: str
    file: str
    row: int
    line: int | None
    field: str | None
    code: str = Field(examples=["unknown_activity"])
    reason_en: str
    reason_zh: str
    state: str
    refused_at: datetime


class RefusalList(Out):
    """Refusals, oldest first."""

    items: list[RefusalOut]
    next_cursor: str | None = None


class RefusedRow(Out):
    """A refused row as it came, for its agency alone. The look is logged."""

    refusal_id: str
    row: str


class ResubmitIn(In):
    """A refused row, mended."""

    values: dict[str, Annotated[str, StringConstraints(max_length=4096)]] = Field(
        min_length=1, max_length=100, description="By the column names of the source.", examples=[{"服务时长": "3"}]
    )


class IngestOut(Out):
    """What became of what was handed in."""

    outcome: str
    rows: int
    statuses: dict[str, int]
    refusals: dict[str, int]
    granted: Points


class ReviewOut(Out):
    """A record that a screen held, and why. Two different people release it."""

    review_id: str
    programme: str
    screen: str
    reason_en: str
    reason_zh: str
    other_programme: str | None
    state: str
    approvals: int
    held_at: datetime


class ReviewList(Out):
    """Reviews, oldest first."""

    items: list[ReviewOut]


class ReviewRejection(In):
    """Why a held record is refused."""

    note: Text


class ReviewVerdict(Out):
    """Where the record stands now; `first` waits for the second person."""

    review_id: str
    status: str


class GrantOut(Out):
    """One award, and how it came about."""

    grant_id: str
    programme: str
    amount: Points
    revoked: Points
    activity: str
    deed_day: str
    rulebook_version: int
    rulebook_hash: str
    steps_en: list[str]
    steps_zh: list[str]
    state: str
    batch: str | None
    token_id: str | None
    receipt: str | None = Field(description="Where the receipt is, once the batch has landed.")


class GrantList(Out):
    """The latest awards, newest first."""

    items: list[GrantOut]
