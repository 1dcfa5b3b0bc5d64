"""Drop folders: whole files are picked up atomically, taken in once, and moved away with a report where there is one.

Inside a drop folder ``.taken`` holds what is being read (and what a crash left, which is read first), ``.done`` what
was taken in, and ``.refused`` what could not be read at all: a bad file stands aside and disturbs nothing else.
``.returned`` has the refused rows of each file, in its form and with the reasons, to be corrected and dropped again.
Who may write here may write links: none is followed, neither for a file nor for one of those folders.
"""

from __future__ import annotations

import errno
import logging
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy.exc import InterfaceError, OperationalError, StatementError

from issuers.answers import Refusal
from issuers.errors import UnknownMapping
from issuers.intake.deliveries import IngestReport
from issuers.intake.file_names import shown_name, with_addition
from ledger.errors import TongduiError

_LOG = logging.getLogger(__name__)
MAPPING_FILE = "mapping.yaml"
"""A file of this name in a drop folder is the mapping of all others in it."""
REPORT_SUFFIX = ".report.json"
RETURNED = ".returned"
"""The folder of refused rows: files of the same form, with the reasons, to be corrected and dropped again."""
_REFUSALS_IN_REPORT = 1_000
_BY_CONTENT: Final = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, StatementError)
"""What only this file can have caused; anything else is ours, and the file is read again."""
_MACHINE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS})
"""Errors of the machine, which no file is to blame for."""


class LinkedFolder(OSError):
    """One of the folders inside a drop folder is a link, or no folder: what is moved there would be another's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{shown_name(path.parent.name)}/{path.name} is a link or no folder; nothing is taken there")


def drop_folder_files(folder: Path, min_age_s: float = 0.0) -> Iterator[Path]:
    """Yield the files of a drop folder, each picked up atomically: first those a crash left, then new ones by name.

    A file that is still being written has a name beginning with a dot or ending in ``.part`` or ``.tmp``; the sender
    renames it when it is whole. Senders that cannot do so are given ``min_age_s`` without a change. Files of which one
    of that name is being read wait for their turn.
    """
    working = _own_folder(folder, ".taken")
    yield from sorted(path for path in working.iterdir() if _is_entry(path))
    for path in sorted(folder.iterdir()):
        taken = working / path.name
        if not _is_whole(path, min_age_s) or _is_entry(taken):
            continue
        try:
            path.rename(taken)
        except FileNotFoundError:
            continue  # another worker was faster
        yield taken


def take_files(
    folder: Path,
    ingest: Callable[[Path], IngestReport],
    refusals: Callable[[int], Sequence[Refusal]],
    min_age_s: float = 0.0,
    give_back: Callable[[Path, Path], None] | None = None,
) -> list[IngestReport]:
    """Take in every whole file of a drop folder and put each away; returns the reports of what was read.

    ``give_back`` writes the refused rows of a file to another, which stands under the file's name in ``.returned``.

    ``ingest`` takes a file in, ``refusals`` gives a delivery's refusals. What they raise beside UnknownMapping and
    OSError ends the round: the file stays where it is and is read again. A round with refusals logs one warning.
    """
    reports, refused_files = [], 0
    for place in (".done", ".refused"):
        _own_folder(folder, place)
    for path in drop_folder_files(folder, min_age_s):
        try:
            report = ingest(_regular(path))
        except (OperationalError, InterfaceError):
            raise  # the database is away or busy
        except (UnknownMapping, OSError, *_BY_CONTENT) as error:
            if isinstance(error, OSError) and error.errno in _MACHINE:
                raise
            if _is_entry(path):  # else another worker has taken it in meanwhile
                if not isinstance(error, UnknownMapping | OSError):
                    _LOG.exception("%s: a file could not be taken in", folder.name)
                said = str(error) if isinstance(error, UnknownMapping) else _said(error)
                _put_away(path, ".refused", {"file": shown_name(path.name), "outcome": "refused", "error": said})
                refused_files += 1
            continue
        refused = refusals(report.delivery_id)
        is_unreadable = any(one.row == 0 for one in refused)
        kept = _put_away(
            path, ".refused" if is_unreadable else ".done", _report(path, report, refused) if refused else None
        )
        if give_back is not None and kept is not None and any(one.row for one in refused):
            _give_back(folder, kept, give_back)
        reports.append(report)
        refused_files += bool(refused)
    if refused_files:
        files = "1 file" if refused_files == 1 else f"{refused_files} files"
        _LOG.warning("%s: %s with refusals; see the report beside each", folder.name, files)
    return reports


def _is_whole(path: Path, min_age_s: float) -> bool:
    if path.name.startswith(".") or path.suffix in (".part", ".tmp") or path.name == MAPPING_FILE:
        return False
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(found.st_mode):
        return False
    # A link, or a pipe, is picked up too: it stands aside with words, instead of lying there for ever.
    return min_age_s == 0 or time.time() - found.st_mtime >= min_age_s


def _is_entry(path: Path) -> bool:
    """Return whether something of this name is there that is no folder; a link is not followed."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _regular(path: Path) -> Path:
    """Return a path that is a plain file. Raises OSError for a link, a pipe and anything else."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, "not a file but a link or a device; send the file itself")
    return path


def own_mapping(folder: Path) -> Path | None:
    """Return a drop folder's own mapping file, if it has one. Raises OSError: it is a link."""
    path = folder / MAPPING_FILE
    return _regular(path) if path.exists() or path.is_symlink() else None


def _own_folder(folder: Path, name: str) -> Path:
    """Return a folder inside a drop folder, made where there is none. Raises LinkedFolder."""
    path = folder / name
    path.mkdir(exist_ok=True)
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise LinkedFolder(path)
    return path


def _said(error: Exception) -> str:
    """Return an error without the values that may stand in its text."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__


def set_aside(folder: Path) -> int:
    """Return how many files stand aside in a drop folder; 0 where they cannot be counted."""
    place = folder / ".refused"
    try:
        if not stat.S_ISDIR(place.lstat().st_mode):
            return 0
        return sum(1 for path in place.iterdir() if not path.name.endswith(REPORT_SUFFIX))
    except OSError:
        return 0


def _give_back(folder: Path, kept: Path, give_back: Callable[[Path, Path], None]) -> None:
    """Write a file's refused rows for its clerk. What cannot be written is no reason to stop: the report is there."""
    try:
        returned = _own_folder(folder, RETURNED)
        give_back(kept, returned / kept.name)
    except (OSError, TongduiError) as error:
        _LOG.warning("%s: the refused rows of a file could not be written: %s", folder.name, error)


def _put_away(path: Path, where: str, report: dict[str, Any] | None) -> Path | None:
    """Move a file to a folder beside, under a name of its own, with its report beside it; returns where it is.

    None: another worker has put it away.
    """
    folder = _own_folder(path.parent.parent, where)
    target = folder / path.name
    number = 1
    while target.exists() or target.is_symlink():
        number += 1
        target = folder / with_addition(path.stem, f".{number}{path.suffix}")
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    if report is not None:
        name = with_addition(target.name, REPORT_SUFFIX)
        temporary = folder / f".{name}"
        temporary.unlink(missing_ok=True)  # never written through a link that somebody left there
        temporary.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        temporary.replace(folder / name)
    return target


def _report(path: Path, report: IngestReport, refused: Sequence[Refusal]) -> dict[str, Any]:
    """Return what the agency needs to fix a file: places and reasons, no value of a record."""
    return {
        "file": shown_name(path.name),
        "outcome": report.outcome,
        "delivery": str(report.delivery_id),
        "rows": report.rows,
        "statuses": dict(report.statuses),
        "refusals": [
            {
                "row": one.row,
                "line": one.line,
                "field": one.field,
                "code": one.code,
                "reason_en": one.reason_en,
                "reason_zh": one.reason_zh,
            }
            for one in refused[:_REFUSALS_IN_REPORT]
        ],
    }
