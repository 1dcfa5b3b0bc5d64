"""Files made to do harm: each is refused within bounded memory and time, with line, field and a reason that helps."""

from __future__ import annotations

import gzip
import io
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode, reason
from issuers.sources.mapping import Mapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from scripts.fuzz.targets import workbook, zipped
from tests.unit.issuers.build import NOW, mapping

HEADER = b"id,who,what,when,until,amount\n"
GOOD = b"r%d,p1,work,2026-08-01 09:00,2026-08-01 12:00,2\n"
FIELDS = mapping().model_dump()["fields"]
XML = mapping(format="xml", records="row")
XLSX = mapping(format="xlsx")
XML_ROW = "<row><id>r1</id><who>p1</who><what>work</what><when>2026-08-01 09:00</when><until/><amount>{}</amount></row>"
MEMORY_MAX = 48_000_000
SECONDS_MAX = 20.0
"""Of CPU, on a slow machine; nearly all take far less than one."""


@contextmanager
def bounded() -> Iterator[None]:
    """Memory and time stay small whatever the file says."""
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_MAX, f"{peak:,} bytes"
    assert time.process_time() - began < SECONDS_MAX


def deeds_and_faults(path: Path, one: Mapping) -> tuple[int, list[Fault], ReadFailure | None]:
    """How many rows are good, what is refused, and how the file ended."""
    normaliser = Normaliser(one)
    good, faults = 0, []
    try:
        for item in read_file(path, one):
            made = normaliser.deed(item, NOW) if isinstance(item, Row) else item
            if isinstance(made, Fault):
                faults.append(made)
            else:
                good += 1
    except ReadFailure as failure:
        return good, faults, failure
    return good, faults, None


def refused(tmp_path: Path, content: bytes, one: Mapping) -> tuple[int, list[RefusalCode], RefusalCode | None]:
    """Read within bounds; every refusal must have its reason in both languages."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with bounded():
        good, faults, end = deeds_and_faults(path, one)
    for fault in faults:
        assert all(fault.reason())
    if end is not None:
        assert all(reason(end.code, dict(end.params)))
    return good, [fault.code for fault in faults], None if end is None else end.code


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "head",
    [
        f'<!DOCTYPE r [<!ENTITY l0 "lol">{LAUGHS}]>',
        f'<!DOCTYPE r [<!ENTITY l9 "{"a" * 100_000}">]>',
        '<!DOCTYPE r [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>',
        '<!DOCTYPE r PUBLIC "-//X//Y" "http://127.0.0.1:9/x.dtd">',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_bombs(tmp_path: Path, head: str, encoding: str) -> None:
    """Billion laughs, quadratic blow-up, external entities and parameter entities, in any encoding."""
    text = f'<?xml version="1.0" encoding="{encoding}"?>{head}<rows>{XML_ROW.format("&l9;" * 1_000)}</rows>'
    good, faults, end = refused(tmp_path, text.encode(encoding), XML)
    assert (good, faults) == (0, [])
    assert end in (RefusalCode.DANGEROUS_DOCUMENT, RefusalCode.MALFORMED_DOCUMENT)


def test_a_doctype_behind_a_long_comment(tmp_path: Path) -> None:
    """The guard does not look at the first bytes only."""
    head = f"<!-- {'x' * 200_000} -->" + f'<!DOCTYPE r [<!ENTITY l0 "lol">{LAUGHS}]>'
    _, _, end = refused(tmp_path, f"{head}<rows>{XML_ROW.format('&l9;')}</rows>".encode(), XML)
    assert end is RefusalCode.DANGEROUS_DOCUMENT


def test_xml_of_one_huge_text_or_a_deep_nest(tmp_path: Path) -> None:
    """Ten megabytes in a field, and a hundred thousand elements in each other."""
    _, faults, end = refused(tmp_path, f"<rows>{XML_ROW.format('9' * 10_000_000)}</rows>".encode(), XML)
    assert faults == [RefusalCode.FIELD_TOO_LARGE] or end is RefusalCode.MALFORMED_DOCUMENT
    _, _, end = refused(tmp_path, b"<rows>" + b"<row>" * 100_000, XML)
    assert end in (RefusalCode.MALFORMED_DOCUMENT, RefusalCode.TRUNCATED_FILE)


@pytest.mark.parametrize("where", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_xlsx_with_entities(tmp_path: Path, where: str) -> None:
    """Nothing is expanded in a workbook's parts either."""
    row = '<row r="2"><c r="A2" t="s"><v>0</v></c></row>'
    content = workbook(row, "<si><t>&l9;</t></si>")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = f'<!DOCTYPE r [<!ENTITY l0 "lol">{LAUGHS}]>'.encode()
    members[where] = bomb + members[where]
    if where.endswith("sheet1.xml"):
        members["xl/sharedStrings.xml"] = members["xl/sharedStrings.xml"].replace(b"&l9;", b"r1")
        members[where] = members[where].replace(b"<v>0</v>", b"<v>&l9;</v>")
    good, _, end = refused(tmp_path, zipped(members), XLSX)
    assert good == 0
    assert end in (RefusalCode.DANGEROUS_DOCUMENT, RefusalCode.MALFORMED_DOCUMENT)


def test_formula_cells_of_every_kind(tmp_path: Path) -> None:
    """With and without a cached value, shared and array formulas: the field is named, the next row is read."""
    inline = '<c r="{0}" t="inlineStr"><is><t>{1}</t></is></c>'

    def row(number: int, amount: str) -> str:
        texts = (f"r{number}", "p1", "work", "2026-08-01 09:00", "2026-08-01 12:00")
        cells = "".join(inline.format(f"{letter}{number}", text) for letter, text in zip("ABCDE", texts, strict=True))
        return f'<row r="{number}">{cells}<c r="F{number}">{amount}</c></row>'

    formulas = ["<f>1+1</f><v>2</v>", "<f>1+1</f>", '<f t="shared" si="0"/><v>2</v>', '<f t="array" ref="F5">A1</f>']
    rows = [row(number, formula) for number, formula in enumerate(formulas, 2)]
    path = tmp_path / "book.xlsx"
    path.write_bytes(workbook("".join(rows) + row(6, "<v>2</v>")))
    good, faults, end = deeds_and_faults(path, XLSX)
    assert (good, end) == (1, None)
    assert [(fault.code, fault.field, fault.line) for fault in faults] == [
        (RefusalCode.FORMULA_CELL, "amount", line) for line in (2, 3, 4, 5)
    ]
    assert "send values" in faults[0].reason()[0]


def test_formulas_as_text_do_no_harm_in_a_table(tmp_path: Path) -> None:
    """What a spreadsheet would run is only text here, and no identifier."""
    content = HEADER + b'"=HYPERLINK(""http://x"")",p1,work,2026-08-01 09:00,,2\n' + GOOD % 2
    good, _, _ = refused(tmp_path, content, mapping())
    assert good >= 1


def test_zip_bombs(tmp_path: Path) -> None:
    """A huge ratio, a zip in a zip, several members, an entry that points at another's bytes."""
    zeros = HEADER + b"0" * 100_000_000
    assert refused(tmp_path, zipped({"a.csv": zeros}), mapping())[2] is RefusalCode.DECOMPRESSION_BOMB
    assert refused(tmp_path, gzip.compress(zeros), mapping())[2] is RefusalCode.DECOMPRESSION_BOMB
    nested = zipped({"a.zip": zipped({"a.csv": HEADER + GOOD % 1})})
    assert refused(tmp_path, nested, mapping())[2] is RefusalCode.UNKNOWN_FORMAT
    assert refused(tmp_path, gzip.compress(gzip.compress(HEADER + GOOD % 1)), mapping())[0] == 0
    assert refused(tmp_path, zipped({"a.csv": HEADER, "b.csv": HEADER}), mapping())[2] is RefusalCode.UNKNOWN_FORMAT
    bomb = workbook(("<row" + " " * 120 + "/>") * 250_000)
    assert refused(tmp_path, bomb, XLSX)[2] is RefusalCode.DECOMPRESSION_BOMB


def test_a_bomb_of_millions_of_rows(tmp_path: Path) -> None:
    """The smallest rows there are; only the time is measured, for watching the memory makes each five times as slow."""
    path = tmp_path / "file"
    path.write_bytes(workbook("<row/>" * 5_000_000))
    began = time.process_time()
    _, _, end = deeds_and_faults(path, XLSX)
    assert time.process_time() - began < SECONDS_MAX
    assert end is not None
    assert end.code is RefusalCode.DECOMPRESSION_BOMB


def test_members_that_overlap(tmp_path: Path) -> None:
    """Many directory entries for one member's bytes: only what is needed is unpacked, once."""
    content = bytearray(workbook())
    end = content.rfind(b"PK\x05\x06")
    size, start = struct.unpack("<II", content[end + 12 : end + 20])
    entries = bytes(content[start : start + size])
    overlapping = bytes(content[:start]) + entries * 50
    record = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 50, 50, len(entries) * 50, start, 0)
    good, faults, end_code = refused(tmp_path, overlapping + record, XLSX)
    assert (good, faults) == (1, []) or end_code is not None


@pytest.mark.parametrize("one", [mapping(), XLSX])
def test_a_directory_of_a_million_entries(tmp_path: Path, one: Mapping) -> None:
    """Python would make an object of each before anybody could look."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 400_000
    head = b"PK\x03\x04" + bytes(26)
    record = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(entry) * count, len(head), 0)
    path = tmp_path / "file"
    path.write_bytes(head + entry * count + record)
    with bounded():
        _, _, end = deeds_and_faults(path, one)
    assert end is not None
    assert end.code is RefusalCode.DECOMPRESSION_BOMB


def test_fields_of_ten_megabytes(tmp_path: Path) -> None:
    """Plain, in quotation marks, and as a mark that is never closed: the rows around stand, with their lines."""
    huge = b"x" * 10_000_000
    content = HEADER + GOOD % 1 + b"r2," + huge + b",work,2026-08-01 09:00,,2\n" + GOOD % 3
    content += b'r4,"' + huge + b'",work,2026-08-01 09:00,,2\n' + GOOD % 5 + b'r6,"' + huge
    path = tmp_path / "file"
    path.write_bytes(content)
    good, faults, _ = deeds_and_faults(path, mapping())
    assert good == 3
    assert [(fault.line, fault.code) for fault in faults] == [(line, RefusalCode.FIELD_TOO_LARGE) for line in (3, 5, 7)]
    lines = b'{"id":"r1","who":"' + huge + b'"}\n{"id":'
    assert refused(tmp_path, lines, mapping(format="jsonl"))[1][0] is RefusalCode.FIELD_TOO_LARGE


def test_bytes_that_are_no_text_in_the_middle(tmp_path: Path) -> None:
    """One broken line in a thousand, in each encoding, costs that line alone."""
    for encoding, broken in (("utf-8", b"\xe5\x8a"), ("gb18030", b"\xff\xff")):
        lines = [GOOD % n for n in range(1_000)]
        lines[500] = b"r500," + broken + b",work,2026-08-01 09:00,,2\n"
        one = mapping(encodings=[encoding])
        good, faults, end = refused(tmp_path, HEADER + b"".join(lines), one)
        assert (good, faults, end) == (999, [RefusalCode.WRONG_ENCODING], None)


CSV = HEADER + GOOD % 1


@pytest.mark.parametrize(
    "beside",
    [
        {"__MACOSX/": b"", "__MACOSX/._export.csv": b"\0\5\x16\7"},
        {".DS_Store": b"x", "Thumbs.db": b"x", "desktop.ini": b"x"},
        {"导出/": b"", "导出/.DS_Store": b"x"},
        {"a/": b"", "a/b/": b"", "a/b/._x.csv": b"x"},
    ],
)
def test_what_packers_add_on_their_own_is_no_member(tmp_path: Path, beside: dict[str, bytes]) -> None:
    """Folders, and the notes of macOS and Windows."""
    for name in ("export.csv", "导出/数据/三月.csv", "a\\b.csv"):
        assert refused(tmp_path, zipped({**beside, name: CSV}), mapping()) == (1, [], None)


def test_one_of_several_members_by_the_mappings_pattern(tmp_path: Path) -> None:
    """Names as Chinese packers write them, in GBK without a flag, among them."""
    several = {"说明.txt": b"hello", "数据/记录.csv": CSV, "数据/旧.csv.bak": CSV}
    gbk = zipped({"A" * len(name.encode("gb18030")) + str(at): body for at, (name, body) in enumerate(several.items())})
    for at, name in enumerate(several):
        gbk = gbk.replace(
            b"A" * len(name.encode("gb18030")) + str(at).encode(), name.encode("gb18030") + str(at).encode()
        )
    assert refused(tmp_path, zipped(several), mapping(member="*.csv")) == (1, [], None)
    assert refused(tmp_path, zipped(several), mapping(member="数据/记录.csv")) == (1, [], None)
    assert refused(tmp_path, gbk, mapping(member="数据/记录.csv1")) == (1, [], None)
    for pattern in ("*.xls", "*"):
        assert refused(tmp_path, zipped(several), mapping(member=pattern))[2] is RefusalCode.UNKNOWN_FORMAT


def test_marks_of_byte_order_in_odd_places(tmp_path: Path) -> None:
    """Twice at the beginning, at a line's beginning, of another encoding: never a crash."""
    bom = b"\xef\xbb\xbf"
    assert refused(tmp_path, bom + HEADER + GOOD % 1, mapping())[0] == 1
    assert refused(tmp_path, bom + bom + HEADER + GOOD % 1, mapping()) == (1, [], None)
    good, faults, _ = refused(tmp_path, HEADER + bom + GOOD % 1 + GOOD % 2, mapping())
    assert good + len(faults) == 2
    assert refused(tmp_path, b"\xff\xfe" + HEADER, mapping())[2] is not None
    assert refused(tmp_path, bom + b"\n" + bom + b'{"id": 1}', mapping(format="jsonl"))[0] == 0


def test_zero_bytes(tmp_path: Path) -> None:
    """In a field: refused with the field's name. In the header: the column is not there. A file of them is no file."""
    path = tmp_path / "file"
    path.write_bytes(HEADER + b"r1,p\x001,work,2026-08-01 09:00,,2\n" + GOOD % 2)
    good, faults, _ = deeds_and_faults(path, mapping())
    assert good == 1
    assert [(fault.code, fault.field) for fault in faults] == [(RefusalCode.CONTROL_CHARACTER, "source_id")]
    assert refused(tmp_path, HEADER.replace(b"who", b"w\x00ho") + GOOD % 1, mapping())[2] is RefusalCode.HEADER_MISMATCH
    for form in ("csv", "json", "jsonl", "xlsx"):
        assert refused(tmp_path, bytes(100_000), mapping(format=form, records=""))[0] == 0
    assert refused(tmp_path, bytes(100_000), XML)[2] is not None


def test_lone_surrogates(tmp_path: Path) -> None:
    """JSON may escape what is no character; nothing behind may stumble over it."""
    line = b'{"id":"r\\ud800","who":"p1","what":"work","when":"2026-08-01 09:00","amount":"2"}\n'
    good, faults, end = refused(tmp_path, line, mapping(format="jsonl"))
    assert (good, len(faults), end) == (0, 1, None)
    assert refused(tmp_path, b"[" + line + b"]", mapping(format="json", records=""))[0] == 0


@pytest.mark.parametrize(
    "number", ["1" * 5_000, "1e400", "-1", "1e-400", "0x10", "-NaN", "Infinity", "1_000", "--1", "9" * 16]
)
def test_numbers_that_are_none_or_too_much(tmp_path: Path, number: str) -> None:
    """Refused by field; no conversion of thousands of digits (Python's own limit would be an exception)."""
    for content, one in (
        (HEADER + f"r1,p1,work,2026-08-01 09:00,,{number}\n".encode(), mapping()),
        (f"<rows>{XML_ROW.format(number)}</rows>".encode(), XML),
    ):
        path = tmp_path / "file"
        path.write_bytes(content)
        good, faults, end = deeds_and_faults(path, one)
        assert (good, end) == (0, None)
        assert faults[0].field == "quantity"
        assert faults[0].code in (
            RefusalCode.BAD_NUMBER,
            RefusalCode.NEGATIVE_QUANTITY,
            RefusalCode.QUANTITY_TOO_LARGE,
        )


def _damaged(content: bytes, before: bytes, after: bytes) -> bytes:
    assert content.count(before) == 1
    return content.replace(before, after)


@pytest.mark.parametrize("form", ["gzip", "zip", "xlsx"])
def test_a_damaged_archive_gives_nothing(tmp_path: Path, form: str) -> None:
    """The checksum stands at the end: another digit would have been granted before anybody compared it."""
    table = HEADER + GOOD % 1 + GOOD.replace(b"p1", b"p2") % 2
    packed, one = gzip.compress(table, 0), mapping()
    if form != "gzip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            if form == "zip":
                archive.writestr("a.csv", table)
            else:
                with zipfile.ZipFile(io.BytesIO(workbook())) as source:
                    for name in source.namelist():
                        archive.writestr(name, source.read(name))
        packed = stream.getvalue()
    if form == "xlsx":
        one, before, after = XLSX, b"<t>p1<", b"<t>p7<"
    else:
        before, after = b"r1,p1,", b"r1,p7,"
    assert refused(tmp_path, packed, one)[0] > 0
    assert refused(tmp_path, _damaged(packed, before, after), one) == (0, [], RefusalCode.DAMAGED_FILE)


def test_what_stands_behind_an_archive_is_damage_or_nothing(tmp_path: Path) -> None:
    packed = gzip.compress(HEADER + GOOD % 1)
    assert refused(tmp_path, packed + b"\0" * 100, mapping()) == (1, [], None), "padding of a tape or a block device"
    assert refused(tmp_path, packed + b"<html>error</html>", mapping()) == (0, [], RefusalCode.DAMAGED_FILE)
    assert refused(tmp_path, packed + gzip.compress(GOOD % 2), mapping()) == (2, [], None), "two files in one"
