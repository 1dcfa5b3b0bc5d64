"""Refused rows go to a clerk as a file of the same form, are corrected there, and come back: nothing else changes."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pytest
from lxml import etree

from issuers.errors import UnknownDelivery
from issuers.rules.rulebook import RULEBOOKS
from issuers.samples.workbooks import Sheet, workbook
from issuers.sources.mapping import FOLDER, Mapping
from issuers.sources.returns.cells import COLUMN, KEY, unguarded
from issuers.sources.returns.writing import CannotReturn
from tests.e2e.runs import tongdui_here
from tests.integration.issuers.lab import Desk
from tests.integration.issuers.test_chain import HEADER
from tests.integration.issuers.test_ways_in import TRAFFIC, traffic_row

NAMES = ("编号", "会员", "类别", "时间", "时长", "备注", "电话")
NOTE = "=HYPERLINK(1)"
WHEN = datetime(2026, 8, 1, 9)  # noqa: DTZ001  # civil time of a sheet
PEOPLE = ("5101000000001", "5101000000002")
Rows = list[list[str]]


def rows() -> Rows:
    """Three good rows and two that are refused; some values look like formulas."""
    kinds = [("1", "平常"), ("两", NOTE), ("2", "-9"), ("x", "@home"), ("1.5", "'=quoted")]
    return [
        [f"ZY-000{n}", PEOPLE[n % 2], "社区服务", f"2026-08-0{n + 1} 09:00", hours, note, "+86 138"]
        for n, (hours, note) in enumerate(kinds)
    ]


def mapping(form: str, **changes: Any) -> Mapping:
    column = (lambda name: name) if form != "xml" else lambda name: f"f{NAMES.index(name)}"
    return Mapping.model_validate(
        {
            "name": f"test-{form}",
            "system": "test",
            "programme": "volunteer",
            "format": form,
            "records": "r" if form == "xml" else "data.list" if form == "json" else "",
            "fields": {
                "record_id": {"column": column("编号")},
                "source_id": {"column": column("会员")},
                "activity": {"column": column("类别"), "values": {"社区服务": "SERVICE"}},
                "started_at": {"column": column("时间")},
                "ended_at": {"column": column("时间")},
                "note": {"column": column("备注")},
                "certifier": {"constant": "协会"},
            },
            "quantity": [{"column": column("时长"), "unit": "one"}],
            **changes,
        }
    )


def hours(form: str, **changes: Any) -> Mapping:
    """The mapping, of hours that nobody compares with a span."""
    made = mapping(form, **changes)
    fields = {name: spec for name, spec in made.fields.items() if name != "ended_at"}
    fields["ended_at"] = made.fields["started_at"].model_copy(update={"constant": "2026-08-31 09:00", "column": None})
    content = made.model_dump(mode="json")
    content["fields"] = {name: spec.model_dump(mode="json") for name, spec in fields.items()}
    content["quantity"][0]["unit"] = "hour"
    return Mapping.model_validate(content)


def write_csv(path: Path, table: Rows, encoding: str = "utf-8", delimiter: str = ",") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([list(NAMES), *table])


def write_xlsx(path: Path, table: Rows) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("记录")
    for row in [list(NAMES), *table]:
        cells = [openpyxl.cell.WriteOnlyCell(sheet, one) for one in row]
        for cell in cells:
            cell.data_type = "s"  # a text that begins with = is a text here
        sheet.append(cells)
    book.save(path)


def write_xml(path: Path, table: Rows) -> None:
    root = etree.Element("all")
    for row in table:
        record = etree.SubElement(root, "r")
        for at, value in enumerate(row):
            etree.SubElement(record, f"f{at}").text = value
    path.write_bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))


def write_json(path: Path, table: Rows) -> None:
    items = [dict(zip(NAMES, row, strict=True)) for row in table]
    path.write_text(json.dumps({"data": {"list": items}}, ensure_ascii=False), encoding="utf-8")


def write_jsonl(path: Path, table: Rows) -> None:
    items = [dict(zip(NAMES, row, strict=True)) for row in table]
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in items), encoding="utf-8")


def correct_csv(path: Path, encoding: str = "utf-8-sig", delimiter: str = ",") -> Rows:
    table = list(csv.reader(io.StringIO(path.read_text(encoding=encoding)), delimiter=delimiter))
    at = table[0].index("时长")
    seen = [list(row) for row in table]
    for row in table[1:]:
        row[at] = "3"
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(table)
    return seen


def correct_xlsx(path: Path) -> Rows:
    book = openpyxl.load_workbook(path)
    sheet = book.active
    seen = [["" if one is None else str(one) for one in row] for row in sheet.iter_rows(values_only=True)]
    at = seen[0].index("时长") + 1
    for line in range(2, len(seen) + 1):
        sheet.cell(line, at).value = "3"
    book.save(path)
    assert sheet.title == "记录"
    return seen


def correct_json(path: Path) -> Rows:
    document = json.loads(path.read_text(encoding="utf-8"))
    items = document["data"]["list"]
    seen = [[KEY, *NAMES], *([one[KEY], *(one[name] for name in NAMES)] for one in items)]
    for one in items:
        one["时长"] = "3"
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return seen


def correct_jsonl(path: Path) -> Rows:
    items = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    seen = [[KEY, *NAMES], *([one[KEY], *(one[name] for name in NAMES)] for one in items)]
    path.write_text("".join(json.dumps({**one, "时长": "3"}) + "\n" for one in items), encoding="utf-8")
    return seen


def correct_xml(path: Path) -> Rows:
    root = etree.parse(str(path)).getroot()
    seen = [[KEY, *NAMES]]
    for record in root:
        values = {child.tag: child.text for child in record}
        seen.append([values[KEY], *(values[f"f{at}"] for at in range(len(NAMES)))])
        record.find("f4").text = "3"
    path.write_bytes(etree.tostring(root, encoding="utf-8"))
    return seen


FORMS: dict[str, tuple[str, Callable[[Path, Rows], None], Callable[[Path], Rows], dict[str, Any]]] = {
    "csv": ("csv", write_csv, correct_csv, {}),
    "csv-gb18030": (
        "csv",
        lambda path, table: write_csv(path, table, "gb18030"),
        lambda path: correct_csv(path, "gb18030"),
        {"encodings": ["gb18030"]},
    ),
    "csv-semicolon": (
        "csv",
        lambda path, table: write_csv(path, table, "utf-8-sig", ";"),
        lambda path: correct_csv(path, delimiter=";"),
        {"delimiter": ";"},
    ),
    "tsv-utf-16": (
        "tsv",
        lambda path, table: write_csv(path, table, "utf-16", "\t"),
        lambda path: correct_csv(path, "utf-16", "\t"),
        {},
    ),
    "xlsx": ("xlsx", write_xlsx, correct_xlsx, {}),
    "json": ("json", write_json, correct_json, {}),
    "jsonl": ("jsonl", write_jsonl, correct_jsonl, {}),
    "xml": ("xml", write_xml, correct_xml, {}),
}


@pytest.mark.parametrize("name", FORMS)
def test_refused_rows_go_out_are_corrected_and_come_back(desk: Desk, tmp_path: Path, name: str) -> None:
    """From a file to grants: what was refused is granted after its correction, with every other value as it was."""
    form, write, correct, changes = FORMS[name]
    _, first = desk.resident("990000195401010011", volunteer=PEOPLE[0])
    _, second = desk.resident("990000195401010029", volunteer=PEOPLE[1])
    source = hours(form, **changes)
    file, out = tmp_path / f"a.{form}", tmp_path / f"returned.{form}"
    write(file, rows())
    service = desk.service
    report = service.ingest_file("volunteer", file, source)
    assert report.refusals == {"bad_number": 2}
    assert service.write_refused("volunteer", file, out, source) == 2
    seen = correct(out)
    assert seen[0] == [COLUMN if form in ("csv", "tsv", "xlsx") else KEY, *(NAMES)]
    ids = [one.refusal_id for one in service.refusals("volunteer").items]
    for row, refusal, original in zip(seen[1:], ids, (rows()[1], rows()[3]), strict=True):
        assert "quantity: 字段不是" in row[0]
        assert "quantity: The field is not a" in row[0]
        assert f"[#{refusal}]" in row[0]
        if form in ("csv", "tsv", "xlsx"):
            assert not any(value.startswith(("=", "+", "-", "@")) for value in row), "nothing begins a formula"
            assert [unguarded(value) for value in row[1:]] == original
        else:
            assert row[1:] == original
    back = service.ingest_file("volunteer", out, source)
    assert back.statuses == {"accepted": 2}, service.refusals_of_delivery(back.delivery_id)
    assert service.refusals("volunteer").items == ()
    counts = service.counts()["volunteer"]
    assert (counts.records, counts.accepted, counts.refused) == (5, 5, 0)
    notes = set()
    for account in (first, second):
        for grant in service.grants_of(account):
            notes.add(orjson.loads(service.open_record(grant)[1])["note"])
    assert notes == {row[5] for row in rows()}, "every value came back as it was"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_is_refused_again_goes_out_again_as_it_was(desk: Desk, tmp_path: Path, form: str) -> None:
    """A second return adds no second reason column and no second apostrophe; a fixed row closes its first refusal."""
    _, write, correct, _ = FORMS[form]
    source = hours(form)
    file, out, again = (tmp_path / f"{name}.{form}" for name in ("a", "b", "c"))
    write(file, rows())
    service = desk.service
    service.ingest_file("volunteer", file, source)
    service.write_refused("volunteer", file, out, source)
    assert service.ingest_file("volunteer", out, source).refusals == {"bad_number": 2}
    assert service.write_refused("volunteer", out, again, source) == 2
    seen = correct(again)
    assert seen[0] == [COLUMN, *NAMES]
    assert [unguarded(value) for value in seen[1][1:]] == rows()[1]
    assert service.ingest_file("volunteer", again, source).statuses == {"awaiting_link": 2}
    left = service.refusals("volunteer").items
    assert {one.file for one in left} == {f"a.{form}"}, "the second refusals are closed; the first stay to be seen"


def test_rows_of_another_shape_come_with_what_they_have(desk: Desk, tmp_path: Path) -> None:
    """Too few columns, an open quotation mark, rows that span lines: each is there, with its reason first."""
    good = "ZY-0001,5101000000001,某,图书角,社区服务,2026-08-01 09:00,2026-08-01 11:00,2,协会\n"
    short = "ZY-0002,5101000000001,某\n"
    quoted = 'ZY-0003,"5101000000001,某,图书角\n'
    spanning = 'ZY-0004,5101000000001,某,"图书\n角",社区服务,2026-08-04 09:00,2026-08-04 11:00,两,协会\n'
    path, out = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text(HEADER + good + short + quoted + spanning + good.replace("0001", "0005", 1), encoding="gb18030")
    report = desk.service.ingest_file("volunteer", path)
    assert report.refusals == {"column_count": 1, "unbalanced_quote": 1, "bad_number": 1}
    assert desk.service.write_refused("volunteer", path, out) == 3
    table = list(csv.reader(io.StringIO(out.read_text(encoding="gb18030"))))
    assert [row[1] for row in table[1:]] == ["ZY-0002", "ZY-0003", "ZY-0004"]
    assert table[3][4] == "图书\n角"
    assert all(row[0] for row in table[1:])


def test_numbers_and_dates_of_a_workbook_stay_what_they_are(desk: Desk, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["标题 title"])
    book.active.append(list(NAMES))
    book.active.append(["ZY-1", PEOPLE[0], "打麻将", WHEN, 2.5, -3, 13800000000])
    book.save(tmp_path / "a.xlsx")
    source = hours("xlsx", header_row=2)
    desk.service.ingest_file("volunteer", tmp_path / "a.xlsx", source)
    assert desk.service.write_refused("volunteer", tmp_path / "a.xlsx", tmp_path / "b.xlsx", source) == 1
    values = [list(row) for row in openpyxl.load_workbook(tmp_path / "b.xlsx").active.iter_rows(values_only=True)]
    assert values[0][0] == "标题 title"
    assert values[2][4:] == [WHEN, 2.5, -3, 13800000000]


def test_a_file_that_was_never_taken_in_is_named(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, rows())
    with pytest.raises(UnknownDelivery, match=r"a\.csv"):
        desk.service.write_refused("volunteer", path, tmp_path / "b.csv", hours("csv"))
    assert not (tmp_path / "b.csv").exists()


def test_a_drop_folder_gives_refused_rows_back(desk: Desk, tmp_path: Path) -> None:
    """They stand in ``.returned``; corrected and dropped again they are taken, and the folder is at rest."""
    drop = tmp_path / "drop"
    drop.mkdir()
    text = TRAFFIC + traffic_row("RX-0001") + traffic_row("RX-0002", day="2026/02/30")
    (drop / "a.csv").write_text(text, encoding="utf-8-sig")
    desk.service.ingest_drop_folder("traffic", drop)
    returned = drop / ".returned" / "a.csv"
    fixed = returned.read_text(encoding="utf-8-sig").replace("2026/02/30", "2026/02/28")
    assert COLUMN in fixed
    (drop / "a-fixed.csv").write_text(fixed, encoding="utf-8-sig")
    (report,) = desk.service.ingest_drop_folder("traffic", drop)
    assert report.statuses == {"awaiting_link": 1}
    assert desk.service.refusals("traffic").items == ()
    assert desk.service.ingest_drop_folder("traffic", drop) == []


def test_no_link_in_a_drop_folder_is_written_through(desk: Desk, tmp_path: Path) -> None:
    """Whoever may drop files may plant links: what they point at stays as it is."""
    drop, precious = tmp_path / "drop", tmp_path / "precious"
    (drop / ".returned").mkdir(parents=True)
    precious.write_text("mine", encoding="utf-8")
    for name in ("a.csv", ".a.csv.part"):
        (drop / ".returned" / name).symlink_to(precious)
    (drop / "a.csv").write_text(TRAFFIC + traffic_row("RX-0002", day="2026/02/30"), encoding="utf-8-sig")
    desk.service.ingest_drop_folder("traffic", drop)
    assert precious.read_text(encoding="utf-8") == "mine"
    assert not (drop / ".returned" / "a.csv").is_symlink()
    assert COLUMN in (drop / ".returned" / "a.csv").read_text(encoding="utf-8-sig")


def test_a_workbook_that_no_library_reads_stops_nobody(desk: Desk, tmp_path: Path) -> None:
    """Its rows were read by our own reader; that they cannot be written is said, and the folder goes on."""
    drop = tmp_path / "drop"
    drop.mkdir()
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(Sheet("表", [list(NAMES), rows()[1]])))
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(drop / "a.xlsx", "w") as broken:
        for name in whole.namelist():
            if name != "[Content_Types].xml":
                broken.writestr(name, whole.read(name))
    shutil.copy(drop / "a.xlsx", path)
    source = hours("xlsx")
    assert desk.service.ingest_file("volunteer", path, source).refusals == {"bad_number": 1}
    with pytest.raises(CannotReturn):
        desk.service.write_refused("volunteer", path, tmp_path / "b.xlsx", source)
    assert not (tmp_path / "b.xlsx").exists()


def test_commands_write_and_check_refused_rows(tmp_path: Path) -> None:
    """`check --refused` needs no installation; `refused` answers for a file that was taken in."""
    file, out = tmp_path / "a.csv", tmp_path / "out.csv"
    file.write_text(TRAFFIC + traffic_row("RX-0001") + traffic_row("RX-0002", day="2026/02/30"), encoding="utf-8-sig")
    where = ("--state-dir", str(tmp_path / "state"), "--json")
    check = ("--mapping", str(FOLDER / "traffic-csv.yaml"), "--rules", str(RULEBOOKS / "traffic-1.yaml"), *where)
    assert tongdui_here("issuers", "check", str(file), "--refused", str(out), *check).code == 1
    out.write_text(out.read_text(encoding="utf-8-sig").replace("2026/02/30", "2026/02/28"), encoding="utf-8-sig")
    again = tongdui_here("issuers", "check", str(out), *check)
    assert (again.code, again.last["would_grant"]) == (0, 1), again.err
    assert tongdui_here("deploy", *where).code == 0
    taken = tongdui_here("issuers", "ingest", "traffic", str(file), *where)
    assert taken.last["counts"]["refused"] == 1, taken.err
    told = tongdui_here("issuers", "refused", "traffic", str(file), "--out", str(tmp_path / "b.csv"), *where)
    assert told.last["rows"] == 1, told.err
    assert "[#" in (tmp_path / "b.csv").read_text(encoding="utf-8-sig")
