"""JSON and JSON Lines. Numbers stay the digits that the source wrote: no float comes near an amount."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NoReturn

import orjson

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.delimited import read_lines
from issuers.sources.readers.rows import RAW_KEPT_MAX, Item, Limits, Row


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)
_BRACKETS_SAFE: Final = 500
_BLOCK: Final = 1 << 18


def _decode(content: bytes) -> Any:
    """Decode JSON whose numbers become text. Raises UnicodeDecodeError, ValueError or RecursionError.

    The standard library's decoder is bounded by the interpreter's recursion limit alone, which any imported library
    may raise to where the C stack ends; orjson stops at 1,024 levels by itself. Few brackets cannot nest deeply.
    """
    if content.count(b"[") + content.count(b"{") > _BRACKETS_SAFE:
        try:
            orjson.loads(content)
        except orjson.JSONDecodeError as error:
            if "depth" in error.msg:
                raise RecursionError(error.msg) from error
    return _DECODER.decode(content.decode("utf-8").strip())


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
            try:
                document = _decode(raw)
            except UnicodeDecodeError:
                code = RefusalCode.WRONG_ENCODING if line.is_closed else RefusalCode.TRUNCATED_FILE
                yield Fault(number, line.number, None, code, (("expected", "utf-8"),), raw[:RAW_KEPT_MAX])
            except (ValueError, RecursionError):
                code = RefusalCode.MALFORMED_ROW if line.is_closed else RefusalCode.TRUNCATED_FILE
                yield Fault(number, line.number, None, code, (), raw[:RAW_KEPT_MAX])
            else:
                yield pick(document, paths, number, line.number, limits, raw)
    if number == 0:
        raise ReadFailure(RefusalCode.EMPTY_FILE)


def read_json(stream: BinaryIO, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of a JSON document's array. Raises ReadFailure."""
    content = _whole(stream, limits.document_bytes)
    document = decode_document(content)
    found = dig(document, mapping.records.split(".")) if mapping.records else document
    yield from rows_of(found, mapping, limits, 0)


def _whole(stream: BinaryIO, limit: int) -> bytes:
    """Read all of a stream, block by block: who asks for the limit at once takes its memory for the smallest file."""
    blocks = []
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > limit:
            raise ReadFailure(RefusalCode.FILE_TOO_LARGE, limit=limit)
        blocks.append(block)
    return b"".join(blocks)


def decode_document(content: bytes) -> Any:
    """Decode a JSON document whose numbers become text. Raises ReadFailure."""
    if not content.strip():
        raise ReadFailure(RefusalCode.EMPTY_FILE)
    try:
        return _decode(content.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError as error:
        raise ReadFailure(RefusalCode.WRONG_ENCODING, expected="utf-8") from error
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


def pick(document: Any, paths: list[list[str]], number: int, line: int | None, limits: Limits, raw: bytes) -> Item:
    """Return the values of one document in the order of ``paths``."""
    if not isinstance(document, dict):
        return Fault(number, line, None, RefusalCode.MALFORMED_ROW, (), raw[:RAW_KEPT_MAX])
    values: list[str | None] = []
    for path in paths:
        value = document.get(path[0]) if len(path) == 1 else dig(document, path)
        if value is None or type(value) is str:
            values.append(value)
        elif value is True or value is False:
            values.append("true" if value else "false")
        else:
            kept = raw[:RAW_KEPT_MAX]
            return Fault(number, line, ".".join(path), RefusalCode.MALFORMED_ROW, (), kept)
    if len(raw) > limits.field_chars and any(v is not None and len(v) > limits.field_chars for v in values):
        limit = (("limit", str(limits.field_chars)),)
        return Fault(number, line, None, RefusalCode.FIELD_TOO_LARGE, limit, raw[:RAW_KEPT_MAX])
    return Row(number, line, tuple(values))


def dig(document: Any, path: list[str]) -> Any:
    """Follow a dotted path through objects; None where it ends early."""
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document
