"""The time of a block, and the watch over the clock it comes from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ledger.chain.errors import ClockJumped
from ledger.clock import Clock


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
    if abs(jump) > tolerance_s + abs(steady) * _SLEW:
        raise ClockJumped(jump, tolerance_s)


_SLEW = 0.0005


def steady_now() -> float:
    """Return seconds of a clock that cannot be set and that runs on while the machine sleeps, where there is one."""
    clock_id = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock_id is None else time.clock_gettime(clock_id)


TOLERANCE_S = 30.0
"""By how many seconds a clock may be set at once without anybody's being told."""


class WatchedClock:
    """A clock that nobody may set unseen: from a jump on, each caller that asks it for the time gets ClockJumped.

    Not only blocks depend on the time. With a clock that was set back, a deed of today lies in the future and its
    record is refused; with one set forward, links and orders expire. So each caller stops, until a person has set
    the clock right and the process is started again. Safe to share between threads.
    """

    def __init__(
        self, clock: Clock, steady: Callable[[], float] | None = None, tolerance_s: float = TOLERANCE_S
    ) -> None:
        """Watch ``clock``. ``steady``: seconds of a clock that cannot be set; by default the machine's."""
        self._clock = clock
        self._steady = steady or steady_now
        self._tolerance_s = tolerance_s
        self._lock = threading.Lock()
        self._last: ClockReading | None = None
        self._jump: ClockJumped | None = None

    def now(self) -> datetime:
        """Return the current time. Raises ClockJumped."""
        with self._lock:
            if self._jump is not None:
                raise ClockJumped(self._jump.jump_s, self._jump.tolerance_s)
            moment = self._clock.now()
            reading = ClockReading(moment.timestamp(), self._steady())
            try:
                if self._last is not None:
                    check_clock(self._last, reading, self._tolerance_s)
            except ClockJumped as jump:
                self._jump = jump
                raise
            self._last = reading
            return moment

    def timestamp(self) -> int:
        """Return the current Unix time in whole seconds. Raises ClockJumped."""
        return int(self.now().timestamp())
