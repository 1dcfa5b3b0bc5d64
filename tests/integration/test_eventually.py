"""What waiting promises: the first value that is so, and a failure that shows what was seen last."""

from __future__ import annotations

import time
from itertools import count

import pytest

from tests.eventually import eventually


def test_it_returns_the_first_value_that_is_so() -> None:
    numbers = count()
    assert eventually(lambda: next(numbers), lambda number: number >= 3, poll_s=0) == 3
    assert next(numbers) == 4, "it looked no further"


def test_it_says_what_it_saw_last_and_what_lay_around_it() -> None:
    with pytest.raises(AssertionError, match=r"not so within 0 s; last seen: \['waiting'\]; 'two alarms'"):
        eventually(lambda: ["waiting"], lambda seen: seen == [], timeout_s=0, context=lambda: "two alarms")


def test_what_is_so_after_the_time_counts() -> None:
    """A machine that stood still is no failure."""
    assert eventually(lambda: time.sleep(0.02) or "late", timeout_s=0.01) == "late"  # type: ignore[func-returns-value]


def test_what_must_hold_meanwhile_fails_at_once() -> None:
    def look() -> bool:
        raise AssertionError("too much was minted")

    with pytest.raises(AssertionError, match="too much was minted"):
        eventually(look)
