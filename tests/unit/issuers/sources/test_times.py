"""Times as clerks and systems write them: the moment that was meant, or a refusal where two could be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.rules.refusals import FieldRefused, RefusalCode
from issuers.sources.mapping import FieldSpec
from issuers.sources.times import parse_time, time_reader, zone_of
from ledger.standard.civil_time import CITY_TZ
from tests.unit.issuers.build import mapping

FIRST = datetime(1991, 1, 1)  # noqa: DTZ001  # civil time, as a sheet has it


def moment(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=CITY_TZ).timestamp())  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026年3月13日", moment(2026, 3, 13)),
        ("2026年03月13日 15:05", moment(2026, 3, 13, 15, 5)),
        ("2026年3月13日 下午3:05", moment(2026, 3, 13, 15, 5)),
        ("2026年3月13日下午3时05分", moment(2026, 3, 13, 15, 5)),
        ("2026年3月13日 星期五 下午3点半", moment(2026, 3, 13, 15, 30)),
        ("2026年3月13日（周五）上午9点", moment(2026, 3, 13, 9)),
        ("2026-03-13 上午9:05:07", moment(2026, 3, 13, 9, 5, 7)),
        ("2026.03.13", moment(2026, 3, 13)),
        ("2026.3.13 9:05", moment(2026, 3, 13, 9, 5)),
        ("2026/3/13 9:5", moment(2026, 3, 13, 9, 5)),
        ("2026/3/13 3:05 PM", moment(2026, 3, 13, 15, 5)),
        ("2026/3/13 12:05 am", moment(2026, 3, 13, 0, 5)),
        ("2026-3-13 中午12:30", moment(2026, 3, 13, 12, 30)),
        ("2026-3-13 中午1:30", moment(2026, 3, 13, 13, 30)),
        ("2026-3-13 晚上8:00", moment(2026, 3, 13, 20)),
        ("2026-3-13 凌晨12:30", moment(2026, 3, 13, 0, 30)),
        ("2026-3-13 下午15:05", moment(2026, 3, 13, 15, 5)),
        ("２０２６年３月１３日　１５：０５", moment(2026, 3, 13, 15, 5)),
        ("2026年3月13日 24:00", moment(2026, 3, 14)),
        ("2026年3月13日24时", moment(2026, 3, 14)),
    ],
)
def test_chinese_dates_and_times(text: str, expected: int) -> None:
    spec = FieldSpec(column="when", formats=("zh",))
    assert time_reader("day", spec, mapping(), {"when": 0}, CITY_TZ)((text,)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026年3月13日 上午12:05",
        "2026-03-13 晚上12:00",
        "2026-03-13 上午15:05",
        "2026-03-13 下午0:05",
        "2026-03.13",
        "2026年13月1日",
        "2026-02-30",
        "26年3月13日",
        "3月13日",
        "2026-03-13 24:01",
        "2026-03-13 25:00",
        "2026-03-13 上午3:05 PM",
        "2026年3月",
    ],
)
def test_what_can_mean_two_moments_or_none_is_refused(text: str) -> None:
    """上午12:05 is midnight to a spreadsheet, and noon to a person."""
    spec = FieldSpec(column="when", formats=("zh",))
    with pytest.raises(FieldRefused) as caught:
        time_reader("day", spec, mapping(), {"when": 0}, CITY_TZ)((text,))
    assert caught.value.code is RefusalCode.BAD_DATE
    assert not any(letter.isdigit() and letter != "9" for letter in dict(caught.value.params)["shape"])


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2026-03-13T24:00:00", "iso", moment(2026, 3, 14)),
        ("2026-03-13 24:00", "iso", moment(2026, 3, 14)),
        ("2026-03-13T24:00+08:00", "iso", moment(2026, 3, 14)),
        ("2026/03/13 24:00", "%Y/%m/%d %H:%M", moment(2026, 3, 14)),
        ("1773385500", "unix", 1773385500),
        ("1773385500.75", "unix", 1773385500),
        ("1773385500000", "unix-ms", 1773385500),
        ("1773385500999", "unix-ms", 1773385500),
        ("46094.628472222226", "excel", moment(2026, 3, 13, 15, 5)),
        ("46094", "excel", moment(2026, 3, 13)),
        ("2026-03-13T15:05:00", "excel", moment(2026, 3, 13, 15, 5)),
    ],
)
def test_each_form_by_its_name(text: str, form: str, expected: int) -> None:
    assert parse_time(text, form, CITY_TZ) == expected


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1773385500000", "unix"),
        ("1773385500", "unix-ms"),
        ("0.5", "excel"),
        ("-1", "excel"),
        ("12:00", "iso"),
        ("20260313", "unix"),
    ],
)
def test_no_form_takes_what_is_anothers(text: str, form: str) -> None:
    """Milliseconds are no seconds of the year 58166, a time of day is no day."""
    assert parse_time(text, form, CITY_TZ) is None


@pytest.mark.parametrize(
    ("day", "clock", "formats"),
    [
        ("2026-03-13", "15:05", ()),
        ("2026-03-13", "15:05:00", ("%Y-%m-%d|%H:%M", "iso")),
        ("2026-03-13 00:00:00", "15:05", ()),
        ("2026-03-13", "1899-12-30T15:05:00", ()),
        ("2026/3/13", "下午3:05", ("zh",)),
        ("2026年3月13日", "15时05分", ("zh",)),
        ("46094", "0.6284722222222222", ("excel",)),
        ("2026-03-13", "15:05", ("%Y-%m-%d|%H:%M",)),
    ],
)
def test_date_and_time_apart(day: str, clock: str, formats: tuple[str, ...]) -> None:
    spec = FieldSpec(columns=("d", "t"), formats=formats)
    read = time_reader("started_at", spec, mapping(), {"d": 0, "t": 1}, CITY_TZ)
    assert read((day, clock)) == moment(2026, 3, 13, 15, 5)
    with pytest.raises(FieldRefused, match="empty"):
        read((day, " — "))


def test_another_zone_keeps_its_summer_time() -> None:
    zone = zone_of("America/Los_Angeles")
    assert isinstance(zone, ZoneInfo)
    assert parse_time("2026-07-01 00:00", "iso", zone) == int(datetime(2026, 7, 1, 7, tzinfo=UTC).timestamp())


@given(st.datetimes(min_value=FIRST, max_value=FIRST.replace(year=2199)))
def test_every_moment_is_read_alike_in_all_forms(when: datetime) -> None:
    when = when.replace(microsecond=0)
    expected = int(when.replace(tzinfo=CITY_TZ).timestamp())
    half = "上午" if when.hour < 12 else "下午"
    shown = when.hour if when.hour < 13 else when.hour - 12
    forms = {
        f"{when:%Y-%m-%dT%H:%M:%S}": "iso",
        f"{when.year}年{when.month}月{when.day}日 {when.hour}时{when.minute}分{when.second}秒": "zh",
        f"{when.year}.{when.month}.{when.day} {half}{shown}:{when.minute:02}:{when.second:02}": "zh",
        str((when - FIRST.replace(1899, 12, 30)) / timedelta(days=1)): "excel",
    }
    assert {form: parse_time(text, form, CITY_TZ) for text, form in forms.items()} == dict.fromkeys(
        forms.values(), expected
    )


@given(st.text(max_size=60), st.sampled_from(["iso", "zh", "unix", "unix-ms", "excel", "%Y|%m", "%d"]))
def test_any_text_is_a_moment_or_none(text: str, form: str) -> None:
    parse_time(text, form, CITY_TZ)
