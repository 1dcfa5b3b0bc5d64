"""The one table of an order's life at the counter: (standing, act) -> the answer, and where the order stands then.

`redemption.states` says what an order is once the chain has spoken. This table says what may be done to it meanwhile:
an order's *standing* is its state, whether the goods are out, and which act is under way. Every act by anybody, through
any door of any gateway, is asked of this table under the lock of the order's row, and at most one act of an order is
under way. So an act that cannot take effect is refused at once with the reason that stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from redemption.states import State


class Act(StrEnum):
    """What may be done to an order after it was placed."""

    CODE = "code"
    """Issue a one-time code or slip: the resident, or the desk that took the order."""
    HAND_OVER = "hand_over"
    """Give out the goods for a code: the shop. A hold is captured whole with it."""
    CAPTURE = "capture"
    """Keep a hold, whole or in part, and give the rest back: the shop. Once an order."""
    RELEASE = "release"
    """Give a hold back: the shop."""
    CANCEL = "cancel"
    """Take a hold back: the resident, where the order is cancellable or its time is over."""
    LAPSE = "lapse"
    """Give a hold back whose time is over: the gateway."""
    REFUND = "refund"
    """Give back what was paid, whole or in part: the shop."""
    ARBITER_REFUND = "arbiter_refund"
    """The same against the shop: the consumer arbiter."""


SHOP_ACTS = frozenset({Act.HAND_OVER, Act.CAPTURE, Act.RELEASE, Act.REFUND})
"""What is done for a shop."""


class Standing(StrEnum):
    """Where an order stands for those who want to act on it."""

    PLACED = "placed"
    """On its way to the chain."""
    HELD = "held"
    CAPTURING = "capturing"
    """Held; a capture is under way."""
    RELEASING = "releasing"
    """Held; a release, cancellation or lapse is under way."""
    HANDING_OVER = "handing_over"
    """Held, the goods are out, and their capture is under way."""
    UNPAID = "unpaid"
    """Held, the goods are out, and the chain refused their capture: it is tried again until the hold's time is over."""
    PAID = "paid"
    """Paid, captured, or refunded in part; the goods are not out."""
    REFUNDING = "refunding"
    """As PAID; a refund is under way."""
    HANDED_OVER = "handed_over"
    """As PAID; the goods are out."""
    RETURNING = "returning"
    """As HANDED_OVER; a refund is under way."""
    RELEASED = "released"
    REFUNDED = "refunded"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why an act cannot take effect. The first block passes by itself: ask again when the order is final."""

    NOT_FINAL = "not_final"
    CAPTURE_UNDER_WAY = "capture_under_way"
    RELEASE_UNDER_WAY = "release_under_way"
    REFUND_UNDER_WAY = "refund_under_way"

    STILL_HELD = "still_held"
    ALREADY_PAID = "already_paid"
    ALREADY_HANDED_OVER = "already_handed_over"
    RELEASED = "released"
    REFUNDED = "refunded"
    REJECTED = "rejected"
    EXPIRED = "expired"
    NOT_CANCELLABLE = "not_cancellable"
    """Not of the table: the order's own term, which its resident signed."""


PASSING = frozenset({Reason.NOT_FINAL, Reason.CAPTURE_UNDER_WAY, Reason.RELEASE_UNDER_WAY, Reason.REFUND_UNDER_WAY})
"""Reasons that end by themselves, for better or worse."""


@dataclass(frozen=True, slots=True)
class Takes:
    """The act takes effect: the order stands at ``after`` at once. Where the chain then says yes it goes on to
    ``final``; where it says no, to what stands in `IF_REFUSED`."""

    after: Standing
    final: Standing


Answer = Takes | Reason


def standing(state: State, *, is_handed_over: bool, under_way: Act | None) -> Standing:
    """Return where an order stands, from what is stored of it. Pure and total."""
    if state in _PAID_STATES:
        if under_way is not None:
            return Standing.RETURNING if is_handed_over else Standing.REFUNDING
        return Standing.HANDED_OVER if is_handed_over else Standing.PAID
    if state is not State.HELD:
        return _ENDS[state]
    if under_way in {Act.RELEASE, Act.CANCEL, Act.LAPSE}:
        return Standing.RELEASING
    if under_way is not None:
        return Standing.HANDING_OVER if is_handed_over else Standing.CAPTURING
    return Standing.UNPAID if is_handed_over else Standing.HELD


def answer(stands: Standing, act: Act) -> Answer:
    """Return what an act comes to. Total: every pair is in the table."""
    return TABLE[stands][act]


_PAID_STATES = frozenset({State.PAID, State.CAPTURED, State.PART_REFUNDED})
_ENDS = {
    State.PLACED: Standing.PLACED,
    State.RELEASED: Standing.RELEASED,
    State.REFUNDED: Standing.REFUNDED,
    State.REJECTED: Standing.REJECTED,
    State.EXPIRED: Standing.EXPIRED,
}

IF_REFUSED = {
    Standing.CAPTURING: Standing.HELD,
    Standing.RELEASING: Standing.HELD,
    Standing.HANDING_OVER: Standing.UNPAID,
    Standing.REFUNDING: Standing.PAID,
    Standing.RETURNING: Standing.HANDED_OVER,
}
"""Where an order stands again when the chain refuses the act that is under way."""

_HOLD_ACTS = (Act.CAPTURE, Act.RELEASE, Act.CANCEL, Act.LAPSE)
_REFUNDS = (Act.REFUND, Act.ARBITER_REFUND)


def _row(otherwise: Reason, **answers: Answer) -> Mapping[Act, Answer]:
    return {act: answers.get(act.value, otherwise) for act in Act}


def _all(acts: tuple[Act, ...], given: Answer) -> dict[str, Answer]:
    return {act.value: given for act in acts}


_STAYS_PLACED = Takes(Standing.PLACED, Standing.PLACED)
_RELEASES = Takes(Standing.RELEASING, Standing.RELEASED)
_REFUND = Takes(Standing.REFUNDING, Standing.PAID)  # or REFUNDED, where nothing is kept
_RETURN = Takes(Standing.RETURNING, Standing.HANDED_OVER)  # or REFUNDED

TABLE: Mapping[Standing, Mapping[Act, Answer]] = {
    Standing.PLACED: _row(Reason.NOT_FINAL, code=_STAYS_PLACED),
    Standing.HELD: _row(
        Reason.STILL_HELD,
        code=Takes(Standing.HELD, Standing.HELD),
        hand_over=Takes(Standing.HANDING_OVER, Standing.HANDED_OVER),
        capture=Takes(Standing.CAPTURING, Standing.PAID),
        release=_RELEASES,
        cancel=_RELEASES,
        lapse=_RELEASES,
    ),
    Standing.CAPTURING: _row(Reason.CAPTURE_UNDER_WAY, code=Takes(Standing.CAPTURING, Standing.CAPTURING)),
    Standing.RELEASING: _row(Reason.RELEASE_UNDER_WAY),
    Standing.HANDING_OVER: _row(
        Reason.CAPTURE_UNDER_WAY, code=Reason.ALREADY_HANDED_OVER, hand_over=Reason.ALREADY_HANDED_OVER
    ),
    Standing.UNPAID: _row(
        Reason.ALREADY_HANDED_OVER,
        capture=Takes(Standing.HANDING_OVER, Standing.HANDED_OVER),
        lapse=_RELEASES,
        refund=Reason.STILL_HELD,
        arbiter_refund=Reason.STILL_HELD,
    ),
    Standing.PAID: _row(
        Reason.ALREADY_PAID,
        code=Takes(Standing.PAID, Standing.PAID),
        hand_over=Takes(Standing.HANDED_OVER, Standing.HANDED_OVER),
        **_all(_REFUNDS, _REFUND),
    ),
    Standing.REFUNDING: _row(Reason.REFUND_UNDER_WAY, **_all(_HOLD_ACTS, Reason.ALREADY_PAID)),
    Standing.HANDED_OVER: _row(
        Reason.ALREADY_HANDED_OVER, **_all(_HOLD_ACTS, Reason.ALREADY_PAID), **_all(_REFUNDS, _RETURN)
    ),
    Standing.RETURNING: _row(
        Reason.ALREADY_HANDED_OVER, **_all(_HOLD_ACTS, Reason.ALREADY_PAID), **_all(_REFUNDS, Reason.REFUND_UNDER_WAY)
    ),
    Standing.RELEASED: _row(Reason.RELEASED),
    Standing.REFUNDED: _row(Reason.REFUNDED),
    Standing.REJECTED: _row(Reason.REJECTED),
    Standing.EXPIRED: _row(Reason.EXPIRED),
}
