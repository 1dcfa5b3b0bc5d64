from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_api.errors import BadCursor
from ledger_api.http.paging import decode_cursor, encode_cursor

PLACE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(PLACE, min_size=1, max_size=4))
def test_a_cursor_gives_back_its_place(place: list[int]) -> None:
    assert decode_cursor(encode_cursor(*place), len(place)) == tuple(place)


def test_no_cursor_is_the_start() -> None:
    assert decode_cursor(None, 2) is None


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(BadCursor):
        decode_cursor(encode_cursor(1, 2), 1)


@given(st.text(max_size=40))
def test_any_other_text_is_refused_or_a_place(text: str) -> None:
    with contextlib.suppress(BadCursor):
        assert decode_cursor(text, 1) is not None
