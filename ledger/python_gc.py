"""Tunes Python's own garbage collector, for a process that makes millions of small rows and few cycles."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 100_000
"""Net new objects between two looks at the young ones; Python's default of 700 fits programs a hundredth as busy."""
_MIDDLE, _OLD = 50, 100


def collect_rarely() -> None:
    """Look for garbage rarely, from now on, in this process; memory that nothing refers to is freed at once as ever.

    What exists when it is called is never looked at again. A chunk of records is a hundred thousand tuples that live
    until its commit, and with the default a fifth of the intake's time went into looking at them (measured: 4.6 s to
    3.7 s of CPU for 40,000 records).
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


class _Pause:
    """The collector's pause in this process: as long as anybody wants one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._resumes = False

    def begin(self) -> None:
        with self._lock:
            if self._wanted == 0:
                self._resumes = gc.isenabled()
                gc.disable()
            self._wanted += 1

    def end(self) -> None:
        with self._lock:
            self._wanted -= 1
            if self._wanted == 0 and self._resumes:
                gc.enable()


_PAUSE = _Pause()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Look for no garbage in this process while the block runs; blocks of several threads may overlap.

    For a second's work that makes very many objects which all live until its end: looking at a chunk's was a twentieth
    of the intake's time, most of it with the database's write lock held. The block must let go of them itself.
    """
    _PAUSE.begin()
    try:
        yield
    finally:
        _PAUSE.end()
