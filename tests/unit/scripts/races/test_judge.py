"""The judge of races finds each kind of wrong, and is content where the table was kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from redemption.acts.table import Act
from redemption.states import State
from scripts.races.judge import ActRow, Asked, Truth, judge
from scripts.races.plan import VALUE_FEN, Hand, draw

REFUND = ActRow(Act.REFUND, "till-1", "k1", "done", VALUE_FEN, 0, None)
HAND_OVER = ActRow(Act.HAND_OVER, "till-1", "k2", "done", VALUE_FEN, VALUE_FEN, None)
PAID = Truth(State.PAID, VALUE_FEN, False, (), ())
REFUNDED = Truth(State.REFUNDED, 0, False, (REFUND,), (("refund", VALUE_FEN),))


def asked(row: ActRow, began_s: float = 1, ended_s: float = 2, **document: Any) -> Asked:
    """Return the request that made an act."""
    hand = Hand(row.by)
    return Asked(
        hand, row.act, row.by, row.key or "", row.left_fen, began_s, ended_s, 202, {"outcome": "created", **document}
    )


def refused(act: Act, reason: str, began_s: float, ended_s: float) -> Asked:
    document = {"type": "/problems/order-state", "reason": reason}
    return Asked(Hand.TILL_2, act, "till-2", "k9", 0, began_s, ended_s, 409, document)


def test_what_keeps_the_table_is_content() -> None:
    late = refused(Act.HAND_OVER, "refunded", 3, 4)
    meanwhile = refused(Act.HAND_OVER, "refund_under_way", 1.5, 1.6)
    assert judge(REFUNDED, [asked(REFUND), late, meanwhile], is_hold=False).all == []
    assert judge(PAID, [], is_hold=False).all == []


def test_goods_and_points_both_gone_is_unlawful() -> None:
    both = replace(REFUNDED, is_handed_over=True, acts=(REFUND, HAND_OVER))
    found = judge(both, [asked(REFUND), asked(HAND_OVER)], is_hold=False)
    assert any("hand_over took effect on an order that was refunded" in one for one in found.unlawful)


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        (replace(REFUNDED, acts=()), "duplicated"),
        (replace(REFUNDED, chain=()), "lost"),
        (replace(REFUNDED, acts=(replace(REFUND, state="under_way"),)), "lost"),
        (replace(REFUNDED, state=State.PAID, paid_fen=VALUE_FEN), "unlawful"),
        (replace(REFUNDED, paid_fen=1), "unlawful"),
        (replace(REFUNDED, is_handed_over=True), "unlawful"),
        (replace(PAID, state=State.PLACED), "lost"),
    ],
)
def test_what_is_stored_is_what_the_acts_lead_to_and_what_landed(truth: Truth, kind: str) -> None:
    found = judge(truth, [asked(REFUND)] if truth.acts else [], is_hold=False)
    assert getattr(found, kind), found


def test_an_answer_that_the_order_never_gave_is_wrong() -> None:
    for reason, began_s in (("refunded", 0.1), ("refund_under_way", 0.1), ("not_final", 3.0), ("released", 3.0)):
        wrong = refused(Act.HAND_OVER, reason, began_s, began_s + 0.1)
        assert judge(REFUNDED, [asked(REFUND), wrong], is_hold=False).answers_wrong, reason


def test_an_accepted_act_without_a_row_is_lost_and_two_creations_are_doubled() -> None:
    assert judge(PAID, [asked(REFUND)], is_hold=False).lost
    twice = judge(REFUNDED, [asked(REFUND), asked(REFUND)], is_hold=False)
    assert twice.duplicated


def test_a_stranger_is_told_nothing() -> None:
    told = Asked(Hand.OTHER_SHOP, Act.CAPTURE, "other-shop", "k", 100, 1, 2, 409, {"type": "/problems/order-state"})
    hidden = replace(told, status=404, document={"type": "/problems/unknown-order"})
    assert judge(PAID, [told], is_hold=False).answers_wrong
    assert judge(PAID, [hidden], is_hold=False).all == []


def test_a_seed_draws_the_same_round_again() -> None:
    assert draw(7, 3, 8, 2) == draw(7, 3, 8, 2) != draw(8, 3, 8, 2)
