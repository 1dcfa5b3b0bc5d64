"""The form of a file is seen from its first part; what is no table is said to be none."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import openpyxl
import pytest

from issuers.drafting.tables import NoTable, table_of

ROWS = [["编号", "会员号", "日期", "数量"], ["R1", "M1", "2026-03-01", "2"], ["R2", "M2", "2026-03-02", "3"]]


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def lines(mark: str) -> str:
    return "".join(mark.join(row) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    ("mark", "encoding", "form", "encodings"),
    [
        (",", "utf-8", "csv", ("utf-8",)),
        (",", "utf-8-sig", "csv", ("utf-8",)),
        (",", "gb18030", "csv", ("gb18030",)),
        ("\t", "utf-16", "tsv", ("utf-8",)),
        (";", "utf-8", "csv", ("utf-8",)),
    ],
)
def test_delimited_text(tmp_path: Path, mark: str, encoding: str, form: str, encodings: tuple[str, ...]) -> None:
    found = table_of(written(tmp_path / "a", lines(mark), encoding))
    assert (found.form.format, found.form.encodings) == (form, encodings)
    assert found.form.columns == tuple(ROWS[0])
    assert found.values("会员号") == ["M1", "M2"]


def test_a_workbook_shows_its_first_visible_sheet(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    found = table_of(tmp_path / "a.xlsx")
    assert (found.form.format, found.form.columns) == ("xlsx", tuple(ROWS[0]))


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(lines(",").encode()))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", lines(","))
    for name in ("a.csv.gz", "a.zip"):
        assert table_of(tmp_path / name).form.columns == tuple(ROWS[0])


def test_json_in_its_three_shapes(tmp_path: Path) -> None:
    objects = [{"id": "R1", "who": {"no": "M1"}, "n": 2}, {"id": "R2", "who": {"no": "M2"}, "n": 3}]
    as_lines = written(tmp_path / "a", "".join(json.dumps(one) + "\n" for one in objects))
    assert (table_of(as_lines).form.format, table_of(as_lines).form.columns) == ("jsonl", ("id", "who.no", "n"))
    array = written(tmp_path / "b", json.dumps(objects, indent=1))
    assert table_of(array).form.format == "json"
    page = written(tmp_path / "c", json.dumps({"code": 0, "data": {"list": objects}, "next_cursor": "9"}))
    form = table_of(page).form
    assert (form.records, form.rest) == ("data.list", "next_cursor")
    assert table_of(page).values("who.no") == ["M1", "M2"]


def test_xml_records_in_an_element_of_their_own_name_are_named_by_their_path(tmp_path: Path) -> None:
    """How a portal of open data writes them."""
    row = '<row _id="{0}"><day>2026-03-0{0}</day><hours>2</hours></row>'
    text = "<response><row>" + "".join(row.format(n) for n in range(1, 5)) + "</row></response>"
    found = table_of(written(tmp_path / "a.xml", text))
    assert found.form.records == "row/row"
    assert found.form.columns == ("@_id", "day", "hours")


def test_xml_records_are_what_repeats(tmp_path: Path) -> None:
    text = "".join(f'<r:Deed id="R{n}"><who><no>M{n}</no><card>1</card></who><n>2</n></r:Deed>' for n in range(3))
    found = table_of(written(tmp_path / "a.xml", f'<?xml version="1.0"?><x xmlns:r="urn:r"><all>{text}</all></x>'))
    assert found.form.records == "Deed"
    assert found.form.columns == ("@id", "who/no", "who/card", "n")
    assert found.values("@id") == ["R0", "R1", "R2"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"one column\n1\n2\n", "two columns"),
        (b"1,2\n3,4\n", "header"),
        (b'{"a": 1, "b": [1, 2]}'[:9], "no list of records"),
        (b"<!DOCTYPE a><a/>", "document type"),
        (b"<a><b>", "repeats"),
        (b"PK\x03\x04broken", "zip"),
        (b"\x1f\x8bbroken", "a is no table"),
        (b"\xff\xff\x00\x01\x02" * 40, "UTF-8"),
    ],
)
def test_what_is_no_table_is_said_to_be_none(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(NoTable, match=why):
        table_of(path)
