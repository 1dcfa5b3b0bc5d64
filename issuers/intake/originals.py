"""Files that were taken in are the agency's own, and stay for a time only: by rule, or until somebody is erased."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

PLACES: Final = (".done", ".refused", ".returned")
"""Where a drop folder keeps what it has read; see `issuers.intake.drop_folder`."""


def remove_originals(folder: Path, before_s: float | None = None) -> int:
    """Remove what was put away in a drop folder, reports included; returns how many files.

    ``before_s``: only what was put away before this Unix time. No link is followed.
    """
    removed = 0
    for name in PLACES:
        place = folder / name
        try:
            if not stat.S_ISDIR(place.lstat().st_mode):
                continue
            entries = list(place.iterdir())
        except FileNotFoundError:
            continue
        for path in entries:
            try:
                found = path.lstat()
                # The change time is the moment of putting away; the file's own time is its sender's.
                if stat.S_ISDIR(found.st_mode) or (before_s is not None and found.st_ctime >= before_s):
                    continue
                path.unlink()
            except FileNotFoundError:
                continue  # another worker was faster
            removed += 1
    return removed
