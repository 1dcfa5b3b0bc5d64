"""Value: floors, once, and never created."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard.errors import NoValue, OutOfRange
from ledger.standard.value import MICROFEN_MINOR, basket_debits_down, exchange_down, to_value_down
from tests.unit.ledger.standard.vectors import load

VECTORS = load("value.json")
MINOR = st.integers(0, 2**48 - 1)
PAR = st.integers(1, 2**40)


def test_value_vectors() -> None:
    assert VECTORS["values"]
    for row in VECTORS["values"]:
        assert to_value_down(int(row["minor"]), int(row["par"])) == int(row["fen"]), row


def test_exchange_vectors() -> None:
    assert VECTORS["exchanges"]
    for row in VECTORS["exchanges"]:
        made = exchange_down(int(row["minor_in"]), int(row["par_in"]), int(row["par_out"]))
        assert made == (int(row["fen"]), int(row["minor_out"])), row


def test_basket_vectors() -> None:
    assert VECTORS["baskets"]
    for row in VECTORS["baskets"]:
        lots = [(int(lot["par"]), int(lot["minor"])) for lot in row["lots"]]
        assert basket_debits_down(lots) == [int(fen) for fen in row["debits_fen"]], row


def test_one_volunteer_point_is_twenty_fen() -> None:
    assert to_value_down(100, 20_000_000) == 20


@given(MINOR, PAR, PAR)
def test_value_out_of_an_exchange_never_exceeds_value_in(minor: int, par_in: int, par_out: int) -> None:
    fen, out = exchange_down(minor, par_in, par_out)
    assert out * par_out <= fen * MICROFEN_MINOR <= minor * par_in
    back = exchange_down(out, par_out, par_in)
    assert back[1] <= minor


@given(st.lists(st.tuples(PAR, MINOR), min_size=1, max_size=16))
def test_basket_debits_sum_to_the_value_floored_once(lots: list[tuple[int, int]]) -> None:
    debits = basket_debits_down(lots)
    assert len(debits) == len(lots)
    assert all(fen >= 0 for fen in debits)
    assert sum(debits) == sum(par * minor for par, minor in lots) // MICROFEN_MINOR


@pytest.mark.parametrize(("par_in", "par_out"), [(0, 1), (1, 0), (0, 0)])
def test_par_zero_is_never_exchanged(par_in: int, par_out: int) -> None:
    with pytest.raises(NoValue):
        exchange_down(100, par_in, par_out)


def test_negative_amounts_are_refused() -> None:
    with pytest.raises(OutOfRange):
        to_value_down(-1, 1)
    with pytest.raises(OutOfRange):
        to_value_down(1, -1)
    with pytest.raises(OutOfRange):
        basket_debits_down([(1, -1)])
