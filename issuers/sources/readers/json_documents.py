"""JSON and JSON Lines. Numbers stay the digits that the source wrote: no float comes near an amount."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NoReturn

import orjson

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.encodings import LOST
from issuers.sources.readers.json_stream import JsonText, elements
from issuers.sources.readers.lines import read_lines
from issuers.sources.readers.rows import RAW_KEPT_MAX, Item, Limits, Row


class DuplicateKey(ValueError):
    """One key of an object is there twice: which of the two is meant, nobody can say."""

    def __init__(self, key: str) -> None:
        self.key = key[:100]
        super().__init__(f"the key {self.key!r} is there twice")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKey(key)
            seen.add(key)
    return made


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant, object_pairs_hook=_object)
_VALUES_MAX: Final = 4_000_000
"""Values of one document; more come as JSON Lines, or as pages."""
_BRACKETS_SAFE: Final = 500
Raw = bytes | str
"""A record as it came."""


def _decode(text: str) -> Any:
    """Decode JSON whose numbers become text. Raises ValueError (DuplicateKey among them) or RecursionError.

    The standard library's decoder is bounded by the interpreter's recursion limit alone, which any imported library
    may raise to where the C stack ends; orjson stops at 1,024 levels by itself. Few brackets cannot nest deeply.
    """
    if len(text) > _BRACKETS_SAFE and text.count("[") + text.count("{") > _BRACKETS_SAFE:
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError as error:
            if "depth" in error.msg:
                raise RecursionError(error.msg) from error
    return _DECODER.decode(text)


def read_jsonl(stream: BinaryIO, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of a JSON Lines file (UTF-8). Raises ReadFailure for the file as a whole."""
    paths = [column.split(".") for column in mapping.columns]
    number = 0
    for block in read_lines(stream, limits.line_bytes):
        for line in block:
            raw = line.raw
            if raw is None:
                number += 1
                limit = (("limit", str(limits.line_bytes)),)
                yield Fault(number, line.number, None, RefusalCode.FIELD_TOO_LARGE, limit)
                continue
            if line.number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            number += 1
            text = raw.decode("utf-8", "replace")
            yield _item(text, paths, number, line.number, limits, raw, is_closed=line.is_closed)
    if number == 0:
        raise ReadFailure(RefusalCode.EMPTY_FILE)


def read_json(stream: BinaryIO, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of a JSON document's array, element by element. Raises ReadFailure; what was yielded stands."""
    paths = [column.split(".") for column in mapping.columns]
    text = JsonText(stream, limits.record_chars)
    number = 0
    try:
        for element in elements(text, mapping.records.split(".") if mapping.records else [], _unquote):
            number += 1
            if element is None:
                limit = (("limit", str(limits.record_chars)),)
                yield Fault(number, None, None, RefusalCode.FIELD_TOO_LARGE, limit)
            else:
                yield _item(element, paths, number, None, limits, element)
    except ReadFailure as failure:
        if text.has_lost and not number and failure.code is not RefusalCode.EMPTY_FILE:
            raise ReadFailure(RefusalCode.WRONG_ENCODING, expected="utf-8") from failure
        raise


def _unquote(text: str) -> str | None:
    try:
        found = _DECODER.decode(text)
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def _item(
    text: str,
    paths: list[list[str]],
    number: int,
    line: int | None,
    limits: Limits,
    raw: Raw,
    *,
    is_closed: bool = True,
) -> Item:
    """Return the row of one record's text, or what is wrong with it."""
    try:
        document = _decode(text)
    except DuplicateKey as error:
        return Fault(number, line, None, RefusalCode.DUPLICATE_KEY, (("key", error.key),), _kept(raw))
    except (ValueError, RecursionError):
        code = RefusalCode.TRUNCATED_FILE
        if is_closed:
            code = RefusalCode.WRONG_ENCODING if LOST in text else RefusalCode.MALFORMED_ROW
        return Fault(number, line, None, code, (("expected", "utf-8"),) if LOST in text else (), _kept(raw))
    item = pick(document, paths, number, line, limits, raw)
    if LOST in text and isinstance(item, Row):
        lost = next((at for at, value in enumerate(item.values) if value is not None and LOST in value), None)
        if lost is not None:
            field = ".".join(paths[lost])
            return Fault(number, line, field, RefusalCode.WRONG_ENCODING, (("expected", "utf-8"),), _kept(raw))
    return item


def decode_document(content: bytes) -> Any:
    """Decode a JSON document whose numbers become text. Raises ReadFailure."""
    if not content.strip():
        raise ReadFailure(RefusalCode.EMPTY_FILE)
    if sum(content.count(mark) for mark in (b",", b"{", b"[")) > _VALUES_MAX:
        # A small value of two bytes takes sixty in memory.
        raise ReadFailure(RefusalCode.FILE_TOO_LARGE, limit=_VALUES_MAX)
    try:
        return _decode(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ReadFailure(RefusalCode.WRONG_ENCODING, expected="utf-8") from error
    except DuplicateKey as error:
        raise ReadFailure(RefusalCode.DUPLICATE_KEY, key=error.key) from error
    except json.JSONDecodeError as error:
        cut = error.pos >= len(error.doc.rstrip()) - 1 or "Unterminated string" in error.msg
        raise ReadFailure(RefusalCode.TRUNCATED_FILE if cut else RefusalCode.MALFORMED_DOCUMENT) from error
    except (ValueError, RecursionError) as error:
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT) from error


def rows_of(found: Any, mapping: Mapping, limits: Limits, start: int) -> Iterator[Item]:
    """Yield the rows of a decoded array, numbered behind ``start``. Raises ReadFailure if it is none."""
    if not isinstance(found, list):
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected=mapping.format)
    paths = [column.split(".") for column in mapping.columns]
    for number, document in enumerate(found, start + 1):
        yield pick(document, paths, number, None, limits, b"")


def pick(document: Any, paths: list[list[str]], number: int, line: int | None, limits: Limits, raw: Raw) -> Item:
    """Return the values of one document in the order of ``paths``."""
    if not isinstance(document, dict):
        return Fault(number, line, None, RefusalCode.MALFORMED_ROW, (), _kept(raw))
    values: list[str | None] = []
    for path in paths:
        value = document.get(path[0]) if len(path) == 1 else dig(document, path)
        if value is None or type(value) is str:
            values.append(value)
        elif value is True or value is False:
            values.append("true" if value else "false")
        else:
            return Fault(number, line, ".".join(path), RefusalCode.MALFORMED_ROW, (), _kept(raw))
    if not 0 < len(raw) <= limits.field_chars and any(v is not None and len(v) > limits.field_chars for v in values):
        limit = (("limit", str(limits.field_chars)),)
        return Fault(number, line, None, RefusalCode.FIELD_TOO_LARGE, limit, _kept(raw))
    return Row(number, line, tuple(values))


def decoded_record(raw: bytes) -> Any:
    """Return a line's JSON value; None if it is none. Of equal keys the last one is given, for the reader refuses
    them."""
    try:
        return _decode(raw.decode("utf-8-sig").strip())
    except DuplicateKey as error:
        return {error.key: None}
    except (ValueError, RecursionError):
        return None


def _kept(raw: Raw) -> bytes:
    return (
        raw[:RAW_KEPT_MAX] if isinstance(raw, bytes) else raw[:RAW_KEPT_MAX].encode("utf-8", "replace")[:RAW_KEPT_MAX]
    )


def dig(document: Any, path: list[str]) -> Any:
    """Follow a dotted path through objects; None where it ends early."""
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document
