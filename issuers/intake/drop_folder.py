"""Drop folders: whole files are picked up atomically, taken in once, and moved away with a report where there is one.

Inside a drop folder ``.taken`` holds what is being read (and what a crash left, which is read first), ``.done`` what
was taken in, and ``.refused`` what could not be read at all: a bad file stands aside and disturbs nothing else.
``.returned`` has the refused rows of each file, in its form and with the reasons, to be corrected and dropped again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from issuers.answers import Refusal
from issuers.errors import UnknownMapping
from issuers.intake.deliveries import IngestReport
from ledger.errors import TongduiError

_LOG = logging.getLogger(__name__)
MAPPING_FILE = "mapping.yaml"
"""A file of this name in a drop folder is the mapping of all others in it."""
REPORT_SUFFIX = ".report.json"
RETURNED = ".returned"
"""The folder of refused rows: files of the same form, with the reasons, to be corrected and dropped again."""
_REFUSALS_IN_REPORT = 1_000


def drop_folder_files(folder: Path, min_age_s: float = 0.0) -> Iterator[Path]:
    """Yield the files of a drop folder, each picked up atomically: first those a crash left, then new ones by name.

    A file that is still being written has a name beginning with a dot or ending in ``.part`` or ``.tmp``; the sender
    renames it when it is whole. Senders that cannot do so are given ``min_age_s`` without a change. Files of which one
    of that name is being read wait for their turn.
    """
    working = folder / ".taken"
    working.mkdir(exist_ok=True)
    yield from sorted(path for path in working.iterdir() if path.is_file())
    for path in sorted(folder.iterdir()):
        taken = working / path.name
        if not _is_whole(path, min_age_s) or taken.exists():
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
    for path in drop_folder_files(folder, min_age_s):
        try:
            report = ingest(path)
        except UnknownMapping as error:
            _put_away(path, ".refused", {"file": path.name, "outcome": "refused", "error": str(error)})
            refused_files += 1
            continue
        except OSError as error:
            if path.exists():  # else another worker has taken it in meanwhile
                _put_away(path, ".refused", {"file": path.name, "outcome": "refused", "error": str(error)})
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
        return path.is_file() and (min_age_s == 0 or time.time() - path.stat().st_mtime >= min_age_s)
    except FileNotFoundError:
        return False


def _give_back(folder: Path, kept: Path, give_back: Callable[[Path, Path], None]) -> None:
    """Write a file's refused rows for its clerk. What cannot be written is no reason to stop: the report is there."""
    returned = folder / RETURNED
    returned.mkdir(exist_ok=True)
    try:
        give_back(kept, returned / kept.name)
    except (OSError, TongduiError) as error:
        _LOG.warning("%s: the refused rows of a file could not be written: %s", folder.name, error)


def _put_away(path: Path, where: str, report: dict[str, Any] | None) -> Path | None:
    """Move a file to a folder beside, under a name of its own, with its report beside it; returns where it is.

    None: another worker has put it away.
    """
    folder = path.parent.parent / where
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}.{number}{path.suffix}"
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    if report is not None:
        temporary = folder / f".{target.name}{REPORT_SUFFIX}"
        temporary.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        temporary.replace(folder / f"{target.name}{REPORT_SUFFIX}")
    return target


def _report(path: Path, report: IngestReport, refused: Sequence[Refusal]) -> dict[str, Any]:
    """Return what the agency needs to fix a file: places and reasons, no value of a record."""
    return {
        "file": path.name,
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
