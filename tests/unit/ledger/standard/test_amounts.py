"""The grammar of amounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard.amounts import points_text, points_text_short, to_fen, to_minor, yuan_text
from ledger.standard.errors import MalformedAmountText


@given(st.integers(0, 10**15 - 1))
def test_what_is_written_reads_back(amount: int) -> None:
    assert to_minor(points_text(amount)) == to_fen(yuan_text(amount)) == to_minor(points_text_short(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "text", "short"),
    [
        (0, "0.00", "0"),
        (5, "0.05", "0.05"),
        (100, "1.00", "1"),
        (100_000, "1000.00", "1000"),
        (1_050, "10.50", "10.5"),
        (-5, "-0.05", "-0.05"),
        (-12_345, "-123.45", "-123.45"),
    ],
)
def test_signs_and_zeros_stand_where_people_expect_them(amount: int, text: str, short: str) -> None:
    assert (points_text(amount), yuan_text(amount), points_text_short(amount)) == (text, text, short)


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.", ".5", "1.234", "01", "1e3", " 1", "1\n", "1,000", "१", "1" * 14]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MalformedAmountText):
        to_minor(text)
    with pytest.raises(MalformedAmountText):
        to_fen(text)
