"""Which lots pay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.orders.errors import InsufficientPoints, TooManyLots
from ledger.orders.lots import SpendableLot, for_amount, for_value, soonest_first
from ledger.standard.typed_data import Lot
from ledger.standard.value import basket_debits_down


def lot(programme: int, quarter: int, minor: int, par: int = 20_000_000) -> SpendableLot:
    return SpendableLot(programme << 32 | quarter, minor, par)


def test_lots_that_expire_sooner_pay_first_and_the_last_in_part() -> None:
    late, soon = lot(1, 110, 1_000), lot(2, 108, 1_000)
    assert for_value([late, soon], 300) == (Lot(soon.token_id, 1_000), Lot(late.token_id, 500))


def test_points_that_never_expire_come_last() -> None:
    assert [one.token_id & 0xFFFF for one in soonest_first([lot(1, 0, 1), lot(1, 110, 1)])] == [110, 0]


def test_too_little_names_what_is_there() -> None:
    with pytest.raises(InsufficientPoints) as caught:
        for_value([lot(1, 108, 499)], 100)
    assert (caught.value.needed, caught.value.available) == (100, 99)


def test_points_without_value_pay_nothing() -> None:
    with pytest.raises(InsufficientPoints):
        for_value([lot(5, 0, 10**9, par=0)], 1)


def test_nothing_is_no_amount() -> None:
    with pytest.raises(InsufficientPoints):
        for_value([lot(1, 108, 500)], 0)
    with pytest.raises(InsufficientPoints):
        for_amount([lot(1, 108, 500)], 0)


def test_many_crumbs_give_way_to_larger_lots() -> None:
    crumbs = [lot(programme, 101, 100) for programme in range(1, 20)]
    assert for_value([*crumbs, lot(20, 120, 100_000)], 400) == (Lot(20 << 32 | 120, 2_000),)


def test_more_than_sixteen_lots_are_too_many() -> None:
    with pytest.raises(TooManyLots):
        for_value([lot(programme, 101, 100) for programme in range(1, 20)], 350)


def test_an_amount_is_taken_exactly() -> None:
    assert for_amount([lot(1, 110, 70), lot(1, 109, 50)], 60) == (Lot(1 << 32 | 109, 50), Lot(1 << 32 | 110, 10))
    with pytest.raises(InsufficientPoints):
        for_amount([lot(1, 110, 70)], 71)


LOTS = st.lists(
    st.builds(lot, st.integers(1, 9), st.integers(1, 200), st.integers(1, 10**6), st.integers(1, 10**9)),
    max_size=16,
    unique_by=lambda one: one.token_id,
)


@given(LOTS, st.integers(1, 10**6))
def test_a_basket_is_worth_the_price_and_one_unit_less_is_not(lots: list[SpendableLot], fen: int) -> None:
    pars = {one.token_id: one.par_microfen for one in lots}
    if sum(one.amount_minor * one.par_microfen for one in lots) < fen * 10**8:
        with pytest.raises(InsufficientPoints):
            for_value(lots, fen)
        return
    chosen = for_value(lots, fen)
    assert sum(basket_debits_down([(pars[one.id], one.amount) for one in chosen])) >= fen
    last = chosen[-1]
    shorter = [(pars[one.id], one.amount) for one in chosen[:-1]] + [(pars[last.id], last.amount - 1)]
    assert sum(basket_debits_down(shorter)) < fen
    if all(par <= 10**8 for par in pars.values()):
        assert sum(basket_debits_down([(pars[one.id], one.amount) for one in chosen])) == fen
