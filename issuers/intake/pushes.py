"""The body of a push, looked at before anything of it is stored: what cannot be read is refused whole.

A push that ends in the middle must not count as taken: its sender would send the rest under an id that is used up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from issuers.errors import PushUnreadable
from issuers.rules.refusals import ReadFailure, RefusalCode, reason
from issuers.sources.mapping import Mapping
from issuers.sources.readers import Limits
from issuers.sources.readers.json_documents import decode_document, decoded_record, dig
from issuers.sources.readers.lines import Line, read_lines
from issuers.sources.readers.source import open_source

_BLOCK: Final = 1 << 18


def records_of(path: Path, mapping: Mapping, limits: Limits) -> list[Any]:
    """Return the records of a push that is one JSON document: a record, an array, or an object with the mapping's
    ``records``. Raises PushUnreadable."""
    try:
        with open_source(path, limits) as source:
            blocks, size = [], 0
            while block := source.read(_BLOCK):
                size += len(block)
                if size > limits.document_bytes:
                    raise ReadFailure(RefusalCode.FILE_TOO_LARGE, limit=limits.document_bytes)
                blocks.append(block)
        document = decode_document(b"".join(blocks))
    except ReadFailure as failure:
        raise _unreadable(failure.code, failure.params) from failure
    if isinstance(document, dict):
        inner = dig(document, mapping.records.split(".")) if mapping.records else None
        document = inner if isinstance(inner, list) else [document]
    if not isinstance(document, list):
        raise _unreadable(RefusalCode.UNKNOWN_FORMAT, (("expected", "json"),))
    return document


def check_lines(path: Path, limits: Limits) -> None:
    """Look through a push of JSON Lines. Raises PushUnreadable: it cannot be unpacked or decoded, ends within a record,
    or has no line that is one. A line that is none among others is refused by itself when the push is read."""
    last: Line | None = None
    has_record = False
    try:
        with open_source(path, limits) as source:
            for block in read_lines(source, limits.line_bytes):
                for line in block:
                    if line.raw is not None:
                        line.raw.decode("utf-8-sig" if line.number == 1 else "utf-8")
                        has_record = has_record or _is_record(line.raw)
                    last = line
    except ReadFailure as failure:
        raise _unreadable(failure.code, failure.params) from failure
    except UnicodeDecodeError as error:
        raise _unreadable(RefusalCode.WRONG_ENCODING, (("expected", "utf-8"),)) from error
    if last is None:
        raise _unreadable(RefusalCode.EMPTY_FILE)
    if not last.is_closed and (last.raw is None or (last.raw.strip() and not _is_record(last.raw))):
        raise _unreadable(RefusalCode.TRUNCATED_FILE)
    if not has_record:
        raise _unreadable(RefusalCode.MALFORMED_DOCUMENT)


def _is_record(raw: bytes) -> bool:
    """Return whether a line is a JSON value, one with equal keys too: that one is refused by itself."""
    return decoded_record(raw) is not None


def _unreadable(code: RefusalCode, params: tuple[tuple[str, str], ...] = ()) -> PushUnreadable:
    return PushUnreadable(code.value, *reason(code, dict(params)))
