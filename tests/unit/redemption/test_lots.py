from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard.typed_data import Lot
from redemption.errors import NotEnoughHeld
from redemption.lots import keep_down, kept_lots, prefix_value_down

CHEAP, DEAR = 5_000_000, 100_000_000
PRICED = st.tuples(
    st.sampled_from([CHEAP, 10_000_000, 20_000_000, DEAR]),
    st.builds(Lot, st.integers(1, 2**40), st.integers(1, 100_000)),
)


@given(st.lists(PRICED, min_size=1, max_size=8), st.data())
def test_a_kept_prefix_is_the_shortest_that_is_worth_it(priced: list[tuple[int, Lot]], data: st.DataObject) -> None:
    total = prefix_value_down(priced, len(priced), priced[-1][1].amount)
    fen = data.draw(st.integers(0, total))
    kept, last = keep_down(priced, fen)
    assert prefix_value_down(priced, kept, last) >= fen
    if kept:
        shorter = (kept, last - 1) if last > 1 else (kept - 1, priced[kept - 2][1].amount if kept > 1 else 0)
        assert prefix_value_down(priced, *shorter) < fen


def test_keeping_more_than_there_is_is_refused() -> None:
    with pytest.raises(NotEnoughHeld):
        keep_down([(DEAR, Lot(1, 10))], 11)


def test_kept_lots_are_a_prefix() -> None:
    lots = (Lot(1, 10), Lot(2, 20), Lot(3, 30))
    assert kept_lots(lots, 0, 0) == ()
    assert kept_lots(lots, 2, 5) == (Lot(1, 10), Lot(2, 5))
