"""Lines of text as bytes: cut at line feeds, bounded, whatever encoding and line ends a file has.

Lines are cut as bytes: no byte of a GB18030 or UTF-8 character is a line feed. UTF-16 is turned into UTF-8 first, and
where a file has only carriage returns (as old Macs wrote, and some exports still do), they end its lines.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, cast

from issuers.sources.readers.encodings import LOST, known_encoding

BLOCK = 1 << 18
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Line(NamedTuple):
    """One physical line without its end. ``raw`` is None where it was longer than the limit."""

    number: int
    raw: bytes | None
    is_closed: bool
    """Whether a line feed ended it; the last line of a cut file has none."""


def read_lines(stream: BinaryIO, limit: int) -> Iterator[list[Line]]:
    """Yield blocks of lines. Memory: one block and one line of ``limit`` bytes. Raises ReadFailure of the stream."""
    parts: list[bytes] = []
    size = 0
    number = 0
    overflow = False
    while block := stream.read(BLOCK):
        pieces = block.split(b"\n")
        if len(pieces) == 1:
            size += len(block)
            overflow = overflow or size > limit
            parts = [] if overflow else [*parts, block] if size <= limit else parts
            continue
        pieces[0] = b"".join([*parts, pieces[0]])
        rest = pieces.pop()
        lines = []
        for piece in pieces:
            number += 1
            too_long = overflow or len(piece) > limit
            overflow = False
            lines.append(Line(number, None if too_long else piece.removesuffix(b"\r"), True))
        overflow = len(rest) > limit
        parts, size = ([], 0) if overflow or not rest else ([rest], len(rest))
        yield lines
    if parts or overflow:
        yield [Line(number + 1, None if overflow else b"".join(parts), False)]


def as_text_stream(stream: BinaryIO, agreed: Sequence[str]) -> tuple[BinaryIO, tuple[str, ...]]:
    """Return a file as a stream whose lines end in line feeds, and the encodings in which it may be read: its byte
    order mark's, else the agreed ones. An encoding that Python does not know is left out."""
    head = stream.read(BLOCK)
    while len(head) < BLOCK and (more := stream.read(BLOCK)):
        head += more
    encodings = tuple(dict.fromkeys(one for name in agreed if (one := known_encoding(name)) is not None))
    mark, encoding = next(((mark, name) for mark, name in _BOMS if head.startswith(mark)), (b"", ""))
    if not mark and encodings and encodings[0].startswith("utf-16"):
        encoding = encodings[0] if encodings[0] != "utf-16" else "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
    whole = cast(BinaryIO, Prefixed(head[len(mark) :], stream))
    if encoding.startswith("utf-16"):
        recoded = Recoded(whole, encoding)
        head, whole, encoding = recoded.read(BLOCK), cast(BinaryIO, recoded), "utf-8"
        whole = cast(BinaryIO, Prefixed(head, whole))
    if b"\n" not in head and b"\r" in head.rstrip(b"\r"):
        whole = cast(BinaryIO, _Returns(whole))
    return whole, (encoding,) if encoding else encodings


class Prefixed:
    """A stream behind some bytes that were already read from it."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Return the next bytes; those in front come at once."""
        if self._head:
            head, self._head = self._head, b""
            return head
        return self._stream.read(size)


class Recoded:
    """UTF-16 as UTF-8; what does not decode becomes a byte that is never UTF-8, so that its field is refused."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._is_done = False

    def read(self, size: int) -> bytes:
        """Return the next part; empty at the end."""
        while not self._is_done:
            block = self._stream.read(size)
            self._is_done = not block
            text = self._decoder.decode(block, self._is_done)
            if text:
                return text.encode("utf-8", "replace").replace(LOST.encode(), b"\xff")
        return b""


class _Returns:
    """A file of carriage returns, each as a line feed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size).replace(b"\r", b"\n")
