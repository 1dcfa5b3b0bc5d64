from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard.ids import token_id
from ledger.standard.quarters import quarter_end_timestamp
from ledger.standard.typed_data import Lot
from ledger.standard.value import MICROFEN_MINOR
from redemption.errors import NotEnoughPoints, TooManyLots
from redemption.lots import HeldLot, choose_lots, keep_down, prefix_value_down, spendable, total_value_down

Q = 108  # the last quarter of 2026
CHEAP, DEAR = 5_000_000, 100_000_000
NOW = quarter_end_timestamp(Q) - 1


def lot(programme: int, quarter: int, minor: int, par: int) -> HeldLot:
    return HeldLot(token_id(programme, quarter), minor, par)


def test_soonest_expiry_pays_first_and_the_last_lot_only_in_part() -> None:
    lots = spendable([lot(4, Q + 1, 10_000, DEAR), lot(2, Q, 10_000, CHEAP)], NOW)
    basket = choose_lots(lots, 600)
    assert basket.lots == (Lot(token_id(2, Q), 10_000), Lot(token_id(4, Q + 1), 100))
    assert basket.value_fen == 600


def test_an_equal_expiry_is_settled_by_the_lower_programme() -> None:
    lots = spendable([lot(4, Q, 10_000, DEAR), lot(2, Q, 10_000, CHEAP)], NOW)
    assert [one.token_id for one in lots] == [token_id(2, Q), token_id(4, Q)]


@pytest.mark.parametrize(
    "useless",
    [
        lot(2, Q - 1, 500, CHEAP),  # dead
        lot(5, 0, 500, 0),  # a score
        lot(2, Q, 0, CHEAP),  # empty
    ],
)
def test_what_cannot_be_spent_is_left_out(useless: HeldLot) -> None:
    assert spendable([useless], NOW) == []


def test_a_lot_lives_to_the_last_second_of_its_quarter() -> None:
    last = [lot(2, Q, 500, CHEAP)]
    assert spendable(last, NOW) == last
    assert spendable(last, NOW + 1) == []


def test_too_little_says_what_is_missing() -> None:
    with pytest.raises(NotEnoughPoints) as caught:
        choose_lots([lot(2, Q, 10_000, CHEAP)], 501)
    assert (caught.value.needed_fen, caught.value.available_fen) == (501, 500)


def test_fractions_of_a_fen_add_up_over_the_basket() -> None:
    """Two lots of half a fen each buy one fen: the basket is floored once, not lot by lot."""
    half = [lot(2, Q, 10, CHEAP), lot(2, Q + 1, 10, CHEAP)]
    assert choose_lots(half, 1).value_fen == 1


def test_least_valuable_lots_give_way_when_an_order_cannot_carry_all() -> None:
    lots = [lot(2, Q, 20, CHEAP), lot(2, Q + 1, 20, CHEAP), lot(4, Q + 2, 100, DEAR)]
    basket = choose_lots(lots, 101, lots_max=2)
    assert basket.lots == (Lot(token_id(2, Q + 1), 20), Lot(token_id(4, Q + 2), 100))


def test_value_spread_too_thin_is_said_so() -> None:
    with pytest.raises(TooManyLots):
        choose_lots([lot(2, Q + i, 20, CHEAP) for i in range(3)], 3, lots_max=2)


HELD = st.builds(
    lot,
    st.integers(1, 4),
    st.integers(Q, Q + 12),
    st.integers(1, 100_000),
    st.sampled_from([CHEAP, 10_000_000, 20_000_000, DEAR]),
)


@given(st.lists(HELD, max_size=30, unique_by=lambda one: one.token_id), st.integers(1, 200_000))
def test_a_basket_meets_the_price_and_takes_no_minor_unit_too_many(lots: list[HeldLot], price: int) -> None:
    ordered = spendable(lots, NOW)
    try:
        basket = choose_lots(ordered, price)
    except NotEnoughPoints:
        assert total_value_down(ordered) < price
        return
    except TooManyLots:
        worth = sorted((one.amount_minor * one.par_microfen for one in ordered), reverse=True)
        assert sum(worth[:16]) < price * MICROFEN_MINOR
        return
    held = {one.token_id: one for one in ordered}
    worth_exact = sum(part.amount * held[part.id].par_microfen for part in basket.lots)
    assert worth_exact // MICROFEN_MINOR == basket.value_fen >= price
    assert all(0 < part.amount <= held[part.id].amount_minor for part in basket.lots)
    assert len(basket.lots) <= 16
    assert worth_exact - held[basket.lots[-1].id].par_microfen < price * MICROFEN_MINOR


@given(st.lists(HELD, min_size=1, max_size=8), st.data())
def test_a_kept_prefix_is_the_shortest_that_is_worth_it(lots: list[HeldLot], data: st.DataObject) -> None:
    priced = [(one.par_microfen, Lot(one.token_id, one.amount_minor)) for one in lots]
    total = prefix_value_down(priced, len(priced), priced[-1][1].amount)
    fen = data.draw(st.integers(0, total))
    kept, last = keep_down(priced, fen)
    assert prefix_value_down(priced, kept, last) >= fen
    if kept:
        shorter = (kept, last - 1) if last > 1 else (kept - 1, priced[kept - 2][1].amount if kept > 1 else 0)
        assert prefix_value_down(priced, *shorter) < fen


def test_keeping_more_than_there_is_is_refused() -> None:
    with pytest.raises(NotEnoughPoints):
        keep_down([(DEAR, Lot(1, 10))], 11)
