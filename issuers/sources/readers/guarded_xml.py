"""XML as bytes that are safe to parse: in UTF-8, without a document type, each record and each tag of a sane size.

lxml parses well and bounds much, but it ends at the first bad byte, takes GB2312 by its word, and keeps what it has
read until somebody lets go of it: a record or a tag without an end would fill the memory.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, BinaryIO, Final

from lxml import etree

from issuers.rules.refusals import ReadFailure, RefusalCode
from issuers.sources.readers.encodings import LOST, is_utf8_instead, known_encoding

_HEAD: Final = 1 << 12
_BLOCK: Final = 1 << 15
_TAG_CHARS_MAX: Final = 1 << 18
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OPENERS = ("<!DOCTYPE", "<!ENTITY")


class GuardedXml:
    """A stream of UTF-8 for lxml. Raises ReadFailure from ``read``: a document type, or a record or tag without end."""

    def __init__(self, stream: BinaryIO, record_chars_max: int) -> None:
        self._stream = stream
        self._max = record_chars_max
        self._since = 0
        self._tag = 0
        self._tail = ""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_done = False
        self.in_prolog = True
        """Whether a document type may still come; the reader says when the root has begun."""
        self.is_empty = True
        self.has_lost = False
        """Whether a byte did not decode."""

    def mark(self) -> None:
        """Say that a record is read: what comes now belongs to the next one."""
        self._since = 0

    def read(self, _size: int) -> bytes:
        """Return the next part; empty at the end."""
        while not self._is_done:
            part = self._stream.read(_BLOCK)
            self._is_done = not part
            self.is_empty = self.is_empty and not part
            decoder = self._decoder
            if decoder is None:
                decoder, part = self._begin(part)
            text = decoder.decode(part, self._is_done)
            if text:
                return self._checked(text).encode()
        return b""

    def _begin(self, part: bytes) -> tuple[codecs.IncrementalDecoder, bytes]:
        while len(part) < _HEAD and (more := self._stream.read(_BLOCK)):
            part += more
        mark, encoding = next(((m, e) for m, e in _MARKS if part.startswith(m)), (b"", ""))
        if not mark:
            declared = _DECLARED.match(part)
            name = declared[1].decode() if declared else "utf-8"
            encoding = known_encoding(name) or ""
            if encoding.startswith(("utf-16", "utf-32")):
                # The declaration was read byte by byte, so it is wrong: some programs declare how they keep strings.
                encoding = "utf-8"
            if not encoding or (encoding != "utf-8" and is_utf8_instead(part)):
                raise ReadFailure(RefusalCode.WRONG_ENCODING, expected=name)
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        return self._decoder, part.removeprefix(mark) if mark in _BOMS else part

    def _checked(self, text: str) -> str:
        if self.in_prolog:
            seen = self._tail + text
            if any(opener in seen for opener in _OPENERS):
                raise ReadFailure(RefusalCode.DANGEROUS_DOCUMENT)
            self._tail = seen[-len(_OPENERS[0]) :]
        if _ILLEGAL.search(text) is not None:
            text = _ILLEGAL.sub(LOST, text)
        self.has_lost = self.has_lost or LOST in text
        opened, closed = text.rfind("<"), text.rfind(">")
        if opened > closed:
            self._tag = len(text) - opened
        elif closed >= 0:
            self._tag = 0
        elif self._tag:
            self._tag += len(text)
        self._since += len(text)
        if self._since > self._max:
            raise ReadFailure(RefusalCode.RECORD_TOO_LARGE, limit=self._max)
        if self._tag > _TAG_CHARS_MAX:
            raise ReadFailure(RefusalCode.RECORD_TOO_LARGE, limit=_TAG_CHARS_MAX)
        return text


def parsed(stream: GuardedXml, tags: tuple[str, ...] = (), events: tuple[str, ...] = ("end",)) -> Any:
    """Parse element by element: no entity, no network, no document type."""
    return etree.iterparse(
        stream,
        events=events,
        tag=tags or None,
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def local(tag: object) -> str:
    """Return an element's name without its namespace."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def forget(element: Any) -> None:
    """Free an element that was read, and the siblings before it: the tree must not grow with the file."""
    element.clear()
    parent = element.getparent()
    while element.getprevious() is not None:
        del parent[0]
