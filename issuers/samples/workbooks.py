"""Workbooks as Office, WPS and Numbers write them, part by part: what no writing library makes on purpose.

Sheets may be hidden, lie in parts of any name, count days from 1904, be of the strict form, and hold formulas, error
cells, phonetic guides and durations.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape, quoteattr

_TRANSITIONAL: Final = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
)
_STRICT: Final = (
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
)
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its value as text, its type as the format has it, and what may stand beside the value."""

    value: str
    kind: str = "n"
    """``n`` number, ``s`` shared text, ``inlineStr``, ``b``, ``e`` error, ``d`` ISO date, ``str`` a formula's text."""
    number_format: str = ""
    """The number format's code, or its built-in number."""
    formula: str = ""
    phonetic: str = ""
    """The reading that Office writes over a text."""
    runs: tuple[str, ...] = ()
    """The text in parts of several fonts."""


Value = Cell | str | int | float | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: its tab and its rows. A row of None is left out of the part, as empty rows are."""

    name: str
    rows: Sequence[Sequence[Value] | None]
    visibility: str = "visible"
    part: str = ""
    """The part's name below ``xl/``; none: ``worksheets/sheetN.xml``."""
    merged: Sequence[str] = ()


@dataclass(slots=True)
class _Book:
    strings: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=lambda: ["0"])
    is_inline: bool = False

    def style(self, code: str) -> int:
        if code not in self.formats:
            self.formats.append(code)
        return self.formats.index(code)

    def cell(self, reference: str, value: Value) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            value = Cell(value, "inlineStr" if self.is_inline else "s")
        elif not isinstance(value, Cell):
            value = Cell(repr(value))
        style = f' s="{self.style(value.number_format)}"' if value.number_format else ""
        formula = f"<f>{escape(value.formula)}</f>" if value.formula else ""
        text = self._text(value)
        if value.kind == "inlineStr":
            return f'<c r="{reference}"{style} t="inlineStr"><is>{text}</is></c>'
        if value.kind == "s":
            self.strings.append(f"<si>{text}</si>")
            return f'<c r="{reference}"{style} t="s"><v>{len(self.strings) - 1}</v></c>'
        kind = "" if value.kind == "n" else f' t="{value.kind}"'
        return f'<c r="{reference}"{style}{kind}>{formula}<v>{escape(value.value)}</v></c>'

    def _text(self, cell: Cell) -> str:
        guide = f'<rPh sb="0" eb="1"><t>{escape(cell.phonetic)}</t></rPh>' if cell.phonetic else ""
        if cell.runs:
            return "".join(f'<r><rPr/><t xml:space="preserve">{escape(run)}</t></r>' for run in cell.runs) + guide
        return f'<t xml:space="preserve">{escape(cell.value)}</t>' + guide


def workbook(
    *sheets: Sheet, is_1904: bool = False, is_strict: bool = False, is_inline: bool = False, is_absolute: bool = False
) -> bytes:
    """Return a workbook. ``is_absolute``: targets are written from the package's root, as some programs do."""
    main, relations = _STRICT if is_strict else _TRANSITIONAL
    book = _Book(is_inline=is_inline)
    parts = [one.part or f"worksheets/sheet{number}.xml" for number, one in enumerate(sheets, 1)]
    members = {f"xl/{part}": _sheet(book, one, main) for part, one in zip(parts, sheets, strict=True)}
    tabs = "".join(
        f'<sheet name={quoteattr(one.name)} sheetId="{number}" r:id="rId{number}"'
        + ("" if one.visibility == "visible" else f' state="{one.visibility}"') + "/>"
        for number, one in enumerate(sheets, 1)
    )  # fmt: skip
    days = '<workbookPr date1904="1"/>' if is_1904 else "<workbookPr/>"
    members["xl/workbook.xml"] = (
        f'<workbook xmlns="{main}" xmlns:r="{relations}">{days}<sheets>{tabs}</sheets></workbook>'
    )
    links = [(f"rId{number}", "worksheet", part) for number, part in enumerate(parts, 1)]
    links += [("rIdS", "styles", "styles.xml"), ("rIdT", "sharedStrings", "sharedStrings.xml")]
    members["xl/_rels/workbook.xml.rels"] = _links(relations, links, "/xl/" if is_absolute else "")
    members["_rels/.rels"] = _links(
        relations, [("rId1", "officeDocument", "xl/workbook.xml")], "/" if is_absolute else ""
    )
    members["xl/styles.xml"] = _styles(book, main)
    members["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">{"".join(book.strings)}</sst>'
    members["[Content_Types].xml"] = _content_types(parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, _HEAD + text)
    return buffer.getvalue()


def column_letters(at: int) -> str:
    """Return the letters of a column, counted from 0."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _sheet(book: _Book, sheet: Sheet, main: str) -> str:
    rows = []
    for line, row in enumerate(sheet.rows, 1):
        if row is not None:
            cells = "".join(book.cell(f"{column_letters(at)}{line}", value) for at, value in enumerate(row))
            rows.append(f'<row r="{line}">{cells}</row>')
    merged = "".join(f'<mergeCell ref="{one}"/>' for one in sheet.merged)
    tail = f"<mergeCells>{merged}</mergeCells>" if merged else ""
    return f'<worksheet xmlns="{main}"><sheetData>{"".join(rows)}</sheetData>{tail}</worksheet>'


def _styles(book: _Book, main: str) -> str:
    own = [code for code in book.formats if not code.isdigit() or len(code) > 2]
    numbers = {code: 164 + at for at, code in enumerate(own)}
    formats = "".join(f'<numFmt numFmtId="{n}" formatCode={quoteattr(code)}/>' for code, n in numbers.items())
    uses = "".join(f'<xf numFmtId="{numbers.get(code, code)}" applyNumberFormat="1"/>' for code in book.formats)
    fill = '<fill><patternFill patternType="none"/></fill>'
    plain = f"<fonts><font/></fonts><fills>{fill}</fills><borders><border/></borders>"
    cells = f'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>{uses}</cellXfs>'
    cells += '<cellStyles><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    return f'<styleSheet xmlns="{main}"><numFmts>{formats}</numFmts>{plain}{cells}</styleSheet>'


def _links(relations: str, links: Sequence[tuple[str, str, str]], root: str) -> str:
    shown = "".join(
        f'<Relationship Id="{i}" Type="{relations}/{kind}" Target="{root}{part}"/>' for i, kind, part in links
    )
    return f'<Relationships xmlns="{_PACKAGE}">{shown}</Relationships>'


def _content_types(parts: Sequence[str]) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    named = {"workbook.xml": "sheet.main", "styles.xml": "styles", "sharedStrings.xml": "sharedStrings"}
    named |= dict.fromkeys(parts, "worksheet")
    overrides = "".join(f'<Override PartName="/xl/{p}" ContentType="{kind}.{of}+xml"/>' for p, of in named.items())
    default = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    xml = '<Default Extension="xml" ContentType="application/xml"/>'
    return (
        f'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">{default}{xml}{overrides}</Types>'
    )
