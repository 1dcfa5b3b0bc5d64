"""The life of a redemption order as a pure function: (state, what the chain said) -> the next state and its effects.

placed -> paid | held | rejected | expired;  held -> captured | released;  paid, captured -> part_refunded | refunded
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    """Where the pieces stand that an order asked for."""

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
    if outcome.kind == "refund":
        return _refund(now, outcome)
    kind = "release" if outcome.kind == "capture" and outcome.fen == 0 else outcome.kind
    step = (now.state, kind)
    if step in _STEPS:
        after, stock = _STEPS[step]
        return Progress(after, outcome.fen if after in HANDS_OVER else 0, stock(now.stock))
    if now.state in _AFTER.get(outcome.kind, frozenset()):
        return now
    raise InvariantViolation(f"an order that is {now.state} cannot see {outcome.kind!r}")


def fold(is_stocked: bool, outcomes: Iterable[Outcome]) -> Progress:
    """Return the progress of an order from all that the chain ever said of it, oldest first.

    Folding from the start, rather than stepping on, makes a repeat harmless and a reorganised chain a mere recount.
    """
    progress = Progress(State.PLACED, 0, Stock.RESERVED if is_stocked else Stock.NONE)
    for outcome in outcomes:
        progress = advance(progress, outcome)
    return progress


def expire(now: Progress) -> Progress:
    """Return the progress of an order that never landed and whose deadline is past in a final block."""
    if now.state is not State.PLACED:
        return now
    return Progress(State.EXPIRED, 0, _release(now.stock))


def _refund(now: Progress, outcome: Outcome) -> Progress:
    """``fen`` of a refund is what goes back this time; a whole refund returns the pieces to the catalogue."""
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


def _keep(stock: Stock) -> Stock:
    return stock


_STEPS: dict[tuple[State, str], tuple[State, Callable[[Stock], Stock]]] = {
    (State.PLACED, "rejected"): (State.REJECTED, _release),
    (State.PLACED, "redeem"): (State.PAID, _take),
    (State.PLACED, "hold"): (State.HELD, _keep),
    (State.HELD, "capture"): (State.CAPTURED, _take),
    (State.HELD, "redeem"): (State.CAPTURED, _take),  # a capture says so twice, in either order
    (State.HELD, "release"): (State.RELEASED, _release),
}

_PAID_LATER = frozenset({State.PAID, State.PART_REFUNDED, State.REFUNDED})
_CAPTURED_LATER = frozenset({State.CAPTURED, State.PART_REFUNDED, State.REFUNDED})
_AFTER: dict[str, frozenset[State]] = {
    # An order that is relayed twice is rejected for its spent nonce; that changes nothing.
    "rejected": frozenset(State) - {State.PLACED},
    "redeem": _PAID_LATER | {State.CAPTURED},
    "hold": frozenset({State.HELD, State.RELEASED}) | _CAPTURED_LATER,
    "capture": _CAPTURED_LATER,
    "release": frozenset({State.RELEASED}),
}
"""States in which an outcome of that kind has been applied before."""
