"""What the issuers' front door answers: counts, refusals, reviews, explanations, dry runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from issuers.states import BatchState, GrantState, RecordState, RefusalState, ReviewState
from ledger.standard.ids import Address, ProgrammeSlug


@dataclass(frozen=True, slots=True)
class ProgrammeCounts:
    """Where a programme's records stand: records = accepted + refused + awaiting_link + held + waiting.

    Exact duplicates are refused, pending records count as held, corrections as accepted. Amounts in minor units.
    """

    records: int
    accepted: int
    refused: int
    awaiting_link: int
    held: int
    waiting: int
    pending: int
    """Of those held."""
    corrections: int
    """Of those accepted."""
    granted_minor: int
    """Σ of all grants ever made, cancelled ones too."""
    revoked_minor: int
    """Σ of what was taken back or is about to be."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Open refusals by code."""
    reviews: dict[str, int] = field(default_factory=dict)
    """Records ever held, by screen."""
    repeated_deliveries: int = 0

    @classmethod
    def of(cls, tally: Mapping[str, int], repeats: int) -> ProgrammeCounts:
        """Return the counts that a programme's tallies (see ``IssuanceTallyRow``) come to."""
        corrections = tally.get("corrections", 0)
        accepted = tally.get(RecordState.ACCEPTED, 0) + corrections
        refused = tally.get(RecordState.REFUSED, 0)
        awaiting, waiting = tally.get(RecordState.AWAITING_LINK, 0), tally.get(RecordState.WAITING, 0)
        pending = tally.get(RecordState.PENDING, 0)
        held = tally.get(RecordState.HELD, 0) + pending
        return cls(
            records=accepted + refused + awaiting + held + waiting,
            accepted=accepted,
            refused=refused,
            awaiting_link=awaiting,
            held=held,
            waiting=waiting,
            pending=pending,
            corrections=corrections,
            granted_minor=tally.get("granted_minor", 0),
            revoked_minor=tally.get("revoked_minor", 0),
            refusals={k.partition(":")[2]: v for k, v in sorted(tally.items()) if k.startswith("refused:") and v},
            reviews={k.partition(":")[2]: v for k, v in sorted(tally.items()) if k.startswith("held:") and v},
            repeated_deliveries=repeats,
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused row as its agency sees it."""

    refusal_id: int
    programme: ProgrammeSlug
    file: str
    delivery_id: int
    row: int
    line: int | None
    field: str | None
    code: str
    reason_en: str
    reason_zh: str
    state: RefusalState
    created_at: int


@dataclass(frozen=True, slots=True)
class RefusalPage:
    """Refusals, oldest first, and the cursor of the next page (None: this was the last)."""

    items: tuple[Refusal, ...]
    next_cursor: int | None


@dataclass(frozen=True, slots=True)
class Review:
    """A held record as its reviewers see it."""

    review_id: int
    programme: ProgrammeSlug
    record_id: int
    screen: str
    reason_en: str
    reason_zh: str
    other_programme: str | None
    other_record_id: int | None
    state: ReviewState
    approvals: tuple[str, ...]
    created_at: int


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record as the two people see it who decide: what its source says, and what it earned. Personal data."""

    record_id: int
    file: str
    row: int
    status: RecordState
    deed_day: str
    activity: str
    granted_minor: int
    """What it earned less what was taken back of it."""
    content: dict[str, str] | None
    """The record's fields as they were read; None once erased."""


@dataclass(frozen=True, slots=True)
class HeldPair:
    """A held record, and the record of the same agency that it clashes with, side by side."""

    review: Review
    held: HeldRecord
    other: HeldRecord | None
    """None: there is none, or it is another agency's."""

    @property
    def differing(self) -> tuple[str, ...]:
        """Names of the fields in which the two differ."""
        if self.other is None or self.held.content is None or self.other.content is None:
            return ()
        here, there = self.held.content, self.other.content
        return tuple(name for name in sorted({*here, *there}) if here.get(name) != there.get(name))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a grant is what it is."""

    grant_id: str
    programme: ProgrammeSlug
    account: Address
    amount_minor: int
    revoked_minor: int
    activity: str
    rulebook_version: int
    rulebook_hash: str
    """Keccak of the rulebook as it is kept here."""
    rulebook_hash_on_chain: str | None
    """The programme's hash on chain, while that is of this version; it must be the same."""
    rulebook_version_on_chain: int | None
    steps_en: tuple[str, ...]
    """The arithmetic, one sentence a step."""
    steps_zh: tuple[str, ...]
    caps_en: tuple[str, ...]
    """Every cap that such a deed falls under; those that were reached are among the steps."""
    caps_zh: tuple[str, ...]
    file: str
    row: int
    deed_day: str
    state: GrantState
    batch_number: int | None
    batch_state: BatchState | None
    batch_reason: str | None
    """Why the batch has not landed."""
    signer: str | None
    token_id: int | None
    expiry_quarter: int | None
    leaf: str | None
    proof: tuple[str, ...]
    """The path from the leaf to ``evidence_root``."""
    evidence_root: str | None
    """As it follows from the batch's leaves."""
    evidence_root_on_chain: str | None
    """What the batch landed with; it must be the same."""
    transaction: str | None
    block_number: int | None
    revocations: tuple[str, ...]
    """``total minor:reason code:state`` of each."""

    @property
    def agrees_with_chain(self) -> bool:
        """Whether what is known of the grant on chain is what follows from the records here."""
        is_rule = self.rulebook_hash_on_chain in (None, self.rulebook_hash)
        return is_rule and self.evidence_root_on_chain in (None, self.evidence_root)


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that has not landed, and why: for its signer, for funding, for its void, or because it failed."""

    programme: ProgrammeSlug
    number: int
    state: BatchState
    reason: str | None
    grants: int
    amount_minor: int
    attempt: int
    """How often it was signed."""
    updated_at: int


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row as it was read, beside its cells. Personal data: for the clerk's screen alone."""

    row: int
    line: int | None
    cells: dict[str, str | None]
    """The cells that the mapping reads, by column, as they stand in the file."""
    outcome: str
    """``grant``, ``refuse``, ``wait``, ``hold``, ``duplicate`` or ``correct``."""
    record_id: str = ""
    owner: str = ""
    """Whose deed it is: the source id as it was read."""
    day: str = ""
    started_at: str = ""
    ended_at: str = ""
    activity: str = ""
    quantity: str = ""
    """With its unit."""
    amount_minor: int = 0
    reason_en: str = ""
    reason_zh: str = ""


@dataclass(frozen=True, slots=True)
class Odd:
    """A value whose shape few others have, and the row in which it stood first."""

    value: str
    row: int
    count: int
    """How many values of that shape there are."""


@dataclass(frozen=True, slots=True)
class ColumnView:
    """What one column of a file holds."""

    column: str
    filled: int
    empty: int
    distinct: int
    is_exact: bool
    """Whether ``distinct`` is all there are; else there are more."""
    repeated: tuple[tuple[str, int], ...]
    """The values that come most often, each more than once."""
    usual: str
    """The commonest shape."""
    odd: tuple[Odd, ...]


@dataclass(frozen=True, slots=True)
class RepeatedNumber:
    """A record number that came before in the file, and what its second row would be taken for."""

    number: str
    row: int
    first_row: int
    kind: str
    """``duplicate``, ``correction``, ``other_person`` or ``other_day``."""


@dataclass(frozen=True, slots=True)
class Capped:
    """A person whom caps would leave with less than the deeds are worth."""

    owner: str
    deeds: int
    """Deeds that a cap cut, or refused."""
    granted_minor: int
    """What all deeds of the person would earn."""


@dataclass(frozen=True, slots=True)
class Minted:
    """What would be minted of a programme."""

    programme: ProgrammeSlug
    amount_minor: int
    value_fen: int | None
    """At the programme's par; None where no city names it."""
    deeds: int
    people: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a clerk should look at before the file is taken in."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a dry run found: nothing of it is stored."""

    rows: int
    would_grant: int
    would_grant_minor: int
    refusals: dict[str, int]
    first_grants: tuple[dict[str, str], ...]
    first_refusals: tuple[dict[str, str], ...]
    pending: int = 0
    held: int = 0
    """Rows under a known number with another person or another day: two people would decide."""
    corrections: int = 0
    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By refusal code: its reason in English and Chinese, as it came first."""
    first_rows: tuple[CheckedRow, ...] = ()
    columns: tuple[ColumnView, ...] = ()
    repeats: dict[str, int] = field(default_factory=dict)
    """Repeated record numbers by kind; see `RepeatedNumber`."""
    first_repeats: tuple[RepeatedNumber, ...] = ()
    capped_people: int = 0
    first_capped: tuple[Capped, ...] = ()
    minted: tuple[Minted, ...] = ()
    first_day: str = ""
    last_day: str = ""
    """The first and last day of the deeds that were read."""
    notices: tuple[Notice, ...] = ()
