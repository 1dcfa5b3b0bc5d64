"""What real exports do, from the file to the wallet: each deed is minted as its clerk meant it, or refused in words."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from issuers.answers import Refusal
from issuers.errors import PushUnreadable, SourceUnavailable
from issuers.intake.deliveries import IngestReport
from issuers.samples.workbooks import Cell, Sheet, workbook
from issuers.sources.mapping import FOLDER, Mapping
from ledger.standard.ids import token_id
from ledger.standard.quarters import expiry_quarter
from tests.integration.issuers.chain import City, open_city
from tests.integration.issuers.lab import NOW
from tests.integration.issuers.test_chain import HEADER, VOLUNTEER

NAMES = HEADER.rstrip("\n").split(",")
GREEN = token_id(2, expiry_quarter(NOW.date(), 4))
CULTURE = token_id(4, expiry_quarter(NOW.date(), 4))
_numbers = count(1)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A city whose programmes are well funded; what all tests minted is what the auditor finds."""
    city = open_city(tmp_path_factory.mktemp("city"))
    yield city
    assert city.audit().verdict == "PASS"
    city.close()


@dataclass
class Three:
    """Three people of one test, and their records."""

    city: City
    test: int
    wallets: list[str]

    def person(self, at: int) -> str:
        return f"5101{self.test:08d}{at}"

    def green(self, at: int) -> str:
        return f"zd_{self.test:07x}{at}"

    def member(self, at: int) -> str:
        return f"WH-{self.test:06d}{at}"

    def row(self, number: int, person: int = 0, hours: Any = "2", **changes: Any) -> list[Any]:
        """A volunteer's record, by its columns."""
        when = f"2026-08-{number:02d}"
        record, who = f"ZY-{self.test:04d}{number:02d}", self.person(person)
        values = [record, who, "某", "图书角", "社区服务", f"{when} 09:00", f"{when} 21:00", hours, "协会"]
        for name, value in changes.items():
            values[NAMES.index(name)] = value
        return values

    def take(self, folder: Path, content: bytes, source: Mapping, name: str = "a.xlsx") -> IngestReport:
        path = folder / name
        path.write_bytes(content)
        return self.city.desk.service.ingest_file(source.programme, path, source)

    def refusals(self, report: IngestReport) -> list[Refusal]:
        return self.city.desk.service.refusals_of_delivery(report.delivery_id)

    def minted(self, token: int = VOLUNTEER) -> list[int]:
        """Let everything that was granted land, and return what each of the three has."""
        self.city.desk.service.make_batches()
        self.city.land()
        assert self.city.desk.service.unsettled() == {}
        return [self.city.balance(one, token) for one in self.wallets]


@pytest.fixture
def three(city: City) -> Three:
    """Three people whom no other test knows."""
    made = Three(city, next(_numbers), [])
    for at in range(3):
        links = {"volunteer": made.person(at), "environmental": made.green(at), "culture": made.member(at)}
        made.wallets.append(city.desk.resident(f"99{made.test:08d}{at}", **links)[1])
    return made


def mapping(name: str = "volunteer-xlsx", **changes: Any) -> Mapping:
    """A mapping of the package; ``changes`` by path, its steps parted by two underscores."""
    content = Mapping.load(FOLDER / f"{name}.yaml").model_dump(mode="json")
    for path, value in changes.items():
        place: Any = content
        *steps, last = path.split("__")
        for step in steps:
            place = place[step]
        place[last] = value
    return Mapping.model_validate(content)


# ------------------------------------------------------------------------------------------- sheets of a workbook


def sheets(three: Three, *more: Sheet, part: str = "worksheets/tab.xml") -> tuple[Sheet, ...]:
    draft = Sheet("草稿", [NAMES, three.row(8, 2, "8")], "hidden", "worksheets/sheet1.xml")
    return (draft, *more, Sheet("正式", [NAMES, three.row(1), three.row(2, 1)], part=part))


@pytest.mark.parametrize(
    ("state", "options"),
    [("hidden", {}), ("veryHidden", {"is_absolute": True}), ("hidden", {"is_strict": True, "is_inline": True})],
)
def test_the_official_sheet_is_minted_and_a_hidden_draft_is_not(
    three: Three, tmp_path: Path, state: str, options: dict[str, bool]
) -> None:
    draft, official = sheets(three)
    hidden = Sheet(draft.name, draft.rows, state, draft.part)
    assert three.take(tmp_path, workbook(hidden, official, **options), mapping()).statuses == {"accepted": 2}
    assert three.minted() == [2_000, 2_000, 0]


def test_the_sheet_that_the_mapping_names_is_minted(three: Three, tmp_path: Path) -> None:
    """Wherever it stands among visible ones; and where it is missing, the visible ones are named."""
    cover = Sheet("说明", [["本表由系统导出"], ["请勿修改"]])
    content = workbook(*sheets(three, cover, part="worksheets/sheet7.xml"))
    assert three.take(tmp_path, content, mapping(sheet="正式")).statuses == {"accepted": 2}
    assert three.minted() == [2_000, 2_000, 0]
    [why] = three.refusals(three.take(tmp_path, content + b" ", mapping(sheet="六月"), "b.xlsx"))
    assert (why.code, why.row) == ("sheet_missing", 0)
    assert "正式" in why.reason_zh


# ------------------------------------------------------------------------------------------- cells of a workbook


def serial(day: int, *, is_1904: bool = False) -> Cell:
    """Nine in the morning of a day of August 2026, as a date cell."""
    number = 46_235 + day - 1 + 9 / 24 - (1_462 if is_1904 else 0)
    return Cell(f"{number:.6f}", number_format="yyyy/m/d h:mm")


@pytest.mark.parametrize("is_1904", [False, True])
@pytest.mark.parametrize("is_strict", [False, True])
def test_dates_mean_the_day_that_the_sheet_shows(three: Three, tmp_path: Path, is_1904: bool, is_strict: bool) -> None:
    made = three.row(3, 服务开始时间=serial(3, is_1904=is_1904), 服务结束时间="2026-08-03 21:00")
    content = workbook(Sheet("表", [NAMES, made]), is_1904=is_1904, is_strict=is_strict)
    report = three.take(tmp_path, content, mapping())
    assert report.statuses == {"accepted": 1}, three.refusals(report)
    assert three.minted() == [2_000, 0, 0]
    [grant] = three.city.desk.service.grants_of(three.wallets[0])
    record = json.loads(three.city.desk.service.open_record(grant)[1])
    assert (record["day"], record["started_at"]) == ("2026-08-03", "2026-08-03T09:00:00+08:00")


def test_twelve_hours_are_twelve_hours(three: Three, tmp_path: Path) -> None:
    """A duration of [h]:mm is a part of a day to the file; the day's cap of eight hours tells the difference."""
    rows = [
        three.row(1, 0, Cell("0.5", number_format="[h]:mm")),
        three.row(2, 1, Cell("0.0625", number_format="[h]:mm:ss")),
        three.row(3, 2, Cell("3.4499999999999997")),
    ]
    assert three.take(tmp_path, workbook(Sheet("表", [NAMES, *rows])), mapping()).statuses == {"accepted": 3}
    assert three.minted() == [8_000, 1_500, 3_450]


def test_an_error_is_no_evidence_and_a_formula_matters_where_it_is_read(three: Three, tmp_path: Path) -> None:
    """#N/A certifies nothing; a formula in a column that nobody reads harms nobody; a reading guide is no name."""
    rows = [
        three.row(1, 0, 记录单位=Cell("#N/A", "e")),
        three.row(2, 1, 姓名=Cell("2", formula="1+1")),
        three.row(3, 2, Cell("2", formula="1+1")),
        three.row(4, 0, 服务类别=Cell("社区服务", "s", phonetic="しゃくふくむ")),
        three.row(5, 1, 记录单位="N/A"),
    ]
    report = three.take(tmp_path, workbook(Sheet("表", [NAMES, *rows])), mapping())
    assert report.statuses == {"accepted": 2, "refused": 3}
    assert [(one.row, one.field, one.code) for one in three.refusals(report)] == [
        (1, "certifier", "missing_field"),
        (3, "服务时间（小时）", "formula_cell"),
        (5, "certifier", "missing_field"),
    ]
    assert "选择性粘贴" in three.refusals(report)[1].reason_zh
    assert three.minted() == [2_000, 2_000, 0]


# ----------------------------------------------------------------------------------------------- ruined identifiers


def test_three_people_do_not_become_one(three: Three, tmp_path: Path) -> None:
    """A number in scientific form is refused with what to do; the same column as text is minted to each."""
    long = [f"5101070019900101{n}0" for n in range(3)]
    for n, number in enumerate(long):
        with three.city.desk.database.transaction() as session:
            resident = three.city.desk.registry.by_account(session, three.wallets[n])
            three.city.desk.registry.link(session, resident.resident_id, 1, number)
    source = mapping(fields__source_id__pattern=None)
    csv_source = mapping("volunteer-csv", fields__source_id__pattern=None)
    ruined = [three.row(n + 1, 志愿者编号="5.10107E+17") for n in range(3)]
    text = "\n".join(",".join(one) for one in [NAMES, *ruined]).encode("gb18030")
    report = three.take(tmp_path, text, csv_source, "a.csv")
    assert report.refusals == {"ruined_identifier": 3}
    assert "文本" in three.refusals(report)[0].reason_zh
    as_numbers = [three.row(n + 1, 志愿者编号=Cell("5.1010700199001E+17")) for n in range(3)]
    three.take(tmp_path, workbook(Sheet("表", [NAMES, *as_numbers])), source)
    assert three.minted() == [0, 0, 0], "nobody gets what nobody surely earned"
    whole = [three.row(n + 1, 志愿者编号=number) for n, number in enumerate(long)]
    report = three.take(tmp_path, workbook(Sheet("表", [NAMES, *whole])), source, "b.xlsx")
    assert report.statuses["refused"] == 0
    assert three.minted() == [2_000, 2_000, 2_000]


# ------------------------------------------------------------------------------------------- one key, or element, twice


def test_a_key_that_comes_twice_decides_nothing(three: Three, tmp_path: Path) -> None:
    """Neither the first nor the last value is minted: the key is named, and the neighbour is taken."""
    good = {"id": "ZD0001", "user_id": three.green(0), "item": "RECYCLE-PAPER", "quantity": "2", "unit": "kg",
            "started_at": "2026-08-03T09:00:00+08:00"}  # fmt: skip
    lines = [
        json.dumps(good),
        json.dumps({**good, "id": "ZD0002"})[:-1] + ', "quantity": "20"}',
        json.dumps({**good, "id": "ZD0003"})[:-1] + ', "user_id": "' + three.green(1) + '"}',
    ]
    source = mapping("environmental-jsonl")
    report = three.take(tmp_path, "\n".join(lines).encode(), source, "a.jsonl")
    assert (report.statuses, report.refusals) == ({"accepted": 1, "refused": 2}, {"duplicate_key": 2})
    assert ["quantity" in one.reason_en for one in three.refusals(report)] == [True, False]
    body = tmp_path / "body"
    body.write_bytes(lines[2].replace("ZD0003", "ZD0004").encode())
    with pytest.raises(PushUnreadable, match="user_id twice"):
        three.city.desk.service.push("environmental", "hook", body, source, is_lines=False)
    assert three.minted(GREEN) == [2_000, 0, 0]


def test_an_element_that_comes_twice_decides_nothing(three: Three, tmp_path: Path) -> None:
    record = "<PermitNo>JZ51010700000{n}</PermitNo><Score>{score}</Score><Indicator>RESIDENCE-SCORE</Indicator>"
    record += "<AssessedOn>2026-04-01</AssessedOn><Revision>1</Revision>"
    _, account = three.city.desk.resident("990000195401010099", residence="JZ510107000001")
    twice = record.format(n=1, score=9) + "<Score>90</Score>"
    text = f"<All><Record>{twice}</Record></All>".replace("JZ51010700000", "JZ51010700000")
    report = three.take(tmp_path, text.encode(), mapping("residence-xml"), "a.xml")
    assert report.refusals == {"duplicate_key": 1}
    assert "Score" in three.refusals(report)[0].reason_en
    assert three.city.desk.service.grants_of(account) == []


# ------------------------------------------------------------------------------------------------ sources by pages

Answer = tuple[int, dict[str, str], Any]


@contextmanager
def source(answer: Callable[[dict[str, str], str], Answer]) -> Iterator[str]:
    """A source whose answers follow from the query, and from its own address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            status, headers, body = answer(query, f"http://{self.headers['Host']}")
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tickets(three: Three) -> list[dict[str, str]]:
    """Twelve tickets, four of each of the three."""
    return [
        {
            "order_no": f"WH{three.test:04d}{n:02d}",
            "member_no": three.member(n % 3),
            "category": "theatre",
            "paid": "20",
            "currency_unit": "yuan",
            "used_at": f"2026-08-{n + 1:02d}T19:30:00",
        }
        for n in range(12)
    ]


ALL_MINTED = [1_200, 1_200, 1_200]
"""Four tickets of 20 yuan each at 15 %."""


def culture(three: Three, **rest: Any) -> Mapping:
    """The mapping of a source of this test's own: where a pull goes on is remembered by the source."""
    spec = {"path": "/t", "size": 4, "attempts_max": 2, **rest}
    return mapping("culture-rest", rest=spec, system=f"cd-culture-{three.test}")


def pull(three: Three, url: str, made: Mapping) -> IngestReport:
    return three.city.desk.service.pull_rest("culture", url, "t", made, sleep=lambda _s: None)


def test_an_answer_that_says_no_is_no_end(three: Three) -> None:
    """A page of 200 with code 401 after four records: the pull says so, and the next one brings the rest."""
    is_well: list[bool] = []

    items = tickets(three)

    def answer(query: dict[str, str], _own: str) -> Answer:
        start = int(query.get("cursor", 0))
        if start and not is_well:
            return 200, {}, {"code": 401, "items": []}
        following = str(start + 4) if start + 4 < len(items) else None
        return 200, {}, {"code": 0, "items": items[start : start + 4], "next_cursor": following}

    with source(answer) as url:
        with pytest.raises(SourceUnavailable, match="401"):
            pull(three, url, culture(three))
        assert sum(three.minted(CULTURE)) == 4 * 300
        is_well.append(True)
        assert pull(three, url, culture(three)).statuses["accepted"] == 8
    assert three.minted(CULTURE) == ALL_MINTED


def test_more_without_a_way_to_it_is_said(three: Three) -> None:
    items = tickets(three)

    def answer(_query: dict[str, str], _own: str) -> Answer:
        return 200, {}, {"items": items[:4], "has_more": True}

    with source(answer) as url, pytest.raises(SourceUnavailable, match="not everything was brought"):
        pull(three, url, culture(three))
    assert sum(three.minted(CULTURE)) == 4 * 300, "what came is minted"


def test_a_cursor_that_goes_in_a_circle_ends(three: Three) -> None:
    asked: list[str] = []

    items = tickets(three)

    def answer(query: dict[str, str], _own: str) -> Answer:
        asked.append(query.get("cursor", "0"))
        start = int(query.get("cursor", 0))
        return 200, {}, {"items": items[start : start + 4], "next_cursor": str((start + 4) % 8)}

    with source(answer) as url, pytest.raises(SourceUnavailable, match="read already"):
        pull(three, url, culture(three))
    assert len(asked) <= 4
    assert sum(three.minted(CULTURE)) == 8 * 300


@pytest.mark.parametrize("paging", ["page", "offset", "next_url"])
def test_pages_by_number_offset_and_address_bring_all(three: Three, paging: str) -> None:
    """Twelve of twelve, and a second pull brings nothing twice."""

    items = tickets(three)

    def answer(query: dict[str, str], own: str) -> Answer:
        at = int(query.get("at", 1 if paging == "page" else 0))
        start = (at - 1) * 4 if paging == "page" else at
        body: dict[str, Any] = {"items": items[start : start + 4] or None, "total": len(items)}
        if paging == "next_url":
            body["next"] = f"{own}/t?at={start + 4}" if start + 4 < len(items) else None
        return 200, {}, body

    made = culture(three, paging=paging, cursor_parameter="at", next_cursor="next", total="total")
    with source(answer) as url:
        assert pull(three, url, made).statuses["accepted"] == 12
        assert pull(three, url, made).statuses["accepted"] == 0
    assert three.minted(CULTURE) == ALL_MINTED


def test_an_address_on_another_host_is_not_followed(three: Three) -> None:
    items = tickets(three)

    def answer(_query: dict[str, str], _own: str) -> Answer:
        return 200, {}, {"items": items[:4], "next": "http://192.0.2.1/t?at=4"}

    with source(answer) as url, pytest.raises(SourceUnavailable, match="another host"):
        pull(three, url, culture(three, paging="next_url", next_cursor="next"))
    assert sum(three.minted(CULTURE)) == 4 * 300


def test_fewer_than_the_source_says_is_not_all(three: Three) -> None:
    items = tickets(three)

    def answer(query: dict[str, str], _own: str) -> Answer:
        found = items[:4] if query.get("at", "1") == "1" else []
        return 200, {}, {"items": found, "total": 12}

    with source(answer) as url, pytest.raises(SourceUnavailable):
        pull(three, url, culture(three, paging="page", cursor_parameter="at", total="total"))
