"""XML, element by element. Document types and entities are refused; nothing is fetched; memory is one record's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping, column_position
from issuers.sources.readers.encodings import LOST
from issuers.sources.readers.guarded_xml import GuardedXml, forget, local, parsed
from issuers.sources.readers.rows import RAW_KEPT_MAX, Item, Limits, Row

_NAMES = tuple(name for name in dir(etree.ErrorTypes) if name.startswith("ERR_"))
_CUT = ("ERR_DOCUMENT_END", "ERR_TAG_NOT_FINISHED", "ERR_DOCUMENT_EMPTY", "ERR_GT_REQUIRED", "ERR_LTSLASH_REQUIRED")
Path = tuple[tuple[str, int | None], ...]
"""Steps to an element or attribute, each with its number among those of one name (None: the only one)."""


class _Twice(Exception):  # private: an element that stands twice where one is read, turned into a fault
    pass


def read_xml(stream: BinaryIO, mapping: Mapping, limits: Limits) -> Iterator[Item]:
    """Yield the rows of an XML file; ``mapping.records`` names a record's element. Raises ReadFailure."""
    number = 0
    guarded = GuardedXml(stream, limits.xml_record_chars)
    paths = [_path(column) for column in mapping.columns]
    try:
        for record, elements in _records(guarded, mapping.records, limits.xml_record_elements):
            number += 1
            if elements > limits.xml_record_elements:
                limit = (("limit", str(limits.field_chars)),)
                yield Fault(number, record.sourceline, None, RefusalCode.FIELD_TOO_LARGE, limit)
            else:
                yield _row(record, mapping, paths, number, limits)
            guarded.mark()
    except etree.XMLSyntaxError as error:
        raise ReadFailure(_code(error, guarded)) from error
    if number == 0:
        # Names of elements in another encoding than the declared one are found under no name.
        lost = guarded.has_lost
        raise ReadFailure(RefusalCode.WRONG_ENCODING if lost else RefusalCode.EMPTY_FILE, expected="utf-8")


def _records(guarded: GuardedXml, name: str, elements_max: int) -> Iterator[tuple[Any, int]]:
    """Yield each outermost record with the number of elements in it; what is no record is let go of.

    ``name`` may be a path (``row/row``), for portals whose records stand in an element of their own name.
    """
    path = name.split("/")
    steps: list[str] = []
    depth, inside, elements = 0, 0, 0
    for event, element in parsed(guarded, events=("start", "end")):
        if event == "start":
            if guarded.in_prolog:
                guarded.in_prolog = False
                if element.getroottree().docinfo.doctype:
                    raise ReadFailure(RefusalCode.DANGEROUS_DOCUMENT)
            depth += 1
            elements += 1
            if not inside:
                steps.append(local(element.tag))
                if steps[-len(path) :] == path:
                    inside, elements = depth, 0
            continue
        if depth <= inside or not inside:
            steps.pop()
        if depth == inside:
            yield element, elements
            inside = 0
            forget(element)
        elif not inside or elements > elements_max:
            forget(element)
        depth -= 1


def _path(column: str) -> Path:
    return tuple(column_position(step) or (step, None) for step in column.split("/"))


def _row(element: Any, mapping: Mapping, paths: list[Path], number: int, limits: Limits) -> Item:
    values: list[str | None] = []
    for column, path in zip(mapping.columns, paths, strict=True):
        try:
            value = _find(element, path)
        except _Twice:
            return _fault(element, number, None, RefusalCode.DUPLICATE_KEY, key=column)
        if value is not None:
            if len(value) > limits.field_chars:
                return _fault(element, number, None, RefusalCode.FIELD_TOO_LARGE, limit=limits.field_chars)
            if LOST in value:
                return _fault(element, number, column, RefusalCode.WRONG_ENCODING, expected="utf-8, gb18030")
        values.append(value)
    return Row(number, element.sourceline, tuple(values))


def _fault(element: Any, number: int, field: str | None, code: RefusalCode, **params: object) -> Fault:
    raw = etree.tostring(element, encoding="utf-8", with_tail=False)[:RAW_KEPT_MAX]
    shown = tuple((name, str(value)) for name, value in params.items())
    return Fault(number, element.sourceline, field, code, shown, raw)


def _find(element: Any, path: Path) -> str | None:
    for step, place in path:
        if step.startswith("@"):
            value = element.get(step[1:])
            return None if value is None else str(value)
        found = [child for child in element if local(child.tag) == step]
        if place is not None:
            found = found[place - 1 : place]
        if len(found) > 1:
            raise _Twice
        if not found:
            return None
        element = found[0]
    return element.text if len(element) == 0 else "".join(element.itertext())


def _code(error: etree.XMLSyntaxError, guarded: GuardedXml) -> RefusalCode:
    code = int(getattr(error, "code", 0) or 0)
    name = next((one for one in _NAMES if getattr(etree.ErrorTypes, one) == code), "")
    if guarded.is_empty:
        return RefusalCode.EMPTY_FILE
    if "ENTITY" in name or "DTD" in name or "DOCTYPE" in name:
        return RefusalCode.DANGEROUS_DOCUMENT
    if name == "ERR_DOCUMENT_END" and "Extra content" in (error.msg or ""):
        return RefusalCode.MALFORMED_DOCUMENT
    if name in _CUT:
        return RefusalCode.TRUNCATED_FILE
    return RefusalCode.WRONG_ENCODING if guarded.has_lost else RefusalCode.MALFORMED_DOCUMENT
