"""Units of quantities. Each dimension has one base unit, chosen so small that no conversion needs a fraction."""

from __future__ import annotations

from typing import Final, NamedTuple

MICRO: Final = 1_000_000
"""Quantities are kept as millionths of the base unit."""


class Unit(NamedTuple):
    """A unit: its dimension, and how many base units it is."""

    dimension: str
    factor: int
    zh: str


UNITS: Final[dict[str, Unit]] = {
    "second": Unit("time", 1, "秒"),
    "minute": Unit("time", 60, "分钟"),
    "hour": Unit("time", 3600, "小时"),
    "gram": Unit("mass", 1, "克"),
    "jin": Unit("mass", 500, "斤"),
    "kilogram": Unit("mass", 1000, "千克"),
    "tonne": Unit("mass", 1_000_000, "吨"),
    "metre": Unit("distance", 1, "米"),
    "kilometre": Unit("distance", 1000, "公里"),
    "fen": Unit("money", 1, "分钱"),
    "yuan": Unit("money", 100, "元"),
    "one": Unit("count", 1, "次"),
    "trip": Unit("count", 1, "次"),
    "day": Unit("count", 1, "天"),
    "session": Unit("count", 1, "课时"),
    "piece": Unit("count", 1, "件"),
    "score": Unit("count", 1, "分值"),
}
"""Accepted unit names. ``day`` counts days; it is not a length of time."""
