"""One rate limit for several processes of a machine: the callers' buckets lie in memory that all of them see.

The memory is a file that its owner has opened and unlinked, so it ends with the processes. A caller's bucket is found
by a keyed hash, in one of `_SETS` sets of `_WAYS` buckets, of which the longest idle one makes room. A lock on the
set's byte of the file lets one process at a time count, and falls with a process that is killed.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from hashlib import blake2b

from ledger_api.http.middleware import Quota, counted

_SETS, _WAYS = 8_192, 8
_BUCKET = struct.Struct("<Qdd")
"""The caller's hash (0: nobody's), how many requests are left, and when that was, in seconds of the machine's clock."""
_KEY_BYTES = 32
_SET_BYTES = _WAYS * _BUCKET.size


def shared_memory() -> int:
    """Return the descriptor of new memory for a limit; children inherit it by number."""
    with tempfile.TemporaryFile(prefix="tongdui-limit-") as file:
        file.truncate(_KEY_BYTES + _SETS * _SET_BYTES)
        file.seek(0)
        file.write(os.urandom(_KEY_BYTES))
        file.flush()
        return os.dup(file.fileno())


class SharedRateLimiter:
    """As `RateLimiter`, over all processes that were given the same memory."""

    def __init__(self, per_minute: int, descriptor: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``monotonic``: a clock that is the same in all processes of the machine."""
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _KEY_BYTES + _SETS * _SET_BYTES)
        self._key = self._memory[:_KEY_BYTES]
        self._threads = threading.Lock()  # a lock on a file is the process's, whichever thread has taken it

    def take(self, caller: str) -> Quota:
        """Count one request, and return where the caller stands after it."""
        digest = blake2b(caller.encode(), key=self._key, digest_size=12).digest()
        name = int.from_bytes(digest[:8], "little") or 1
        start = _KEY_BYTES + int.from_bytes(digest[8:], "little") % _SETS * _SET_BYTES
        with self._threads:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, start)
            try:
                return self._count(name, start)
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, start)

    def _count(self, name: int, start: int) -> Quota:
        now = self._monotonic()
        place, idle_since = start, float("inf")
        level, at = float(self._per_minute), now
        for offset in range(start, start + _SET_BYTES, _BUCKET.size):
            found, its_level, its_at = _BUCKET.unpack_from(self._memory, offset)
            if found == name:
                place, level, at = offset, its_level, its_at
                break
            if found == 0 or its_at < idle_since:
                place, idle_since = offset, float("-inf") if found == 0 else its_at
        quota, left = counted(self._per_minute, level, now - at)
        _BUCKET.pack_into(self._memory, place, name, left, now)
        return quota
