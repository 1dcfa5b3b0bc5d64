"""Tables, whatever they are written in: which line is the header, where each column stands, which rows are records.

CSV and workbooks differ in how cells are found, and in nothing else. Pure but for what is filled down.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final, cast

from issuers.rules.refusals import ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping, column_position

HEADER_LINES_MAX: Final = 100
"""Lines in which ``header_row: find`` looks for the header."""
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\u00ad\ufeff]")
Cells = Sequence[str | None]


def folded(name: str) -> str:
    """Return a column's name without what differs between a mapping and a sheet by accident: line breaks and other
    blanks, full-width forms, invisible characters."""
    return "".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", name)).split())


class Layout:
    """Where a mapping's columns stand in one table."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._required = mapping.columns_required
        self._skipped = tuple(dict.fromkeys(one.column for one in mapping.skip_rows if one.column is not None))
        self._fill = [at for at, column in enumerate(mapping.columns) if column in mapping.fill_down]
        self._last: list[str | None] = [None] * len(mapping.columns)
        self._skips: list[tuple[int | None, re.Pattern[str]]] = []
        self.names: frozenset[str] = frozenset()
        """The header's names as they were written."""
        self.first = 0
        """Place of the first column that is needed: where another header has a name, a record has a value."""
        self.positions: list[int | None] = []
        """Of each column of the mapping, its place in the table; None where an optional one is missing."""

    @property
    def is_plain(self) -> bool:
        """Whether every row is a record and no cell is filled: nothing is asked of a row."""
        return not self._skips and not self._fill

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the columns that are needed and not among these names."""
        exact, loose = _places(names)
        return [one for one in (*self._required, *self._skipped) if not _find(one, exact, loose)]

    def settle(self, names: Sequence[str], line: int) -> None:
        """Take these names as the header. Raises ReadFailure: a column is missing, or is there more than once."""
        missing = self.missing(names)
        if missing:
            raise ReadFailure(RefusalCode.HEADER_MISMATCH, columns=", ".join(missing), line=line)
        exact, loose = _places(names)
        self.positions = [self._place(column, exact, loose) for column in self._mapping.columns]
        self.names = frozenset(names) - {""}
        self.first = next((at for at in self.positions if at is not None), 0)
        self._skips = [
            (None if one.column is None else self._place(one.column, exact, loose), re.compile(one.pattern))
            for one in self._mapping.skip_rows
        ]

    def _place(self, column: str, exact: dict[str, list[int]], loose: dict[str, list[int]]) -> int | None:
        found = _find(column, exact, loose)
        if len(found) > 1:
            raise ReadFailure(RefusalCode.EQUAL_COLUMNS, columns=column)
        return found[0] if found else None

    def moved(self, cells: Sequence[str], line: int | None) -> None:
        """Raise ReadFailure if a row is another header whose columns stand elsewhere (two tables on one sheet, files
        that were joined): what follows would be read into wrong fields."""
        if self.missing(cells):
            return
        exact, loose = _places(cells)
        found = [_find(column, exact, loose) for column in self._mapping.columns]
        if any(at is not None and places and places[0] != at for places, at in zip(found, self.positions, strict=True)):
            raise ReadFailure(RefusalCode.SECOND_HEADER, line=line)

    def skips(self, cells: Cells) -> bool:
        """Return whether the mapping says that this row is no record."""
        for at, pattern in self._skips:
            if at is not None:
                text = cells[at] if at < len(cells) else None
                if pattern.fullmatch((text or "").strip()):
                    return True
            elif any(cell and pattern.fullmatch(cell.strip()) for cell in cells):
                return True
        return False

    def fill(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the values with what merged cells above say of them. A value is a text, None, or a reader's mark."""
        if not self._fill:
            return values
        filled = list(values)
        for at in self._fill:
            value = filled[at]
            if value is None or (isinstance(value, str) and not value.strip()):
                filled[at] = self._last[at]
            else:
                self._last[at] = value
        return tuple(filled)


def picker(positions: Sequence[int | None]) -> Callable[[Sequence[str]], tuple[str | None, ...]]:
    """Return the function that takes the mapping's columns out of a row's cells."""
    if None not in positions and len(positions) > 1:
        places = cast(Sequence[int], positions)
        if all(after == before + 1 for before, after in pairwise(places)):
            first, last = places[0], places[-1] + 1
            return lambda parts: tuple(parts[first:last])
        return itemgetter(*places)

    def pick(parts: Sequence[str]) -> tuple[str | None, ...]:
        return tuple([None if at is None else parts[at] for at in positions])

    return pick


def _places(names: Sequence[str]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    exact: dict[str, list[int]] = {}
    loose: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        exact.setdefault(name.strip(), []).append(at)
        loose.setdefault(folded(name), []).append(at)
    return exact, loose


def _find(column: str, exact: dict[str, list[int]], loose: dict[str, list[int]]) -> list[int]:
    """Return the places of a column: by its name, or by its name and number."""
    found = exact.get(column) or loose.get(folded(column)) or []
    if not found:
        position = column_position(column)
        if position is not None:
            name, number = position
            several = exact.get(name) or loose.get(folded(name)) or []
            return several[number - 1 : number]
    return found
