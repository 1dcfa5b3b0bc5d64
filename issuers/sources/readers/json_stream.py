"""A JSON document's array, element by element: memory of one element, whatever surrounds it.

Why no library: ijson (yajl) reads ``"\\ud800"`` as a question mark, so that two records get one number; it takes the
last of two equal keys unless its objects are made in Python, and it keeps nests of any depth
(`tests/unit/issuers/sources/readers/test_json_stream.py` shows it). What is by hand here is finding where an element
ends; the standard library's decoder reads it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from issuers.rules.refusals import ReadFailure, RefusalCode
from issuers.sources.readers.encodings import LOST

_BLOCK: Final = 1 << 18
_DEPTH_MAX: Final = 200
_OPENERS: Final = ("{", "[", '"')
"""What a value begins with that has an end of its own."""
_BLANKS: Final = " \t\r\n"
_BLANK = re.compile(r"[ \t\r\n]*")
_FLAT = re.compile(r'\{[^{}\[\]"]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^{}\[\]"]*+)*+\}', re.DOTALL)
"""An object without nests, in one step: nearly every record."""
_BRACKET = re.compile(r'[^{}\[\]"]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^{}\[\]"]*+)*+([{}\[\]])', re.DOTALL)
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\[\]{}\"]+")

Unquote = Callable[[str], str | None]
"""Returns the text of a JSON string, or None if it is none."""
_LITERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")


class JsonText:
    """A document as text that is read on where it ends. Positions before the one at hand are let go of."""

    def __init__(self, stream: BinaryIO, element_chars_max: int) -> None:
        self._stream = stream
        self._max = element_chars_max
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._text = ""
        self._at = 0
        self._is_done = False
        self.has_lost = False
        """Whether a byte did not decode."""

    def _more(self) -> bool:
        """Read another part; returns whether there was one."""
        while not self._is_done:
            block = self._stream.read(_BLOCK)
            self._is_done = not block
            text = self._decoder.decode(block, self._is_done)
            if text:
                self.has_lost = self.has_lost or LOST in text
                self._text = self._text[self._at :] + text
                self._at = 0
                return True
        return False

    def peek(self) -> str:
        """Return the next character that is no blank, without taking it; empty at the end."""
        if self._at < len(self._text) and (letter := self._text[self._at]) not in _BLANKS:
            return letter
        while True:
            found = _BLANK.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, expected: str) -> None:
        """Take one character. Raises ReadFailure: the document ends, or has another one."""
        if self.peek() != expected:
            raise self.broken()
        self._at += 1

    def element(self) -> str | None:
        """Take one value and return its text; None where it is larger than one may be (it is passed over)."""
        first = self.peek()
        while True:
            end = self._end_of_value(first)
            if end is not None and (end < len(self._text) or self._is_done or first in _OPENERS):
                text = self._text[self._at : end]
                self._at = end
                return text
            if len(self._text) - self._at > self._max:
                if first not in _OPENERS:
                    raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
                self.skip()
                return None
            if first not in _OPENERS and end is None:
                raise self.broken()
            if not self._more() and first in _OPENERS:
                raise ReadFailure(RefusalCode.TRUNCATED_FILE)

    def _end_of_value(self, first: str) -> int | None:
        """Return where the value at hand ends, or None: not in what was read. Raises ReadFailure: it is nested too
        deep."""
        if first == "{":
            flat = _FLAT.match(self._text, self._at)
            if flat is not None:
                return flat.end()
        if first in ("{", "["):
            depth, at = 0, self._at
            while (found := _BRACKET.match(self._text, at)) is not None:
                at = found.end()
                depth += 1 if found[1] in "{[" else -1
                if depth == 0:
                    return at
                if depth > _DEPTH_MAX:
                    raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
            return None
        found = (_STRING if first == '"' else _SCALAR).match(self._text, self._at)
        return None if found is None else found.end()

    def skip(self) -> None:
        """Pass over one value of any size, in the memory of one block."""
        depth = 0
        while True:
            letter = self.peek()
            if letter in ("{", "["):
                depth += 1
                self._at += 1
                if depth > _DEPTH_MAX:
                    raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
            elif letter in ("}", "]", ",", ":"):
                depth -= letter in "}]"
                if depth < 0:
                    raise self.broken()
                self._at += 1
            elif letter == '"':
                self._skip_string()
            elif letter:
                scalar = self.element()
                if scalar is None or _LITERAL.fullmatch(scalar) is None:
                    raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
            else:
                raise self.broken()
            if depth == 0:
                return

    def _skip_string(self) -> None:
        self._at += 1
        while True:
            closed, escaped = self._text.find('"', self._at), self._text.find("\\", self._at)
            if closed >= 0 and (escaped < 0 or closed < escaped):
                self._at = closed + 1
                return
            self._at = len(self._text) if escaped < 0 else escaped
            if self._at + 2 > len(self._text) and not self._more():
                raise self.broken()
            self._at = min(self._at + (2 if escaped >= 0 else 0), len(self._text))

    def broken(self) -> ReadFailure:
        """Return the failure at this place: the document ends too early, or goes on in a way that is no JSON."""
        is_cut = not self.peek()
        return ReadFailure(RefusalCode.TRUNCATED_FILE if is_cut else RefusalCode.MALFORMED_DOCUMENT)


def elements(text: JsonText, path: list[str], unquote: Unquote) -> Iterator[str | None]:
    """Yield the texts of the elements of the array at a path (None for one that is too large).

    Raises ReadFailure: no JSON, no array there, or one key of an object on the way twice.
    """
    if not text.peek():
        raise ReadFailure(RefusalCode.EMPTY_FILE)
    yield from _walk(text, path, unquote)
    if text.peek():
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)


def _walk(text: JsonText, path: list[str], unquote: Unquote) -> Iterator[str | None]:
    if not path:
        yield from _array(text)
        return
    if text.peek() != "{":
        text.skip()
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="json")
    seen: set[str] = set()
    text.take("{")
    while text.peek() != "}":
        if seen:
            text.take(",")
        if text.peek() != '"':
            raise text.broken()
        raw = text.element()
        key = None if raw is None else unquote(raw)
        if key is None:
            raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
        if key in seen:
            raise ReadFailure(RefusalCode.DUPLICATE_KEY, key=key[:100])
        seen.add(key)
        text.take(":")
        if key == path[0]:
            yield from _walk(text, path[1:], unquote)
        else:
            text.skip()
    text.take("}")
    if path[0] not in seen:
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="json")


def _array(text: JsonText) -> Iterator[str | None]:
    if text.peek() != "[":
        text.skip()
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="json")
    text.take("[")
    held: list[str | None] = []
    while text.peek() != "]":
        if held:
            text.take(",")
        element = text.element()
        if text.peek() not in (",", "]", ""):
            raise text.broken()
        # One element is kept back until the next one has ended well: a brace in the place of a digit ends an object
        # early, and what stands behind it shows that.
        yield from held
        held = [element]
    yield from held
    text.take("]")
