"""Workbooks as Office, WPS and Numbers write them: read as their clerk sees them, or refused in words."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault, ReadFailure, RefusalCode, reason
from issuers.samples.workbooks import Cell, Sheet, Value, workbook
from issuers.sources.mapping import Mapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from tests.unit.issuers.build import NOW, mapping

HEADER = ["id", "who", "what", "when", "until", "amount"]
GOOD: list[Value] = ["r1", "p1", "work", "2026-08-01 09:00", "2026-08-01 22:00", "2"]
MOMENT = "yyyy/m/d h:mm"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def one(**changes: Any) -> Mapping:
    return mapping(format="xlsx", **changes)


def items(tmp_path: Path, content: bytes, by: Mapping | None = None) -> list[Any]:
    """Return each row's values, each fault's code, and last the failure of the file if there is one."""
    path = tmp_path / "book.xlsx"
    path.write_bytes(content)
    found: list[Any] = []
    try:
        for item in read_file(path, by or one()):
            found.append(item.values if isinstance(item, Row) else item.code)  # noqa: PERF401  # kept on failure
    except ReadFailure as failure:
        found.append(failure)
    return found


def deed(tmp_path: Path, row: Sequence[Value], by: Mapping | None = None, **book: Any) -> Deed | Fault:
    """Return what one row of a sheet is read as."""
    by = by or one()
    path = tmp_path / "book.xlsx"
    path.write_bytes(workbook(Sheet("记录", [HEADER, row]), **book))
    [item] = read_file(path, by)
    return Normaliser(by).deed(item, NOW) if isinstance(item, Row) else item


def test_the_first_visible_sheet_is_read_whatever_its_part_is_called(tmp_path: Path) -> None:
    draft = Sheet("草稿", [HEADER, ["draft", *GOOD[1:]]], visibility="hidden")
    for book in (
        workbook(draft, Sheet("正式", [HEADER, GOOD])),
        workbook(
            Sheet("正式", [HEADER, GOOD], part="worksheets/sheet7.xml"),
            Sheet("x", [HEADER], part="worksheets/sheet1.xml"),
        ),
        workbook(
            Sheet("机密", [HEADER, ["x"]], visibility="veryHidden"),
            Sheet("正式", [HEADER, GOOD], part="data/Tabelle.xml"),
        ),
        workbook(draft, Sheet("正式", [HEADER, GOOD]), is_absolute=True),
    ):
        assert [row[0] for row in items(tmp_path, book)] == ["r1"]


def test_a_mapping_names_its_sheet_and_what_is_missing_is_said(tmp_path: Path) -> None:
    book = workbook(
        Sheet("说明", [["请先阅读"]]), Sheet("记录 ", [HEADER, GOOD]), Sheet("旧", [HEADER], visibility="hidden")
    )
    assert [row[0] for row in items(tmp_path, book, one(sheet="记录"))] == ["r1"]
    [failure] = items(tmp_path, book, one(sheet="三月"))
    assert failure.code is RefusalCode.SHEET_MISSING
    assert dict(failure.params) == {"wanted": "三月", "found": "说明, 记录 "}
    [failure] = items(tmp_path, workbook(Sheet("旧", [HEADER, GOOD], visibility="hidden")))
    assert failure.code is RefusalCode.SHEET_MISSING, "a hidden sheet is never read by default"


@pytest.mark.parametrize("is_strict", [False, True])
@pytest.mark.parametrize("is_1904", [False, True])
@pytest.mark.parametrize(
    "form", [MOMENT, "22", 'yyyy"年"m"月"d"日" h:mm', "[$-804]上午/下午h:mm yyyy-mm-dd", "m/d/yy h:mm AM/PM"]
)
def test_a_date_cell_is_the_day_that_its_clerk_sees(tmp_path: Path, form: str, is_1904: bool, is_strict: bool) -> None:
    serial = 46235.375 - (1462 if is_1904 else 0)
    row = [*GOOD[:3], Cell(str(serial), number_format=form), None, 2]
    for formats in ([], ["excel"], ["%Y/%m/%d %H:%M"]):
        fields = {**mapping().model_dump()["fields"], "started_at": {"column": "when", "formats": formats}}
        found = deed(tmp_path, row, one(fields=fields), is_1904=is_1904, is_strict=is_strict)
        assert isinstance(found, Deed), found
        assert b'"started_at":"2026-08-01T09:00:00+08:00"' in found.canonical


def test_an_unformatted_day_number_follows_the_books_date_system(tmp_path: Path) -> None:
    fields = {**mapping().model_dump()["fields"], "started_at": {"column": "when", "formats": ["excel"]}}
    for is_1904, serial in ((False, 46235.375), (True, 44773.375)):
        found = deed(tmp_path, [*GOOD[:3], serial, None, 2], one(fields=fields), is_1904=is_1904)
        assert isinstance(found, Deed)
        assert b"2026-08-01T09:00:00" in found.canonical


@pytest.mark.parametrize(
    ("value", "form", "hours"),
    [("0.5", "[h]:mm", 12), ("0.5", "46", 12), ("1.0416666666666667", "[h]:mm:ss", 25),
     ("0.10416666666666667", "h:mm", 2.5),
     ("0.10416666666666667", "20", 2.5), ("0.0625", '[h]"小时"mm"分"', 1.5), ("3.125", "[mm]:ss", 75),
     ("2.5", "0.0", 2.5),
     ("2.5", '0.0"小时"', 2.5)],
)  # fmt: skip
def test_a_duration_cell_is_the_hours_that_its_clerk_sees(tmp_path: Path, value: str, form: str, hours: float) -> None:
    """Twelve hours under [h]:mm are stored as 0.5 and are not half an hour."""
    quantity = [{"column": "amount", "unit": "hour"}]
    found = deed(tmp_path, [*GOOD[:4], None, Cell(value, number_format=form)], one(quantity=quantity))
    assert isinstance(found, Deed), found
    assert found.quantity_micro == hours * 3_600 * 10**6


def test_date_and_time_of_day_in_two_columns(tmp_path: Path) -> None:
    fields = {**mapping().model_dump()["fields"], "started_at": {"columns": ["when", "until"]}}
    del fields["ended_at"]
    day, clock = Cell("46235", number_format="14"), Cell("0.6284722222222222", number_format="h:mm")
    for row in ([day, clock], [day, "15:05"], ["2026-08-01", clock], [Cell("46235", number_format=MOMENT), clock]):
        found = deed(tmp_path, [*GOOD[:3], *row, 2], one(fields=fields))
        assert isinstance(found, Deed), found
        assert b"2026-08-01T15:05:00" in found.canonical


def test_texts_are_read_without_phonetic_guides_and_with_all_their_runs(tmp_path: Path) -> None:
    row = [
        Cell("r1", "s", phonetic="アール"),
        Cell("p1", "s", runs=("p", "1")),
        Cell("work", "inlineStr", phonetic="x"),
        *GOOD[3:],
    ]
    assert [r[:3] for r in items(tmp_path, workbook(Sheet("a", [HEADER, row])))] == [("r1", "p1", "work")]


def test_an_error_cell_is_nothing(tmp_path: Path) -> None:
    certifier = {**mapping().model_dump()["fields"], "certifier": {"column": "by"}}
    for error in ("#N/A", "#REF!", "#VALUE!", "#DIV/0!"):
        path = tmp_path / "book.xlsx"
        path.write_bytes(workbook(Sheet("a", [[*HEADER, "by"], [*GOOD, Cell(error, "e")]])))
        [item] = read_file(path, one(fields=certifier))
        assert isinstance(item, Row)
        found = Normaliser(one(fields=certifier)).deed(item, NOW)
        assert isinstance(found, Fault)
        assert (found.field, found.code) == ("certifier", RefusalCode.MISSING_FIELD)


def test_a_formula_matters_only_where_its_column_is_read(tmp_path: Path) -> None:
    book = workbook(
        Sheet("a", [[*HEADER, "sum"], [*GOOD, Cell("2", formula="F2*1")], [*GOOD[:5], Cell("2", formula="1+1")]])
    )
    assert items(tmp_path, book)[1:] == [RefusalCode.FORMULA_CELL]
    assert items(tmp_path, book)[0][0] == "r1"


def test_leading_zeros_of_a_format_are_kept_and_ruined_ids_refused(tmp_path: Path) -> None:
    found = deed(tmp_path, ["r1", Cell("123", number_format="0000000"), *GOOD[2:]])
    assert isinstance(found, Deed)
    assert found.source_id == "0000123"
    for ruined in ("5.10107199001011E+17", "510107199001010000", "5.10107E+17"):
        fault = deed(tmp_path, ["r1", Cell(ruined), *GOOD[2:]])
        assert isinstance(fault, Fault)
        assert (fault.field, fault.code) == ("source_id", RefusalCode.RUINED_IDENTIFIER)


def test_a_cell_whose_format_is_missing_is_no_plain_number(tmp_path: Path) -> None:
    """Twelve hours would be half an hour: the part with the formats was lost on the way."""
    whole = workbook(Sheet("a", [HEADER, [*GOOD[:5], Cell("0.5", number_format="[h]:mm")]]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b'Target="styles.xml"', b'Target="stiles.xml"'))
    assert [row[5] for row in items(tmp_path, whole)] == ["12:00:00"]
    [failure] = items(tmp_path, buffer.getvalue())
    assert failure.code is RefusalCode.MALFORMED_DOCUMENT


def test_true_is_no_quantity(tmp_path: Path) -> None:
    fault = deed(tmp_path, [*GOOD[:5], Cell("1", "b")])
    assert isinstance(fault, Fault)
    assert (fault.field, fault.code) == ("quantity", RefusalCode.BAD_NUMBER)


def test_titles_totals_and_merged_cells_by_mapping(tmp_path: Path) -> None:
    rows: list[Sequence[Value] | None] = [
        ["志愿服务记录表"],
        None,
        ["单位：某街道", None, None, "2026年8月"],
        ["id", "who\n", "what", "when", "until", "amount", "site", "amount"],
        [*GOOD, "东馆", "9"],
        ["r2", *GOOD[1:], None, "9"],
        ["小计", None, None, None, None, 4],
        ["r3", *GOOD[1:], "西馆", "9"],
        ["r4", *GOOD[1:], None, "9"],
        ["制表人：张三"],
    ]
    book = workbook(Sheet("a", rows, merged=["A1:H1", "G5:G6", "G8:G9"]))
    fields = {**mapping().model_dump()["fields"], "site": {"column": "site"}}
    by: dict[str, Any] = {
        "fields": fields,
        "quantity": [{"column": "amount[1]", "unit": "hour"}],
        "skip_rows": [{"pattern": "小计|合计"}, {"column": "id", "pattern": "制表人.*"}],
        "fill_down": ["site"],
    }
    for header_row in (4, "find"):
        found = items(tmp_path, book, one(**by, header_row=header_row))
        assert [(row[0], row[5]) for row in found] == [("r1", "东馆"), ("r2", "东馆"), ("r3", "西馆"), ("r4", "西馆")]
        assert {row[6] for row in found} == {"2"}
    [failure] = items(tmp_path, book, one(**by))
    assert failure.code is RefusalCode.HEADER_MISMATCH
    [failure] = items(tmp_path, book, one(**{**by, "quantity": [{"column": "amount", "unit": "hour"}]}, header_row=4))
    assert (failure.code, dict(failure.params)) == (RefusalCode.EQUAL_COLUMNS, {"columns": "amount"})


def test_a_book_with_a_password_or_of_1997_is_said_to_be_one(tmp_path: Path) -> None:
    [failure] = items(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000))
    assert failure.code is RefusalCode.LOCKED_WORKBOOK


def packed(sheet: str, **parts: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        for name, text in parts.items():
            archive.writestr(f"xl/{name}.xml", text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "row",
    ['<row><c r="{0}1"><v>1</v></c></row>', '<row r="{0}"><c><v>1</v></c></row>', '<row><c t="s"><v>{0}</v></c></row>',
     '<row><c s="{0}"><v>1</v></c></row>', '<row><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
     '<row><c r="١1"><v>1</v></c></row>'],
)  # fmt: skip
def test_references_that_no_sheet_has_are_refused_at_once(tmp_path: Path, row: str) -> None:
    """A cell twice among them: nobody can say which is meant. A reference of 300,000 letters costs no time."""
    sheet = f"<worksheet {MAIN}><sheetData>{row.format('A' * 300_000)}</sheetData></worksheet>"
    before = time.process_time()
    [failure] = items(tmp_path, packed(sheet))
    assert failure.code in (RefusalCode.MALFORMED_DOCUMENT, RefusalCode.RECORD_TOO_LARGE)
    assert time.process_time() - before < 1


@pytest.mark.parametrize("filling", ["<c/>", "<x/>", '<c a="1"/>', "<c><is><t/></is></c>"])
@pytest.mark.parametrize("where", ["row", "head", "strings"])
def test_a_small_book_never_fills_the_memory(tmp_path: Path, filling: str, where: str) -> None:
    many = filling * (24_000_000 // len(filling))
    head = f"<worksheet {MAIN}>"
    if where == "strings":
        book = packed(f"{head}<sheetData/></worksheet>", sharedStrings=f"<sst {MAIN}>{many}</sst>")
    else:
        inside = f"<sheetData><row>{many}</row></sheetData>" if where == "row" else f"{many}<sheetData/>"
        book = packed(f"{head}{inside}</worksheet>")
    assert len(book) < 200_000
    tracemalloc.start()
    try:
        [failure] = items(tmp_path, book)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    assert failure.code in (RefusalCode.RECORD_TOO_LARGE, RefusalCode.DECOMPRESSION_BOMB)


def test_reading_is_linear_in_the_rows(tmp_path: Path) -> None:
    def book(rows: int) -> Path:
        path = tmp_path / f"{rows}.xlsx"
        path.write_bytes(workbook(Sheet("a", [HEADER, *([*GOOD] for _ in range(rows))])))
        return path

    def cost(path: Path) -> float:
        before = time.process_time()
        assert sum(1 for _ in read_file(path, one())) == int(path.stem)
        return time.process_time() - before

    half, whole = book(4_000), book(8_000)
    single = min(cost(half) for _ in range(2))
    assert any(cost(whole) < 3 * single for _ in range(3))


def test_what_openpyxl_and_calamine_cannot_do(tmp_path: Path) -> None:
    """Why the reader is our own: openpyxl does not say that a cell has a formula beside its value; calamine makes a
    float of a long number, and hides a formula behind its value."""
    calamine = pytest.importorskip("python_calamine")
    row = ["r1", Cell("510107199001010000"), "work", Cell("2", formula="1+1"), None, Cell("2.5")]
    path = tmp_path / "book.xlsx"
    path.write_bytes(workbook(Sheet("a", [HEADER, row])))
    values = openpyxl.load_workbook(path, data_only=True, read_only=True).active
    assert values is not None
    assert [cell.value for cell in list(values.iter_rows())[1]][3] == 2, "no sign of the formula"
    sheet = calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_name("a").to_python()
    assert (sheet[1][1], sheet[1][3]) == (5.1010719900101e17, 2.0)
    assert items(tmp_path, path.read_bytes()) == [RefusalCode.FORMULA_CELL]


@pytest.mark.parametrize(
    ("value", "form", "found"),
    [
        ("0.5", "0%", "50%"),
        ("0.125", "10", "12.5%"),
        ("30000", '0!.0,"万"', "30000÷1000"),
        ("30000", "#,##0,", "30000÷1000"),
        ("30000", "0.0,,", "30000÷1000"),
    ],
)
def test_a_number_that_is_shown_a_hundredth_or_thousandfold_is_no_plain_one(
    tmp_path: Path, value: str, form: str, found: str
) -> None:
    """The sheet shows 50%, the cell holds 0.5: which of the two the clerk means is the mapping's to say."""
    row = [*GOOD[:5], Cell(value, number_format=form)]
    assert items(tmp_path, workbook(Sheet("a", [HEADER, row])))[0][5] == found
    fault = deed(tmp_path, row)
    assert isinstance(fault, Fault)
    assert (fault.field, fault.code) == ("quantity", RefusalCode.BAD_NUMBER)


@pytest.mark.parametrize("form", ["#,##0.00", '"¥"#,##0.00', '0"小时"', "0.0_ ", "[红色]0", "0.00E+00", "# ?/?"])
def test_other_formats_leave_a_number_as_it_is(tmp_path: Path, form: str) -> None:
    made = deed(tmp_path, [*GOOD[:5], Cell("2.5", number_format=form)])
    assert isinstance(made, Deed)
    assert made.quantity_micro == 9_000_000_000


@pytest.mark.parametrize(
    ("value", "form", "found"),
    [
        ("123", '"ZY"000000', "ZY000123"),
        ("1234567", "000-0000", "123-4567"),
        ("51234567", "000-0000", "5123-4567"),
        ("7", r"\A00!B", "A07B"),
        ("12", '000"号"', "012号"),
        ("123.0", "", "123"),
        ("123.5", '"ZY"000000', "123.5"),
    ],
)
def test_an_identifier_is_the_one_that_the_sheet_shows(tmp_path: Path, value: str, form: str, found: str) -> None:
    """ZY000123 and 123 may be two people; 123.0 is how Java's libraries write 123."""
    made = deed(tmp_path, ["r1", Cell(value, number_format=form), *GOOD[2:]])
    assert isinstance(made, Deed)
    assert made.source_id == found


def test_an_identifier_that_became_a_date_is_refused(tmp_path: Path) -> None:
    """Flat 3-12 is 12 March to a spreadsheet; as a date it would be somebody else's number, or nobody's."""
    for form in ("yyyy-mm-dd", 'm"月"d"日"', "d-mmm", "h:mm"):
        fault = deed(tmp_path, ["r1", Cell("46093.5" if form == "h:mm" else "46093", number_format=form), *GOOD[2:]])
        assert isinstance(fault, Fault)
        assert (fault.field, fault.code) == ("source_id", RefusalCode.RUINED_IDENTIFIER)
    fields = {**one().model_dump()["fields"], "record_id": {"columns": ["who", "when"]}}
    made = deed(tmp_path, ["-", *GOOD[1:3], Cell("46093", number_format="14"), *GOOD[4:]], one(fields=fields))
    assert isinstance(made, Deed), "a number that is made of a date is one"


def test_hidden_rows_are_refused_unless_the_mapping_says_what_they_are(tmp_path: Path) -> None:
    """What a filter has taken out of sight is in the file, and the clerk has not seen it."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (HEADER, GOOD, ["r2", *GOOD[1:]], ["r3", *GOOD[1:]]):
        sheet.append(row)
    sheet.row_dimensions[3].hidden = True
    stream = io.BytesIO()
    book.save(stream)

    def numbers(**changes: Any) -> list[Any]:
        return [one if isinstance(one, str) else one[0] for one in items(tmp_path, stream.getvalue(), one(**changes))]

    assert numbers() == ["r1", RefusalCode.HIDDEN_ROW, "r3"]
    assert numbers(hidden_rows="read") == ["r1", "r2", "r3"]
    assert numbers(hidden_rows="skip") == ["r1", "r3"]


def test_a_book_whose_workbook_is_not_found_gives_no_sheet(tmp_path: Path) -> None:
    """A damaged relationship: the one sheet in the usual folder was the hidden draft."""
    draft = Sheet("草稿", [HEADER, ["draft", *GOOD[1:]]], "hidden", "worksheets/sheet1.xml")
    content = io.BytesIO(workbook(draft, Sheet("正式", [HEADER, GOOD], part="w/x.xml")))
    damaged = io.BytesIO()
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            body = source.read(name)
            target.writestr(name, body.replace(b"workbook.xml", b"workbook.xmk") if name == "_rels/.rels" else body)
    [end] = items(tmp_path, damaged.getvalue())
    assert isinstance(end, ReadFailure)


def test_a_refusal_of_a_sheet_names_it_and_the_others(tmp_path: Path) -> None:
    """A cover sheet in front of the records."""
    for cover in ([["填表说明"]], [], [HEADER]):
        [end] = items(
            tmp_path, workbook(Sheet("说明", cover), Sheet("草稿", [HEADER], "hidden"), Sheet("记录", [HEADER, GOOD]))
        )
        assert isinstance(end, ReadFailure)
        english, chinese = reason(end.code, dict(end.params))
        for words in (english, chinese):
            assert "说明" in words
            assert "记录" in words
            assert "草稿" not in words


def test_another_header_with_its_columns_elsewhere_ends_the_sheet(tmp_path: Path) -> None:
    second = [[HEADER[at] for at in (1, 0, 2, 3, 4, 5)], ["p9", "r9", *GOOD[2:]]]
    found = items(tmp_path, workbook(Sheet("a", [HEADER, GOOD, None, ["第二张表"], *second])))
    assert found[-1].code is RefusalCode.SECOND_HEADER
    assert [one[0] for one in found[:-1]] == ["r1", None] or found[0][0] == "r1"
    assert "r9" not in str(found)
