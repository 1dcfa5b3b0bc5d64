"""A disk that becomes full and is freed again: a small tmpfs, or a limit on a process where nothing may be mounted."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BALLAST = ".ballast"
_BLOCK = 4096
_STEP = 64 * 1024


class Disk:
    """A folder on a disk of its own, or (``is_mounted`` False) on the machine's own disk."""

    def __init__(self, folder: Path, *, is_mounted: bool) -> None:
        self.folder = folder
        self.is_mounted = is_mounted
        self._limited: int | None = None

    def fill(self, process: int, left_bytes: int) -> None:
        """Leave so many bytes. Without a disk of its own: let the process write no file beyond its first bytes.

        The limit (RLIMIT_FSIZE) binds each file by its length and not the disk by its sum, so what is longer already
        cannot be written at all: near enough to a full disk for a writer, and the reason why a mounted disk is
        taken where that is allowed.
        """
        if not self.is_mounted:
            _limit(process, max(left_bytes, _BLOCK))
            self._limited = process
            return
        with (self.folder / _BALLAST).open("wb") as ballast:
            free = shutil.disk_usage(self.folder).free - left_bytes // _BLOCK * _BLOCK
            while free > 0:
                try:
                    os.posix_fallocate(ballast.fileno(), 0, free)
                    return
                except OSError as error:
                    # Others write at the same time, and all of it or nothing is given.
                    if not is_full(error):
                        raise
                    free -= _STEP

    def free(self) -> None:
        """Give back what ``fill`` took."""
        if self.is_mounted:
            (self.folder / _BALLAST).unlink(missing_ok=True)
        elif self._limited is not None:
            with contextlib.suppress(ProcessLookupError):
                _limit(self._limited, resource.RLIM_INFINITY)
            self._limited = None


def _limit(process: int, size: int) -> None:
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, hard))


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Disk]:
    """Mount a disk of that size at ``folder`` while the block runs, if that is allowed here."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=700", "tongdui-faults", str(folder)]
    is_mounted = mount is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield Disk(folder, is_mounted=is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def is_full(error: BaseException) -> bool:
    """Return whether an error says that the disk, or what a process may take of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
