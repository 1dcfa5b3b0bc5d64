"""A workbook's parts: which sheet is read, the date system, the number formats, the shared strings.

Parts are found by relationships, as the format says: the first tab is not always ``sheet1.xml``.
Source: ECMA-376 part 1 (18.2, 18.4, 18.8) and part 2 (relationships); the strict form has other namespaces.
"""

from __future__ import annotations

import posixpath
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

from issuers.rules.refusals import ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers.cell_formats import Kind, kind_of
from issuers.sources.readers.guarded_xml import GuardedXml, forget, local, parsed
from issuers.sources.readers.rows import Limits
from issuers.sources.readers.source import Unpacked, opened_member

_ROOT = "_rels/.rels"
_BOOK = "xl/workbook.xml"
_SHEETS = "xl/worksheets/"
_NAMES_SHOWN = 20
_FORMATS_MAX = 1 << 17
Relations = dict[str, tuple[str, str]]
"""By id: kind (the last part of its type) and part."""


@dataclass(frozen=True, slots=True)
class Book:
    """What reading a sheet needs of the workbook around it."""

    sheet: str
    """The part to read."""
    is_1904: bool
    name: str = ""
    """The sheet's name."""
    visible: str = ""
    """The visible sheets' names."""
    kinds: list[int | str] = field(default_factory=list)
    """By a cell's style: what its number format shows."""
    strings: list[str] = field(default_factory=list)


class Package:
    """The parts of an archive, by names that are compared as the format says: without case."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._members = {_normal(item.filename): item for item in archive.infolist()}

    def __contains__(self, part: str) -> bool:
        return _normal(part) in self._members

    def parts(self, folder: str) -> list[str]:
        """Return the parts directly in a folder."""
        return [name for name in self._members if posixpath.dirname(name) == folder.rstrip("/").lower()]

    def open(self, part: str) -> BinaryIO:
        """Open a part as a stream with a budget. Raises ReadFailure."""
        item = self._members.get(_normal(part))
        if item is None:
            raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
        raw = opened_member(self._archive, item)
        return cast(BinaryIO, Unpacked(raw, item.compress_size, self._limits))

    def elements(self, part: str, *names: str) -> Iterator[Any]:
        """Yield the elements of these names of a part, each freed when the next is asked for."""
        guarded = GuardedXml(self.open(part), self._limits.record_chars)
        for event, element in parsed(guarded, tuple("{*}" + name for name in names)):
            guarded.in_prolog = False
            yield element
            if event == "end":
                forget(element)
            guarded.mark()


def open_book(package: Package, mapping: Mapping, limits: Limits) -> Book:
    """Find what the mapping reads of a workbook. Raises ReadFailure."""
    root = _relations(package, _ROOT)
    book = next((part for kind, part in root.values() if kind == "officedocument"), _BOOK)
    if book not in package:
        if _ROOT in package:
            # A workbook of which one relationship is damaged: a sheet that is found otherwise may be a hidden one.
            raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT)
        sheets = package.parts(_SHEETS)
        if len(sheets) != 1 or mapping.sheet is not None:
            raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="xlsx")
        # No workbook, so nothing is hidden, and there is one sheet to read.
        return Book(sheets[0], is_1904=False, strings=_strings(package, "xl/sharedStrings.xml", limits))
    relations = _relations(
        package, posixpath.join(posixpath.dirname(book), "_rels", posixpath.basename(book) + ".rels")
    )
    parts = {kind: part for kind, part in relations.values() if kind in ("styles", "sharedstrings")}
    chosen = _chosen(package, book, relations, mapping.sheet)
    kinds = _kinds(package, parts["styles"]) if parts.get("styles", "") in package else []
    return replace(chosen, kinds=kinds, strings=_strings(package, parts.get("sharedstrings", ""), limits))


def _normal(name: str) -> str:
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/").lower()


def _relations(package: Package, part: str) -> Relations:
    if part not in package:
        return {}
    base = posixpath.dirname(posixpath.dirname(_normal(part)))
    found: Relations = {}
    for element in package.elements(part, "Relationship"):
        target = element.get("Target", "")
        if element.get("TargetMode", "Internal").lower() == "internal":
            kind = element.get("Type", "").rpartition("/")[2].lower()
            found[element.get("Id", "")] = (kind, _normal(target if target[:1] == "/" else f"{base}/{target}"))
    return found


def _chosen(package: Package, book: str, relations: Relations, wanted: str | None) -> Book:
    """Return the sheet to read, and whether days are counted from 1904."""
    is_1904 = False
    visible: list[str] = []
    chosen: tuple[str, str] | None = None
    for element in package.elements(book, "workbookPr", "sheet", "sheets"):
        if local(element.tag) == "sheets":
            break  # thousands of defined names may follow, which nobody reads
        if local(element.tag) == "workbookPr":
            is_1904 = element.get("date1904", "0").lower() in ("1", "true", "on")
            continue
        name = element.get("name", "")
        link = next((value for key, value in element.attrib.items() if local(key) == "id"), "")
        kind, part = relations.get(str(link), ("", ""))
        if kind != "worksheet" or part not in package:
            continue
        is_visible = element.get("state", "visible") == "visible"
        if is_visible:
            visible.append(name)
        if chosen is None and (name.strip() == wanted.strip() if wanted is not None else is_visible):
            chosen = part, name
    found = ", ".join(visible[:_NAMES_SHOWN]) or "-"
    if chosen is None:
        raise ReadFailure(RefusalCode.SHEET_MISSING, wanted=wanted or "", found=found)
    return Book(chosen[0], is_1904, chosen[1], found)


def _kinds(package: Package, part: str) -> list[int | str]:
    codes: dict[int, str] = {}
    kinds: list[int | str] = []
    for element in package.elements(part, "numFmt", "xf"):
        number = _whole(element.get("numFmtId"))
        if local(element.tag) == "numFmt":
            codes[number] = element.get("formatCode", "")
        elif local(element.getparent().tag) == "cellXfs":
            kinds.append(kind_of(number, codes.get(number)))
        if len(kinds) + len(codes) > _FORMATS_MAX:
            raise ReadFailure(RefusalCode.FILE_TOO_LARGE, limit=_FORMATS_MAX)
    return kinds


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else Kind.PLAIN


def _strings(package: Package, part: str, limits: Limits) -> list[str]:
    if not part or part not in package:
        return []
    strings: list[str] = []
    total = 0
    for element in package.elements(part, "si"):
        text = plain_text(element)
        total += sys.getsizeof(text) + 8
        if total > limits.shared_strings_bytes:
            raise ReadFailure(RefusalCode.FILE_TOO_LARGE, limit=limits.shared_strings_bytes)
        strings.append(text)
    return strings


def plain_text(element: Any) -> str:
    """Return the text of a string: its runs, without the phonetic guides (``rPh``) that Office writes over them."""
    parts: list[str] = []
    for child in element:
        match local(child.tag):
            case "t":
                parts.append(child.text or "")
            case "r":
                parts += [part.text or "" for part in child if local(part.tag) == "t"]
    return "".join(parts)
