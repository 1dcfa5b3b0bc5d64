"""The life of a redemption order as a pure function: (state, what the chain said) -> the next state and its effects.

placed -> paid | held | rejected | expired;  held -> captured | released;  paid, captured -> part_refunded | refunded
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledger.errors import InvariantViolation


class State(StrEnum):
    """Where an order is."""

    PLACED = "placed"
    PAID = "paid"
    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    PART_REFUNDED = "part_refunded"
    REFUNDED = "refunded"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Stock(StrEnum):
    """What has become of the pieces an order asked for."""

    NONE = "none"
    RESERVED = "reserved"
    TAKEN = "taken"
    RELEASED = "released"


FINAL = frozenset(
    {State.PAID, State.CAPTURED, State.RELEASED, State.PART_REFUNDED, State.REFUNDED, State.REJECTED, State.EXPIRED}
)
"""States that a waiting client need wait no longer for (``held`` too is an answer, but not an end)."""

HANDS_OVER = frozenset({State.PAID, State.CAPTURED})
"""States in which the goods belong to the resident."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One event of the chain about an order: ``code`` 0 is success, ``fen`` the value that the event names."""

    kind: str
    code: int
    fen: int


@dataclass(frozen=True, slots=True)
class Progress:
    """An order's state, what the merchant has for it (fen), and its pieces."""

    state: State
    paid_fen: int
    stock: Stock


def advance(now: Progress, outcome: Outcome) -> Progress:
    """Return the progress after an outcome. An outcome that has been applied already changes nothing.

    Raises:
        InvariantViolation: the chain said something that cannot follow, which means that a projection is wrong.
    """
    match outcome.kind:
        case "rejected":
            if now.state is State.PLACED:
                return Progress(State.REJECTED, 0, _release(now.stock))
        case "redeem":
            if now.state is State.PLACED:
                return Progress(State.PAID, outcome.fen, _take(now.stock))
        case "hold":
            if now.state is State.PLACED:
                return Progress(State.HELD, 0, now.stock)
        case "capture":
            if now.state is State.HELD:
                return Progress(State.CAPTURED, outcome.fen, _take(now.stock))
        case "release":
            if now.state is State.HELD:
                return Progress(State.RELEASED, 0, _release(now.stock))
        case "refund":
            return _refund(now, outcome)
    if now.state in _AFTER.get(outcome.kind, frozenset()):
        return now
    raise InvariantViolation(f"an order that is {now.state} cannot see {outcome.kind!r}")


def expire(now: Progress) -> Progress:
    """Return the progress of an order that never landed and whose deadline is past in a final block."""
    if now.state is not State.PLACED:
        return now
    return Progress(State.EXPIRED, 0, _release(now.stock))


def _refund(now: Progress, outcome: Outcome) -> Progress:
    """``fen`` of a refund is what goes back this time; a whole refund returns the pieces to the shelf."""
    if now.state not in {State.PAID, State.CAPTURED, State.PART_REFUNDED}:
        raise InvariantViolation(f"an order that is {now.state} cannot be refunded")
    left = now.paid_fen - outcome.fen
    if left < 0:
        raise InvariantViolation(f"a refund of {outcome.fen} fen exceeds the {now.paid_fen} fen paid")
    if left:
        return Progress(State.PART_REFUNDED, left, now.stock)
    return Progress(State.REFUNDED, 0, Stock.RELEASED if now.stock is Stock.TAKEN else now.stock)


def _take(stock: Stock) -> Stock:
    return Stock.TAKEN if stock is Stock.RESERVED else stock


def _release(stock: Stock) -> Stock:
    return Stock.RELEASED if stock is Stock.RESERVED else stock


_PAID_LATER = frozenset({State.PAID, State.PART_REFUNDED, State.REFUNDED})
_CAPTURED_LATER = frozenset({State.CAPTURED, State.PART_REFUNDED, State.REFUNDED})
_AFTER: dict[str, frozenset[State]] = {
    "rejected": frozenset({State.REJECTED}),
    "redeem": _PAID_LATER,
    "hold": frozenset({State.HELD, State.RELEASED}) | _CAPTURED_LATER,
    "capture": _CAPTURED_LATER,
    "release": frozenset({State.RELEASED}),
}
"""States in which an outcome of that kind has been applied before."""
