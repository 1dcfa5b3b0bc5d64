from __future__ import annotations

from ledger_api.pages.counter.charts import HEIGHT, columns
from redemption.till.takings import Day


def test_the_tallest_column_is_the_largest_sum_and_nothing_is_drawn_for_nothing() -> None:
    drawn = str(columns([Day(1, 0, 0, 0), Day(2, 3, 1_000, 1)], "by <day>"))
    assert f'class="came" x="21" y="0" width="8" height="{HEIGHT}"' in drawn
    assert 'height="0"' in drawn
    assert 'class="back" x="29" y="118" width="8" height="2"' in drawn, "what is small is still seen"
    assert "by &lt;day&gt;" in drawn
    assert "style=" not in drawn
