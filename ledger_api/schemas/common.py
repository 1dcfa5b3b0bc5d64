"""The JSON of the API. Amounts are text, times RFC 3339 in UTC+8, ids of the chain 0x and hexadecimal digits."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from ledger.standard.amounts import GRAMMAR, points_text, yuan_text
from ledger.standard.civil_time import city_moment
from ledger.standard.ids import AddressText, MerchantId, ProgrammeId

HASH = r"^0x[0-9a-f]{64}$"
ACCOUNT = r"^0x[0-9a-fA-F]{40}$"
AMOUNT = f"^{GRAMMAR}$"
DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}")


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


def _written_out(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and DATE_TIME.match(value)):
        return value
    raise ValueError("a time is RFC 3339 text, as in 2026-11-20T08:00:00+08:00")


def _in_reach(when: datetime) -> datetime:
    if not 1970 <= when.year <= 9998:  # a zone's offset carries the years at the ends out of what a date can say
        raise ValueError("the year must be from 1970 to 9998")
    if when.tzinfo is None:
        raise ValueError("a time needs its offset, as in 2026-11-20T08:00:00+08:00")
    return when


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_no_controls)
]
LongText = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_no_nul)]
Identifier = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(_no_controls)
]
HashText = Annotated[str, StringConstraints(pattern=HASH)]
AccountText = Annotated[AddressText, StringConstraints(pattern=ACCOUNT)]
SignatureText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{130}$")]
PointsIn = Annotated[
    str,
    StringConstraints(pattern=AMOUNT),
    Field(description="Points as text, at most two decimals.", examples=["12.50"]),
]
YuanIn = Annotated[
    str,
    StringConstraints(pattern=AMOUNT),
    Field(description="元 as text, at most two decimals.", examples=["50000.00"]),
]
ResidentIdText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$"), AfterValidator(_fits_bigint)]
Moment = Annotated[
    datetime,
    BeforeValidator(_written_out),
    AfterValidator(_in_reach),
    Field(description="RFC 3339, with its offset.", examples=["2026-11-20T08:00:00+08:00"]),
]
OfferIdText = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
MerchantNumber = Annotated[MerchantId, Field(ge=1, le=2**32 - 1)]
ProgrammeNumber = Annotated[ProgrammeId, Field(ge=1, le=2**32 - 1)]
"""A number in a path or a query, where everything is text. In a body it has to be a number."""
MerchantNumberIn = Annotated[MerchantId, Field(ge=1, le=2**32 - 1, strict=True)]
ProgrammeNumberIn = Annotated[ProgrammeId, Field(ge=1, le=2**32 - 1, strict=True)]


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
    return city_moment(timestamp)


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
