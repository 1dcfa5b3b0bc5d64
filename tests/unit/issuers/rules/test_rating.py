"""Rules that real cities have, and properties that every rulebook must keep."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.rules.rating import Used, periods_of, rate, render, usage_keys
from issuers.rules.refusals import RefusalCode
from ledger.standard.amounts import points_text_short
from tests.unit.issuers.build import DAY, deed, rulebook

PERIODS = periods_of(DAY - 1)


def earned(activity: dict[str, Any], quantity: str, unit: str, used: dict[tuple[str, str], Used] | None = None) -> int:
    """Minor points of one deed."""
    return rate(rulebook({"unit": unit, **activity}), deed(quantity, unit), used or {}).amount_minor


@pytest.mark.parametrize(
    ("activity", "unit", "quantity", "minor"),
    [
        ({"points_per_unit": "10"}, "hour", "1", 1_000),
        ({"points_per_unit": "10"}, "hour", "2.5", 2_500),
        ({"points": "20", "step": "2"}, "hour", "5.9", 4_000),
        ({"points_per_unit": "50"}, "session", "1", 5_000),
        ({"points_per_unit": "10"}, "piece", "3", 3_000),
        ({"points": "5"}, "piece", "7", 500),
        ({"points_per_unit": "0.15"}, "yuan", "119.99", 1_799),
        ({"points_per_unit": "0.15", "round_to": "1"}, "yuan", "119.99", 1_700),
        ({"points_per_unit": "6"}, "kilogram", "0.333333", 199),
        ({"points_per_unit": "10", "maximum": "4"}, "hour", "9", 4_000),
        ({"bands": [{"up_to": "5", "points_per_unit": "30"}, {"points_per_unit": "8"}]}, "kilogram", "7.5", 17_000),
    ],
)
def test_rules_seen_in_real_cities(activity: dict[str, Any], unit: str, quantity: str, minor: int) -> None:
    """Rate, steps, flat, share of a price, bands: floored to 0.01 point, or to what the rule states."""
    assert earned(activity, quantity, unit) == minor


def test_a_point_cap_cuts_and_then_refuses() -> None:
    """200 a year: what is left is granted, and after it nothing, with the period named."""
    book = rulebook({"unit": "yuan", "points_per_unit": "0.15"}, caps=[{"per": "year", "points": "200"}])
    key = ("9", PERIODS["year"])
    cut = rate(book, deed("400", "yuan"), {key: Used(18_000, 0, 1)})
    assert (cut.amount_minor, cut.refusal) == (2_000, None)
    assert "cap=year:points:200:2000" in cut.explanation
    none = rate(book, deed("400", "yuan"), {key: Used(20_000, 0, 2)})
    assert (none.amount_minor, none.refusal, none.params) == (0, RefusalCode.CAP_REACHED, (("period", "year"),))


def test_quantity_and_deed_caps() -> None:
    """500 hours a year count; a photo counts once a day."""
    book = rulebook({"unit": "hour", "points_per_unit": "1", "caps": [{"per": "year", "quantity": "500"}]})
    used = {("9:WORK", PERIODS["year"]): Used(0, int(499.5 * 3600 * 10**6), 300)}
    assert rate(book, deed("8"), used).amount_minor == 50
    once = rulebook({"unit": "piece", "points": "5", "caps": [{"per": "day", "deeds": 1}]})
    assert (
        rate(once, deed("1", "piece"), {("9:WORK", PERIODS["day"]): Used(500, 1, 1)}).refusal is RefusalCode.CAP_REACHED
    )


def test_bands_run_over_a_month() -> None:
    """The first 5 kg of a month earn more, whatever deed brings them."""
    bands = [{"up_to": "5", "points_per_unit": "30"}, {"points_per_unit": "8"}]
    book = rulebook({"unit": "kilogram", "bands": bands, "bands_over": "month"})
    used = {("9:WORK", PERIODS["month"]): Used(0, 4_000 * 10**6, 1)}
    assert rate(book, deed("3", "kilogram"), used).amount_minor == 3_000 + 1_600


@pytest.mark.parametrize(
    ("activity", "quantity", "unit", "code"),
    [
        ({"unit": "hour", "points_per_unit": "10", "minimum": "0.5"}, "0.4", "hour", RefusalCode.BELOW_MINIMUM),
        ({"unit": "hour", "points_per_unit": "10"}, "1", "kilogram", RefusalCode.UNIT_MISMATCH),
        (
            {"unit": "hour", "points_per_unit": "10", "requires": ["ended_at"]},
            "1",
            "hour",
            RefusalCode.MISSING_EVIDENCE,
        ),
        ({"unit": "hour", "points_per_unit": "0.01"}, "0.1", "hour", RefusalCode.NO_POINTS),
    ],
)
def test_what_earns_nothing_says_why(activity: dict[str, Any], quantity: str, unit: str, code: RefusalCode) -> None:
    """Each reason has its own code."""
    assert rate(rulebook(activity), deed(quantity, unit), {}).refusal is code


def test_an_unknown_activity_is_refused() -> None:
    """A code that the rulebook does not have."""
    book = rulebook({"unit": "hour", "points_per_unit": "10"})
    assert rate(book, deed("1", activity="PLAY"), {}).refusal is RefusalCode.UNKNOWN_ACTIVITY


def test_an_explanation_reads_in_both_languages() -> None:
    """What was granted can be told to the person who asks."""
    book = rulebook({"unit": "hour", "points_per_unit": "10", "caps": [{"per": "day", "points": "80"}]})
    words = render(book, rate(book, deed("9"), {}).explanation)
    assert words.en == (
        "Rulebook “Test”, version 1.",
        "Activity WORK: Work; 10 points a hour.",
        "Quantity: 9 hour.",
        "That makes 90 points.",
        "Cap of 80 points a day: 80 points are left to grant.",
    )
    assert words.zh[-1] == "每日上限 80 积分，实授 80 积分。"
    assert [points_text_short(minor) for minor in (0, 5, 1_050, -200)] == ["0", "0.05", "10.5", "-2"]


@given(
    st.lists(st.integers(0, 40_000_000_000), min_size=1, max_size=12),
    st.integers(1, 5_000),
    st.integers(1, 100),
)
def test_no_sequence_of_deeds_passes_a_cap(quantities: list[int], cap: int, hours: int) -> None:
    """Σ of what is granted never exceeds the point cap, and the hours that counted never the quantity cap."""
    caps = [{"per": "month", "points": str(cap)}, {"per": "month", "quantity": str(hours)}]
    book = rulebook({"unit": "hour", "points_per_unit": "10.37", "caps": caps})
    used: dict[tuple[str, str], Used] = {}
    for micro in quantities:
        one = deed("1")._replace(quantity_micro=micro)
        rating = rate(book, one, used)
        if rating.refusal is None:
            for key in usage_keys(book.activities["WORK"], one.day):
                before = used.get(key, Used())
                used[key] = Used(
                    before.points_minor + rating.amount_minor,
                    before.quantity_micro + rating.quantity_micro,
                    before.deeds + 1,
                )
    for total in used.values():
        assert total.points_minor <= cap * 100
        assert total.quantity_micro <= hours * 3600 * 10**6


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_more_of_a_deed_never_earns_less(first: int, second: int) -> None:
    """Bands, steps and rounding are monotonous."""
    bands = [{"up_to": "5", "points_per_unit": "30"}, {"up_to": "9", "points_per_unit": "8"}, {"points_per_unit": "0"}]
    for activity in (
        {"bands": bands},
        {"points": "7", "step": "3"},
        {"points_per_unit": "0.333333", "round_to": "0.5"},
    ):
        book = rulebook({"unit": "kilogram", **activity})
        low, high = sorted((first, second))
        one, two = (rate(book, deed("1", "kilogram")._replace(quantity_micro=q), {}).amount_minor for q in (low, high))
        assert one <= two
