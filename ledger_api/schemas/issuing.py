"""What an agency sees of its records, refusals and reviews."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from ledger_api.schemas.common import HashText, Identifier, In, Money, Out, Points, ResidentIdText, Text


class FundingWaitOut(Out):
    """What waits for funding, and why. Nothing of it is dropped; it goes on by itself once it is covered."""

    batches: int
    amount: Points
    missing: Money = Field(description="What has to be appropriated for all of it.")
    available: Money = Field(description="What all points of the programme may be worth.")
    reason_en: str
    reason_zh: str


class RecordCounts(Out):
    """Where a programme's records stand: records = accepted + refused + awaiting_link + held + waiting."""

    programme: ProgrammeId
    slug: str
    records: str
    accepted: str
    refused: str
    awaiting_link: str = Field(description="The source id is nobody's yet.")
    held: str = Field(description="Waiting for a review, or self-reported and waiting for its time.")
    waiting: str = Field(description="Waiting for funding.")
    funding: FundingWaitOut | None = Field(description="Where records wait for funding: what is missing.")
    granted: Points
    revoked: Points
    refusals: dict[str, int] = Field(description="Open refusals by code.")


class StageOut(Out):
    """One stage of the pipeline."""

    stage: Literal["read", "map", "dedupe", "rate", "screen", "grant", "batch", "sign", "chain"]
    done: str | None = Field(
        description="Rows read, records with a grant, grants in a batch, batches signed, batches landed; null where a "
        "stage only refuses or holds."
    )
    refused: str
    refusals: dict[str, int] = Field(description="Open refusals by code.")
    waiting: str
    waits: dict[str, int] = Field(
        description="What waits, by what for: `link`, `time`, `review`, `batch`, `signature`, `sending`, `funding`."
    )


class DeliveryOut(Out):
    """A delivery that is being read, or was interrupted."""

    delivery: str
    kind: str
    name: str
    rows_done: str
    updated_at: datetime


class PipelineOut(Out):
    """Every stage of a programme, while it runs and after."""

    programme: ProgrammeId
    stages: list[StageOut]
    reading: list[DeliveryOut]


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
    """A refused row, corrected."""

    values: dict[str, Annotated[str, StringConstraints(max_length=4096)]] = Field(
        min_length=1, max_length=100, description="By the column names of the source.", examples=[{"服务时长": "3"}]
    )


class IngestOut(Out):
    """The outcome of what was submitted."""

    outcome: str
    rows: int
    statuses: dict[str, int]
    refusals: dict[str, int]
    granted: Points


class ReviewOut(Out):
    """A record that a screen held, and why. Two different people release it."""

    review_id: str
    programme: ProgrammeSlug
    screen: str
    reason_en: str
    reason_zh: str
    other_programme: str | None
    state: str
    approvals: int
    held_at: datetime


class HeldRecordOut(Out):
    """A record as the two people see it who decide. Personal data."""

    file: str
    row: int
    status: str
    deed_day: str
    activity: str
    granted: Points = Field(description="What it earned less what was taken back of it.")
    content: dict[str, str] | None = Field(description="The fields as they were read; null once erased.")


class HeldPairOut(Out):
    """A held record beside the one that it clashes with. The look is logged."""

    review: ReviewOut
    held: HeldRecordOut
    other: HeldRecordOut | None = Field(description="Null: there is none, or it is another agency's.")
    differing: list[str] = Field(description="Names of the fields in which the two differ.")


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
    programme: ProgrammeSlug
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


class LinkCodeIn(In):
    """For which source id a member gets a link code."""

    source_id: Identifier = Field(examples=["V5101000000001"])
    lifetime_s: int = Field(
        default=604_800, ge=60, le=7_776_000, strict=True, description="How long it is good, in seconds."
    )


class LinkCodeOut(Out):
    """A link code. It is not stored; hand it to the member whom the agency has checked, and to nobody else."""

    code: str = Field(examples=["NEMC-3BTY-6AZK-4XQ2"])
    expires_at: datetime


class ClaimantOut(Out):
    """One resident who claims a source id, as its agency may see one."""

    claimant: str = Field(description="A reference for the decision.")
    name_masked: str = Field(description="The first character of the name; empty where no name is known.")
    proof: str = Field(description="`bare`: the number alone; `code`: a link code; `decision`: an earlier decision.")
    state: str
    is_holder: bool = Field(description="Whether the id is linked to this one now.")
    claimed_at: datetime


class ClaimOut(Out):
    """A source id that several residents claim."""

    claim: HashText
    source_id: str = Field(description="In clear: it is the agency's own number.")
    state: str = Field(description="`frozen`: nobody has it; `linked`: a proven link stands, others claim it.")
    since: datetime
    records_waiting: int = Field(description="Records that await this id's link.")
    claimants: list[ClaimantOut]
    proposed_for: str | None = Field(description="The claimant for whom one person has decided, or `nobody`.")
    proposed_by: str | None
    note: str | None


class ClaimList(Out):
    """Contested source ids of a programme."""

    items: list[ClaimOut]
    next_cursor: str | None = None


class ClaimDecisionIn(In):
    """For whom: by reference, by the member's identity document, or for none of them."""

    claimant: ResidentIdText | None = None
    document_number: Identifier | None = Field(
        default=None, description="Matched against the claimants; stored nowhere and shown nowhere."
    )
    nobody: bool = Field(default=False, strict=True)
    note: Text | None = None

    @model_validator(mode="after")
    def _is_one(self) -> ClaimDecisionIn:
        if [self.claimant is not None, self.document_number is not None, self.nobody].count(True) != 1:
            raise ValueError("give exactly one of claimant, document_number and nobody")
        return self


class ClaimVerdict(Out):
    """`first` waits for the second person; `decided` is in force."""

    claim: str
    status: str


class PushRefusal(Out):
    """A refused record of a push. Row 0: the body as a whole."""

    refusal_id: str
    row: int
    line: int | None
    field: str | None
    code: str
    reason_en: str
    reason_zh: str


class PushOut(Out):
    """The outcome of a push. Refused records are kept with their reasons and never stop their neighbours."""

    outcome: Literal["created", "resumed", "exists"] = Field(
        description="`exists`: the very same body came before, under this or another id, and has had its effect."
    )
    delivery: str
    rows: int
    statuses: dict[str, int] = Field(description="Rows of this call by status.")
    granted: Points
    refused: list[PushRefusal] = Field(description="The delivery's first refusals; all are under `listRefusals`.")
