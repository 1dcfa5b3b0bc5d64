"""What an agency sees of its records, refusals and reviews."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from ledger_api.schemas.common import In, Out, Points, Text


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
