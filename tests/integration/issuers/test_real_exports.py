"""Dirt of real exports over the whole way, from the file to the grant: what was once misread in silence."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from issuers.errors import SourceUnavailable
from issuers.samples.workbooks import Cell, Sheet, Value, workbook
from issuers.sources.mapping import FOLDER, Mapping
from tests.integration.issuers.lab import Desk
from tests.integration.issuers.test_ways_in import ticket

HEADER: list[Value] = [
    *("记录编号", "志愿者编号", "姓名", "志愿服务项目", "服务类别"),
    *("服务开始时间", "服务结束时间", "服务时间（小时）", "记录单位"),
]
PERSON = "5101000000001"


def service(number: str, hours: Value, person: Value = PERSON, begins: Value = "2026-08-03 09:00") -> list[Value]:
    ends = "2026-08-03 21:00"
    return [number, person, "张三", "河岸清洁", "社区服务", begins, ends, hours, "某街道"]


def ingest(desk: Desk, tmp_path: Path, content: bytes, name: str, programme: str = "volunteer") -> Any:
    path = tmp_path / name
    path.write_bytes(content)
    return desk.service.ingest_file(programme, path)  # type: ignore[arg-type]


def test_a_hidden_draft_is_not_minted_and_the_official_sheet_is(desk: Desk, tmp_path: Path) -> None:
    desk.resident("990000195401010011", volunteer=PERSON)
    draft = Sheet("草稿", [HEADER, service("ZY-DRAFT", "8")], visibility="hidden")
    official = Sheet("正式", [HEADER, service("ZY-0001", "2")], part="worksheets/sheet2.xml")
    report = ingest(desk, tmp_path, workbook(draft, official), "book.xlsx")
    assert (report.statuses, report.granted_minor) == ({"accepted": 1}, 2_000)


@pytest.mark.parametrize("is_1904", [False, True])
def test_two_and_a_half_hours_in_a_duration_cell_are_not_a_tenth_of_one(
    desk: Desk, tmp_path: Path, is_1904: bool
) -> None:
    desk.resident("990000195401010011", volunteer=PERSON)
    begins = Cell(repr(46237.375 - 1462 * is_1904), number_format="yyyy/m/d h:mm")
    row = service("ZY-0001", Cell("0.10416666666666667", number_format="[h]:mm"), begins=begins)
    report = ingest(desk, tmp_path, workbook(Sheet("a", [HEADER, row]), is_1904=is_1904), "book.xlsx")
    assert (report.statuses, report.granted_minor) == ({"accepted": 1}, 2_500)


def test_three_people_do_not_become_one(desk: Desk, tmp_path: Path) -> None:
    """Their numbers, which Excel had turned into 5.10107E+17, are refused; nobody is granted anything."""
    rows = [
        service(f"ZY-000{n}", "2", person) for n, person in enumerate([Cell("5.10107199001011E+17"), "5.10107E+17"])
    ]
    report = ingest(desk, tmp_path, workbook(Sheet("a", [HEADER, *rows])), "book.xlsx")
    assert (report.refusals, report.granted_minor) == ({"ruined_identifier": 2}, 0)


def test_a_key_that_comes_twice_earns_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.resident("990000195401010011", environmental="zd_00000001")
    line = (
        '{"id": "ZD-%d", "user_id": "zd_00000001", "item": "RECYCLE-PAPER", "quantity": 1, "unit": "kg",'
        ' "started_at": "2026-08-03T09:00:00+08:00"}\n'
    )
    twice = (line % 1).replace('"quantity": 1', '"quantity": 1, "quantity": 10')
    report = ingest(desk, tmp_path, (twice + line % 2).encode(), "events.jsonl", "environmental")
    assert report.statuses == {"accepted": 1, "refused": 1}
    assert report.refusals == {"duplicate_key": 1}
    assert report.granted_minor == 1_000


@contextmanager
def answering(*pages: dict[str, Any]) -> Iterator[str]:
    """Serve these pages, one a request."""
    rest = list(pages)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(rest.pop(0)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def culture(**rest: Any) -> Mapping:
    """The culture system's mapping with other ways of paging."""
    content = Mapping.load(FOLDER / "culture-rest.yaml").model_dump()
    return Mapping.model_validate({**content, "rest": {"path": "/api/v1/tickets", **rest}})


def test_a_pull_that_did_not_bring_all_is_not_ok_and_keeps_what_came(desk: Desk) -> None:
    """Four of twelve, with an error inside a 200, were called all there is."""
    desk.resident("990000195401010011", culture="WH-0000001")
    tickets = [ticket(number) for number in range(12)]
    with (
        answering({"items": tickets[:4], "next_cursor": "4"}, {"code": 401, "items": []}) as url,
        pytest.raises(SourceUnavailable, match="401"),
    ):
        desk.service.pull_rest("culture", url, "t", culture())  # type: ignore[arg-type]
    assert desk.service.counts()["culture"].records == 4
    with answering({"items": tickets[4:], "next_cursor": None}) as url:
        assert desk.service.pull_rest("culture", url, "t", culture()).statuses == {"accepted": 8}  # type: ignore[arg-type]


def test_the_sources_own_total_is_compared_with_what_came(desk: Desk) -> None:
    desk.resident("990000195401010011", culture="WH-0000001")
    by = culture(paging="page", cursor_parameter="pageNum", total="total")
    tickets = [ticket(number) for number in range(6)]
    pages = [{"items": tickets[:2], "total": 6}, {"items": tickets[2:4], "total": 6}, {"items": [], "total": 6}]
    with answering(*pages) as url, pytest.raises(SourceUnavailable, match="6 records and brought 4"):
        desk.service.pull_rest("culture", url, "t", by)  # type: ignore[arg-type]
    rest = [{"items": tickets[2:4], "total": 6}, {"items": tickets[4:], "total": 6}, {"items": [], "total": 6}]
    with answering(*rest) as url:
        assert desk.service.pull_rest("culture", url, "t", by).statuses == {"accepted": 2}  # type: ignore[arg-type]
    assert desk.service.counts()["culture"].records == 6


def test_a_source_that_shrinks_while_it_is_read_is_read_again(desk: Desk) -> None:
    """Two records were deleted behind the first page: the next two moved up to it, and were never asked for."""
    desk.resident("990000195401010011", culture="WH-0000001")
    by = culture(paging="page", cursor_parameter="pageNum", total="total")
    tickets = [ticket(number) for number in range(6)]
    pages = [{"items": tickets[:2], "total": 6}, {"items": tickets[4:], "total": 4}, {"items": [], "total": 4}]
    with answering(*pages) as url, pytest.raises(SourceUnavailable, match="had 6 records and has 4 now"):
        desk.service.pull_rest("culture", url, "t", by)  # type: ignore[arg-type]


def test_pages_that_overlap_take_no_record_twice(desk: Desk) -> None:
    """Each begins with the last one's end."""
    desk.resident("990000195401010011", culture="WH-0000001")
    by = culture(paging="page", cursor_parameter="pageNum", total="total")
    tickets = [ticket(number) for number in range(4)]
    pages = [
        {"items": tickets[:2], "total": 4},
        {"items": tickets[1:3], "total": 4},
        {"items": tickets[3:], "total": 4},
    ]
    with answering(*pages, {"items": [], "total": 4}) as url:
        report = desk.service.pull_rest("culture", url, "t", by)  # type: ignore[arg-type]
    assert report.statuses == {"accepted": 4, "refused": 1}
    assert report.refusals == {"duplicate_record": 1}


def test_a_source_that_grows_in_front_while_it_is_read_is_read_again(desk: Desk) -> None:
    """Newest first: one that comes in moves the others down, and it is never asked for."""
    desk.resident("990000195401010011", culture="WH-0000001")
    by = culture(paging="page", cursor_parameter="pageNum", total="total")
    tickets = [ticket(number) for number in range(4)]
    pages = [
        {"items": tickets[:2], "total": 4},
        {"items": tickets[1:3], "total": 5},
        {"items": tickets[3:], "total": 5},
    ]
    with (
        answering(*pages, {"items": [], "total": 5}) as url,
        pytest.raises(SourceUnavailable, match="changed in the middle"),
    ):
        desk.service.pull_rest("culture", url, "t", by)  # type: ignore[arg-type]
