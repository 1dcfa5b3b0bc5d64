"""XLSX, row by row, straight from its sheet: dates by their format, formulas refused, memory of one row.

What well-kept libraries do instead (`tests/unit/issuers/sources/readers/test_spreadsheet.py` shows each): openpyxl
reads a tenth of the rows a second, and shows a formula's value or the formula but cannot say that a cell has one;
calamine keeps the whole sheet in memory, makes floats of all numbers, and reports no formula beside its value.
Source of the format: ECMA-376 part 1, 18.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from lxml import etree

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.cell_formats import in_1900_system, shown
from issuers.sources.readers.forms import HEAD, form_of, form_of_members
from issuers.sources.readers.guarded_xml import GuardedXml, forget, parsed
from issuers.sources.readers.rows import Item, Limits, Row
from issuers.sources.readers.source import check_sums, opened_archive
from issuers.sources.readers.table import HEADER_LINES_MAX, Layout
from issuers.sources.readers.workbook import Book, Package, open_book, plain_text

_COLUMNS_MAX: Final = 16_384
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?[0-9]{1,7}")
_WHOLE = re.compile(r"[0-9]{1,9}")
_FORMULA_MARK: Final = "\0formula"
"""Stands for a cell with a formula. No cell holds it: NUL is no character of XML."""
Cells = dict[int, str]


def read_xlsx(path: Path, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of a workbook's sheet: the one that the mapping names, or the first visible. Raises
    ReadFailure."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            form = form_of(head)
            if form == "xls":
                raise ReadFailure(RefusalCode.LOCKED_WORKBOOK)
            if head[:2] != b"PK":
                raise _unknown(form)
            with opened_archive(file, limits, "xlsx") as archive:
                form = form_of_members(archive.namelist())
                if form not in ("xlsx", None):
                    raise _unknown(form)
                package = Package(archive, limits)
                book = open_book(package, mapping, limits)
                try:
                    with package.open(book.sheet) as stream:
                        check_sums(stream)
                    with package.open(book.sheet) as stream:
                        yield from _Sheet(book, mapping, limits).items(stream)
                except ReadFailure as failure:
                    raise _of_sheet(failure, book) from failure
    except (etree.XMLSyntaxError, RuntimeError) as error:
        # An encrypted or strangely packed archive is a RuntimeError.
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT) from error


def _unknown(form: str | None) -> ReadFailure:
    found = {} if form is None else {"form": form}
    return ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="xlsx", **found)


def _of_sheet(failure: ReadFailure, book: Book) -> ReadFailure:
    """Return a failure that says which sheet it is about, where another one may be the right one."""
    if failure.code not in (RefusalCode.EMPTY_FILE, RefusalCode.HEADER_MISMATCH) or book.visible == book.name:
        return failure
    return ReadFailure(failure.code, **dict(failure.params), sheet=book.name, sheets=book.visible)


class _Sheet:
    """Reads one sheet by one mapping."""

    def __init__(self, book: Book, mapping: Mapping, limits: Limits) -> None:
        self._book = book
        self._mapping = mapping
        self._limits = limits
        self._layout = Layout(mapping)

    def items(self, stream: BinaryIO) -> Iterator[Item]:
        rows = self._rows(stream)
        self._header(rows)
        layout, columns = self._layout, self._mapping.columns
        positions = [-1 if at is None else at for at in layout.positions]
        times = [column in self._mapping.time_columns for column in columns] if self._book.is_1904 else []
        limit, count, is_plain = self._limits.field_chars, 0, layout.is_plain
        for line, cells, is_hidden in rows:
            if not cells or not any(cells.values()):
                continue
            if cells.get(layout.first) in layout.names:
                layout.moved(_listed(cells), line)
            if not is_plain and layout.skips(_listed(cells)):
                continue
            if is_hidden and self._mapping.hidden_rows != "read":
                if self._mapping.hidden_rows == "refuse":
                    count += 1
                    yield Fault(count, line, None, RefusalCode.HIDDEN_ROW, (), _kept(cells))
                continue
            count += 1
            values: tuple[str | None, ...] = tuple([cells.get(at) for at in positions])
            if times:
                values = tuple([in_1900_system(v) if v and t else v for v, t in zip(values, times, strict=True)])
            if not is_plain:
                values = layout.fill(values)
            if _FORMULA_MARK in values:
                field = columns[values.index(_FORMULA_MARK)]
                yield Fault(count, line, field, RefusalCode.FORMULA_CELL, (), _kept(cells))
            elif any(value is not None and len(value) > limit for value in values):
                yield Fault(count, line, None, RefusalCode.FIELD_TOO_LARGE, (("limit", str(limit)),), _kept(cells))
            else:
                yield Row(count, line, values)
        if count == 0:
            raise ReadFailure(RefusalCode.EMPTY_FILE)

    def _header(self, rows: Iterator[tuple[int, Cells, bool]]) -> None:
        wanted = self._mapping.header_row
        first: tuple[int, Cells] | None = None
        for line, cells, _ in rows:
            if not any(cells.values()) and wanted != line:
                continue
            first = first or (line, cells)
            if wanted == "find":
                if not self._layout.missing(_listed(cells)):
                    return self._layout.settle(_listed(cells), line)
                if line >= HEADER_LINES_MAX:
                    break
            elif line >= wanted:
                # Sheets whose first line is empty had their header found before mappings could name it.
                if wanted not in (1, line):
                    break
                return self._layout.settle(_listed(cells), line)
        if first is None:
            raise ReadFailure(RefusalCode.EMPTY_FILE)
        missing = self._layout.missing([])
        raise ReadFailure(RefusalCode.HEADER_MISMATCH, columns=", ".join(missing), line=wanted)

    def _rows(self, stream: BinaryIO) -> Iterator[tuple[int, Cells, bool]]:
        """Yield (row number, cells by column from 0, whether the row is hidden)."""
        guarded = GuardedXml(stream, self._limits.record_chars)
        line, names = 0, None
        for _, element in parsed(guarded, ("{*}row", "{*}sheetData")):
            guarded.in_prolog = False
            if names is None:
                names = _Names(element.tag.rpartition("}")[0])
            if element.tag == names.data:
                break
            number = element.get("r")
            at = line + 1 if number is None else _row_number(number)
            if at <= line:
                raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
            line = at
            yield line, self._cells(element, names), element.get("hidden", "0") in ("1", "true")
            forget(element)
            guarded.mark()
        while stream.read(1 << 16):  # to the end, where the archive's checksum is compared
            pass

    def _cells(self, row: Any, names: _Names) -> Cells:
        cells: Cells = {}
        strings, kinds, is_1904 = self._book.strings, self._book.kinds, self._book.is_1904
        at = -1
        for cell in row.iterchildren(names.cell):
            reference = cell.get("r")
            at = at + 1 if reference is None else _column(reference)
            if at in cells or at >= _COLUMNS_MAX:
                raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
            if cell.find(names.formula) is not None:
                cells[at] = _FORMULA_MARK
                continue
            kind = cell.get("t", "n")
            if kind == "inlineStr":
                inline = cell.find(names.inline)
                cells[at] = "" if inline is None else plain_text(inline)
                continue
            value = cell.find(names.value)
            text = None if value is None else value.text
            if not text or kind == "e":
                continue  # an error cell (#N/A) says that there is nothing
            if kind == "s":
                cells[at] = _shared(strings, text)
            elif kind == "n":
                style = cell.get("s")
                text = _number(text)
                form: int | str = 0 if style is None else _kind(kinds, style)
                cells[at] = shown(text, form, is_1904=is_1904) if form else text
            elif kind == "b":
                cells[at] = "TRUE" if text.strip() in ("1", "true") else "FALSE"
            else:
                cells[at] = text
        return cells


class _Names:
    """The names of a sheet's elements in its namespace, which the strict form has of its own."""

    __slots__ = ("cell", "data", "formula", "inline", "value")

    def __init__(self, opening: str) -> None:
        prefix = opening + "}" if opening else ""
        self.data, self.cell, self.value, self.formula, self.inline = (
            prefix + name for name in ("sheetData", "c", "v", "f", "is")
        )


def _row_number(text: str) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
    return int(text)


def _kind(kinds: list[int | str], style: str) -> int | str:
    if _WHOLE.fullmatch(style) is None:
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
    at = int(style)
    if at < len(kinds):
        return kinds[at]
    if at:
        # Without its format nobody can tell a duration of twelve hours (0.5) from half an hour.
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
    return 0


def _shared(strings: list[str], text: str) -> str:
    if _WHOLE.fullmatch(text) is None or int(text) >= len(strings):
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
    return strings[int(text)]


def _number(text: str) -> str:
    """Return a number as plain digits. Excel writes 2.2000000000000002 for 2.2: 15 digits are what it keeps."""
    if len(text) < 16 and "E" not in text and "e" not in text:
        return text.removesuffix(".0")  # as Java's libraries write whole numbers
    try:
        plain = f"{float(text):.15g}"
    except ValueError:
        return text
    # 0.000123 is written as 1.23E-4; what is too long to have kept all its digits stays as it is, for an id to be
    # refused.
    return f"{float(plain):.20f}".rstrip("0").rstrip(".") if "e-" in plain else plain


def _column(reference: str) -> int:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
    at = 0
    for letter in found[1].upper():
        at = at * 26 + ord(letter) - 64
    return at - 1


def _listed(cells: Cells) -> list[str]:
    """Return a row's cells from the first column on, empty ones and formulas as nothing."""
    return ["" if (text := cells.get(at, "")) == _FORMULA_MARK else text for at in range(max(cells, default=-1) + 1)]


def _kept(cells: Cells) -> bytes:
    shown_cells = ["=" if value == _FORMULA_MARK else value[:200] for _, value in sorted(cells.items())]
    return "\t".join(shown_cells).encode("utf-8", "replace")[:4096]
