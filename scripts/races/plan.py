"""What is tried in a round, drawn from a seed: orders, and for each the acts of several hands. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from redemption.acts.table import Act
from redemption.orders import Kind

VALUE_FEN = 800
"""What an order of a race is worth."""

SPAN_S = 1.6
"""Acts begin within so many seconds of the order: before it is final, about then, and after."""


class Hand(StrEnum):
    """Who acts."""

    TILL_1 = "till-1"
    TILL_2 = "till-2"
    PAYER = "payer"
    CLERK = "clerk"
    """Who took the order at the desk; at a till of that shop too, where it is refused."""
    OTHER_SHOP = "other-shop"
    OTHER_RESIDENT = "other-resident"


STRANGERS = frozenset({Hand.OTHER_SHOP, Hand.OTHER_RESIDENT})


@dataclass(frozen=True, slots=True)
class Move:
    """One request: who does what, under which of its own ids, when (seconds after the order), at which gateway."""

    hand: Hand
    act: Act
    key: int
    at_s: float
    gateway: int
    keep_fen: int = 0


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """An order and what is done to it."""

    kind: Kind
    is_at_desk: bool
    moves: tuple[Move, ...]


_KEEPS = (0, 0, 100, 300, 799, 800)
_ACTS: dict[Kind, tuple[tuple[Act, int], ...]] = {
    Kind.REDEEM: ((Act.HAND_OVER, 5), (Act.REFUND, 6), (Act.CODE, 2), (Act.CANCEL, 1), (Act.CAPTURE, 1)),
    Kind.HOLD: (
        (Act.HAND_OVER, 4),
        (Act.CAPTURE, 5),
        (Act.RELEASE, 2),
        (Act.CANCEL, 2),
        (Act.REFUND, 3),
        (Act.CODE, 1),
    ),
}


def draw(seed: int, number: int, orders: int, gateways: int) -> tuple[OrderPlan, ...]:
    """Return the orders of a round."""
    rng = random.Random(f"{seed}/{number}")
    return tuple(_order(rng, gateways) for _ in range(orders))


def _order(rng: random.Random, gateways: int) -> OrderPlan:
    kind = rng.choice([Kind.REDEEM, Kind.HOLD])
    is_at_desk = kind is Kind.REDEEM and rng.random() < 0.25
    acts, weights = zip(*_ACTS[kind], strict=True)
    moves: list[Move] = []
    for number in range(rng.randint(4, 9)):
        act = rng.choices(acts, weights)[0]
        at_s = rng.choice([rng.uniform(0, SPAN_S), SPAN_S * rng.random() ** 2, SPAN_S])
        keep = 0 if act not in (Act.CAPTURE, Act.REFUND) else rng.choice(_KEEPS)
        keep = max(keep, 100) if act is Act.CAPTURE else keep
        move = Move(_hand(rng, act, is_at_desk), act, number, at_s, rng.randrange(gateways), keep)
        moves.append(move)
        if rng.random() < 0.35 and act is not Act.CODE:  # the same again, at another door, or another one under its id
            differs = act in (Act.CAPTURE, Act.REFUND) and rng.random() < 0.4
            again = Move(
                move.hand,
                act,
                number,
                at_s + rng.choice([0.0, 0.0, 0.05, 0.5]),
                rng.randrange(gateways),
                keep + 50 if differs else keep,
            )
            moves.append(again)
    return OrderPlan(kind, is_at_desk, tuple(sorted(moves, key=lambda move: move.at_s)))


def _hand(rng: random.Random, act: Act, is_at_desk: bool) -> Hand:
    chance = rng.random()
    if act in (Act.CANCEL, Act.CODE):
        return Hand.OTHER_RESIDENT if chance < 0.15 else Hand.PAYER
    if chance < 0.08:
        return Hand.OTHER_SHOP
    if is_at_desk and chance < 0.25:
        return Hand.CLERK
    return rng.choice([Hand.TILL_1, Hand.TILL_2])
