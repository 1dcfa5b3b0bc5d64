"""The ways in: drop folder, REST, push, resubmission, and what a broken file does."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from issuers.errors import (
    PushUnreadable,
    ReviewClosed,
    SameApprover,
    SourceUnavailable,
    UnknownMapping,
    UnknownProgramme,
)
from issuers.intake.deliveries import IngestReport
from issuers.sources.mapping import FOLDER as MAPPINGS
from issuers.sources.rest import ClientCredentials
from tests.integration.issuers.lab import LOOPBACK, NOW, Desk
from tests.integration.ledger.scans import no_table_of_sqlite_read_whole

TRAFFIC = "申报编号,用户编号,行为类型,行为日期,数量,申报时间\n"


GOOD = "RX-0001,RX00000001,无车日,2026/08/03,1,2026/08/20 10:00:00\n"


def traffic_row(record: str, person: str = "RX00000001", day: str = "2026/08/03", kind: str = "无车日") -> str:
    """One declaration."""
    return f"{record},{person},{kind},{day},1,2026/08/20 10:00:00\n"


def write(path: Path, *rows: str) -> Path:
    """Write a traffic export."""
    path.write_text(TRAFFIC + "".join(rows), encoding="utf-8-sig")
    return path


def test_a_drop_folder_takes_whole_files_once(desk: Desk, tmp_path: Path) -> None:
    """Files still being written are left; the same bytes under another name have no effect; taken files move away."""
    desk.resident("990000195401010011", traffic="RX00000001")
    drop = tmp_path / "drop"
    drop.mkdir()
    write(drop / "a.csv", traffic_row("RX-0001"))
    write(drop / "b.csv", traffic_row("RX-0001"))
    write(drop / "c.csv.part", traffic_row("RX-0002"))
    first, second = desk.service.ingest_drop_folder("traffic", drop)
    assert (first.outcome, first.statuses["accepted"], second.outcome) == ("created", 1, "exists")
    assert sorted(path.name for path in (drop / ".done").iterdir()) == ["a.csv", "b.csv"]
    (drop / "c.csv.part").rename(drop / "a.csv")
    (third,) = desk.service.ingest_drop_folder("traffic", drop)
    assert third.statuses["accepted"] == 0
    assert third.refusals == {"cap_reached": 1}, "one car-free day a day"
    assert sorted(path.name for path in (drop / ".done").iterdir()) == [
        "a.2.csv",
        "a.2.csv.report.json",
        "a.csv",
        "b.csv",
    ]
    report = json.loads((drop / ".done" / "a.2.csv.report.json").read_bytes())
    assert [(one["row"], one["code"]) for one in report["refusals"]] == [(1, "cap_reached")]


def test_a_bad_file_stands_aside_with_its_report(desk: Desk, tmp_path: Path) -> None:
    """An extension nobody reads, another table, a cut archive: each is moved aside, and the good one is taken."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.docx").write_bytes(b"PK")
    (drop / "b.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    packed = gzip.compress((TRAFFIC + traffic_row("RX-0009")).encode("utf-8-sig"))
    (drop / "c.csv.gz").write_bytes(packed[:-12])
    write(drop / "d.csv", traffic_row("RX-0001"))
    reports = desk.service.ingest_drop_folder("traffic", drop)
    assert [report.statuses["awaiting_link"] for report in reports][-1] == 1
    assert [path.name for path in (drop / ".done").iterdir()] == ["d.csv"]
    aside = drop / ".refused"
    assert sorted(path.name for path in aside.iterdir() if not path.name.endswith(".json")) == [
        "a.docx",
        "b.csv",
        "c.csv.gz",
    ]
    assert "no mapping" in json.loads((aside / "a.docx.report.json").read_bytes())["error"]
    [why] = json.loads((aside / "b.csv.report.json").read_bytes())["refusals"]
    assert (why["row"], why["code"]) == (0, "header_mismatch")
    [why] = json.loads((aside / "c.csv.gz.report.json").read_bytes())["refusals"]
    assert (why["row"], why["code"]) == (0, "truncated_file")
    assert desk.service.ingest_drop_folder("traffic", drop) == []


def test_a_file_that_still_changes_is_left(desk: Desk, tmp_path: Path) -> None:
    """Senders that cannot rename are given time; a mapping of the folder's own is no data."""
    drop = tmp_path / "drop"
    drop.mkdir()
    own = (MAPPINGS / "traffic-csv.yaml").read_text(encoding="utf-8")
    (drop / "mapping.yaml").write_text(own.replace("申报编号", "编号"), encoding="utf-8")
    path = drop / "a.csv"
    path.write_text((TRAFFIC + traffic_row("RX-0001")).replace("申报编号", "编号"), encoding="utf-8-sig")
    assert desk.service.ingest_drop_folder("traffic", drop, min_age_s=60) == []
    os.utime(path, (0, 0))
    (report,) = desk.service.ingest_drop_folder("traffic", drop, min_age_s=60)
    assert report.statuses["awaiting_link"] == 1


def test_files_that_a_crash_left_taken_are_read_first(desk: Desk, tmp_path: Path) -> None:
    """A file that was picked up and not finished is finished by the next run."""
    drop = tmp_path / "drop"
    (drop / ".taken").mkdir(parents=True)
    write(drop / ".taken" / "a.csv", traffic_row("RX-0001"))
    (report,) = desk.service.ingest_drop_folder("traffic", drop)
    assert report.statuses["awaiting_link"] == 1


def test_a_refused_row_never_stops_its_neighbours_and_can_be_resubmitted(desk: Desk, tmp_path: Path) -> None:
    """File, line, field, code and reason; the sealed row; the mended row is granted and the refusal closed."""
    desk.resident("990000195401010011", traffic="RX00000001")
    path = write(
        tmp_path / "a.csv",
        traffic_row("RX-0001"),
        traffic_row("RX-0002", day="2026/02/30"),
        traffic_row("RX-0003", day="2026/08/05"),
    )
    report = desk.service.ingest_file("traffic", path)
    assert report.statuses == {"accepted": 2, "refused": 1}
    (refusal,) = desk.service.refusals("traffic").items
    assert (refusal.file, refusal.row, refusal.line, refusal.field, refusal.code) == ("a.csv", 2, 3, "day", "bad_date")
    assert refusal.reason_zh == "字段不是约定格式的日期或时间（实际形式：9999/99/99）。"
    assert "2026/02/30" in desk.service.refused_row(refusal.refusal_id)
    mended = {
        "申报编号": "RX-0002", "用户编号": "RX00000001", "行为类型": "无车日", "行为日期": "2026/02/28", "数量": "1",
        "申报时间": "2026/03/01 10:00:00",
    }  # fmt: skip
    assert desk.service.resubmit(refusal.refusal_id, mended).statuses == {"accepted": 1}
    assert desk.service.refusals("traffic").items == ()
    counts = desk.service.counts()["traffic"]
    assert (counts.records, counts.accepted, counts.refused, counts.refusals) == (3, 3, 0, {})


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (TRAFFIC.encode(), "empty_file"),
        ("编号,姓名\n1,某\n".encode(), "header_mismatch"),
        ((TRAFFIC + traffic_row("RX-0001")).encode("utf-16"), None),
        ((TRAFFIC + traffic_row("RX-0001")).encode("utf-16-le"), "wrong_encoding"),
        ((TRAFFIC + traffic_row("RX-0001") + "RX-0002,RX0000").encode(), "truncated_file"),
        (TRAFFIC.encode() + traffic_row("RX-0001").encode() + b"RX-0002,\xff\xfe,x,2026/08/01,1,x\n", "wrong_encoding"),
        ((TRAFFIC + traffic_row("RX-0001") + "x" * 3_000_000 + ",,,,,\n").encode(), "field_too_large"),
        (
            (TRAFFIC + 'RX-0009,"RX00000001,无车日,2026/08/03,1,x\n' + traffic_row("RX-0001")).encode(),
            "unbalanced_quote",
        ),
        ((TRAFFIC + traffic_row("RX-0001") + "RX-0002,RX00000001\n").encode(), "column_count"),
    ],
)
def test_bad_files_are_refused_and_nothing_else_is_lost(
    desk: Desk, tmp_path: Path, content: bytes, code: str | None
) -> None:
    """One refusal with its own code; the good row beside it is taken."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    report = desk.service.ingest_file("traffic", path)
    assert report.refusals == ({code: 1} if code else {})
    assert report.statuses["awaiting_link"] == (1 if report.rows else 0)
    assert desk.service.ingest_file("traffic", path).outcome == "exists"


def test_unknown_programmes_and_mappings_are_named(desk: Desk, tmp_path: Path) -> None:
    """A wrong name is an error, not a guess."""
    path = write(tmp_path / "a.csv", traffic_row("RX-0001"))
    with pytest.raises(UnknownProgramme):
        desk.service.ingest_file("traffick", path)
    with pytest.raises(UnknownMapping):
        desk.service.ingest_file("traffic", path, "no-such-mapping")
    with pytest.raises(UnknownMapping):
        desk.service.ingest_file("traffic", path, "volunteer-csv")
    with pytest.raises(UnknownMapping):
        desk.service.ingest_file("traffic", tmp_path / "a.docx")


def push(desk: Desk, body: bytes, *, is_lines: bool = False) -> IngestReport:
    """Push a body as a green system does."""
    path = desk.folder / "body"
    path.write_bytes(body)
    return desk.service.push("environmental", "hook", path, "environmental-jsonl", is_lines=is_lines)


def test_a_push_counts_once(desk: Desk) -> None:
    """The same webhook ten times has the effect of one; a body that is no JSON is refused whole."""
    desk.resident("990000195401010011", environmental="zd_00000001")
    event = {"id": "ZD1234", "user_id": "zd_00000001", "item": "RECYCLE-PAPER", "quantity": 2.5, "unit": "kg",
             "started_at": "2026-08-03T09:00:00+08:00"}  # fmt: skip
    body = json.dumps([event]).encode()
    reports = [push(desk, body) for _ in range(10)]
    assert [report.outcome for report in reports] == ["created"] + ["exists"] * 9
    assert desk.service.counts()["environmental"].granted_minor == 2500
    with pytest.raises(PushUnreadable) as caught:
        push(desk, b"<xml/>")
    assert caught.value.code == "malformed_document"


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_push_is_a_record_an_array_or_lines(desk: Desk, is_packed: bool) -> None:
    """One object, an array, JSON Lines, each plain or gzip; each record counts once whatever it came in."""
    records = [
        {"id": f"ZD000{number}", "user_id": "zd_00000001", "item": "RECYCLE-PAPER", "quantity": 1, "unit": "kg",
         "started_at": "2026-08-03T09:00:00+08:00"}
        for number in range(4)
    ]  # fmt: skip
    pack = gzip.compress if is_packed else bytes
    one, many = json.dumps(records[0]).encode(), json.dumps(records[:3]).encode()
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    assert push(desk, pack(one)).statuses == {"awaiting_link": 1}
    assert push(desk, pack(many)).statuses == {"awaiting_link": 2, "refused": 1}
    assert push(desk, pack(lines), is_lines=True).statuses == {"awaiting_link": 1, "refused": 3}
    assert desk.service.counts()["environmental"].awaiting_link == 4


def test_two_people_release_a_double_claim(desk: Desk, tmp_path: Path) -> None:
    """A car-free day that is claimed as a green trip too is held; two different people approve, or one rejects."""
    desk.resident("990000195401010011", traffic="RX00000001", environmental="zd_00000001")
    desk.service.ingest_file(
        "traffic", write(tmp_path / "a.csv", traffic_row("RX-0001"), traffic_row("RX-0002", day="2026/08/04"))
    )
    trips = [
        {"id": f"ZD000{day}", "user_id": "zd_00000001", "item": "CAR-FREE-TRIP", "quantity": "1", "unit": "trip",
         "started_at": f"2026-08-0{day}T09:00:00+08:00"}
        for day in (3, 4, 5)
    ]  # fmt: skip
    push(desk, json.dumps(trips).encode())
    first, second = desk.service.reviews("environmental")
    assert (first.screen, first.other_programme) == ("double_claim", "traffic")
    assert desk.service.counts()["environmental"].held == 2
    assert desk.service.approve(first.review_id, "Li") == "first"
    with pytest.raises(SameApprover):
        desk.service.approve(first.review_id, "Li")
    assert desk.service.approve(first.review_id, "Wang") == "accepted"
    with pytest.raises(ReviewClosed):
        desk.service.approve(first.review_id, "Zhao")
    desk.service.reject(second.review_id, "Wang", "same trip")
    counts = desk.service.counts()["environmental"]
    assert (counts.accepted, counts.held, counts.refused, counts.granted_minor) == (2, 0, 1, 2000)
    assert counts.refusals == {"review_rejected": 1}


def test_an_approval_is_for_what_was_seen(desk: Desk, tmp_path: Path) -> None:
    """A held record that is corrected after its first approval needs two people again."""
    desk.resident("990000195401010011", traffic="RX00000001", environmental="zd_00000001")
    desk.service.ingest_file("traffic", write(tmp_path / "a.csv", traffic_row("RX-0001")))
    trip = {"id": "ZD0003", "user_id": "zd_00000001", "item": "CAR-FREE-TRIP", "quantity": "1", "unit": "trip",
            "started_at": "2026-08-03T09:00:00+08:00"}  # fmt: skip
    push(desk, json.dumps([trip]).encode())
    (review,) = desk.service.reviews("environmental")
    assert desk.service.approve(review.review_id, "Li") == "first"
    more = json.dumps([{**trip, "quantity": "4"}]).encode()
    assert push(desk, more).statuses["correction"] == 1
    assert desk.service.approve(review.review_id, "Wang") == "first"
    assert desk.service.approve(review.review_id, "Li") == "accepted"


@contextmanager
def paged_api(
    items: list[dict[str, str]], *, faults: int = 0, token_lives: int = 10**9
) -> Iterator[tuple[str, dict[str, int]]]:
    """A culture system whose token expires after some pages and whose first answers fail."""
    seen = {"requests": 0, "tokens": 0, "left": 0, "faults": faults}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen["tokens"] += 1
            seen["left"] = token_lives
            self._answer(200, {"access_token": f"t{seen['tokens']}"})

        def do_GET(self) -> None:
            seen["requests"] += 1
            if seen["faults"]:
                seen["faults"] -= 1
                return self._answer(503, {}, {"Retry-After": "0"})
            if not seen["left"] or self.headers["Authorization"] != f"Bearer t{seen['tokens']}":
                return self._answer(401, {})
            seen["left"] -= 1
            query = parse_qs(urlsplit(self.path).query)
            start = int(query.get("cursor", ["0"])[0])
            end = start + 4
            following = str(end) if end < len(items) else None
            return self._answer(200, {"items": items[start:end], "next_cursor": following})

        def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ticket(number: int) -> dict[str, str]:
    """One ticket of 20 yuan."""
    return {"order_no": f"WH{number:06d}", "member_no": "WH-0000001", "category": "theatre", "paid": "20",
            "currency_unit": "yuan", "used_at": f"2026-08-{number % 28 + 1:02d}T19:30:00"}  # fmt: skip


def test_rest_pull_renews_its_token_retries_and_keeps_its_place(desk: Desk) -> None:
    """Six pages over 503s and expired tokens; later records are found behind the last page, none twice."""
    desk.resident("990000195401010011", culture="WH-0000001")
    items = [ticket(number) for number in range(22)]
    with paged_api(items, faults=3, token_lives=2) as (url, seen):
        tokens = ClientCredentials(f"{url}/oauth/token", "id", "secret", LOOPBACK)
        report = desk.service.pull_rest("culture", url, tokens, sleep=lambda _s: None)
        assert report.statuses == {"accepted": 22}
        assert seen["tokens"] == 3
        assert desk.service.pull_rest("culture", url, tokens).statuses == {}
        items += [ticket(number) for number in range(22, 31)]
        assert desk.service.pull_rest("culture", url, tokens).statuses == {"accepted": 9}
    assert desk.service.counts()["culture"].records == 31


def test_rest_pull_gives_up_in_words(desk: Desk) -> None:
    """A system that never answers is an error that names it; nothing is half taken."""
    with paged_api([ticket(1)], faults=10**9) as (url, seen):
        tokens = ClientCredentials(f"{url}/oauth/token", "id", "secret", LOOPBACK)
        with pytest.raises(SourceUnavailable, match="cd-culture: HTTP 503"):
            desk.service.pull_rest("culture", url, tokens, sleep=lambda _s: None)
        assert seen["requests"] == 6
    assert desk.service.counts()["culture"].records == 0


def test_unlinked_records_expire_and_linked_ones_do_not(desk: Desk, tmp_path: Path) -> None:
    """After twelve months without a link a record is refused, and a late link finds nothing."""
    desk.service.ingest_file(
        "traffic", write(tmp_path / "a.csv", traffic_row("RX-0001", day="2026/01/05"), traffic_row("RX-0002"))
    )
    assert desk.service.expire_unlinked() == 0
    desk.clock.set(NOW.replace(year=2027, month=1, day=20))
    assert desk.service.expire_unlinked() == 1
    desk.resident("990000195401010011", traffic="RX00000001")
    assert desk.service.grant_linked("traffic", ["RX00000001"]) == 1
    counts = desk.service.counts()["traffic"]
    assert (counts.accepted, counts.refused, counts.awaiting_link) == (1, 1, 0)


def test_an_erased_resident_leaves_no_readable_record(desk: Desk, tmp_path: Path) -> None:
    """Seals and salts go, dedupe stays: the same record again is a duplicate."""
    resident_id, account = desk.resident("990000195401010011", traffic="RX00000001")
    desk.service.ingest_file("traffic", write(tmp_path / "a.csv", traffic_row("RX-0001")))
    (grant,) = desk.service.grants_of(account)
    assert b"RX00000001" in desk.service.open_record(grant)[1]
    assert desk.erase(resident_id) == 1
    with pytest.raises(Exception, match="was erased"):
        desk.service.open_record(grant)
    again = desk.service.ingest_file(
        "traffic", write(tmp_path / "b.csv", traffic_row("RX-0001"), traffic_row("RX-0003"))
    )
    assert again.refusals["duplicate_record"] == 1


def test_what_a_resident_has_is_found_by_an_index(desk: Desk, tmp_path: Path) -> None:
    """The wallet's list and an erasure must not cost what the whole city's history is long."""
    resident_id, account = desk.resident("990000195401010011", traffic="RX00000001")
    desk.service.ingest_file("traffic", write(tmp_path / "a.csv", traffic_row("RX-0001")))
    with no_table_of_sqlite_read_whole(desk.database, "issuance_records", "issuance_grants"):
        assert len(desk.service.grants_of(account)) == 1
        assert desk.erase(resident_id) == 1


def test_personal_data_is_nowhere_in_clear(desk: Desk, tmp_path: Path) -> None:
    """The database file holds neither the source id nor the natural id of a record, refused ones included."""
    desk.resident("990000195401010011", traffic="RX00000001")
    path = write(
        tmp_path / "a.csv", traffic_row("RX-0001"), traffic_row("RX-0002", person="RX77777777", day="2026/13/01")
    )
    desk.service.ingest_file("traffic", path)
    desk.database.close()
    content = b"".join(one.read_bytes() for one in tmp_path.glob("books.db*"))
    assert b"bad_date" in content
    for clear in (b"RX00000001", b"RX-0001", b"RX77777777"):
        assert clear not in content
