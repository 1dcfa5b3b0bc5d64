"""CSV and TSV, one line at a time: a broken line never swallows its neighbours, a huge one never fills the memory.

Blocks are decoded whole, and line by line only where a block does not decode. A byte that is no text costs the field in
which it stands, and nothing where nobody reads that field.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple, cast

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.encodings import LOST
from issuers.sources.readers.lines import Line, as_text_stream, read_lines
from issuers.sources.readers.rows import RAW_KEPT_MAX, Item, Limits, Row
from issuers.sources.readers.table import HEADER_LINES_MAX, Layout, folded, picker

_BLOCKS_JOINED_MAX = 8
_LINES_JOINED_MAX = 100_000
"""Lines of a few bytes take fifty times their size in memory."""
_HEAD_BLOCKS_MAX: Final = 8
"""Blocks in which the header has to stand."""
_OTHER_ENCODINGS = ("utf-8", "gb18030", "big5", "utf-16-le")
_MARK: Final = "\ufeff"
_MARKS: Final = (";", "\t", "|", "，", ",")
_SEPARATOR = re.compile(rb'\s*"?sep=(.|\t)"?[\s,;]*', re.IGNORECASE | re.DOTALL)


def read_delimited(stream: BinaryIO, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of a CSV or TSV file. Raises ReadFailure for the file as a whole."""
    text, agreed = as_text_stream(stream, mapping.encodings)
    blocks = read_lines(text, limits.line_bytes)
    first = next(blocks, None)
    if first is None:
        raise ReadFailure(RefusalCode.EMPTY_FILE)
    delimiter = "\t" if mapping.format == "tsv" else mapping.delimiter
    stated = _SEPARATOR.fullmatch(first[0].raw or b"") if mapping.format == "csv" else None
    if stated is not None:
        # Excel's own line above a table: what it names holds for the file.
        delimiter = stated[1].decode("latin-1")
        first.pop(0)
    wanted = HEADER_LINES_MAX if mapping.header_row == "find" else mapping.header_row
    for _, following in zip(range(_HEAD_BLOCKS_MAX), blocks, strict=False):
        first += following
        if len(first) > wanted + limits.quoted_lines_max:
            break
    layout = Layout(mapping)
    header = _Head(first, mapping, layout, limits, delimiter).find(agreed)
    reader = _Reader(mapping, layout, header, delimiter, limits)
    yield from reader.rows(first[header.lines :], blocks)
    if reader.count == 0:
        raise ReadFailure(RefusalCode.EMPTY_FILE)


class _Header(NamedTuple):
    """Where the header was found."""

    encoding: str
    width: int
    lines: int
    """Physical lines up to its end."""


class _Head:
    """The lines in which the header stands."""

    def __init__(self, lines: list[Line], mapping: Mapping, layout: Layout, limits: Limits, delimiter: str) -> None:
        self._lines = lines
        self._mapping = mapping
        self._layout = layout
        self._limits = limits
        self._delimiter = delimiter
        self._is_broken = False
        """Whether a line had a header's place and was no table."""

    def find(self, agreed: Sequence[str]) -> _Header:
        """Find the encoding in which a header has the agreed columns. Raises ReadFailure."""
        expected = ", ".join(self._mapping.encodings)
        readable: tuple[list[str], int] | None = None
        for encoding in (*agreed, *_OTHER_ENCODINGS):
            for names, number, lines in self._candidates(encoding):
                if not self._layout.missing(names):
                    if encoding not in agreed:
                        raise ReadFailure(RefusalCode.WRONG_ENCODING, expected=expected)
                    self._layout.settle(names, number)
                    return _Header(encoding, len(names), lines)
                if encoding in agreed and readable is None:
                    readable = names, number
        if readable is None and not any(line.raw is None or line.raw.strip() for line in self._lines):
            raise ReadFailure(RefusalCode.EMPTY_FILE)
        if readable is not None and "".join(readable[0]).count("\0") > sum(map(len, readable[0])) // 3:
            readable = None  # characters of two or four bytes
        if readable is None and self._is_broken:
            raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected=self._mapping.format)
        if readable is None:
            raise ReadFailure(RefusalCode.WRONG_ENCODING, expected=expected)
        missing = ", ".join(self._layout.missing(readable[0]))
        mark = next((mark for mark in _MARKS if len(readable[0]) == 1 and mark in readable[0][0]), None)
        seen = {} if mark is None else {"mark": repr(mark)}
        raise ReadFailure(RefusalCode.HEADER_MISMATCH, columns=missing, line=readable[1], **seen)

    def _candidates(self, encoding: str) -> Iterator[tuple[list[str], int, int]]:
        """Yield (names, row number, physical lines up to its end) of each row that may be the header."""
        wanted = self._mapping.header_row
        at, number = 0, 0
        while at < len(self._lines):
            raw = self._lines[at].raw
            if wanted == 1 and raw is not None and not raw.strip():
                at += 1
                continue
            number += 1
            joined, taken = self._joined(at)
            at += taken
            if wanted != "find" and number < wanted:
                continue
            names = None if joined is None else self._names(joined, encoding)
            if names is not None:
                yield names, number, at
            if number >= (HEADER_LINES_MAX if wanted == "find" else wanted):
                return

    def _joined(self, at: int) -> tuple[bytes | None, int]:
        """Return the row that begins in a line, line breaks in its quotes included, and how many lines it takes."""
        joined = self._lines[at].raw
        if joined is None:
            self._is_broken = True
            return None, 1
        taken = 1
        parts = [joined]
        marks = joined.count(b'"')
        while marks % 2 and taken < self._limits.quoted_lines_max and at + taken < len(self._lines):
            following = self._lines[at + taken].raw
            if following is None:
                break
            parts.append(following)
            marks += following.count(b'"')
            taken += 1
        return (joined, 1) if marks % 2 else (b"\n".join(parts), taken)

    def _names(self, raw: bytes, encoding: str) -> list[str] | None:
        try:
            text = raw.decode(encoding)
            records = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
            names = next(records, [])
            self._is_broken = self._is_broken or next(records, None) is not None
            return None if self._is_broken else names
        except UnicodeDecodeError:
            return None
        except csv.Error:  # a carriage return in the middle of the line
            self._is_broken = True
            return None


class _Reader:
    """Turns lines into rows; keeps the one line that an open quotation mark waits for."""

    def __init__(self, mapping: Mapping, layout: Layout, header: _Header, delimiter: str, limits: Limits) -> None:
        self.count = 0
        self._columns = mapping.columns
        self._encoding = header.encoding
        self._expected = ", ".join(mapping.encodings)
        self._delimiter = delimiter
        self._limits = limits
        self._width = header.width
        self._layout = layout
        self._is_plain = layout.is_plain
        self._first, self._names = layout.first, layout.names
        self._has_lost = False
        """Whether the block at hand holds a character that was lost."""
        pick = picker(layout.positions)
        self._pick: Callable[[Sequence[str]], tuple[str | None, ...]] = (
            pick if self._is_plain else lambda parts: layout.fill(pick(parts))
        )

    def rows(self, first: list[Line], blocks: Iterator[list[Line]]) -> Iterator[Item]:
        pending = first
        joined = 0
        for following in blocks:
            if (
                joined < _BLOCKS_JOINED_MAX
                and len(pending) + len(following) < _LINES_JOINED_MAX
                and self._may_go_on(pending)
            ):
                # A quoted field may continue in the next block: read the block's tail together with that one.
                pending = [*pending, *following]
                joined += 1
            else:
                yield from self._block(pending)
                pending = following
                joined = 0
        yield from self._block(pending)

    def _may_go_on(self, lines: list[Line]) -> bool:
        tail = lines[-self._limits.quoted_lines_max :]
        return any(line.raw is not None and line.raw.count(b'"') % 2 for line in tail)

    def _block(self, lines: list[Line]) -> Iterator[Item]:
        texts = self._decode(lines)
        at = 0
        limit = self._limits.field_chars
        is_quick = self._is_plain and not self._has_lost
        while at < len(lines):
            line, text = lines[at], texts[at]
            at += 1
            if text is not None and '"' not in text:
                if not text.strip():
                    continue
                parts = text.split(self._delimiter)
                if is_quick:
                    self.count += 1
                    if len(parts) == self._width and (len(text) <= limit or max(map(len, parts)) <= limit):
                        if parts[self._first] in self._names:
                            self._layout.moved(parts, line.number)
                        yield Row(self.count, line.number, self._pick(parts))
                    else:
                        yield self._misshapen(line, parts)
                    continue
                item = self._item(line, parts)
            elif line.raw is None:
                item = self._fault(line, RefusalCode.FIELD_TOO_LARGE, limit=limit)
            else:
                taken, item = self._quoted(lines, texts, at - 1)
                at += taken - 1
            if item is not None:
                yield item

    def _item(self, line: Line, parts: list[str]) -> Item | None:
        """Return a row, what is wrong with it, or None: the mapping says that it is no record."""
        if len(parts) > self._first and parts[self._first] in self._names:
            self._layout.moved(parts, line.number)
        if not self._is_plain and self._layout.skips(parts):
            return None
        if len(parts) != self._width or max(map(len, parts), default=0) > self._limits.field_chars:
            self.count += 1
            return self._misshapen(line, parts)
        values = self._pick(parts)
        if self._has_lost:
            lost = next((at for at, value in enumerate(values) if value is not None and LOST in value), None)
            if lost is not None:
                return self._fault(line, RefusalCode.WRONG_ENCODING, self._columns[lost], expected=self._expected)
        self.count += 1
        return Row(self.count, line.number, values)

    def _fault(self, line: Line, code: RefusalCode, column: str | None = None, **params: object) -> Fault:
        self.count += 1
        shown = tuple((name, str(value)) for name, value in params.items())
        return Fault(self.count, line.number, column, code, shown, (line.raw or b"")[:RAW_KEPT_MAX])

    def _quoted(self, lines: list[Line], texts: list[str | None], at: int) -> tuple[int, Item | None]:
        """Read the record that begins in line ``at`` and has quotation marks; return how many lines it took."""
        pieces = [cast(str, texts[at])]
        marks = pieces[0].count('"')
        taken = 1
        while marks % 2 and taken < self._limits.quoted_lines_max and at + taken < len(lines):
            following = texts[at + taken]
            if following is None:
                break
            pieces.append(following)
            marks += following.count('"')
            taken += 1
        line = lines[at]
        if marks % 2:
            return 1, self._fault(line, RefusalCode.UNBALANCED_QUOTE if line.is_closed else RefusalCode.TRUNCATED_FILE)
        try:
            source = io.StringIO("\n".join(pieces), newline="")
            records = csv.reader(source, delimiter=self._delimiter, strict=True)
            parts = next(records)
            if next(records, None) is not None:
                # A carriage return in the middle: what stands behind it would be lost in silence.
                return taken, self._fault(line, RefusalCode.MALFORMED_ROW)
        except (csv.Error, StopIteration):
            return 1, self._fault(line, RefusalCode.UNBALANCED_QUOTE)
        if taken > 1 and len(parts) != self._width:
            # Two broken lines whose marks seem to close each other: the lines between them are whole.
            return 1, self._fault(line, RefusalCode.UNBALANCED_QUOTE)
        if any(_is_misquoted(part) for part in parts):
            return taken, self._fault(line, RefusalCode.UNBALANCED_QUOTE)
        return taken, self._item(line, parts)

    def _misshapen(self, line: Line, parts: list[str]) -> Fault:
        raw = (line.raw or b"")[:RAW_KEPT_MAX]
        if max(map(len, parts), default=0) > self._limits.field_chars:
            limit = (("limit", str(self._limits.field_chars)),)
            return Fault(self.count, line.number, None, RefusalCode.FIELD_TOO_LARGE, limit, raw)
        if not line.is_closed:
            return Fault(self.count, line.number, None, RefusalCode.TRUNCATED_FILE, (), raw)
        shape = (("found", str(len(parts))), ("expected", str(self._width)))
        return Fault(self.count, line.number, None, RefusalCode.COLUMN_COUNT, shape, raw)

    def _decode(self, lines: list[Line]) -> list[str | None]:
        self._has_lost = False
        if not lines:
            return []
        whole = b"\n".join([line.raw or b"" for line in lines])
        try:
            text = whole.decode(self._encoding)
        except UnicodeDecodeError:
            self._has_lost = True
            return [
                None if line.raw is None else _unmarked(line.raw.decode(self._encoding, "replace")) for line in lines
            ]
        self._has_lost = LOST in text
        texts = text.split("\n")
        if _MARK in text:
            texts = [_unmarked(one) for one in texts]
        return [None if line.raw is None else text for line, text in zip(lines, texts, strict=True)]


def _unmarked(text: str) -> str:
    """Return a line without a mark of byte order before it: where files were joined, each began with its own."""
    return text.removeprefix(_MARK)


def _is_misquoted(part: str) -> bool:
    """Return whether a blank or something unseen stands before a field's quotation mark (a byte order mark where two
    files were joined): the marks would become part of its value."""
    if part[:1] in ("", '"') or (part[-1] != '"' and not part[-1].isspace()):
        return False
    bare = folded(part).lstrip("\ufeff")
    return len(bare) > 1 and bare[0] == bare[-1] == '"'
