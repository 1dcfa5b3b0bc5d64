"""What SIGTERM and SIGINT do to a process that works until it is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Ending:
    """Interrupts the opening of a city, and later asks for the end."""

    def __init__(self) -> None:
        self.is_opening = True
        self.event = threading.Event()

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal. Raises KeyboardInterrupt while the city still opens."""
        if self.is_opening:
            raise KeyboardInterrupt
        self.event.set()


@contextmanager
def ending_by_signal() -> Iterator[Ending]:
    """Hear SIGTERM and SIGINT until the block ends."""
    ending = Ending()
    before = {number: signal.signal(number, ending.hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
