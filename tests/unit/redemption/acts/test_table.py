"""The table answers everything, and never lets goods and points be gone together."""

from __future__ import annotations

import itertools

import pytest

from redemption.acts.table import IF_REFUSED, PASSING, TABLE, Act, Reason, Standing, Takes, answer, standing
from redemption.states import State

UNDER_WAY = {
    Standing.CAPTURING,
    Standing.RELEASING,
    Standing.HANDING_OVER,
    Standing.REFUNDING,
    Standing.RETURNING,
}
OUT = {Standing.HANDING_OVER, Standing.UNPAID, Standing.HANDED_OVER, Standing.RETURNING}


def test_every_pair_has_an_answer() -> None:
    for stands, act in itertools.product(Standing, Act):
        assert isinstance(answer(stands, act), Takes | Reason)


@pytest.mark.parametrize("is_handed_over", [False, True])
@pytest.mark.parametrize("under_way", [None, *(act for act in Act if act is not Act.CODE)])
@pytest.mark.parametrize("state", list(State))
def test_what_is_stored_stands_somewhere(state: State, under_way: Act | None, is_handed_over: bool) -> None:
    assert standing(state, is_handed_over=is_handed_over, under_way=under_way) in TABLE


def test_while_an_act_is_under_way_no_other_begins() -> None:
    for stands, act in itertools.product(UNDER_WAY, Act):
        found = answer(stands, act)
        assert act is Act.CODE or isinstance(found, Reason), (stands, act)
        assert stands in IF_REFUSED


def test_goods_go_out_once_and_only_while_the_points_are_the_shops_or_are_held_for_it() -> None:
    gives = {stands for stands in Standing if isinstance(answer(stands, Act.HAND_OVER), Takes)}
    assert gives == {Standing.HELD, Standing.PAID}


def test_the_points_of_goods_that_are_out_go_back_by_a_refund_or_by_the_holds_end_alone() -> None:
    for stands in OUT:
        for act in (Act.RELEASE, Act.CANCEL):
            assert isinstance(answer(stands, act), Reason), (stands, act)
    assert {stands for stands in OUT if isinstance(answer(stands, Act.LAPSE), Takes)} == {Standing.UNPAID}


def test_nothing_is_captured_or_released_twice() -> None:
    for act in (Act.CAPTURE, Act.RELEASE, Act.CANCEL, Act.LAPSE):
        takes = {stands for stands in Standing if isinstance(answer(stands, act), Takes)}
        assert takes <= {Standing.HELD, Standing.UNPAID}


def test_an_end_takes_nothing_more_and_says_which_end_it_is() -> None:
    for stands in (Standing.RELEASED, Standing.REFUNDED, Standing.REJECTED, Standing.EXPIRED):
        assert {answer(stands, act) for act in Act} == {Reason(stands.value)}


def test_a_reason_passes_where_the_order_is_on_its_way_somewhere() -> None:
    for stands, act in itertools.product(Standing, Act):
        found = answer(stands, act)
        if isinstance(found, Reason) and found in PASSING:
            assert stands in UNDER_WAY | {Standing.PLACED}, (stands, act)
