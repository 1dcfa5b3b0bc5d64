"""XML, element by element. Document types and entities are refused; nothing is fetched; memory is one record's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.rows import RAW_KEPT_MAX, Item, Limits, Row

_NAMES = tuple(name for name in dir(etree.ErrorTypes) if name.startswith("ERR_"))
_CUT = ("ERR_DOCUMENT_END", "ERR_TAG_NOT_FINISHED", "ERR_DOCUMENT_EMPTY", "ERR_GT_REQUIRED", "ERR_LTSLASH_REQUIRED")


def read_xml(stream: BinaryIO, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of an XML file; ``mapping.records`` names a record's element. Raises ReadFailure."""
    number = 0
    checked = _Guarded(stream)
    try:
        events = etree.iterparse(
            checked,
            events=("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        is_first = True
        for event, element in events:
            if is_first:
                is_first = False
                if element.getroottree().docinfo.doctype:
                    raise ReadFailure(RefusalCode.DANGEROUS_DOCUMENT)
            if event == "end" and _local(element.tag) == mapping.records:
                number += 1
                yield _row(element, mapping, number, limits)
                _forget(element)
    except etree.XMLSyntaxError as error:
        raise ReadFailure(_code(error, checked.bytes_read)) from error
    if number == 0:
        raise ReadFailure(RefusalCode.EMPTY_FILE)


def _row(element: Any, mapping: Mapping, number: int, limits: Limits) -> Item:
    values = tuple([_find(element, column) for column in mapping.columns])
    if any(value is not None and len(value) > limits.field_chars for value in values):
        limit = (("limit", str(limits.field_chars)),)
        raw = etree.tostring(element, encoding="utf-8", with_tail=False)[:RAW_KEPT_MAX]
        return Fault(number, element.sourceline, None, RefusalCode.FIELD_TOO_LARGE, limit, raw)
    return Row(number, element.sourceline, values)


def _find(element: Any, path: str) -> str | None:
    for step in path.split("/"):
        if step.startswith("@"):
            value = element.get(step[1:])
            return None if value is None else str(value)
        element = next((child for child in element if _local(child.tag) == step), None)
        if element is None:
            return None
    return "".join(element.itertext())


def _local(tag: Any) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _forget(element: Any) -> None:
    """Free a record that was read, and the empty siblings before it: the tree must not grow with the file."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def _code(error: etree.XMLSyntaxError, bytes_read: int) -> RefusalCode:
    code = int(getattr(error, "code", 0) or 0)
    name = next((one for one in _NAMES if getattr(etree.ErrorTypes, one) == code), "")
    if bytes_read == 0:
        return RefusalCode.EMPTY_FILE
    if "ENTITY" in name or "DTD" in name or "DOCTYPE" in name:
        return RefusalCode.DANGEROUS_DOCUMENT
    if "ENCODING" in name or "INVALID_CHAR" in name:
        return RefusalCode.WRONG_ENCODING
    return RefusalCode.TRUNCATED_FILE if name in _CUT else RefusalCode.MALFORMED_DOCUMENT


class _Guarded:
    """Counts the bytes, and keeps a document type from being parsed at all: its internal subset is where bombs are."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._head = b""
        self.bytes_read = 0

    def read(self, size: int) -> bytes:
        part = self._stream.read(size)
        if self.bytes_read < 1 << 16:
            self._head += part
            if b"<!DOCTYPE" in self._head or b"<!ENTITY" in self._head or b"<\0!\0D\0O\0C" in self._head:
                raise ReadFailure(RefusalCode.DANGEROUS_DOCUMENT)
        else:
            self._head = b""
        self.bytes_read += len(part)
        return part
