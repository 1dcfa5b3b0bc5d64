"""The wallet's charts."""

from __future__ import annotations

import re

from ledger_api.pages.wallet.charts import HEIGHT, month_bars
from ledger_api.pages.wallet.figures import Month


def heights(months: list[Month]) -> list[int]:
    return [int(one) for one in re.findall(r'<rect [^>]*height="(\d+)"', month_bars(months))]


def test_columns_are_on_one_scale_and_nothing_is_not_something() -> None:
    found = heights([Month("2026-10", 0, 0), Month("2026-11", 1000, 500)])
    assert found == [0, 0, HEIGHT - 6, (HEIGHT - 6) // 2]


def test_a_little_is_seen_and_no_style_is_written() -> None:
    assert heights([Month("2026-11", 100_000, 1)])[1] == 2
    assert "style=" not in month_bars([Month("2026-11", 1, 1)])
    assert heights([Month("2026-11", 0, 0)]) == [0, 0]
