"""Source files of any length for the benchmark: four programmes, seeded, written row by row in bounded memory.

The rows are those of `issuers.samples`, in the columns that the committed mappings read, with the dirt of a good
export: one row in a hundred is sent twice, is negative, is of an unknown kind, or belongs to somebody who has not
linked the source yet. Their expected outcome is counted beside, so that a run that is fast and wrong is noticed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import orjson

from issuers.samples.deeds import FIRST_DAY, MATERIALS, TODAY, VOLUNTEER_KINDS
from issuers.samples.people import CULTURE, ENVIRONMENTAL, TRAFFIC, VOLUNTEER, source_id
from ledger.standard.ids import ProgrammeSlug

SHARES = {ENVIRONMENTAL: 40, VOLUNTEER: 25, TRAFFIC: 20, CULTURE: 15}
"""Of a hundred records, how many each programme has."""
DIRT_IN = 100
_DAYS = (TODAY - FIRST_DAY).days
_STRIDE = 7_919
_PROJECTS = ("锦江河岸清洁", "社区图书角", "敬老院陪伴", "地铁站引导", "天府绿道巡护", "博物馆讲解")
_BODIES = ("成都市志愿者协会", "锦江区社工服务中心", "青羊区文明办", "武侯区敬老服务站")
_TICKETS = (("theatre", "独立影院"), ("cinema", "独立影院"), ("museum", "成都博物馆特展"))


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file, and the expected outcome of its rows."""

    programme: ProgrammeSlug
    path: Path
    rows: int
    expected: Counter[str]
    """Rows by status: accepted, refused, awaiting_link."""


def write_files(
    folder: Path, seed: int, records: int, residents: int, *, tag: str, first_day: int = 0
) -> list[SourceFile]:
    """Write about ``records`` rows to files by programme; ``tag`` keeps the natural ids of several calls apart.

    ``first_day`` shifts the deeds' days, so that several calls meet no daily cap together. A resident does each kind of
    deed at most once a day, and stays below every cap, as long as there are fewer than 150 records a resident.
    """
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[ProgrammeSlug, Callable[[_Rows], SourceFile]] = {
        ENVIRONMENTAL: _environmental,
        VOLUNTEER: _volunteer,
        TRAFFIC: _traffic,
        CULTURE: _culture,
    }
    files = []
    for programme, share in SHARES.items():
        rng = random.Random(f"{programme}/{tag}/{seed}")
        rows = _Rows(programme, folder, rng, max(1, records * share // 100), residents, tag, first_day)
        files.append(makers[programme](rows))
    return files


@dataclass(slots=True)
class _Rows:
    """Who does what when, and the outcome."""

    programme: ProgrammeSlug
    folder: Path
    rng: random.Random
    count: int
    residents: int
    tag: str
    first_day: int

    expected: Counter[str] = field(default_factory=Counter)

    def deeds(self) -> Iterator[tuple[str, str, date, str]]:
        """Yield (record id, source id, day, kind of dirt or "") of each row."""
        last = ("", "", FIRST_DAY, "")
        for n in range(self.count):
            dirt = ""
            if n and not self.rng.randrange(DIRT_IN):
                dirt = self.rng.choice(("negative", "unknown", "unlinked", "again"))
            if dirt == "again" and last[3] == "":
                self.expected["refused"] += 1
                yield (*last[:3], "again")
                continue
            person = n * _STRIDE % self.residents
            day = FIRST_DAY + timedelta(days=(self.first_day + n // self.residents) % _DAYS)
            if dirt == "unlinked":
                person += self.residents
            last = (f"{self.tag}{n:09d}", source_id(self.programme, person + 1), day, "" if dirt == "again" else dirt)
            self.expected[{"": "accepted", "unlinked": "awaiting_link"}.get(last[3], "refused")] += 1
            yield last

    def done(self, path: Path) -> SourceFile:
        return SourceFile(self.programme, path, self.count, self.expected)


def _environmental(rows: _Rows) -> SourceFile:
    path = rows.folder / f"events-{rows.tag}.jsonl"
    rng = rows.rng
    previous = b""
    with path.open("wb") as file:
        for record, source, day, dirt in rows.deeds():
            if dirt != "again":
                row = {"id": f"ZD{record}", "user_id": source}
                if rng.randrange(5) < 2:
                    # Early or late: nobody rides while volunteering, and a screen would notice.
                    hour = f"{day}T{rng.choice(('06', '21', '22'))}"
                    start = f"{hour}:{rng.randrange(20):02d}:00+08:00"
                    row |= {"item": "GREEN-RIDE", "quantity": "1", "unit": "trip", "started_at": start}
                    row["ended_at"] = f"{hour}:{rng.randint(25, 59)}:00+08:00"
                else:
                    grams = rng.randint(4, 160) * 50
                    start = f"{day}T{rng.randint(7, 20):02d}:{rng.randrange(60):02d}:00+08:00"
                    row |= {"item": f"RECYCLE-{rng.choice(MATERIALS)}", "quantity": f"{grams / 1000:.3f}"}
                    row |= {"unit": "kg", "started_at": start}
                if dirt == "negative":
                    row["quantity"] = "-1"
                if dirt == "unknown":
                    row["item"] = "RECYCLE-URANIUM"
                previous = orjson.dumps(row) + b"\n"
            file.write(previous)
    return rows.done(path)


def _volunteer(rows: _Rows) -> SourceFile:
    path = rows.folder / f"zyfw-{rows.tag}.csv"
    rng = rows.rng
    previous = ""
    with path.open("w", encoding="gb18030", newline="") as file:
        file.write(
            "记录编号,志愿者编号,姓名,志愿服务项目,服务类别,服务开始时间,服务结束时间,服务时间（小时）,记录单位\r\n"
        )
        for record, source, day, dirt in rows.deeds():
            if dirt != "again":
                hour, hours = rng.randint(8, 16), rng.randint(1, 4)
                kind = "打麻将" if dirt == "unknown" else rng.choice(VOLUNTEER_KINDS)
                credited = "-2" if dirt == "negative" else str(hours)
                previous = (
                    f"ZY{record},{source},某某,{rng.choice(_PROJECTS)},{kind},{day} {hour:02d}:00,"
                    f"{day} {hour + hours:02d}:00,{credited},{rng.choice(_BODIES)}\r\n"
                )
            file.write(previous)
    return rows.done(path)


def _traffic(rows: _Rows) -> SourceFile:
    path = rows.folder / f"rxing-{rows.tag}.csv"
    previous = ""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        file.write("申报编号,用户编号,行为类型,行为日期,数量,申报时间\r\n")
        for record, source, day, dirt in rows.deeds():
            if dirt != "again":
                kind = "超速" if dirt == "unknown" else rows.rng.choice(("无车日", "交通安全学习"))
                count = "-1" if dirt == "negative" else "1"
                declared = day + timedelta(days=1)
                previous = f"RX{record},{source},{kind},{day:%Y/%m/%d},{count},{declared:%Y/%m/%d} 08:00:00\r\n"
            file.write(previous)
    return rows.done(path)


def _culture(rows: _Rows) -> SourceFile:
    path = rows.folder / f"tickets-{rows.tag}.jsonl"
    rng = rows.rng
    previous = b""
    with path.open("wb") as file:
        for record, source, day, dirt in rows.deeds():
            if dirt != "again":
                category, title = rng.choice(_TICKETS)
                row = {
                    "order_no": f"WH{record}",
                    "member_no": source,
                    "category": "karaoke" if dirt == "unknown" else category,
                    "title": title,
                    "paid": "-80.00" if dirt == "negative" else f"{rng.choice((20, 40, 60))}.00",
                    "currency_unit": "yuan",
                    "used_at": f"{day}T{rng.randint(10, 20)}:00:00",
                }
                previous = orjson.dumps(row) + b"\n"
            file.write(previous)
    return rows.done(path)
