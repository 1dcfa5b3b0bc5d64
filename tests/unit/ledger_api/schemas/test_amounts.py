from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard.amounts import points_text, yuan_text
from ledger_api.errors import MalformedAmount
from ledger_api.schemas.amounts import parse_points


@given(st.integers(1, 10**15 - 1))
def test_what_is_shown_reads_back(minor: int) -> None:
    assert parse_points("amount", points_text(minor)) == minor


@pytest.mark.parametrize(
    ("minor", "text"), [(0, "0.00"), (5, "0.05"), (100, "1.00"), (-5, "-0.05"), (-12345, "-123.45")]
)
def test_signs_and_zeros_stand_where_people_expect_them(minor: int, text: str) -> None:
    assert points_text(minor) == yuan_text(minor) == text


@pytest.mark.parametrize("text", ["", "0", "0.00", "-1", "+1", "1.", ".5", "1.234", "01", "1e3", " 1", "1,000", "१"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MalformedAmount):
        parse_points("amount", text)
