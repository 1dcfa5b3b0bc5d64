"""What was sent instead of the agreed format is called by its name."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from issuers.rules.refusals import ReadFailure, RefusalCode
from issuers.sources.readers import read_file
from issuers.sources.readers.forms import form_of, form_of_members
from scripts.fuzz.targets import workbook, zipped
from tests.unit.issuers.build import mapping

TABLE = b"id,who,what,when,until,amount\nr1,p1,work,2026-08-01 09:00,,2\n"
PAGE = "\ufeff\r\n<!DOCTYPE  HTML><html><meta charset=gb2312><table><tr><td>id</td></tr></table></html>".encode()
SENT = {
    "html": PAGE,
    "xml": b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
    "json": b'[\n  {"id": "r1"}]',
    "pdf": b"%PDF-1.7\n%\xe2\xe3",
    "rar": b"Rar!\x1a\x07\x01\x00",
    "7z": b"7z\xbc\xaf\x27\x1c\x00\x04",
    "gzip": gzip.compress(gzip.compress(TABLE)),
    "zip": zipped({"a.zip": zipped({"a.csv": TABLE})}),
    "xlsx": zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"}),
    "xlsb": zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.bin": b"x"}),
    "docx": zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<document/>"}),
    "ods": zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"}),
    "numbers": zipped({"Index/Document.iwa": b"x", "Metadata/Properties.plist": b"x"}),
    "xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
}


def failure(path: Path, content: bytes, form: str) -> ReadFailure:
    path.write_bytes(content)
    with pytest.raises(ReadFailure) as caught:
        list(read_file(path, mapping(format=form, records="row" if form == "xml" else "")))
    return caught.value


@pytest.mark.parametrize("form", SENT)
@pytest.mark.parametrize("agreed", ["csv", "xml", "xlsx"])
def test_another_format_is_called_by_its_name(tmp_path: Path, form: str, agreed: str) -> None:
    """In both languages, with what to do."""
    if form == agreed or (agreed == "xlsx" and form in ("zip", "xlsx", "xls")):
        return
    found = failure(tmp_path / "export", SENT[form], agreed)
    assert (found.code, dict(found.params)["form"]) == (RefusalCode.UNKNOWN_FORMAT, form)
    assert "export it in the agreed format" in str(found)


def test_an_old_workbook_says_how_to_save_it(tmp_path: Path) -> None:
    for content in (SENT["xls"], b"\x09\x08\x10\x00\x00\x06\x05\x00"):
        assert failure(tmp_path / "old.xlsx", content, "xlsx").code is RefusalCode.LOCKED_WORKBOOK


def test_a_table_of_text_is_none_of_them() -> None:
    for content in (TABLE, TABLE.decode().encode("utf-16"), b"[note],who\n", b"", "编号,人\n".encode("gb18030")):
        assert form_of(content) is None
    assert form_of(workbook()) == "zip"
    assert form_of_members(["a.csv", "__MACOSX/._a.csv"]) is None
