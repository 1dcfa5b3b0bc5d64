"""Readers: good rows in order, each fault by its code, bombs refused, memory bounded."""

from __future__ import annotations

import gzip
import io
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers import Limits, read_file
from issuers.sources.readers.delimited import read_delimited
from issuers.sources.readers.json_documents import read_jsonl
from issuers.sources.readers.rows import Row
from issuers.sources.readers.xml_documents import read_xml
from tests.unit.issuers.build import mapping

HEADER = "id,who,what,when,until,amount\n"
LINE = "r{0},p{0},work,2026-08-01 09:00,2026-08-01 12:00,2\n"


def outcome(path: Path, one: Mapping, limits: Limits | None = None) -> tuple[list[Any], RefusalCode | None]:
    """Rows (as their first value) and faults (as their code) in order, and how the file ended."""
    found: list[Any] = []
    try:
        for item in read_file(path, one, limits):
            found.append(item.values[0] if isinstance(item, Row) else item.code)  # noqa: PERF401  # kept on failure
    except ReadFailure as failure:
        return found, failure.code
    return found, None


def save(tmp_path: Path, content: bytes, name: str = "file") -> Path:
    """Write a file."""
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings_by_mark_or_agreement(tmp_path: Path, encoding: str) -> None:
    """A byte order mark wins; GB18030 is agreed by the mapping; CRLF is a line end."""
    text = (HEADER + LINE.format(1).replace("work", "劳动") + LINE.format(2)).replace("\n", "\r\n")
    one = mapping(encodings=["gb18030"] if encoding == "gb18030" else ["utf-8"])
    rows = list(read_file(save(tmp_path, text.encode(encoding)), one))
    assert [row.values[2] for row in rows if isinstance(row, Row)] == ["劳动", "work"]
    assert isinstance(rows[1], Row)
    assert (rows[1].number, rows[1].line) == (2, 3)


def test_the_wrong_encoding_is_a_refusal_of_its_own(tmp_path: Path) -> None:
    """UTF-8 where GB18030 was agreed: the header tells."""
    one = mapping(
        encodings=["gb18030"],
        fields={**mapping().model_dump()["fields"], "record_id": {"column": "编号"}},
    )
    path = save(tmp_path, HEADER.replace("id", "编号").encode() + LINE.format(1).encode())
    assert outcome(path, one) == ([], RefusalCode.WRONG_ENCODING)


def test_a_broken_line_never_swallows_its_neighbours(tmp_path: Path) -> None:
    """Open quotes, missing columns, bytes that are no text, a line of 3 MB: the others stand."""
    content = (
        HEADER.encode()
        + LINE.format(1).encode()
        + b'r2,"p2,work,x,y,1\n'
        + LINE.format(3).encode()
        + b"r4,p4\n"
        + b"r5,\xff\xff,work,x,y,1\n"
        + b"r6," + b"x" * 3_000_000 + b",work,x,y,1\n"
        + b'r7,"p\n7",work,"2026-08-01 09:00",,"2"\n'
        + LINE.format(8).encode()
        + b"r9,p9,wo"
    )  # fmt: skip
    assert outcome(save(tmp_path, content), mapping()) == (
        [
            "r1",
            RefusalCode.UNBALANCED_QUOTE,
            "r3",
            RefusalCode.COLUMN_COUNT,
            RefusalCode.WRONG_ENCODING,
            RefusalCode.FIELD_TOO_LARGE,
            "r7",
            "r8",
            RefusalCode.TRUNCATED_FILE,
        ],
        None,
    )


def test_quoted_fields_may_cross_a_block(tmp_path: Path) -> None:
    """A quoted line feed at the border of two reads is still inside its field."""
    rows = [f'r{n},"p\n{n}",work,2026-08-01 09:00,,2\n' for n in range(20_000)]
    found, end = outcome(save(tmp_path, (HEADER + "".join(rows)).encode()), mapping())
    assert end is None
    assert found == [f"r{n}" for n in range(20_000)]


def test_gzip_and_zip_are_opened_and_cut_ones_refused(tmp_path: Path) -> None:
    """The rows before the cut stand."""
    text = (HEADER + "".join(LINE.format(n) for n in range(30_000))).encode()
    packed = gzip.compress(text, mtime=0)
    assert len(outcome(save(tmp_path, packed), mapping())[0]) == 30_000
    found, end = outcome(save(tmp_path, packed[: len(packed) // 2]), mapping())
    assert end is RefusalCode.TRUNCATED_FILE
    assert 0 < len(found) < 30_000
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export.csv", text)
    assert len(outcome(save(tmp_path, buffer.getvalue()), mapping())[0]) == 30_000
    assert outcome(save(tmp_path, buffer.getvalue()[:500]), mapping())[1] is RefusalCode.TRUNCATED_FILE


def test_a_gzip_bomb_stops_early(tmp_path: Path) -> None:
    """A thousandfold of zeros is not unpacked to the end, and the memory stays small."""
    path = save(tmp_path, gzip.compress(HEADER.encode() + b"0" * 200_000_000, mtime=0))
    tracemalloc.start()
    try:
        assert outcome(path, mapping()) == ([], RefusalCode.DECOMPRESSION_BOMB)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_json_lines_keep_digits_and_refuse_what_is_none(tmp_path: Path) -> None:
    """Numbers keep the digits that were written; NaN, nests and cut lines have their codes."""
    lines = [
        '{"id": "a", "amount": 2.50, "who": {"x": 1}}',
        '{"id": "b", "amount": NaN}',
        "[" * 100_000,
        '"just text"',
        '{"id": "c", "amount": 12345678901234567890}',
        '{"id": "d", "amou',
    ]
    one = mapping(format="jsonl", fields={**mapping().model_dump()["fields"], "source_id": {"column": "who.x"}})
    items = list(read_file(save(tmp_path, "\n".join(lines).encode()), one))
    kinds = [
        item.code if isinstance(item, Fault) else dict(zip(one.columns, item.values, strict=True)) for item in items
    ]
    assert kinds[1:4] == [RefusalCode.MALFORMED_ROW] * 3
    assert kinds[5] is RefusalCode.TRUNCATED_FILE
    first, fifth = kinds[0], kinds[4]
    assert isinstance(first, dict)
    assert isinstance(fifth, dict)
    assert (first["amount"], first["who.x"]) == ("2.50", "1")
    assert fifth["amount"] == "12345678901234567890"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", RefusalCode.EMPTY_FILE),
        (b'{"items": [{"id": "a"}', RefusalCode.TRUNCATED_FILE),
        (b'{"items": {"id": "a"}}', RefusalCode.UNKNOWN_FORMAT),
        (b"\xff\xff", RefusalCode.WRONG_ENCODING),
        (b'{"items": [}, 1, 2, 3]', RefusalCode.MALFORMED_DOCUMENT),
        (b"[" * 1_000_000, RefusalCode.MALFORMED_DOCUMENT),
    ],
)
def test_json_documents_that_are_none(tmp_path: Path, content: bytes, code: RefusalCode) -> None:
    """Each in its own words."""
    assert outcome(save(tmp_path, content), mapping(format="json", records="items"))[1] is code


XML = mapping(
    format="xml",
    records="Record",
    fields={
        **mapping().model_dump()["fields"],
        "record_id": {"column": "@no"},
        "source_id": {"column": "holder/id"},
    },
)
XML_ROW = '<Record no="r{0}"><holder><id>p{0}</id></holder><what>work</what><when>x</when><amount>1</amount></Record>'


def test_xml_reads_attributes_paths_and_namespaces(tmp_path: Path) -> None:
    """Element by element; what came before a cut stands."""
    body = "".join(XML_ROW.format(n) for n in range(3))
    good = f'<?xml version="1.0" encoding="GB18030"?><Set xmlns="urn:x"><!-- 注 -->{body}</Set>'
    assert outcome(save(tmp_path, good.encode("gb18030")), XML) == (["r0", "r1", "r2"], None)
    assert outcome(save(tmp_path, f"<Set>{body}<Rec".encode()), XML) == (["r0", "r1", "r2"], RefusalCode.TRUNCATED_FILE)
    found, end = outcome(save(tmp_path, f"<Set>{body}</Wrong>".encode()), XML)
    assert (found, end) == (["r0", "r1", "r2"], RefusalCode.MALFORMED_DOCUMENT)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY xxe SYSTEM "http://127.0.0.1:9/">]>',
    ],
)
def test_xml_entities_and_document_types_are_refused(tmp_path: Path, head: str) -> None:
    """No entity is expanded, nothing is fetched."""
    path = save(tmp_path, f'<?xml version="1.0"?>{head}<Set>{XML_ROW.format(1)}</Set>'.encode())
    assert outcome(path, XML) == ([], RefusalCode.DANGEROUS_DOCUMENT)


def workbook(tmp_path: Path, *rows: list[Any]) -> Path:
    """A workbook with the mapping's header."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (HEADER.strip().split(","), *rows):
        sheet.append(row)
    path = tmp_path / "book.xlsx"
    book.save(path)
    return path


def test_xlsx_reads_cells_and_refuses_formulas(tmp_path: Path) -> None:
    """Numbers with Excel's noise, empty cells, formulas."""
    path = workbook(
        tmp_path,
        ["r1", "p1", "work", 46235.375, None, 2.2],
        ["r2", "p2", "work", "=NOW()", None, 1],
        [],
        ["r3", "p3", "劳动", "2026-08-01", "", 0.1 + 0.2],
    )
    one = mapping(format="xlsx")
    items = list(read_file(path, one))
    first, formula, third = items
    assert isinstance(first, Row)
    assert first.values == ("r1", "p1", "work", "46235.375", None, "2.2")
    assert isinstance(formula, Fault)
    assert (formula.code, formula.field, formula.line) == (RefusalCode.FORMULA_CELL, "when", 3)
    assert isinstance(third, Row)
    assert third.values[5] == "0.3"


def test_an_xlsx_that_no_office_wrote_is_refused(tmp_path: Path) -> None:
    """A password, an unknown compression, a row numbered by a word: each is a refusal, never a crash."""
    content = workbook(tmp_path, ["id", "who", "what", "day", "hours"], ["R1", "V1", "A", "2026-08-01", 1]).read_bytes()
    one = mapping(format="xlsx")

    def packed(sheet: bytes, flag: int = 0, method: int = zipfile.ZIP_STORED) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("xl/worksheets/sheet1.xml", sheet)
        made = bytearray(buffer.getvalue())
        central = made.find(b"PK\x01\x02")
        made[6] = made[central + 8] = flag
        made[8] = made[central + 10] = method
        return bytes(made)

    with zipfile.ZipFile(io.BytesIO(content)) as source:
        sheet = source.read("xl/worksheets/sheet1.xml")
    for name, bad in (
        ("locked.xlsx", packed(sheet, flag=1)),
        ("packed.xlsx", packed(sheet, method=99)),
        ("numbered.xlsx", packed(sheet.replace(b'<row r="1"', b'<row r="one"'))),
    ):
        assert outcome(save(tmp_path, bad, name), one)[1] is RefusalCode.MALFORMED_DOCUMENT, name


def test_xlsx_that_is_none_or_a_bomb(tmp_path: Path) -> None:
    """A cut archive, another file, a sheet of millions of empty rows."""
    path = workbook(tmp_path, ["r1", "p1", "work", "x", None, 1])
    content = path.read_bytes()
    one = mapping(format="xlsx")
    assert outcome(save(tmp_path, content[:-200], "cut.xlsx"), one)[1] is RefusalCode.TRUNCATED_FILE
    assert outcome(save(tmp_path, b"id,who\n", "text.xlsx"), one)[1] is RefusalCode.UNKNOWN_FORMAT
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = data.replace(b"</sheetData>", b"<row></row>" * 4_000_000 + b"</sheetData>")
            target.writestr(name, data)
    assert outcome(bomb, one)[1] is RefusalCode.DECOMPRESSION_BOMB


@given(st.binary(max_size=2_000))
def test_any_bytes_are_rows_faults_or_a_read_failure(content: bytes) -> None:
    """Fuzz: no reader raises anything else, and rows are numbered without gaps."""
    readers = (
        (read_delimited, mapping(encodings=["utf-8", "gb18030"]), HEADER.encode()),
        (read_jsonl, mapping(format="jsonl"), b""),
        (read_xml, XML, b"<Set>"),
    )
    for reader, one, head in readers:
        numbers: list[int] = []
        ended = None
        try:
            for item in reader(io.BytesIO(head + content), one, Limits(line_bytes=500, field_chars=100)):
                numbers.append(item.number if isinstance(item, Row) else item.row)  # noqa: PERF401  # as above
        except ReadFailure as failure:
            ended = failure.code
        assert ended is None or ended in RefusalCode
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("nest", [b"[" * 100_000, b"[" * 5_000 + b"]" * 5_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000])
def test_deep_nests_stop_whatever_the_interpreter_allows(tmp_path: Path, nest: bytes) -> None:
    """A library that raises the recursion limit (py_ecc does) must not let a document reach the end of the C stack."""
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        outcomes = outcome(save(tmp_path, nest), mapping(format="json", records="items"))
    finally:
        sys.setrecursionlimit(allowed)
    assert outcomes == ([], RefusalCode.MALFORMED_DOCUMENT)


def test_quotes_everywhere_stay_within_bounded_memory(tmp_path: Path) -> None:
    """An open quotation mark in every tenth line keeps no more than a few blocks in memory."""
    lines = [LINE.format(n) if n % 10 else f'r{n},"p{n},work,x,y,1\n' for n in range(150_000)]
    path = save(tmp_path, (HEADER + "".join(lines)).encode())
    rows, faults = 0, 0
    tracemalloc.start()
    try:
        for item in read_file(path, mapping()):
            rows += isinstance(item, Row)
            faults += isinstance(item, Fault)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    assert (rows, faults) == (135_000, 15_000), "the whole lines between two broken ones stand"
