"""What every reader yields: rows of text in the order of the mapping's columns, or faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from issuers.rules.refusals import Fault

RAW_KEPT_MAX = 4096
"""Bytes of a faulty row that are kept (sealed) for its resubmission."""


class Row(NamedTuple):
    """One record's values, None where the source has none. A NamedTuple: millions are made, none changes."""

    number: int
    """From 1, in the order of the file; faulty rows are counted too."""
    line: int | None
    values: tuple[str | None, ...]


Item = Row | Fault


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a file may ask of us. Everything beyond is refused, and memory stays bounded."""

    field_chars: int = 8_192
    line_bytes: int = 1 << 20
    document_bytes: int = 16 << 20
    """The body of a push that is one JSON document, which is parsed whole; longer ones come as JSON Lines."""
    record_chars: int = 1 << 20
    """One record of a JSON document, or one row of a workbook as it is written."""
    xml_record_chars: int = 16 << 20
    xml_record_elements: int = 20_000
    unpacked_bytes: int = 8 << 30
    ratio_max: int = 200
    """Unpacked size against packed, once ``ratio_from_bytes`` are unpacked."""
    ratio_from_bytes: int = 8 << 20
    shared_strings_bytes: int = 64 << 20
    directory_bytes: int = 1 << 20
    """An archive's list of its members; a workbook has some dozens."""
    quoted_lines_max: int = 20
    """Physical lines that one quoted field may span."""
