"""The curve's runs and its picture."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from scripts.bench.curve import Point, picture, points_of

SVG = "{http://www.w3.org/2000/svg}"


def result(records: int, residents: int, rate: float, node_s: float) -> dict[str, Any]:
    cpu = {"gateway": records * 50e-6, "workers": records * 60e-6, "node": node_s}
    return {
        "records": records - 1,
        "asked": records,
        "residents": residents,
        "database": "sqlite",
        "records_per_s": rate,
        "cpu_s": cpu,
    }


def test_a_run_that_both_curves_want_is_made_once() -> None:
    points = points_of([10, 100], [5, 50], 100, 50, ["sqlite"])
    assert points == [Point(10, 50, "sqlite"), Point(100, 50, "sqlite"), Point(100, 5, "sqlite")]


def test_the_picture_shows_each_run_with_its_rate() -> None:
    runs = [result(10_000, 500, 7_000, 0.2), result(100_000, 500, 7_500, 2.0), result(10_000, 9_000, 6_500, 0.3)]
    drawn = ET.fromstring(picture(runs, [10_000, 100_000], [500, 9_000]))
    texts = [one.text for one in drawn.iter(f"{SVG}text")]
    assert texts.count("7,000/s") == 2, "the run that both curves share"
    assert texts.count("7,500/s") == texts.count("6,500/s") == 1
    bars = [one for one in drawn.iter(f"{SVG}rect") if one.get("fill") == "#b9770e"]
    assert len(bars) == 1 + 4, "the legend's square, and the node's share of each bar"
