from __future__ import annotations

import pytest

from ledger.errors import InvariantViolation
from redemption.states import Outcome, Progress, State, Stock, advance, expire, fold


def said(kind: str, fen: int = 0, code: int = 0) -> Outcome:
    return Outcome(kind, code, fen)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Progress(State.PLACED, 0, Stock.RESERVED)),
        ([said("redeem", 2800)], Progress(State.PAID, 2800, Stock.TAKEN)),
        ([said("rejected", code=8)], Progress(State.REJECTED, 0, Stock.RELEASED)),
        ([said("hold")], Progress(State.HELD, 0, Stock.RESERVED)),
        ([said("hold"), said("capture", 900)], Progress(State.CAPTURED, 900, Stock.TAKEN)),
        ([said("hold"), said("capture", 0)], Progress(State.RELEASED, 0, Stock.RELEASED)),
        ([said("hold"), said("release")], Progress(State.RELEASED, 0, Stock.RELEASED)),
        ([said("redeem", 900), said("refund", 300)], Progress(State.PART_REFUNDED, 600, Stock.TAKEN)),
        (
            [said("redeem", 900), said("refund", 300), said("refund", 600)],
            Progress(State.REFUNDED, 0, Stock.RELEASED),
        ),
        # A second gateway relays the same order: the chain rejects its spent nonce, and nothing changes.
        ([said("redeem", 900), said("rejected", code=3)], Progress(State.PAID, 900, Stock.TAKEN)),
        ([said("redeem", 900), said("redeem", 900)], Progress(State.PAID, 900, Stock.TAKEN)),
    ],
)
def test_an_order_is_what_the_chain_said_of_it(outcomes: list[Outcome], expected: Progress) -> None:
    assert fold(True, outcomes) == expected


def test_an_order_without_pieces_moves_none() -> None:
    assert fold(False, [said("redeem", 5)]).stock is Stock.NONE


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.PLACED, said("capture", 1)),
        (State.PLACED, said("refund", 1)),
        (State.HELD, said("refund", 1)),
        (State.REJECTED, said("redeem", 1)),
        (State.EXPIRED, said("redeem", 1)),
        (State.PAID, said("hold")),
        (State.PAID, said("unheard-of")),
    ],
)
def test_what_cannot_follow_stops_the_book(state: State, outcome: Outcome) -> None:
    with pytest.raises(InvariantViolation):
        advance(Progress(state, 10, Stock.TAKEN), outcome)


def test_no_refund_exceeds_what_was_paid() -> None:
    with pytest.raises(InvariantViolation):
        fold(True, [said("redeem", 5), said("refund", 6)])


def test_only_what_never_landed_expires() -> None:
    assert expire(Progress(State.PLACED, 0, Stock.RESERVED)) == Progress(State.EXPIRED, 0, Stock.RELEASED)
    paid = Progress(State.PAID, 5, Stock.TAKEN)
    assert expire(paid) == paid
