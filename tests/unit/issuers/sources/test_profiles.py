"""Columns of a file: bounded counts, shapes, and what is written otherwise than the rest."""

from __future__ import annotations

import pytest

from issuers.sources import profiles
from issuers.sources.profiles import ColumnProfile, shape


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("5101070001", "9"),
        ("ZY-2026-01", "A-9-9"),
        ("2026年3月13日", "9字9字9字"),
        ("zd_0a", "a_9a"),
        ("５１", "９"),
        ("a\u200bb", "a·a"),
        ("x" * 50, "a…"),
        ("--", "--"),
    ],
)
def test_a_shape_says_the_form_and_not_the_value(text: str, form: str) -> None:
    assert shape(text) == form


def profile(*values: str | None) -> ColumnProfile:
    found = ColumnProfile("c")
    for row, value in enumerate(values, 1):
        found.add(value, row)
    return found


def test_empty_cells_and_repeats_are_counted() -> None:
    view = profile("a", "a", "b", " ", None).view()
    assert (view.filled, view.empty, view.distinct, view.is_exact) == (3, 2, 2, True)
    assert view.repeated == (("a", 2),)


def test_free_text_has_no_odd_values() -> None:
    """Where no shape is the usual one, none is odd."""
    assert profile("图书角", "a b", "9", "x-1", "锦江 3").view().odd == ()


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "VALUES_MAX", 10)
    monkeypatch.setattr(profiles, "SHAPES_MAX", 5)
    found = profile(*["-" * n + str(n) for n in range(100)], *["-1"] * 3)
    view = found.view()
    assert (view.distinct, view.is_exact, view.filled) == (10, False, 103)
    assert len(found.shapes) == 5


def test_ruined_numbers_are_long_and_end_in_zeros() -> None:
    assert profile("510107199001011000", "5101071990010110", "000", "5101071990010100x000").ruined == 1
