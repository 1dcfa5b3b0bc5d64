"""The contracts' vocabulary: what ``contracts/`` declares as enum, flag, limit or time window and Python repeats.

A test reads the Solidity sources and compares every value, so that a change there which is not made here fails. Members
have the names that Solidity gives them. Times are seconds. Elsewhere these values are imported, never written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag

from ledger.standard.civil_time import DAY_S, HOUR_S


class ProgrammeFlag(IntFlag):
    """What may be done with a programme's points (Types.sol). Flags never change."""

    TRANSFERABLE = 1
    EXCHANGEABLE_IN = 2
    EXCHANGEABLE_OUT = 4
    REDEEMABLE = 8


class ProgrammeState(IntEnum):
    """Life of a programme (Types.sol). It only ever moves forward."""

    UNKNOWN = 0
    ACTIVE = 1
    CLOSING = 2
    CLOSED = 3

    @property
    def word(self) -> str:
        """The state's name in JSON."""
        return self.name.lower()


class BatchState(IntEnum):
    """What ``PointsLedger.batchWord`` says of a batch: see `batch_state`."""

    UNUSED = 0
    LANDED = 1
    VOID = 2

    @property
    def word(self) -> str:
        """The state's name in JSON."""
        return self.name.lower()


_UNUSED_WORD, _VOID_WORD = bytes(32), bytes(31) + b"\1"


def batch_state(word: bytes) -> BatchState:
    """Return what a batch's stored word says: nothing, void, or the struct hash of what its issuer signed."""
    return {_UNUSED_WORD: BatchState.UNUSED, _VOID_WORD: BatchState.VOID}.get(word, BatchState.LANDED)


class SuccessionState(IntEnum):
    """Where a succession stands (ISuccession.sol)."""

    NONE = 0
    REQUESTED = 1
    CONFIRMED = 2
    OBJECTED = 3
    ALLOWED = 4


class Verdict(IntEnum):
    """Outcome of an order of a batch (Types.sol): the codes of ``Rejected``."""

    ACCEPTED = 0
    MALFORMED = 1
    BAD_SIGNATURE = 2
    NONCE_SPENT = 3
    EXPIRED = 4
    UNKNOWN_PROGRAMME = 5
    FORBIDDEN = 6
    LOT_DEAD = 7
    INSUFFICIENT = 8
    BELOW_MINIMUM = 9
    CAP_EXCEEDED = 10
    NO_VALUE = 11
    UNKNOWN_MERCHANT = 12
    OUT_OF_SCOPE = 13
    NOT_HELD = 14
    BAD_CAPTURE_TIME = 15


REJECTION_CODES = range(Verdict.MALFORMED, Verdict.BAD_CAPTURE_TIME + 1)
"""The codes that ``Rejected`` may carry."""

NONCE_LEFT = frozenset({Verdict.MALFORMED, Verdict.BAD_SIGNATURE, Verdict.NONCE_SPENT})
"""The rejections that leave the nonce as it was; every other verdict on an order with a nonce has spent it."""

_REJECTION_TEXTS: Mapping[Verdict, str] = {
    Verdict.MALFORMED: "malformed",
    Verdict.BAD_SIGNATURE: "bad signature",
    Verdict.NONCE_SPENT: "nonce spent",
    Verdict.EXPIRED: "the order came too late",
    Verdict.UNKNOWN_PROGRAMME: "unknown programme",
    Verdict.FORBIDDEN: "these points cannot be used so",
    Verdict.LOT_DEAD: "the points have expired",
    Verdict.INSUFFICIENT: "not enough points",
    Verdict.BELOW_MINIMUM: "less would come out than was asked for",
    Verdict.CAP_EXCEEDED: "a cap is reached",
    Verdict.NO_VALUE: "too little to be worth a fen",
    Verdict.UNKNOWN_MERCHANT: "the merchant is not registered on chain",
    Verdict.OUT_OF_SCOPE: "these points cannot be spent at this merchant",
    Verdict.NOT_HELD: "nothing is held",
    Verdict.BAD_CAPTURE_TIME: "the time to capture is too long",
}


def rejection_text(code: int) -> str:
    """Return a rejection code in words for people; ``rejected`` for a code that no contract of this edition emits."""
    return _REJECTION_TEXTS[Verdict(code)] if code in REJECTION_CODES else "rejected"


def rejection_word(code: int) -> str:
    """Return a rejection code as a word for machines: ``lot_dead``; ``code_99`` for an unknown one."""
    return Verdict(code).name.lower() if code in REJECTION_CODES else f"code_{code}"


# Limits ------------------------------------------------------------------------------------------------------------

GRANT_BYTES = 28
REVOCATION_BYTES = 14
PAYOUT_BYTES = 12
LOT_BYTES = 16
LOTS_MAX = 16
"""Lots an order."""

GRANTS_MAX = 500
"""Grants a batch. The contract sets no limit; the gas of a block does, and gateways and signers agree on this one."""

QUARTERS_AHEAD = 40
"""How many quarters after the current one a grant may expire at most."""

LANE_BITS = 48
LANE_MAX = 2**LANE_BITS - 1
"""The most of one lot, in minor units, that exists at all."""

NONCE_WINDOW = 32
"""Nonces above the base of which each may be spent in any order."""

PAR_MAX = 10**11
"""Micro-fen a point."""

ORDER_FEN_MIN = 10
"""The least that a redeem or hold order must be worth."""

LINE_MAX = 16
"""Accounts in a line of successors."""

MINT_SHARE = 10
REVOKE_SHARE = 100
"""Unless the council chose ceilings, a programme mints a day at most its appropriation divided by the one, and revokes
divided by the other."""

OVERDUE_FEN_MIN = 1_000
"""An overdue debt below this has no consequence."""

# Time windows ------------------------------------------------------------------------------------------------------

GRACE_S = 7 * DAY_S
"""How late the clock of expiry runs: a lot can be spent until this long after its quarter."""

SPENDING_AFTER_CLOSING_S = 365 * DAY_S
"""How long the points of a closing programme can be spent, from the block that closed it."""

CLOSED_AFTER_SPENDING_S = 150 * DAY_S
"""From the end of spending to the earliest ``CLOSED``."""

KEY_WAIT_S = 7 * DAY_S
"""From the adding of an issuer key to the first batch that it may sign."""

FREEZE_S = 72 * HOUR_S
FREEZE_REST_S = 7 * DAY_S
LONG_FREEZE_MAX_S = 90 * DAY_S
OBJECTION_S = 7 * DAY_S
"""How long a confirmed succession waits."""

SUCCESSION_LAPSES_S = 30 * DAY_S
HOLD_MAX_S = 30 * DAY_S
REFUND_MAX_S = 90 * DAY_S
LOCK_S = 60 * DAY_S
"""How long value stays locked for a disputed order."""

MATURITY_MIN_S = DAY_S
MATURITY_MAX_S = 30 * DAY_S
"""Bounds of the period in which claims mature."""

PAYMENT_TERM_MIN_S = DAY_S
PAYMENT_TERM_MAX_S = 90 * DAY_S
"""Bounds of the time that debtors have to pay what is due."""

PAUSE_MAX_S = 72 * HOUR_S

YEAR_FEN_MAX = 10**15
"""The most that is appropriated to a programme for a fiscal year."""
