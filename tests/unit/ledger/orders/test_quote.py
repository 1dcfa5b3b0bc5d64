"""A quote is the chain's arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.orders.quote import quote
from ledger.standard.errors import NoValue
from ledger.standard.typed_data import Lot

VOLUNTEER, ENVIRONMENTAL = 20_000_000, 5_000_000


def test_a_lot_keeps_its_quarter_and_turns_into_the_same_value() -> None:
    quoted = quote([Lot(1 << 32 | 108, 1_000)], 2, VOLUNTEER, ENVIRONMENTAL)
    assert (quoted.fen, quoted.amount_in_minor, quoted.amount_out_minor) == (200, 1_000, 4_000)
    assert quoted.lots[0].to_id == 2 << 32 | 108


def test_each_lot_is_floored_by_itself() -> None:
    quoted = quote([Lot(1 << 32 | 108, 9), Lot(1 << 32 | 109, 9)], 2, VOLUNTEER, ENVIRONMENTAL)
    assert quoted.fen == 2  # 1.8 fen twice, not 3.6 once


def test_a_score_has_no_value_to_exchange() -> None:
    with pytest.raises(NoValue):
        quote([Lot(5 << 32, 100)], 1, 0, VOLUNTEER)


@given(st.integers(1, 2**48), st.integers(1, 10**11), st.integers(1, 10**11))
def test_no_exchange_gains_value(amount: int, par_in: int, par_out: int) -> None:
    quoted = quote([Lot(1 << 32 | 108, amount)], 2, par_in, par_out)
    assert quoted.amount_out_minor * par_out <= quoted.fen * 10**8 <= amount * par_in
