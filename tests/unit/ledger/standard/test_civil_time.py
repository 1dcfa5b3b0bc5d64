"""The civil day: the city's, UTC+8, and nowhere else computed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard import civil_time

ROOT = Path(__file__).resolve().parents[4]
REVISIONS = ROOT / "ledger" / "store" / "migrations" / "versions"
"""A revision keeps the values of its day, whatever becomes of the vocabulary."""
PACKAGES = ("ledger", "issuers", "redemption", "ledger_api", "tongdui", "scripts")
EPOCH = date(1970, 1, 1)
INDEPENDENT = timezone(timedelta(hours=8))


@given(st.integers(0, 250_000_000_000))
def test_a_day_is_that_of_a_clock_in_the_city(timestamp: int) -> None:
    there = datetime.fromtimestamp(timestamp, INDEPENDENT)
    day = civil_time.civil_day(timestamp)
    assert day == (there.date() - EPOCH).days
    assert civil_time.civil_date(day) == there.date()
    assert civil_time.day_text(day) == f"{there:%Y-%m-%d}"
    assert civil_time.moment_text(timestamp) == there.isoformat()
    assert civil_time.city_moment(timestamp) == there


@given(st.integers(0, 2_900_000))
def test_a_day_begins_at_its_start(day: int) -> None:
    start = civil_time.day_start(day)
    assert (civil_time.civil_day(start - 1), civil_time.civil_day(start)) == (day - 1, day)


def computed(tree: ast.Module) -> Iterator[int]:
    """Yield the lines in which a module counts the seconds of a day, or the city's offset, for itself."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=86_400 | 28_800):
                yield node.lineno
            case ast.BinOp(left=ast.Constant(value=24 | 8), op=ast.Mult(), right=ast.Constant(value=3_600)):
                yield node.lineno
            case ast.BinOp(
                left=ast.BinOp(right=ast.Constant(value=24)), op=ast.Mult(), right=ast.Constant(value=3_600)
            ):
                yield node.lineno
            case ast.Call(
                func=ast.Name(id="timezone"),
                args=[ast.Call(keywords=[ast.keyword(arg="hours", value=ast.Constant(value=8))]), *_],
            ):
                yield node.lineno
            case _:
                pass


def test_no_module_of_the_product_computes_the_day_for_itself() -> None:
    home = ROOT / "ledger" / "standard" / "civil_time.py"
    modules = [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path != home and path.parent != REVISIONS
    ]
    assert len(modules) > 200
    found = {
        path.relative_to(ROOT).as_posix(): list(computed(ast.parse(path.read_text(encoding="utf-8"))))
        for path in modules
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "text",
    [
        "DAY = 86_400",
        "AGE_S = 7 * 24 * 3600",
        "KEEP_S = 24 * 3600",
        "OFFSET = 8 * 3600",
        "timezone(timedelta(hours=8))",
    ],
)
def test_a_planted_day_is_found(text: str) -> None:
    assert list(computed(ast.parse(text)))
