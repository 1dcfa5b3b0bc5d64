"""Reads a file that may be a returned one: its guards are taken off, and its rows say which refusals they settle."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from issuers.rules.refusals import ReadFailure
from issuers.sources.mapping import FieldSpec, Mapping
from issuers.sources.readers import Item, Limits, read_file
from issuers.sources.readers.rows import Row
from issuers.sources.readers.source import open_source, opened_archive
from issuers.sources.returns.cells import COLUMN, KEY, MARK, refusal_of, unguarded

_HEAD: Final = 1 << 17
_PARTS_MAX: Final = 8
_MARKS: Final = (MARK.encode(), MARK.encode("utf-16-le"), MARK.encode("utf-16-be"))


@dataclass(frozen=True, slots=True)
class Returned:
    """A file that went back to a clerk, and comes again."""

    mapping: Mapping

    @property
    def reason(self) -> str:
        """The column, or name, of the reason."""
        return COLUMN if self.mapping.format in ("csv", "tsv", "xlsx") else KEY


def was_returned(path: Path, mapping: Mapping, limits: Limits | None = None) -> bool:
    """Return whether a file has the reason column of a returned one. Raises OSError."""
    limits = limits or Limits()
    try:
        if mapping.format == "xlsx":
            return _workbook_has_mark(path, limits)
        with open_source(path, limits, member=mapping.member) as source:
            head = source.read(_HEAD)
    except ReadFailure:
        return False
    if mapping.format in ("csv", "tsv"):
        return any(mark in head for mark in _MARKS)
    return KEY.encode() in head


def read_back(path: Path, mapping: Mapping, limits: Limits | None = None) -> Iterator[Item]:
    """Yield the file's rows and faults as `read_file` does; those of a returned table without their guards."""
    items = read_file(path, mapping, limits)
    if mapping.format not in ("csv", "tsv", "xlsx") or not was_returned(path, mapping, limits):
        return items
    return _unguarded(items)


def refusals_in(path: Path, mapping: Mapping, limits: Limits | None = None) -> dict[int, int]:
    """Return the refusals that a returned file's rows settle, by row; none for any other file. Raises OSError."""
    if not was_returned(path, mapping, limits):
        return {}
    reason = Returned(mapping).reason
    spec = FieldSpec(column=reason, optional=True, length_max=4000)
    seeing = mapping.model_copy(update={"fields": {**mapping.fields, "tongdui_reason": spec}})
    at = seeing.columns.index(reason)
    found: dict[int, int] = {}
    try:
        for item in read_file(path, seeing, limits):
            number = refusal_of(item.values[at]) if isinstance(item, Row) else None
            if number is not None:
                found[item[0]] = number
    except ReadFailure:
        pass
    return found


def _unguarded(items: Iterator[Item]) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Row):
            values = tuple([unguarded(one) if isinstance(one, str) else one for one in item.values])
            yield item._replace(values=values)
        else:
            yield item


def _workbook_has_mark(path: Path, limits: Limits) -> bool:
    """Return whether a workbook's first texts hold the mark. Its parts are read a little way, whatever they are."""
    try:
        with path.open("rb") as file, opened_archive(file, limits, "xlsx") as archive:
            names = [one.filename for one in archive.infolist()[:500] if _may_hold(one.filename)]
            for name in names[:_PARTS_MAX]:
                with archive.open(name) as part:
                    if MARK.encode() in part.read(_HEAD):
                        return True
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError):
        return False
    return False


def _may_hold(name: str) -> bool:
    return name.endswith("sharedStrings.xml") or (name.startswith("xl/worksheets/") and name.endswith(".xml"))
