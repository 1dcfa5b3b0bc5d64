"""The queue of those who want to write to one SQLite file: threads of this process, and other processes."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class WriterQueue:
    """One writer at a time.

    SQLite itself lets the others poll, with sleeps of up to a tenth of a second, in which no writer may be active. Here
    the kernel wakes the next one, and lets go of a lock whose process has died.

    It is only about order: SQLite's own lock is taken behind it, so a program that does not queue does no harm.
    """

    def __init__(self, database: Path | None) -> None:
        """``database``: the file; None for one in memory, which has no other process."""
        self._threads = threading.Lock()
        self._file: int | None = None
        if database is not None:
            database.parent.mkdir(parents=True, exist_ok=True)
            if sys.platform != "win32":
                lock = database.with_name(database.name + "-writers")
                self._file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)

    def acquire(self) -> None:
        """Wait for one's turn."""
        self._threads.acquire()
        if self._file is not None and sys.platform != "win32":
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX)
            except BaseException:
                self._threads.release()
                raise

    def release(self) -> None:
        """Let the next one write."""
        if self._file is not None and sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Leave the queue for good."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
