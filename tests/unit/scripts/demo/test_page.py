"""The page is one file that asks the network for nothing, says everything twice, and escapes what it shows."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from scripts.demo.page import render
from scripts.demo.page_content import ContradictoryFigures, Words
from scripts.demo.pictures import came, par, percent, points, qr, went, yuan
from tests.unit.scripts.demo.page_sample import sample_page


def test_nothing_is_loaded_from_anywhere() -> None:
    page = render(sample_page())
    addresses = re.findall(r"""(?:src|href|url\()\s*=?\s*["'(]?([^"')\s>]+)""", page)
    assert all(one.startswith("data:application/json") for one in addresses), addresses
    assert "<script" not in page
    assert "@import" not in page


def test_each_language_says_as_much_as_the_other() -> None:
    page = render(sample_page())
    assert page.count('class="zh" lang="zh"') == page.count('class="en" lang="en"') > 100


def test_what_is_shown_is_escaped() -> None:
    page_content = sample_page()
    shop = replace(page_content.merchants[0], name=Words("<b>店</b>", "<script>alert(1)</script>"))
    page = render(replace(page_content, merchants=(shop, *page_content.merchants[1:])))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_story_that_does_not_add_up_is_not_rendered() -> None:
    page_content = sample_page()
    with pytest.raises(ContradictoryFigures):
        render(replace(page_content, audit=replace(page_content.audit, verdict="FAIL")))


def test_the_bars_of_a_programme_are_equally_long() -> None:
    for programme in sample_page().programmes:
        assert sum(part.minor for part in came(programme)) == sum(part.minor for part in went(programme))


def test_the_page_carries_the_receipt_itself() -> None:
    page = render(sample_page())
    assert "base64,eyJraW5kIjogInJlZGVtcHRpb24ifQ==" in page


@pytest.mark.parametrize(
    ("minor", "text"), [(0, "0"), (5, "0.05"), (50, "0.5"), (123456, "1,234.56"), (-700, "−7"), (100000, "1,000")]
)
def test_points(minor: int, text: str) -> None:
    assert points(minor) == text


@pytest.mark.parametrize(("fen", "text"), [(0, "0.00"), (5, "0.05"), (123456, "1,234.56"), (-5, "−0.05")])
def test_yuan(fen: int, text: str) -> None:
    assert yuan(fen) == text


@pytest.mark.parametrize(("ppm", "text"), [(0, "0.0%"), (10_000, "1.0%"), (987_654, "98.8%"), (1_000_000, "100.0%")])
def test_percent(ppm: int, text: str) -> None:
    assert percent(ppm) == text


@pytest.mark.parametrize(
    ("microfen", "text"), [(20_000_000, "0.2"), (5_000_000, "0.05"), (100_000_000, "1"), (1, "0.00000001")]
)
def test_par(microfen: int, text: str) -> None:
    assert par(microfen) == text


def test_a_code_of_squares_scales_and_loads_nothing() -> None:
    picture = qr("TONGDUI:ABCDEFGHJK")
    assert picture.startswith("<svg")
    assert "viewBox" in picture
    assert "width=" not in picture.split(">")[0]
