"""Stopwatches for the stages of a run: how long each was at work, summed over its calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any


class Stages:
    """Seconds by stage. A stage that runs inside another one on the same thread counts for itself alone."""

    def __init__(self, steady: Callable[[], float] = time.perf_counter) -> None:
        self._steady = steady
        self._lock = threading.Lock()
        self._inner = threading.local()
        self.seconds: dict[str, float] = {}

    def watch(self, subject: Any, method: str, stage: str) -> None:
        """Time every call of an object's method from now on, as part of a stage."""
        original = getattr(subject, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            return self.timed(stage, lambda: original(*args, **kwargs))

        setattr(subject, method, timed)

    def timed(self, stage: str, act: Callable[[], Any]) -> Any:
        """Do something as part of a stage and return its result."""
        outer = getattr(self._inner, "seconds", 0.0)
        self._inner.seconds = 0.0
        began = self._steady()
        try:
            return act()
        finally:
            spent = self._steady() - began
            own = spent - self._inner.seconds
            self._inner.seconds = outer + spent
            with self._lock:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + own

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add what another process measured."""
        with self._lock:
            for stage, spent in seconds.items():
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent

    def reset(self) -> None:
        """Forget what was measured, after the warm-up."""
        with self._lock:
            self.seconds.clear()

    def rounded(self) -> dict[str, float]:
        """Return the seconds of each stage, longest first."""
        with self._lock:
            return {name: round(spent, 2) for name, spent in sorted(self.seconds.items(), key=lambda one: -one[1])}
