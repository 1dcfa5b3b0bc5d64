"""The time of a block never goes back, and a clock that jumps is noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.blocktime import ClockReading, check_clock, next_block_time
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


@pytest.mark.parametrize(("wall_s", "steady_s"), [(10.0, 10.0), (35.0, 10.0), (86_400.0, 86_430.0), (0.0, 0.0)])
def test_slow_correction_is_no_jump(wall_s: float, steady_s: float) -> None:
    check_clock(ClockReading(1_000.0, 5.0), ClockReading(1_000.0 + wall_s, 5.0 + steady_s), tolerance_s=30.0)
