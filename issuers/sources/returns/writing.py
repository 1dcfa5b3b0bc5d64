"""Writes the refused rows of a file to another of the same form: its columns, its encoding, its sheet, and the reasons.

The rows are taken from the file itself, for what is kept of a refused row is cut and has only what the mapping reads.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

import openpyxl
from lxml import etree

from issuers.rules.refusals import ReadFailure
from issuers.sources.mapping import Mapping as SourceMapping
from issuers.sources.readers import Limits, read_file
from issuers.sources.readers.source import open_source
from issuers.sources.returns.cells import COLUMN, KEY, MARK, Reason, guarded, unguarded
from ledger.errors import ConfigurationError

_HEADER_LINES: Final = 120
_QUOTED_LINES: Final = 20
_WORKBOOK_MAX: Final = 1 << 30
"""Bytes of a workbook's parts: the library keeps its texts in memory, and has no bound of its own."""
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class CannotReturn(ConfigurationError):
    """The refused rows of a file cannot be written in its form."""

    def __init__(self, file: str, why: str) -> None:
        self.file = file
        self.why = why
        super().__init__(f"the refused rows of {file} cannot be written: {why}")


def write_back(
    path: Path, mapping: SourceMapping, reasons: Mapping[int, Reason], target: Path, limits: Limits | None = None
) -> int:
    """Write the rows that have a reason, by their number in the file, and return how many there are.

    Raises CannotReturn or OSError; then there is no ``target``.
    """
    limits = limits or Limits()
    # A name that nobody can have put a link under: others may write where a drop folder is.
    temporary = target.with_name(f".{secrets.token_hex(16)}.part")
    count = 0
    try:
        match mapping.format:
            case "csv" | "tsv":
                count = _write_delimited(path, mapping, reasons, temporary, limits)
            case "xlsx":
                count = _write_workbook(path, mapping, reasons, temporary, limits)
            case "jsonl":
                count = _write_lines(path, mapping, reasons, temporary, limits)
            case "json":
                count = _write_json(path, mapping, reasons, temporary, limits)
            case "xml":
                count = _write_xml(path, mapping, reasons, temporary, limits)
        temporary.replace(target)
    except (OSError, CannotReturn):
        raise
    except Exception as error:  # whatever a broken file makes of a library: it was read before, and others go on
        raise CannotReturn(path.name, str(error) or type(error).__name__) from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _spans(
    path: Path, mapping: SourceMapping, wanted: Mapping[int, Reason], limits: Limits
) -> dict[int, tuple[int, int]]:
    """Return (row, last line) of each wanted row by its first line. What cannot be read further ends with the file."""
    spans: dict[int, tuple[int, int]] = {}
    before: tuple[int, int] | None = None
    try:
        for item in read_file(path, mapping, limits):
            if before is not None and item.line is not None:
                spans[before[1]] = (before[0], item.line - 1)
                before = None
            if item[0] in wanted and item.line is not None:
                before = (item[0], item.line)
    except ReadFailure:
        pass
    if before is not None:
        spans[before[1]] = (before[0], before[1] + _QUOTED_LINES)
    return spans


# ------------------------------------------------------------------------------------------------------- CSV, TSV


def _write_delimited(
    path: Path, mapping: SourceMapping, reasons: Mapping[int, Reason], target: Path, limits: Limits
) -> int:
    spans = _spans(path, mapping, reasons, limits)
    with open_source(path, limits, member=mapping.member) as source:
        head = source.read(1 << 16)
        encoding = _encoding(head, mapping)
    delimiter = "\t" if mapping.format == "tsv" else mapping.delimiter
    count = 0
    with (
        open_source(path, limits, member=mapping.member) as source,
        target.open("w", encoding=_written_as(encoding), errors="replace", newline="") as out,
    ):
        text = io.TextIOWrapper(source, encoding, errors="replace", newline="\n")
        lines = enumerate(text, 1)
        above, names, delimiter = _header_of(lines, mapping, delimiter)
        again = _Again(names)
        names = again.without(names)
        out.writelines(f"{line}\r\n" for line in above)
        writer = csv.writer(out, delimiter=delimiter)
        writer.writerow([COLUMN, *names])
        filler = _Filler(names, mapping)
        pending: list[str] = []
        row, last = 0, 0
        for number, line in lines:
            if pending and number > last:
                writer.writerow(
                    [guarded(reasons[row].text()), *filler.filled(again.original(_cells(pending, delimiter)))]
                )
                count, pending = count + 1, []
            if number in spans:
                row, last = spans[number]
            if number <= last:
                pending.append(line.rstrip("\r\n"))
            elif filler.is_needed:
                filler.look(again.original(_cells([line.rstrip("\r\n")], delimiter)))
        if pending:
            writer.writerow([guarded(reasons[row].text()), *filler.filled(again.original(_cells(pending, delimiter)))])
            count += 1
    return count


class _Again:
    """A file that was returned before: its reason column and its guards are not its own."""

    def __init__(self, names: Sequence[str]) -> None:
        self._at = next((at for at, name in enumerate(names) if MARK in name), None)

    def without(self, cells: Sequence[Any]) -> list[Any]:
        """Return cells without the reason's."""
        return [cell for at, cell in enumerate(cells) if at != self._at]

    def original(self, cells: Sequence[Any]) -> list[Any]:
        """Return a row's cells as they were before the file was returned."""
        if self._at is None:
            return list(cells)
        return [unguarded(one) if isinstance(one, str) else one for one in self.without(cells)]


class _Filler:
    """Remembers what merged cells above a row say, for a row that is taken out of its place."""

    def __init__(self, names: Sequence[str], mapping: SourceMapping) -> None:
        columns = mapping.fill_down
        self._places = [at for at, name in enumerate(names) if name.strip() in columns]
        self._last: dict[int, Any] = {}
        self.is_needed = bool(self._places)

    def look(self, cells: Sequence[Any]) -> None:
        """Remember the cells of a row."""
        for at in self._places:
            if at < len(cells) and not _is_empty(cells[at]):
                self._last[at] = cells[at]

    def filled(self, cells: Sequence[Any]) -> list[Any]:
        """Return a row's cells, guarded, with what stands above its empty ones."""
        self.look(cells)
        whole = [self._last.get(at, cell) if at in self._places else cell for at, cell in enumerate(cells)]
        return [guarded(cell) if isinstance(cell, str) else cell for cell in whole]


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _encoding(head: bytes, mapping: SourceMapping) -> str:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    for name in mapping.encodings:
        encoding = "gb18030" if name.lower() in ("gb2312", "gbk", "cp936", "ms936", "gb18030") else name
        for cut in range(4):
            try:
                head[: len(head) - cut].decode(encoding)
            except UnicodeDecodeError:
                continue
            except LookupError:
                break
            return encoding
    return mapping.encodings[0]


def _written_as(encoding: str) -> str:
    """Return the encoding to write: UTF-8 with its mark, or Excel takes it for the system's own."""
    return "utf-8-sig" if encoding.lower().replace("-", "").startswith("utf8") else encoding


def _header_of(
    lines: Iterator[tuple[int, str]], mapping: SourceMapping, delimiter: str
) -> tuple[list[str], list[str], str]:
    """Return the lines above the header, the header's cells, and the delimiter that the file names itself."""
    above: list[str] = []
    for number, line in islice(lines, _HEADER_LINES):
        text = line.rstrip("\r\n").removeprefix("\ufeff")
        if number == 1 and text.strip().strip('"').lower().startswith("sep=") and mapping.format == "csv":
            delimiter = text.strip().strip('"')[4:5] or delimiter
            above.append(text)
            continue
        joined = [text]
        while "\n".join(joined).count('"') % 2 and len(joined) < _QUOTED_LINES:
            _, more = next(lines, (0, ""))
            joined.append(more.rstrip("\r\n"))
        cells = _cells(joined, delimiter)
        if _is_header(cells, mapping):
            return above, cells, delimiter
        above += joined
    raise CannotReturn("the file", "its header was not found")


def _cells(lines: Sequence[str], delimiter: str) -> list[str]:
    joined = "\n".join(lines)
    try:
        return next(csv.reader(io.StringIO(joined, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return [joined]


# ------------------------------------------------------------------------------------------------------- workbooks


def _write_workbook(
    path: Path, mapping: SourceMapping, reasons: Mapping[int, Reason], target: Path, limits: Limits
) -> int:
    rows = {line: row for line, (row, _) in _spans(path, mapping, reasons, limits).items()}
    count = 0
    if unpacked_size(path) > min(_WORKBOOK_MAX, path.stat().st_size * limits.ratio_max):
        raise CannotReturn(path.name, "it unpacks to too much")
    book = openpyxl.Workbook(write_only=True)
    with closing(openpyxl.load_workbook(path, read_only=True, rich_text=False)) as source:
        visible = [one for one in source.worksheets if one.sheet_state == "visible"]
        name = mapping.sheet
        sheet = source[name] if name is not None else visible[0]
        sheet.reset_dimensions()
        out = book.create_sheet(sheet.title)
        names: list[str] | None = None
        filler: _Filler | None = None
        again: _Again | None = None
        for line, cells in enumerate(sheet.iter_rows(), 1):
            values = [cell.value for cell in cells]
            if names is None:
                texts = ["" if value is None else str(value) for value in values]
                if not _is_header(texts, mapping):
                    out.append(values)
                    continue
                again = _Again(texts)
                names = again.without(texts)
                filler = _Filler(names, mapping)
                out.append([COLUMN, *again.without(values)])
                continue
            if filler is None or again is None:
                continue
            originals = again.original(values)
            if line not in rows:
                filler.look(originals)
                continue
            shown = [
                _kept(out, cell, value)
                for cell, value in zip(again.without(cells), filler.filled(originals), strict=True)
            ]
            out.append([guarded(reasons[rows[line]].text()), *shown])
            count += 1
    book.save(target)
    return count


def unpacked_size(path: Path) -> int:
    """Return how long a workbook says its parts are; none is read beyond it. Raises zipfile.BadZipFile."""
    with zipfile.ZipFile(path) as archive:
        return sum(one.file_size for one in archive.infolist())


def _kept(sheet: Any, cell: Any, value: Any) -> Any:
    """Return a cell as it was: a text as text, a number or a date with its format."""
    if value is None or isinstance(value, str):
        return value
    copy = openpyxl.cell.WriteOnlyCell(sheet, value)
    if value == cell.value:
        copy.number_format = cell.number_format
    return copy


def _is_header(texts: Sequence[str], mapping: SourceMapping) -> bool:
    names = {"".join(text.split()) for text in texts}
    return all(
        "".join(column.partition("[")[0].split()) in names or "".join(column.split()) in names
        for column in mapping.columns_required
    )


# ------------------------------------------------------------------------------------------------------- JSON, XML


def _write_lines(
    path: Path, mapping: SourceMapping, reasons: Mapping[int, Reason], target: Path, limits: Limits
) -> int:
    spans = _spans(path, mapping, reasons, limits)
    count = 0
    with (
        open_source(path, limits, member=mapping.member) as source,
        target.open("w", encoding="utf-8", newline="\n") as out,
    ):
        text = io.TextIOWrapper(source, "utf-8", errors="replace", newline="\n")
        for number, line in enumerate(text, 1):
            if number not in spans:
                continue
            document = _parsed(line)
            if not isinstance(document, dict):
                document = {"line": line.rstrip("\r\n")}
            out.write(json.dumps({KEY: reasons[spans[number][0]].text()} | document, ensure_ascii=False) + "\n")
            count += 1
    return count


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _write_json(path: Path, mapping: SourceMapping, reasons: Mapping[int, Reason], target: Path, limits: Limits) -> int:
    with open_source(path, limits, member=mapping.member) as source:
        content = source.read(limits.document_bytes + 1)
    if len(content) > limits.document_bytes:
        raise CannotReturn(path.name, f"it is longer than {limits.document_bytes} bytes; send it as JSON Lines")
    try:
        document = json.loads(content.decode("utf-8-sig"))
        found = document
        for step in mapping.records.split(".") if mapping.records else ():
            found = found[step]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise CannotReturn(path.name, "its JSON is broken") from error
    rows: list[Any] = []
    for number, one in enumerate(found, 1):
        if number in reasons:
            inner = one if isinstance(one, dict) else {"value": one}
            rows.append({KEY: reasons[number].text()} | inner)
    whole: Any = rows
    for step in reversed(mapping.records.split(".")) if mapping.records else ():
        whole = {step: whole}
    target.write_text(json.dumps(whole, ensure_ascii=False, indent=1), encoding="utf-8")
    return len(rows)


def _write_xml(path: Path, mapping: SourceMapping, reasons: Mapping[int, Reason], target: Path, limits: Limits) -> int:
    with open_source(path, limits, member=mapping.member) as source:
        head = source.read(1 << 16)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise CannotReturn(path.name, "it declares a document type")
    count = 0
    with open_source(path, limits, member=mapping.member) as source, target.open("wb") as out:
        parser = etree.iterparse(
            source, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        root: Any = None
        number = 0
        try:
            for event, element in parser:
                if root is None:
                    root = element
                    out.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<' + _tag(root) + b">\n")
                if event != "end" or etree.QName(element).localname != mapping.records:
                    continue
                number += 1
                if number in reasons:
                    why = etree.SubElement(element, KEY)
                    why.text = reasons[number].text()
                    out.write(etree.tostring(element, encoding="utf-8", with_tail=False) + b"\n")
                    count += 1
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except etree.XMLSyntaxError:
            pass  # what came before the break is written
        if root is None:
            raise CannotReturn(path.name, "its XML is broken")
        out.write(b"</" + _tag(root) + b">\n")
    return count


def _tag(root: Any) -> bytes:
    return etree.QName(root).localname.encode()
