"""The time of a block never goes back, and a clock that jumps is noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.embedded.blocktime import ClockReading, WatchedClock, check_clock, next_block_time
from ledger.chain.errors import ClockJumped


@given(previous=st.integers(0, 2**40), now=st.integers(0, 2**40))
def test_block_time_is_now_but_never_goes_back(previous: int, now: int) -> None:
    time = next_block_time(previous, now)
    assert time >= previous
    assert time == now or now < previous == time


@pytest.mark.parametrize("jump", [31.0, -31.0, 86_400.0, -86_400.0])
def test_a_jump_is_noticed(jump: float) -> None:
    with pytest.raises(ClockJumped) as caught:
        check_clock(ClockReading(1_000.0, 5.0), ClockReading(1_010.0 + jump, 15.0), tolerance_s=30.0)
    assert caught.value.jump_s == pytest.approx(jump)


@pytest.mark.parametrize(
    ("wall_s", "steady_s"), [(10.0, 10.0), (35.0, 10.0), (86_400.0, 86_430.0), (0.0, 0.0), (-2e6, -2e6)]
)
def test_slow_correction_is_no_jump(wall_s: float, steady_s: float) -> None:
    check_clock(ClockReading(1_000.0, 5.0), ClockReading(1_000.0 + wall_s, 5.0 + steady_s), tolerance_s=30.0)


class _Hands:
    """A wall clock and a steady one that the test moves."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 9, 1, 8, tzinfo=UTC)
        self.steady_s = 100.0

    def now(self) -> datetime:
        return self.wall

    def timestamp(self) -> int:
        return int(self.wall.timestamp())

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady_s += seconds


@pytest.mark.parametrize("jump_s", [-7_200, -40, 40, 259_200])
def test_whoever_asks_a_clock_that_was_set_is_told(jump_s: int) -> None:
    """Not only once: until the process is started again, even if the clock is set right meanwhile."""
    hands = _Hands()
    clock = WatchedClock(hands, lambda: hands.steady_s)
    assert clock.now() == hands.wall
    hands.pass_by(86_400)
    assert clock.timestamp() == hands.timestamp()
    hands.wall += timedelta(seconds=jump_s)
    for _ in range(2):
        with pytest.raises(ClockJumped) as caught:
            clock.timestamp()
        assert caught.value.jump_s == pytest.approx(jump_s)
    hands.wall -= timedelta(seconds=jump_s)
    with pytest.raises(ClockJumped):
        clock.now()
    assert WatchedClock(hands, lambda: hands.steady_s).now() == hands.wall


def test_a_small_correction_is_let_pass() -> None:
    hands = _Hands()
    clock = WatchedClock(hands, lambda: hands.steady_s)
    for correction in (20, -20, 29, -29):
        clock.now()
        hands.wall += timedelta(seconds=correction)
        assert clock.now() == hands.wall
