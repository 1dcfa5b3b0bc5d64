"""Guards come off as they went on, whatever a value is; a reason names its refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.sources.returns.cells import Reason, guarded, refusal_of, unguarded


@pytest.mark.parametrize("value", ["", "a", "=1", "+1", "-1", "@a", "'=1", "''=1", "'a", "'", "\t=1", "-", "=", "a=1"])
def test_guards_come_off_as_they_went_on(value: str) -> None:
    assert unguarded(guarded(value)) == value
    assert not guarded(value).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text("'=+-@\t\ra1 ", max_size=8))
def test_no_value_is_lost_and_none_begins_a_formula(value: str) -> None:
    assert unguarded(guarded(value)) == value
    assert not guarded(value).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_reason_names_its_refusal_in_both_languages() -> None:
    text = Reason("day: bad", "day: 错误", 17).text()
    assert text == "day: 错误 day: bad [#17]"
    assert refusal_of(text) == 17
    assert refusal_of(Reason("a", "b").text()) is None
    assert refusal_of(None) is None
