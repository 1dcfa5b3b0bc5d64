"""The time of a block, and the watch over the clock it comes from. Pure."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ledger.chain.errors import ClockJumped


def next_block_time(previous: int, now: int) -> int:
    """Return the next block's Unix seconds: now, but never before the previous block. Anvil takes equal times."""
    return max(previous, now)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Both clocks at one moment, in seconds."""

    wall_s: float
    steady_s: float


def check_clock(before: ClockReading, now: ClockReading, tolerance_s: float) -> None:
    """Raise ClockJumped if the wall clock went forward more, or less, than the steady clock did since ``before``.

    Readings are compared with the last good one, not with the first: a clock that is slewed slowly (NTP, at most
    0.5 ms a second) stays within the tolerance unless a day passes between two blocks.
    """
    steady = now.steady_s - before.steady_s
    jump = (now.wall_s - before.wall_s) - steady
    if abs(jump) > tolerance_s + steady * _SLEW:
        raise ClockJumped(jump, tolerance_s)


_SLEW = 0.0005


def steady_now() -> float:
    """Return seconds of a clock that nobody sets and that runs on while the machine sleeps, where there is one."""
    clock_id = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock_id is None else time.clock_gettime(clock_id)
