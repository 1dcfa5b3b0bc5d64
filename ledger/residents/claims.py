"""Whose a source id is, when several residents claim it: the rules, as pure functions.

Knowing a number is not owning it. So a claim says how it was proven: not at all (``bare``), by a link code that the
agency gave to the member it knows (``code``), or by the agency's decision (``decision``). What somebody has linked with
proof stays linked, whatever others claim, until the agency decides.

Two bare claims freeze the id, for neither is better; but nobody's bare word stops another's points for long. A bare
claim contests a bare link in its first `CONTEST_S` only, and what it froze goes back to who claimed first when it was
frozen for `CONTEST_S` without a code or a decision (`ledger.residents.thawing`); the other then waits for the agency.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ledger.standard.civil_time import DAY_S

CONTEST_S = 14 * DAY_S


class SourceIdState(StrEnum):
    """Where a source id stands (the column ``state``)."""

    LINKED = "linked"
    FROZEN = "frozen"
    UNLINKED = "unlinked"


class LinkOutcome(StrEnum):
    """The outcome of a claim to a source id."""

    LINKED = "linked"
    EXISTS = "exists"
    FROZEN = "frozen"
    """Another resident claims it too, as well or as badly proven: nobody has it until the agency decides."""
    WAITING = "waiting"
    """Somebody has linked it with proof; the link stands, and the agency looks at this claim."""
    REFUSED = "refused"
    """The agency has decided for another resident."""


class Proof(StrEnum):
    """How a claim was proven."""

    BARE = "bare"
    CODE = "code"
    DECISION = "decision"


class ClaimState(StrEnum):
    """Where a resident's claim stands (the column ``state``)."""

    LIVE = "live"
    """It counts: the id is the resident's, or frozen between those whose claims are live."""
    WAITING = "waiting"
    """It was late: the agency looks at it while the link of another stands."""
    REFUSED = "refused"
    """The agency decided for another."""
    WITHDRAWN = "withdrawn"
    """The resident took it back."""


OPEN_CLAIMS = (ClaimState.LIVE, ClaimState.WAITING)
"""States of a claim that the agency may still decide."""


class Claim(NamedTuple):
    """A resident's claim as it is kept; ``state`` is a `ClaimState`, ``since`` the Unix time of the first claim."""

    state: str
    proof: str
    since: int

    @property
    def is_proven(self) -> bool:
        """Whether the agency's word stands behind it."""
        return self.proof != Proof.BARE


CLAIM_STATES = {LinkOutcome.WAITING: ClaimState.WAITING}
"""The state of a claim after an outcome, where it is not live."""


def claim_outcome(
    claims: Mapping[int, Claim], owner: tuple[int, str], resident: int, *, is_proven: bool, now: int
) -> LinkOutcome:
    """Decide a claim at Unix time ``now`` from the claims so far (by resident) and the id's (owner, state). Pure."""
    holder, state = owner
    mine = claims.get(resident)
    others = [claim for other, claim in claims.items() if other != resident]
    if mine is not None and mine.state == ClaimState.REFUSED and not is_proven:
        return LinkOutcome.REFUSED
    if state == SourceIdState.UNLINKED:
        return LinkOutcome.LINKED
    if state == SourceIdState.FROZEN:
        is_better = is_proven and not any(one.is_proven and one.state == ClaimState.LIVE for one in others)
        return LinkOutcome.LINKED if is_better else LinkOutcome.FROZEN
    if holder == resident:
        return LinkOutcome.EXISTS if mine is not None and mine.state == ClaimState.LIVE else LinkOutcome.LINKED
    held = claims.get(holder)
    is_held_with_proof = held is not None and held.is_proven
    if is_proven:
        # A code can be replayed by whoever saw it: against proof it stops nobody's points, and the agency looks.
        return LinkOutcome.WAITING if is_held_with_proof else LinkOutcome.LINKED
    if any(one.state == ClaimState.REFUSED for one in others):
        return LinkOutcome.REFUSED  # the agency has decided once; a third claimant does not reopen it
    is_settled = held is not None and held.since <= now - CONTEST_S
    return LinkOutcome.WAITING if is_held_with_proof or is_settled else LinkOutcome.FROZEN
