"""Waiting for what other threads and processes do, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    look: Callable[[], T],
    is_so: Callable[[T], object] = bool,
    *,
    timeout_s: float = 30.0,
    poll_s: float = 0.02,
    context: Callable[[], object] | None = None,
) -> T:
    """Return what ``look`` returns as soon as ``is_so`` holds for it; by default, as soon as it is true.

    ``look`` is called every ``poll_s`` seconds and may assert what must hold meanwhile. Fails after ``timeout_s``
    seconds and shows what was seen last, and what ``context`` returns then. Whatever was seen after the time was up
    still counts: a machine that stood still is no failure.
    """
    until = time.monotonic() + timeout_s
    while True:
        is_last = time.monotonic() >= until
        seen = look()
        if is_so(seen):
            return seen
        if is_last:
            more = "" if context is None else f"; {context()!r}"
            raise AssertionError(f"not so within {timeout_s:g} s; last seen: {seen!r}{more}")
        time.sleep(poll_s)
