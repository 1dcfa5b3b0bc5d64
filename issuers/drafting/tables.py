"""What a file of unknown form holds: its format, encoding, columns, and its first rows as text.

Only its first part is looked at, so that a large file costs no more than a small one. The rows themselves are read by
the readers that will read them later (`issuers.sources.readers`), through a mapping that keeps every column as it is.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import openpyxl
from lxml import etree

from issuers.rules.refusals import Fault, ReadFailure
from issuers.sources.mapping import Mapping
from issuers.sources.readers import Limits, read_file
from issuers.sources.readers.rows import Row
from issuers.sources.returns.writing import unpacked_size
from ledger.errors import ConfigurationError

ROWS_MAX: Final = 5_000
"""Rows that a proposal rests on."""
_HEAD: Final = 1 << 20
_LINES: Final = 50
_COLUMNS_MAX: Final = 200
_UNPACKED_MAX: Final = 1 << 30
_DELIMITERS: Final = (",", "\t", ";", "|")
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


class NoTable(ConfigurationError):
    """No columns can be made out in a file, so that no mapping can be proposed for it."""

    def __init__(self, file: str, why: str) -> None:
        self.file = file
        self.why = why
        super().__init__(f"{file} is no table of records: {why}")


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written, as far as its first part shows."""

    format: str
    columns: tuple[str, ...]
    encodings: tuple[str, ...] = ("utf-8",)
    delimiter: str = ","
    records: str = ""
    header_row: int = 1
    sheet: str | None = None
    rest: str | None = None
    """Where a page of an API has the next one's cursor."""
    equal_columns: tuple[str, ...] = ()
    """Names that several columns have."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file's form and first rows."""

    form: Form
    rows: tuple[dict[str, str], ...]
    """By column; what is empty is left out."""
    unread: int
    """Rows that no reader understands."""

    def values(self, column: str) -> list[str]:
        """Return what stands in a column, without its empty cells."""
        return [row[column] for row in self.rows if column in row]


def table_of(path: Path) -> Table:
    """Return what a file holds. Raises NoTable, or OSError."""
    form = _form(path)
    if len(form.columns) < 2:  # one column is no table
        raise NoTable(path.name, "no columns were found in it")
    rows: list[dict[str, str]] = []
    unread = 0
    try:
        for item in islice(read_file(path, _all_columns(form), Limits()), ROWS_MAX):
            if isinstance(item, Row):
                cells = zip(form.columns, item.values, strict=True)
                rows.append({column: str(value).strip() for column, value in cells if value and str(value).strip()})
            elif isinstance(item, Fault):
                unread += 1
    except ReadFailure as failure:
        if not rows:
            raise NoTable(path.name, str(failure)) from failure
    if not rows:
        raise NoTable(path.name, "no rows were found in it")
    return Table(form, tuple(rows), unread)


def _all_columns(form: Form) -> Mapping:
    """Return a mapping that reads every column as an optional text."""
    spec = {column: {"column": column, "optional": True, "length_max": 4000} for column in form.columns}
    fields: dict[str, Any] = {f"c{at}": one for at, one in enumerate(spec.values())}
    first = next(iter(spec.values()))
    fields |= {"record_id": first, "source_id": first, "activity": first, "day": first}
    content: dict[str, Any] = {
        "name": "draft",
        "system": "draft",
        "programme": "draft",
        "format": form.format,
        "encodings": form.encodings,
        "delimiter": form.delimiter,
        "records": form.records,
        "fields": fields,
        "quantity": [{"constant": "1"}],
    }
    return Mapping.model_validate(content | placed(form))


def placed(form: Form) -> dict[str, Any]:
    """Return the settings of a mapping that say where the table stands, as far as they are needed."""
    found: dict[str, Any] = {}
    if form.header_row != 1:
        found["header_row"] = form.header_row
    if form.sheet is not None:
        found["sheet"] = form.sheet
    return found


def _form(path: Path) -> Form:
    head = _head(path)
    if not head.strip():
        raise NoTable(path.name, "it is empty")
    if head.startswith(b"PK"):
        return _workbook(path)
    encoding, text = _text(head, path.name)
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        return _xml(path, head)
    if start.startswith(("{", "[")):
        return _json(path, start)
    return _delimited(path, text, encoding)


def _head(path: Path) -> bytes:
    """Return a file's first part, unpacked; a workbook stays packed."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        try:
            if magic[:2] == b"\x1f\x8b":
                with gzip.open(file) as packed:
                    return packed.read(_HEAD)
            if magic == b"PK\x03\x04":
                with zipfile.ZipFile(file) as archive:
                    if "[Content_Types].xml" in archive.namelist():
                        return magic
                    names = [one for one in archive.namelist() if not one.endswith("/") and "__MACOSX" not in one]
                    with archive.open(names[0]) as member:
                        return member.read(_HEAD)
        except (OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError, IndexError) as error:
            raise NoTable(path.name, str(error) or "it cannot be unpacked") from error
        return file.read(_HEAD)


def _text(head: bytes, name: str) -> tuple[str, str]:
    """Return (encoding, text) of a file's first part, whose last character may be cut."""
    bom = next((encoding for mark, encoding in _BOMS if head.startswith(mark)), None)
    for encoding in (bom,) if bom else ("utf-8", "gb18030"):
        for cut in range(4):
            try:
                return encoding, head[: len(head) - cut].decode(encoding).removeprefix("\ufeff")
            except UnicodeDecodeError:
                continue
    raise NoTable(name, "its text is neither UTF-8 nor GB18030")


def _delimited(path: Path, text: str, encoding: str) -> Form:
    lines = text.splitlines()[:_LINES]
    counts = {mark: Counter(line.count(mark) for line in lines if line.strip()) for mark in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda mark: max((n * times for n, times in counts[mark].items()), default=0))
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter))
    line, names = _header(rows, path.name)
    encodings = (encoding,) if encoding == "gb18030" else ("utf-8",)
    kind = "tsv" if delimiter == "\t" else "csv"
    return Form(
        kind,
        _unique(names),
        encodings,
        "," if kind == "tsv" else delimiter,
        header_row=line,
        equal_columns=_equal(names),
    )


def _workbook(path: Path) -> Form:
    try:
        if unpacked_size(path) > _UNPACKED_MAX:
            raise NoTable(path.name, "it unpacks to too much")
        with closing(openpyxl.load_workbook(path, read_only=True)) as book:
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            rows = [
                ["" if cell is None else str(cell) for cell in row]
                for row in islice(sheets[0].iter_rows(values_only=True), _LINES)
            ]
    except NoTable:
        raise
    except Exception as error:  # whatever a broken workbook makes of the library
        raise NoTable(path.name, "it is no workbook") from error
    line, names = _header(rows, path.name)
    return Form("xlsx", _unique(names), header_row=line, equal_columns=_equal(names))


def _header(rows: Sequence[Sequence[str]], name: str) -> tuple[int, list[str]]:
    """Return the header's line and names: the first row that is as wide as most, and has a text in each cell."""
    filled = [sum(1 for cell in row if cell.strip()) for row in rows]
    usual = Counter(count for count in filled if count > 1).most_common(1)
    if not usual:
        raise NoTable(name, "no row of it has two columns")
    for at, (row, count) in enumerate(zip(rows, filled, strict=True)):
        words = [cell for cell in row if cell.strip()]
        if count >= usual[0][0] and not any(_is_number(cell) for cell in words):
            return at + 1, [" ".join(cell.split()) if "\n" in cell else cell.strip() for cell in row]
    raise NoTable(name, "no row of it looks like a header")


def _is_number(text: str) -> bool:
    plain = unicodedata.normalize("NFKC", text).strip().replace(",", "")
    return plain.replace(".", "", 1).isdigit()


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))[:_COLUMNS_MAX]


def _equal(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name, count in Counter(name for name in names if name).items() if count > 1)


def _json(path: Path, start: str) -> Form:
    lines = [line for line in start.splitlines() if line.strip()]
    documents = [one for one in (_loads(line) for line in lines[:ROWS_MAX]) if isinstance(one, dict)]
    if len(documents) > 1 or (len(lines) == 1 and documents and not _list_in(documents[0])):
        return Form("jsonl", _paths(documents))
    whole = _loads(start) if path.stat().st_size <= _HEAD else _loads(_whole(start))
    if isinstance(whole, list):
        return Form("json", _paths(whole))
    if isinstance(whole, dict):
        records = _list_in(whole)
        if records is not None:
            found: Any = whole
            for step in records.split("."):
                found = found[step]
            names = [name for name, value in whole.items() if "next" in name and not isinstance(value, list | dict)]
            return Form("json", _paths(found), records=records, rest=names[0] if names else None)
    raise NoTable(path.name, "its JSON has no list of records")


def _whole(start: str) -> str:
    """Return the first part of a long array of objects as a whole one."""
    return start[: start.rfind("}") + 1] + "]" if start.startswith("[") else start


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _list_in(document: dict[str, Any], before: str = "") -> str | None:
    """Return the path of the longest list of objects in a document."""
    best: tuple[int, str] | None = None
    for name, value in document.items():
        path = f"{before}{name}"
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value[:20]):
            best = max(best or (0, path), (len(value), path))
        elif isinstance(value, dict) and before.count(".") < 3:
            inner = _list_in(value, f"{path}.")
            if inner is not None:
                best = max(best or (0, inner), (1, inner))
    return None if best is None else best[1]


def _paths(documents: Iterable[Any]) -> tuple[str, ...]:
    """Return the dotted paths of the values in documents, in the order in which they come."""
    found: dict[str, None] = {}

    def visit(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                visit(inner, f"{path}.{name}" if path else name)
        elif path and not isinstance(value, list):
            found[path] = None

    for document in islice(documents, ROWS_MAX):
        visit(document, "")
    return tuple(found)[:_COLUMNS_MAX]


def _xml(path: Path, head: bytes) -> Form:
    """Return the form of an XML file: its records are the elements that come most often and have children of texts."""
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise NoTable(path.name, "it declares a document type")
    parser = etree.XMLPullParser(events=("end",), resolve_entities=False, no_network=True, load_dtd=False)
    seen: Counter[str] = Counter()
    columns: dict[str, dict[str, None]] = {}
    try:
        parser.feed(head)
        for _, element in parser.read_events():
            _note(element, seen, columns)
    except etree.XMLSyntaxError as error:
        raise NoTable(path.name, f"its XML is broken: {error}") from error
    if not seen:
        raise NoTable(path.name, "its XML has no element that repeats")
    records = max(seen, key=lambda tag: (seen[tag], len(columns[tag])))
    return Form("xml", tuple(columns[records])[:_COLUMNS_MAX], records=records)


def _note(element: Any, seen: Counter[str], columns: dict[str, dict[str, None]]) -> None:
    tag = etree.QName(element).localname
    names = [f"@{name}" for name in element.keys()]  # noqa: SIM118  # an element is no dict
    for child in element:
        if len(child):
            names += [f"{etree.QName(child).localname}/{etree.QName(one).localname}" for one in child]
        else:
            names.append(etree.QName(child).localname)
    parent = element.getparent()
    if parent is not None and etree.QName(parent).localname == tag:
        tag = f"{tag}/{tag}"  # records in an element of their own name, which is none of them
    if len(names) > 1 and parent is not None:
        seen[tag] += 1
        columns.setdefault(tag, {}).update(dict.fromkeys(names))
