"""Format readers: bytes in, rows of text out. They know nothing of programmes; a mapping tells them which columns."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from issuers.rules.refusals import ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.delimited import read_delimited
from issuers.sources.readers.forms import HEAD, form_of
from issuers.sources.readers.json_documents import read_json, read_jsonl
from issuers.sources.readers.rows import Item, Limits
from issuers.sources.readers.source import open_source
from issuers.sources.readers.spreadsheet import read_xlsx
from issuers.sources.readers.xml_documents import read_xml


def read_file(path: Path, mapping: Mapping, limits: Limits | None = None) -> Iterator[Item]:
    """Yield the file's rows and faults in order, in bounded memory.

    Raises:
        ReadFailure: the file cannot be read further; what was yielded stands.
        OSError: the file cannot be opened.
    """
    limits = limits or Limits()
    with open_source(path, limits, unzip=mapping.format != "xlsx", member=mapping.member) as source:
        _check_form(source, mapping)
        match mapping.format:
            case "csv" | "tsv":
                yield from read_delimited(source, mapping, limits)
            case "xlsx":
                yield from read_xlsx(path, mapping, limits)
            case "jsonl":
                yield from read_jsonl(source, mapping, limits)
            case "json":
                yield from read_json(source, mapping, limits)
            case "xml":
                yield from read_xml(source, mapping, limits)


def _check_form(source: BinaryIO, mapping: Mapping) -> None:
    """Refuse what its first bytes say to be of another format, by that format's name. Raises ReadFailure."""
    form = form_of(cast(io.BufferedReader, source).peek(HEAD)[:HEAD])
    fits = form is None or form == mapping.format or mapping.format == "xlsx"
    if not fits and not (form == "json" and mapping.format == "jsonl"):
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected=mapping.format, form=form)


__all__ = ["Item", "Limits", "read_file"]
