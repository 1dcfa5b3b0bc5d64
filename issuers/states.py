"""The states of all that the issuers keep (records, grants, batches, ...), and one table of their lawful changes.

The values are what the tables hold. A row that is loaded is changed through `change`. A set-wise update names
`sources` in its condition, or sets what `change` returns for the one state that its condition names: so it touches no
row which may not come to that state. A test finds a change that does neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from ledger.errors import InvariantViolation


class RecordState(StrEnum):
    """Where a source record stands (the column ``status``)."""

    AWAITING_LINK = "awaiting_link"
    """Its source id is linked to no resident yet."""
    REFUSED = "refused"
    HELD = "held"
    """A screen found something: two people decide."""
    PENDING = "pending"
    """Self-reported: it is decided when its pending time is over."""
    WAITING = "waiting"
    """Granted, and its batch waits for funding."""
    ACCEPTED = "accepted"


class GrantState(StrEnum):
    """Where a grant stands."""

    READY = "ready"
    """It waits for a batch."""
    BATCHED = "batched"
    CANCELLED = "cancelled"
    """Taken back as a whole before it was in a batch, or after its batch's number was given up."""


class BatchState(StrEnum):
    """Where a batch stands."""

    PREPARED = "prepared"
    """Numbered, and not signed yet."""
    QUEUED = "queued"
    """Signed, and in the outbox."""
    WAITING = "waiting"
    """For funding."""
    FAILED = "failed"
    LANDED = "landed"
    VOIDING = "voiding"
    """Set aside until its number is void."""
    VOID = "void"


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    READING = "reading"
    DONE = "done"


class ReviewState(StrEnum):
    """Where the review of a held record stands."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


class RefusalState(StrEnum):
    """Where a refused row stands."""

    OPEN = "open"
    RESUBMITTED = "resubmitted"


class RevocationState(StrEnum):
    """Where a revocation stands."""

    WANTED = "wanted"
    QUEUED = "queued"
    LANDED = "landed"
    FAILED = "failed"
    MERGED = "merged"
    """A later one states the total."""
    NEEDLESS = "needless"
    """Its grant never landed."""


class SourceState(StrEnum):
    """Whether a source system may push."""

    ACTIVE = "active"
    CLOSED = "closed"


class VoidState(StrEnum):
    """Where the void of a batch's number stands."""

    WANTED = "wanted"
    QUEUED = "queued"
    FINAL = "final"
    FAILED = "failed"


State = TypeVar("State", bound=StrEnum)

_DECIDED = frozenset(
    {RecordState.AWAITING_LINK, RecordState.REFUSED, RecordState.HELD, RecordState.PENDING, RecordState.ACCEPTED}
)
"""What a decision, first or renewed (a link, a review, a correction), makes of a record. It never waits for funding."""

LAWFUL: Mapping[type[StrEnum], Mapping[StrEnum, frozenset[StrEnum]]] = MappingProxyType(
    {
        RecordState: {
            RecordState.AWAITING_LINK: _DECIDED,
            RecordState.REFUSED: _DECIDED,
            RecordState.HELD: _DECIDED,
            RecordState.PENDING: _DECIDED,
            RecordState.ACCEPTED: _DECIDED | {RecordState.WAITING},
            RecordState.WAITING: _DECIDED,
        },
        GrantState: {
            GrantState.READY: frozenset({GrantState.BATCHED, GrantState.CANCELLED}),
            GrantState.BATCHED: frozenset({GrantState.READY, GrantState.CANCELLED}),
            GrantState.CANCELLED: frozenset(),
        },
        BatchState: {
            BatchState.PREPARED: frozenset({BatchState.QUEUED, BatchState.VOIDING}),
            # Two gateways may sign a prepared batch at once: the second signature replaces the first.
            BatchState.QUEUED: frozenset(
                {BatchState.QUEUED, BatchState.WAITING, BatchState.FAILED, BatchState.LANDED, BatchState.VOIDING}
            ),
            BatchState.WAITING: frozenset({BatchState.FAILED, BatchState.LANDED, BatchState.VOIDING}),
            BatchState.FAILED: frozenset({BatchState.WAITING, BatchState.LANDED, BatchState.VOIDING}),
            # Where the batch landed before its void, it is settled like any other.
            BatchState.VOIDING: frozenset({BatchState.VOID, BatchState.PREPARED, BatchState.QUEUED}),
            BatchState.LANDED: frozenset(),
            BatchState.VOID: frozenset(),
        },
        DeliveryState: {
            DeliveryState.READING: frozenset({DeliveryState.DONE}),
            DeliveryState.DONE: frozenset(),
        },
        ReviewState: {
            ReviewState.OPEN: frozenset({ReviewState.APPROVED, ReviewState.REJECTED}),
            ReviewState.APPROVED: frozenset(),
            ReviewState.REJECTED: frozenset(),
        },
        RefusalState: {
            RefusalState.OPEN: frozenset({RefusalState.RESUBMITTED}),
            RefusalState.RESUBMITTED: frozenset(),
        },
        RevocationState: {
            RevocationState.WANTED: frozenset(
                {RevocationState.QUEUED, RevocationState.MERGED, RevocationState.NEEDLESS}
            ),
            RevocationState.QUEUED: frozenset({RevocationState.LANDED, RevocationState.FAILED}),
            # A key that was rotated in flight: it is signed again.
            RevocationState.FAILED: frozenset({RevocationState.WANTED}),
            RevocationState.LANDED: frozenset(),
            RevocationState.MERGED: frozenset(),
            RevocationState.NEEDLESS: frozenset(),
        },
        SourceState: {
            SourceState.ACTIVE: frozenset({SourceState.CLOSED}),
            SourceState.CLOSED: frozenset({SourceState.ACTIVE, SourceState.CLOSED}),  # to close twice is no error
        },
        VoidState: {
            VoidState.WANTED: frozenset({VoidState.QUEUED}),
            VoidState.QUEUED: frozenset({VoidState.FINAL, VoidState.FAILED}),
            VoidState.FAILED: frozenset({VoidState.WANTED, VoidState.QUEUED}),
            VoidState.FINAL: frozenset(),
        },
    }
)
"""By kind: which states each state may change to. Equal words of two kinds are equal keys, so each kind has its own."""


class UnlawfulChange(InvariantViolation):
    """Something would come to a state that its present one does not lead to."""

    def __init__(self, before: str, after: StrEnum) -> None:
        self.before = before
        self.after = after
        super().__init__(f"{type(after).__name__}: {before!r} does not lead to {after.value!r}")


def change(before: str, after: State) -> State:
    """Return ``after``, to be stored in the place of ``before``.

    Raises UnlawfulChange, an `InvariantViolation`; ValueError for a state that the table does not know.
    """
    kind = type(after)
    if after not in LAWFUL[kind][kind(before)]:
        raise UnlawfulChange(before, after)
    return after


def sources(after: State) -> tuple[State, ...]:
    """Return the states that lead to ``after``, for the condition of a set-wise update."""
    lawful = LAWFUL[type(after)]
    return tuple(state for state in type(after) if after in lawful[state])
