"""XLSX, row by row, straight from its sheet: shared strings bounded, formulas refused, archives bounded.

openpyxl's read-only mode does a tenth of the rows a second, and shows a formula's cached value or the formula but
cannot say that a cell has one. Source of the format: ECMA-376 part 1, 18.3 and 18.4.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from lxml import etree

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.rows import Item, Limits, Row
from issuers.sources.readers.source import Unpacked, opened_archive, opened_member

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SHEET = "xl/worksheets/sheet1.xml"
_STRINGS = "xl/sharedStrings.xml"
_ROW, _CELL, _VALUE, _FORMULA, _INLINE, _STRING = (_MAIN + name for name in ("row", "c", "v", "f", "is", "si"))
_FORMULA_MARK = object()


def read_xlsx(path: Path, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of a workbook's first sheet. Raises ReadFailure."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="xlsx")
            with opened_archive(file, limits, "xlsx") as archive:
                if _SHEET not in archive.namelist():
                    raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="xlsx")
                strings = _shared_strings(archive, limits)
                with opened_member(archive, _SHEET) as raw:
                    packed = archive.getinfo(_SHEET).compress_size
                    yield from _sheet(cast(BinaryIO, Unpacked(raw, packed, limits)), strings, mapping, limits)
    except (etree.XMLSyntaxError, RuntimeError, ValueError) as error:
        # An encrypted or strangely packed archive is a RuntimeError; a row that is numbered by a word is a ValueError.
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT) from error


def _sheet(stream: BinaryIO, strings: list[str], mapping: Mapping, limits: Limits) -> Iterator[Item]:
    rows = _rows(stream, strings)
    header = next(rows, None)
    if header is None:
        raise ReadFailure(RefusalCode.EMPTY_FILE)
    names = {str(value).strip(): at for at, value in header[1].items() if isinstance(value, str)}
    missing = [column for column in mapping.columns_required if column not in names]
    if missing:
        raise ReadFailure(RefusalCode.HEADER_MISMATCH, columns=", ".join(missing))
    positions = [names.get(column, -1) for column in mapping.columns]
    count = 0
    for line, cells in rows:
        if not cells:
            continue
        count += 1
        values = [cells.get(at) for at in positions]
        if _FORMULA_MARK in cells.values():
            field = next((c for c, v in zip(mapping.columns, values, strict=True) if v is _FORMULA_MARK), None)
            yield Fault(count, line, field, RefusalCode.FORMULA_CELL, (), _kept(cells))
        elif any(value is not None and len(value) > limits.field_chars for value in values):
            limit = (("limit", str(limits.field_chars)),)
            yield Fault(count, line, None, RefusalCode.FIELD_TOO_LARGE, limit, _kept(cells))
        else:
            yield Row(count, line, tuple(values))
    if count == 0:
        raise ReadFailure(RefusalCode.EMPTY_FILE)


def _rows(stream: BinaryIO, strings: list[str]) -> Iterator[tuple[int, dict[int, Any]]]:
    """Yield (row number, cells by column from 0). A formula cell holds the mark."""
    line = 0
    for _, element in _parse(stream, _ROW):
        line = int(element.get("r") or line + 1)
        cells: dict[int, Any] = {}
        at = -1
        for cell in element.iterchildren(_CELL):
            reference = cell.get("r")
            at = _column(reference) if reference else at + 1
            value = _cell(cell, strings)
            if value is not None and value != "":
                cells[at] = value
        yield line, cells
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _cell(cell: Any, strings: list[str]) -> Any:
    if cell.find(_FORMULA) is not None:
        return _FORMULA_MARK
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inline = cell.find(_INLINE)
        return "" if inline is None else "".join(inline.itertext())
    value = cell.find(_VALUE)
    text = None if value is None else value.text
    if text is None:
        return None
    if kind == "s":
        try:
            return strings[int(text)]
        except (ValueError, IndexError) as error:
            raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT) from error
    if kind == "n":
        return _number(text)
    return text


def _number(text: str) -> str:
    """Return a number as plain digits. Excel writes 2.2000000000000002 for 2.2: 15 digits are what it keeps."""
    if len(text) < 16 and "E" not in text and "e" not in text:
        return text
    try:
        return f"{float(text):.15g}"
    except ValueError:
        return text


def _column(reference: str) -> int:
    at = 0
    for letter in reference:
        if not letter.isalpha():
            break
        at = at * 26 + ord(letter.upper()) - 64
    return at - 1


def _shared_strings(archive: zipfile.ZipFile, limits: Limits) -> list[str]:
    if _STRINGS not in archive.namelist():
        return []
    strings: list[str] = []
    total = 0
    with opened_member(archive, _STRINGS) as raw:
        stream = Unpacked(raw, archive.getinfo(_STRINGS).compress_size, limits)
        for _, element in _parse(cast(BinaryIO, stream), _STRING):
            text = "".join(part.text or "" for part in element.iter(_MAIN + "t"))
            total += len(text) + 64
            if total > limits.shared_strings_bytes:
                raise ReadFailure(RefusalCode.FILE_TOO_LARGE, limit=limits.shared_strings_bytes)
            strings.append(text)
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    return strings


def _parse(stream: BinaryIO, tag: str) -> Any:
    return etree.iterparse(
        stream, events=("end",), tag=tag, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )


def _kept(cells: dict[int, Any]) -> bytes:
    shown = ["=" if value is _FORMULA_MARK else str(value)[:200] for _, value in sorted(cells.items())]
    return "\t".join(shown).encode()[:4096]
