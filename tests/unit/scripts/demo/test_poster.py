"""The README's picture is one well-formed SVG with the story's own figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from scripts.demo.page_content import ContradictoryFigures
from scripts.demo.poster import poster
from tests.unit.scripts.demo.page_sample import sample_page


def test_it_is_one_picture_that_loads_nothing() -> None:
    drawn = poster(sample_page())
    root = etree.fromstring(drawn.encode())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in drawn
    assert "38.6% → 97.8%" in drawn
    assert "PASS" in drawn
    assert "FAIL" in drawn


def test_a_story_that_does_not_add_up_is_not_drawn() -> None:
    page_content = sample_page()
    with pytest.raises(ContradictoryFigures):
        poster(replace(page_content, audit=replace(page_content.audit, verdict="FAIL")))
