"""Bars are as long as their figures, and need no style attribute."""

from __future__ import annotations

import pytest

from ledger_api.pages.public.charts import bar


@pytest.mark.parametrize(
    ("value", "most", "width"),
    [(50, 100, "500"), (100, 100, "1000"), (1, 10**9, "4"), (0, 5, "0"), (-3, 5, "0"), (5, 0, "4")],
)
def test_the_length_follows_the_figure_and_what_is_there_is_seen(value: int, most: int, width: str) -> None:
    drawn = bar(value, most, "tone-worth")
    assert f'class="tone-worth" width="{width}"' in drawn
    assert "style" not in drawn
    assert 'aria-hidden="true"' in drawn
