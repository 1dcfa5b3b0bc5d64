"""CSV and TSV, one line at a time: a broken line never swallows its neighbours, a huge one never fills the memory.

Lines are cut as bytes: no byte of a GB18030 or UTF-8 character is a line feed. Blocks are decoded whole, and line by
line only where a block does not decode. (UTF-16 is turned into UTF-8 first.)
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, BinaryIO, NamedTuple, cast

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.rows import RAW_KEPT_MAX, Item, Limits, Row

_BLOCK = 1 << 18
_BLOCKS_JOINED_MAX = 8
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OTHER_ENCODINGS = ("utf-8", "gb18030", "big5", "utf-16-le")


class Line(NamedTuple):
    """One physical line without its end. ``raw`` is None where it was longer than the limit."""

    number: int
    raw: bytes | None
    is_closed: bool
    """Whether a line feed ended it; the last line of a cut file has none."""


def read_lines(stream: BinaryIO, limit: int) -> Iterator[list[Line]]:
    """Yield blocks of lines. Memory: one block and one line of ``limit`` bytes. Raises ReadFailure of the stream."""
    rest = b""
    number = 0
    overflow = False
    while True:
        block = stream.read(_BLOCK)
        if not block:
            break
        parts = (rest + block).split(b"\n")
        rest = parts.pop()
        lines = []
        for part in parts:
            number += 1
            too_long = overflow or len(part) > limit
            overflow = False
            lines.append(Line(number, None if too_long else part.removesuffix(b"\r"), True))
        if len(rest) > limit:
            overflow, rest = True, b""
        if lines:
            yield lines
    if rest or overflow:
        yield [Line(number + 1, None if overflow else rest, False)]


def read_delimited(stream: BinaryIO, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of a CSV or TSV file. Raises ReadFailure for the file as a whole."""
    delimiter = "\t" if mapping.format == "tsv" else mapping.delimiter
    head = stream.read(4)
    bom = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    whole = _rejoin(head, stream)
    if bom is not None and bom.startswith("utf-16"):
        whole = cast(BinaryIO, _Recoded(whole, bom))
        bom = "utf-8"
    blocks = read_lines(whole, limits.line_bytes)
    first = next(blocks, None)
    if first is None:
        raise ReadFailure(RefusalCode.EMPTY_FILE)
    header_raw = first.pop(0).raw
    if header_raw is None:
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected=mapping.format)
    encoding, header = _header(header_raw, mapping, bom, delimiter)
    reader = _Reader(mapping, header, encoding, delimiter, limits)
    yield from reader.rows(first, blocks)
    if reader.count == 0:
        raise ReadFailure(RefusalCode.EMPTY_FILE)


class _Reader:
    """Turns lines into rows; keeps the one line that an open quotation mark waits for."""

    def __init__(self, mapping: Mapping, header: list[str], encoding: str, delimiter: str, limits: Limits) -> None:
        self.count = 0
        self._encoding = encoding
        self._expected = ", ".join(mapping.encodings)
        self._delimiter = delimiter
        self._limits = limits
        self._width = len(header)
        positions = [header.index(column) if column in header else None for column in mapping.columns]
        self._pick = _picker(positions)

    def rows(self, first: list[Line], blocks: Iterator[list[Line]]) -> Iterator[Item]:
        pending = first
        joined = 0
        for following in blocks:
            if joined < _BLOCKS_JOINED_MAX and self._may_go_on(pending):
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
        while at < len(lines):
            line, text = lines[at], texts[at]
            at += 1
            if text is not None and '"' not in text:
                if not text.strip():
                    continue
                self.count += 1
                parts = text.split(self._delimiter)
                if len(parts) == self._width and (len(text) <= limit or max(map(len, parts)) <= limit):
                    yield Row(self.count, line.number, self._pick(parts))
                else:
                    yield self._misshapen(line, parts)
                continue
            self.count += 1
            if line.raw is None:
                code, params = RefusalCode.FIELD_TOO_LARGE, (("limit", str(limit)),)
                yield Fault(self.count, line.number, None, code, params)
            elif text is None:
                expected = (("expected", self._expected),)
                yield Fault(self.count, line.number, None, RefusalCode.WRONG_ENCODING, expected, _kept(line.raw))
            else:
                taken, item = self._quoted(lines, texts, at - 1)
                at += taken - 1
                yield item

    def _quoted(self, lines: list[Line], texts: list[str | None], at: int) -> tuple[int, Item]:
        """Read the record that begins in line ``at`` and has quotation marks; return how many lines it took."""
        joined = cast(str, texts[at])
        taken = 1
        while joined.count('"') % 2 and taken < self._limits.quoted_lines_max and at + taken < len(lines):
            following = texts[at + taken]
            if following is None:
                break
            joined = f"{joined}\n{following}"
            taken += 1
        line = lines[at]
        if joined.count('"') % 2:
            code = RefusalCode.UNBALANCED_QUOTE if line.is_closed else RefusalCode.TRUNCATED_FILE
            return 1, Fault(self.count, line.number, None, code, (), _kept(line.raw or b""))
        try:
            parts = next(csv.reader(io.StringIO(joined, newline=""), delimiter=self._delimiter, strict=True))
        except (csv.Error, StopIteration):
            return 1, Fault(self.count, line.number, None, RefusalCode.UNBALANCED_QUOTE, (), _kept(line.raw or b""))
        if taken > 1 and len(parts) != self._width:
            # Two broken lines whose marks seem to close each other: the lines between them are whole.
            return 1, Fault(self.count, line.number, None, RefusalCode.UNBALANCED_QUOTE, (), _kept(line.raw or b""))
        if len(parts) != self._width or max(map(len, parts), default=0) > self._limits.field_chars:
            return taken, self._misshapen(line, parts)
        return taken, Row(self.count, line.number, self._pick(parts))

    def _misshapen(self, line: Line, parts: list[str]) -> Fault:
        raw = _kept(line.raw or b"")
        if max(map(len, parts), default=0) > self._limits.field_chars:
            limit = (("limit", str(self._limits.field_chars)),)
            return Fault(self.count, line.number, None, RefusalCode.FIELD_TOO_LARGE, limit, raw)
        if not line.is_closed:
            return Fault(self.count, line.number, None, RefusalCode.TRUNCATED_FILE, (), raw)
        shape = (("found", str(len(parts))), ("expected", str(self._width)))
        return Fault(self.count, line.number, None, RefusalCode.COLUMN_COUNT, shape, raw)

    def _decode(self, lines: list[Line]) -> list[str | None]:
        if not lines:
            return []
        try:
            texts = b"\n".join([line.raw or b"" for line in lines]).decode(self._encoding).split("\n")
        except UnicodeDecodeError:
            return [self._decode_one(line) for line in lines]
        return [None if line.raw is None else text for line, text in zip(lines, texts, strict=True)]

    def _decode_one(self, line: Line) -> str | None:
        if line.raw is None:
            return None
        try:
            return line.raw.decode(self._encoding)
        except UnicodeDecodeError:
            return None


def _header(raw: bytes, mapping: Mapping, bom: str | None, delimiter: str) -> tuple[str, list[str]]:
    """Find the encoding in which the header has the agreed columns. Raises ReadFailure."""
    agreed = (bom,) if bom else mapping.encodings
    readable: list[str] | None = None
    is_broken = False
    for encoding in (*agreed, *_OTHER_ENCODINGS):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        try:
            names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
        except csv.Error:  # a carriage return in the middle of the line
            is_broken = True
            continue
        if set(mapping.columns_required) <= set(names):
            if encoding in agreed:
                return encoding, names
            raise ReadFailure(RefusalCode.WRONG_ENCODING, expected=", ".join(agreed))
        if encoding in agreed and readable is None:
            readable = names
    if readable is None and is_broken:
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected=mapping.format)
    if readable is None:
        raise ReadFailure(RefusalCode.WRONG_ENCODING, expected=", ".join(agreed))
    missing = [column for column in mapping.columns_required if column not in readable]
    raise ReadFailure(RefusalCode.HEADER_MISMATCH, columns=", ".join(missing))


def _picker(positions: list[int | None]) -> Any:
    if None not in positions and len(positions) > 1:
        return itemgetter(*cast(list[int], positions))

    def pick(parts: list[str]) -> tuple[str | None, ...]:
        return tuple([None if at is None else parts[at] for at in positions])

    return pick


def _rejoin(head: bytes, stream: BinaryIO) -> BinaryIO:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return cast(BinaryIO, _Prefixed(head[len(mark) :], stream)) if name else stream
    return cast(BinaryIO, _Prefixed(head, stream))


def _kept(raw: bytes) -> bytes:
    return raw[:RAW_KEPT_MAX]


class _Prefixed:
    """A stream behind some bytes that were already read from it."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head + self._stream.read(size)
        return self._stream.read(size)


class _Recoded:
    """UTF-16 as UTF-8; what does not decode becomes a byte that is never UTF-8, so that its line is refused."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._is_done = False

    def read(self, size: int) -> bytes:
        while not self._is_done:
            block = self._stream.read(size)
            self._is_done = not block
            text = self._decoder.decode(block, self._is_done)
            if text:
                return text.encode("utf-8", "replace").replace("\ufffd".encode(), b"\xff")
        return b""
