"""Rows of the five source systems as dictionaries, clean first, then with the dirt that real exports have.

`Plan` holds the rows of one programme and counts what was planted, by the refusal code that each piece must meet, so
that tests compare the pipeline with the expected results. Clean rows keep clear of every cap; rows that run into one
are planted.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from issuers.samples.people import CULTURE, ENVIRONMENTAL, RESIDENCE, TRAFFIC, VOLUNTEER, Person
from ledger.standard.ids import ProgrammeSlug

Row = dict[str, str]

TODAY: Final = date(2026, 9, 1)
"""The simulated date: every sample was exported on the morning of this day."""
FIRST_DAY: Final = date(2026, 4, 1)
_DAYS: Final = (TODAY - FIRST_DAY).days

VOLUNTEER_KINDS: Final = ("社区服务", "助老服务", "环境保护", "大型活动", "文化场馆")
_PROJECTS: Final = ("锦江河岸清洁", "社区图书角", "敬老院陪伴", "地铁站引导", "天府绿道巡护", "博物馆讲解")
_BODIES: Final = ("成都市志愿者协会", "锦江区社工服务中心", "青羊区文明办", "武侯区敬老服务站")
MATERIALS: Final = ("PAPER", "PLASTIC", "METAL", "GLASS", "TEXTILE")
_VENUES: Final = ("成都博物馆特展", "金沙遗址音乐剧", "城市音乐厅交响乐", "川剧《白蛇传》", "天府书展", "独立影院")
_THEATRE: Final = 1
_CATEGORIES: Final = ("museum", "theatre", "concert", "opera", "bookfair", "cinema")


@dataclass(slots=True)
class Plan:
    """The rows of one programme in delivery order, and the expected results."""

    programme: ProgrammeSlug
    rows: list[Row] = field(default_factory=list)
    planted: Counter[str] = field(default_factory=Counter)
    """By refusal code, or ``correction``, ``double_claim``, ``awaiting_link``, ``cap_partial``."""

    def plant(self, kind: str, *rows: Row) -> None:
        """Add rows of one kind of dirt."""
        self.rows.extend(rows)
        self.planted[kind] += len(rows)


def _moment(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute))


def _known(people: Sequence[Person], programme: ProgrammeSlug) -> list[Person]:
    return [person for person in people if programme in person.source_ids and person.number >= 4]


def _spoil(row: Row, **changes: str) -> Row:
    return {**row, **changes}


def _days_of(rng: random.Random, people: Sequence[Person], count: int) -> list[tuple[Person, date]]:
    """Return ``count`` different (person, day) pairs: at most one clean deed of a kind a day."""
    pairs: dict[tuple[int, int], tuple[Person, date]] = {}
    while len(pairs) < count:
        person = rng.choice(people)
        day = rng.randrange(_DAYS)
        pairs[(person.number, day)] = (person, FIRST_DAY + timedelta(days=day))
    return list(pairs.values())


def volunteer(people: Sequence[Person], rng: random.Random, count: int) -> Plan:
    """Volunteer hours as 民政部令第67号 has them recorded; 0.5 to 4 hours, at most once a day each."""
    plan = Plan(VOLUNTEER)

    def row(number: int, person: Person, day: date, hour: int, halves: int) -> Row:
        start = _moment(day, hour)
        return {
            "记录编号": f"ZY2026{number:07d}",
            "志愿者编号": person.source_ids[VOLUNTEER],
            "姓名": person.name,
            "志愿服务项目": rng.choice(_PROJECTS),
            "服务类别": rng.choice(VOLUNTEER_KINDS),
            "服务开始时间": start.strftime("%Y-%m-%d %H:%M"),
            "服务结束时间": (start + timedelta(minutes=30 * halves)).strftime("%Y-%m-%d %H:%M"),
            "服务时间（小时）": str(Decimal(halves) / 2),
            "记录单位": rng.choice(_BODIES),
        }

    clean = [
        row(number, person, day, rng.randint(8, 17), rng.randint(1, 8))
        for number, (person, day) in enumerate(_days_of(rng, _known(people, VOLUNTEER), count), start=1)
    ]
    _await_links(plan, people, clean, "志愿者编号")
    # The 72-year-old's Sunday mornings.
    elder = people[0]
    sundays = [day for day in (FIRST_DAY + timedelta(days=n) for n in range(_DAYS)) if day.weekday() == 6]
    plan.rows += [row(5_000_000 + n, elder, day, 9, 6) for n, day in enumerate(sundays)]
    bad = _sampler(rng, clean)
    key = "记录编号"
    plan.plant("negative_quantity", *(bad(key, f"ZYN{n}", **{"服务时间（小时）": "-2"}) for n in range(6)))
    plan.plant("bad_number", *(bad(key, f"ZYB{n}", **{"服务时间（小时）": "两小时"}) for n in range(6)))
    plan.plant("bad_date", *(bad(key, f"ZYD{n}", 服务开始时间="2026-06-31 09:00") for n in range(5)))
    plan.plant("missing_field", *(bad(key, f"ZYM{n}", 志愿者编号="") for n in range(7)))
    plan.plant("unknown_activity", *(bad(key, f"ZYU{n}", 服务类别="打麻将") for n in range(5)))
    plan.plant("hours_exceed_span", *(bad(key, f"ZYH{n}", **{"服务时间（小时）": "9.5"}) for n in range(5)))
    plan.plant("field_too_large", bad(key, "ZYL1", 志愿服务项目="公益" * 20_000))
    future = _moment(TODAY + timedelta(days=40), 9)
    plan.plant(
        "future_date",
        *(
            bad(
                key,
                f"ZYF{n}",
                服务开始时间=future.strftime("%Y-%m-%d %H:%M"),
                服务结束时间=(future + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M"),
            )
            for n in range(4)
        ),
    )
    plan.plant("duplicate_record", *(dict(item) for item in rng.sample(clean, 25)))
    return plan


def environmental(people: Sequence[Person], rng: random.Random, count: int) -> Plan:
    """Recycling by weight and material, and rides on shared bicycles, as events of an app.

    Clean rides are early or late: nobody rides while volunteering, and a screen would notice.
    """
    plan = Plan(ENVIRONMENTAL)

    def base(number: int, person: Person, item: str) -> Row:
        return {"id": f"ZD{number:09d}", "user_id": person.source_ids[ENVIRONMENTAL], "item": item}

    def ride(number: int, person: Person, day: date, hour: int) -> Row:
        start = _moment(day, hour, rng.randrange(60))
        minutes = rng.randint(6, 38)
        return {
            **base(number, person, "GREEN-RIDE"),
            "quantity": "1",
            "unit": "trip",
            "started_at": start.isoformat() + "+08:00",
            "ended_at": (start + timedelta(minutes=minutes)).isoformat() + "+08:00",
        }

    def recycle(number: int, person: Person, day: date) -> Row:
        grams = rng.randint(4, 160) * 50
        return {
            **base(number, person, f"RECYCLE-{rng.choice(MATERIALS)}"),
            "quantity": str(Decimal(grams) / 1000),
            "unit": "kg",
            "started_at": _moment(day, rng.randint(7, 20), rng.randrange(60)).isoformat() + "+08:00",
        }

    clean = []
    for number, (person, day) in enumerate(_days_of(rng, _known(people, ENVIRONMENTAL), count), start=1):
        clean.append(
            ride(number, person, day, rng.choice((6, 21, 22))) if rng.randrange(5) < 2 else recycle(number, person, day)
        )
    _await_links(plan, people, clean, "user_id")
    # The bicycle rider: two trips on each working day of the summer.
    rider = people[2]
    summer = [date(2026, 6, 1) + timedelta(days=n) for n in range(88)]
    for n, day in enumerate(day for day in summer if day.weekday() < 5):
        plan.rows += [ride(5_000_000 + 2 * n, rider, day, 8), ride(5_000_001 + 2 * n, rider, day, 18)]
    bad = _sampler(rng, [item for item in clean if item["unit"] == "kg"])
    plan.plant("negative_quantity", *(bad("id", f"ZDN{n}", quantity="-1.5") for n in range(8)))
    plan.plant("bad_number", *(bad("id", f"ZDB{n}", quantity="Infinity") for n in range(4)))
    plan.plant("unknown_activity", *(bad("id", f"ZDU{n}", item="RECYCLE-URANIUM") for n in range(6)))
    plan.plant("missing_field", *(bad("id", f"ZDM{n}", user_id="") for n in range(6)))
    plan.plant("bad_date", *(bad("id", f"ZDD{n}", started_at="yesterday") for n in range(4)))
    later = (_moment(TODAY, 9) + timedelta(days=9)).isoformat() + "+08:00"
    plan.plant("future_date", *(bad("id", f"ZDF{n}", started_at=later) for n in range(5)))
    plan.plant("duplicate_record", *(dict(item) for item in rng.sample(clean, 40)))
    return plan


def traffic(people: Sequence[Person], rng: random.Random, count: int) -> Plan:
    """Car-free days, declared by the driver, and lessons taken."""
    plan = Plan(TRAFFIC)

    def row(number: int, person: Person, day: date, kind: str) -> Row:
        return {
            "申报编号": f"RX2026{number:08d}",
            "用户编号": person.source_ids[TRAFFIC],
            "行为类型": kind,
            "行为日期": day.strftime("%Y/%m/%d"),
            "数量": "1",
            "申报时间": _moment(day + timedelta(days=1), rng.randint(7, 22)).strftime("%Y/%m/%d %H:%M:%S"),
        }

    clean = [
        row(number, person, day, rng.choice(("无车日", "无车日", "交通安全学习")))
        for number, (person, day) in enumerate(_days_of(rng, _known(people, TRAFFIC), count), start=1)
    ]
    _await_links(plan, people, clean, "用户编号")
    driver = people[1]
    plan.rows += [row(5_000_000 + n, driver, FIRST_DAY + timedelta(days=7 * n), "无车日") for n in range(12)]
    bad = _sampler(rng, clean)
    key = "申报编号"
    plan.plant("unknown_activity", *(bad(key, f"RXU{n}", 行为类型="超速") for n in range(5)))
    plan.plant("negative_quantity", *(bad(key, f"RXN{n}", 数量="-1") for n in range(4)))
    plan.plant("missing_field", *(bad(key, f"RXM{n}", 用户编号="") for n in range(5)))
    plan.plant("bad_date", *(bad(key, f"RXD{n}", 行为日期="2026/13/01") for n in range(5)))
    plan.plant("future_date", *(bad(key, f"RXF{n}", 行为日期="2027/01/01") for n in range(3)))
    plan.plant("duplicate_record", *(dict(item) for item in rng.sample(clean, 30)))
    return plan


def culture(people: Sequence[Person], rng: random.Random, count: int) -> Plan:
    """Tickets bought and used. The cap is 200 points a year at 15 or 20 %: clean rows stay within ¥1,000 a person."""
    plan = Plan(CULTURE)
    spent: Counter[int] = Counter()

    def row(number: int, person: Person, day: date, yuan: int, kind: int | None = None) -> Row:
        kind = rng.randrange(len(_VENUES)) if kind is None else kind
        return {
            "order_no": f"WH2026{number:07d}",
            "member_no": person.source_ids[CULTURE],
            "category": _CATEGORIES[kind],
            "title": _VENUES[kind],
            "paid": f"{yuan}.00",
            "currency_unit": "yuan",
            "used_at": _moment(day, rng.randint(10, 20)).strftime("%Y-%m-%dT%H:%M:%S"),
        }

    clean = []
    for number, (person, day) in enumerate(_days_of(rng, _known(people, CULTURE), count), start=1):
        yuan = rng.choice((20, 40, 60, 80, 120, 180, 280))
        if spent[person.number] + yuan > 1_000:
            yuan = 20
        if spent[person.number] + yuan <= 1_000:
            spent[person.number] += yuan
            clean.append(row(number, person, day, yuan))
    _await_links(plan, people, clean, "member_no")
    # The theatre lover reaches the cap of 200: 180 points, then 20 of 60, then nothing.
    lover = people[3]
    plan.rows.append(row(5_000_000, lover, date(2026, 5, 2), 1_200, _THEATRE))
    plan.plant("cap_partial", row(5_000_001, lover, date(2026, 6, 6), 400, _THEATRE))
    plan.plant(
        "cap_reached",
        row(5_000_002, lover, date(2026, 7, 4), 180, _THEATRE),
        row(5_000_003, lover, date(2026, 8, 8), 80, _THEATRE),
    )
    bad = _sampler(rng, clean)
    plan.plant("negative_quantity", *(bad("order_no", f"WHN{n}", paid="-80.00") for n in range(5)))
    plan.plant("bad_number", *(bad("order_no", f"WHB{n}", paid="eighty") for n in range(4)))
    plan.plant("unknown_activity", *(bad("order_no", f"WHU{n}", category="karaoke") for n in range(6)))
    plan.plant("missing_field", *(bad("order_no", f"WHM{n}", member_no="") for n in range(4)))
    plan.plant("future_date", *(bad("order_no", f"WHF{n}", used_at="2026-12-24T19:30:00") for n in range(4)))
    plan.plant("duplicate_record", *(dict(item) for item in rng.sample(clean, 20)))
    return plan


def residence(people: Sequence[Person], rng: random.Random) -> Plan:
    """One eligibility score a permit holder, corrected by replacement: the permit is the record's natural id."""
    plan = Plan(RESIDENCE)

    def row(person: Person, score: int, assessed: date, revision: int) -> Row:
        return {
            "PermitNo": person.source_ids[RESIDENCE],
            "Score": str(score),
            "Indicator": "RESIDENCE-SCORE",
            "AssessedOn": assessed.isoformat(),
            "Revision": str(revision),
        }

    holders = _known(people, RESIDENCE)
    clean = [row(person, rng.randint(30, 140), date(2026, 4, rng.randint(1, 28)), 1) for person in holders]
    _await_links(plan, people, clean, "PermitNo")
    linked = [person for person in holders if "residence" in person.linked]
    spare, corrected = linked[:13], linked[13:53]
    plan.plant("correction", *(row(person, rng.randint(141, 200), date(2026, 7, 15), 2) for person in corrected))
    plan.plant("negative_quantity", *(_spoil(row(p, 1, TODAY, 3), Score="-5") for p in spare[:5]))
    plan.plant("bad_number", *(_spoil(row(p, 1, TODAY, 3), Score="good") for p in spare[5:9]))
    plan.plant("unknown_activity", *(_spoil(row(p, 1, TODAY, 3), Indicator="KARMA") for p in spare[9:13]))
    untouched = clean[60:]  # a duplicate of a corrected score would be an old version
    plan.plant("duplicate_record", *(dict(item) for item in rng.sample(untouched, min(12, len(untouched)))))
    return plan


def double_claims(people: Sequence[Person], traffic_plan: Plan, environmental_plan: Plan, rng: random.Random) -> None:
    """Plant the same deed in two programmes: a car-free day that its driver also claims as a green ride that day."""
    both = [p for p in people if {"traffic", "environmental"} <= p.linked and p.number >= 4]
    claimants = [people[1], *rng.sample(both, min(17, len(both)))]
    for n, person in enumerate(claimants):
        day = TODAY - timedelta(days=2 + n)
        declared = _moment(day + timedelta(days=1), 8)
        traffic_plan.rows.append(
            {
                "申报编号": f"RX2026{6_000_000 + n:08d}",
                "用户编号": person.source_ids[TRAFFIC],
                "行为类型": "无车日",
                "行为日期": day.strftime("%Y/%m/%d"),
                "数量": "1",
                "申报时间": declared.strftime("%Y/%m/%d %H:%M:%S"),
            }
        )
        start = _moment(day, 8, 5)
        environmental_plan.plant(
            "double_claim",
            {
                "id": f"ZD{6_000_000 + n:09d}",
                "user_id": person.source_ids[ENVIRONMENTAL],
                "item": "CAR-FREE-TRIP",
                "quantity": "1",
                "unit": "trip",
                "started_at": start.isoformat() + "+08:00",
                "ended_at": (start + timedelta(minutes=25)).isoformat() + "+08:00",
            },
        )


def _sampler(rng: random.Random, clean: Sequence[Row]) -> Callable[..., Row]:
    """Return a function that takes a clean row, gives it an id of its own and spoils it."""

    def spoiled(key: str, new_id: str, **changes: str) -> Row:
        return {**rng.choice(clean), key: new_id, **changes}

    return spoiled


def _await_links(plan: Plan, people: Sequence[Person], clean: list[Row], column: str) -> None:
    """Add the clean rows; those of source ids that are not linked yet are counted as awaiting the link."""
    unlinked = {p.source_ids[plan.programme] for p in people if plan.programme in p.source_ids} - {
        p.source_ids[plan.programme] for p in people if plan.programme in p.linked
    }
    plan.rows += clean
    plan.planted["awaiting_link"] += sum(row[column] in unlinked for row in clean)
