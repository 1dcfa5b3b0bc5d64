"""Quarters: the city's civil calendar, UTC+8, the same instants as the contracts."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard import quarters
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.errors import OutOfRange
from tests.unit.ledger.standard.vectors import load


@pytest.mark.parametrize("row", load("quarters.json"), ids=lambda row: str(row["quarter"]))
def test_vectors(row: dict[str, int]) -> None:
    assert quarters.quarter_end_timestamp(row["quarter"]) == row["end"]
    assert quarters.quarter_at(row["start"]) == row["quarter"]
    assert quarters.quarter_at(row["end"] - 1) == row["quarter"]
    assert quarters.quarter_at(row["end"]) == row["quarter"] + 1


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(9998, 12, 31)))
def test_a_day_lies_in_its_quarter(day: date) -> None:
    quarter = quarters.quarter_of(day)
    noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=CITY_TZ).timestamp())
    assert quarters.quarter_at(noon) == quarter
    end = datetime.fromtimestamp(quarters.quarter_end_timestamp(quarter), CITY_TZ)
    assert (end.day, end.hour, end.minute) == (1, 0, 0)
    assert end.month in (1, 4, 7, 10)
    assert timedelta(0) < end.date() - day <= timedelta(days=92)


@given(st.integers(1, 2**32 - 2))
def test_quarters_are_back_to_back_for_every_uint32(quarter: int) -> None:
    length_days = (quarters.quarter_end_timestamp(quarter + 1) - quarters.quarter_end_timestamp(quarter)) / 86_400
    assert length_days in (90, 91, 92)


def test_a_lot_dies_seven_days_after_its_quarter_in_city_time() -> None:
    end = int(datetime(2026, 4, 8, tzinfo=CITY_TZ).timestamp())
    first_of_2026 = quarters.quarter_of(date(2026, 3, 31))
    assert first_of_2026 == 105
    assert not quarters.is_dead(first_of_2026, end - 1)
    assert quarters.is_dead(first_of_2026, end)


def test_quarter_zero_never_dies_and_has_no_end() -> None:
    assert not quarters.is_dead(quarters.NEVER, 2**62)
    with pytest.raises(OutOfRange):
        quarters.quarter_end_timestamp(quarters.NEVER)


def test_expiry_counts_quarters_from_the_grant() -> None:
    assert quarters.expiry_quarter(date(2026, 3, 31), 0) == 105
    assert quarters.expiry_quarter(date(2026, 3, 31), 8) == 113
    with pytest.raises(OutOfRange):
        quarters.expiry_quarter(date(2026, 3, 31), -1)


def test_days_before_2000_have_no_quarter() -> None:
    with pytest.raises(OutOfRange):
        quarters.quarter_of(date(1999, 12, 31))
    with pytest.raises(OutOfRange):
        quarters.quarter_at(int(datetime(2000, 1, 1, tzinfo=CITY_TZ).timestamp()) - 1)
