"""Every format, encoding and packing over the whole way: file, mapping, rulebook, grant. The same three records."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from issuers.sources.mapping import Mapping
from tests.integration.issuers.lab import Desk

COLUMNS = ("编号", "用户", "种类", "时间", "重量")
ROWS = [
    ("ZL-0001", "zd_00000001", "废纸", "2026-08-03 09:00", "2.5"),
    ("ZL-0002", "zd_00000001", "玻璃瓶", "2026-08-04 09:30", "3"),
    ("ZL-0003", "zd_00000001", "不认识", "2026-08-05 10:00", "1"),
]


def mapping(kind: str, encodings: tuple[str, ...] = ("utf-8",)) -> Mapping:
    """The mapping of a made-up agency, for each format."""
    return Mapping.model_validate(
        {
            "name": f"formats-{kind}",
            "system": "cd-formats",
            "programme": "environmental",
            "format": kind,
            "encodings": encodings,
            "delimiter": "\t" if kind == "tsv" else ",",
            "records": {"xml": "记录", "json": "数据.记录"}.get(kind, ""),
            "fields": {
                "record_id": {"column": "编号"},
                "source_id": {"column": "用户"},
                "activity": {"column": "种类", "values": {"废纸": "RECYCLE-PAPER", "玻璃瓶": "RECYCLE-GLASS"}},
                "started_at": {"column": "时间", "formats": ["%Y-%m-%d %H:%M"]},
            },
            "quantity": [{"column": "重量", "unit": "kilogram"}],
        }
    )


def table(delimiter: str) -> str:
    return "\r\n".join(delimiter.join(row) for row in [COLUMNS, *ROWS]) + "\r\n"


def objects() -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [COLUMNS, *ROWS]:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def xml(encoding: str) -> bytes:
    rows = "".join(
        "<记录>" + "".join(f"<{name}>{text}</{name}>" for name, text in one.items()) + "</记录>" for one in objects()
    )
    return f'<?xml version="1.0" encoding="{encoding}"?><全部>{rows}</全部>'.encode(encoding)


def lines() -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects())


FILES: dict[str, tuple[Callable[[], bytes], Mapping]] = {
    "csv utf-8": (lambda: table(",").encode(), mapping("csv")),
    "csv utf-8 with a mark": (lambda: table(",").encode("utf-8-sig"), mapping("csv")),
    "csv gb18030": (lambda: table(",").encode("gb18030"), mapping("csv", ("gb18030",))),
    "csv gb18030 or utf-8": (lambda: table(",").encode("gb18030"), mapping("csv", ("utf-8", "gb18030"))),
    "csv utf-16 by its mark": (lambda: table(",").encode("utf-16"), mapping("csv", ("gb18030",))),
    "tsv utf-8": (lambda: table("\t").encode(), mapping("tsv")),
    "tsv gb18030": (lambda: table("\t").encode("gb18030"), mapping("tsv", ("gb18030",))),
    "xlsx": (workbook, mapping("xlsx")),
    "json": (lambda: json.dumps({"数据": {"记录": objects()}}).encode(), mapping("json")),
    "json with a mark": (
        lambda: json.dumps({"数据": {"记录": objects()}}, ensure_ascii=False).encode("utf-8-sig"),
        mapping("json"),
    ),
    "jsonl": (lambda: lines().encode(), mapping("jsonl")),
    "jsonl with a mark": (lambda: lines().encode("utf-8-sig"), mapping("jsonl")),
    "xml utf-8": (lambda: xml("utf-8"), mapping("xml")),
    "xml gb18030": (lambda: xml("gb18030"), mapping("xml", ("gb18030",))),
}


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("导出/记录", content)
    return made.getvalue()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zip": zipped}


@pytest.mark.parametrize("name", FILES)
def test_the_same_records_are_the_same_grants_whatever_they_came_in(desk: Desk, tmp_path: Path, name: str) -> None:
    """Plain, gzip and zip each bring two grants and one refusal; each later file repeats them, and grants nothing."""
    desk.resident("990000195401010011", environmental="zd_00000001")
    make, described = FILES[name]
    content = make()
    for packing, pack in PACKINGS.items():
        if described.format == "xlsx" and packing:
            continue  # a workbook is a zip itself
        path = tmp_path / f"records.{described.format}{packing}"
        path.write_bytes(pack(content))
        report = desk.service.ingest_file("environmental", path, described)
        if packing == "":
            assert report.statuses == {"accepted": 2, "refused": 1}, report.refusals
            assert report.refusals == {"unknown_activity": 1}
        else:
            assert report.statuses == {"refused": 3}
            assert report.refusals == {"duplicate_record": 2, "unknown_activity": 1}
    # 10 points a kilogram of paper, 4 a kilogram of glass
    assert desk.service.counts()["environmental"].granted_minor == 2500 + 1200
