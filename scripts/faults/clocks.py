"""The workload's clock: it runs, moves to another day with the scenario, and can be set wrong from outside.

Two hands, as on every machine: the wall clock, which can be set, and the steady one, which cannot. When the
scenario moves to another day both move, for the time has passed; an injected fault moves only the wall's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledger.clock import ManualClock

FILE = "clock.offset"
"""Seconds by which the wall clock is wrong; written whole by the process that injects the fault."""


@dataclass(frozen=True, slots=True)
class _Hands:
    """Where both hands stood when the scenario last moved them."""

    moment: datetime
    anchor_s: float
    passed_s: float
    """Seconds of the scenario that no running clock has counted."""


class TownClock(ManualClock):
    """A running clock that begins at a moment. ``offset``: the file that says how wrong it is.

    A thread that reads ``now`` and then ``steady`` sees both as of one moment, however
    the scenario moves on meanwhile.
    """

    def __init__(self, start: datetime, offset: Path, running: Callable[[], float] = time.monotonic) -> None:
        super().__init__(start)
        self._running = running
        self._offset = offset
        self._hands = _Hands(start, running(), 0.0)
        self._seen = threading.local()

    def now(self) -> datetime:
        """Return the wall clock's time, right or wrong."""
        hands, running_s = self._hands, self._running()
        self._seen.steady_s = hands.passed_s + running_s
        return hands.moment.astimezone(UTC) + timedelta(seconds=running_s - hands.anchor_s + self._wrong_s())

    def timestamp(self) -> int:
        """Return the wall clock's Unix time in whole seconds."""
        return int(self.now().timestamp())

    def steady(self) -> float:
        """Return the steady clock's seconds as they were when this thread last asked for the time."""
        return float(self._seen.steady_s)

    def set(self, moment: datetime) -> None:
        """Move both hands to a moment of the scenario."""
        hands, running_s = self._hands, self._running()
        right = hands.moment + timedelta(seconds=running_s - hands.anchor_s)
        self._hands = _Hands(moment, running_s, hands.passed_s + (moment - right).total_seconds())

    def _wrong_s(self) -> float:
        try:
            return float(self._offset.read_text() or 0)
        except FileNotFoundError:
            return 0.0


def put_wrong(state_dir: Path, seconds: float) -> None:
    """Set the wall clock of the processes of a state directory wrong by so many seconds; 0 sets it right."""
    path = state_dir / FILE
    temporary = path.with_suffix(".tmp")
    temporary.write_text(str(seconds))
    temporary.replace(path)
