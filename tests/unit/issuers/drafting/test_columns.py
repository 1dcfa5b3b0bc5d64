"""Columns are judged by most of their values; a few slips make no other column of one."""

from __future__ import annotations

import pytest

from issuers.drafting.columns import Kind, judge, pattern_of


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2026-03-01 09:00", "2026-03-02 10:30"], Kind.TIME),
        (["2026/03/01", "2026/3/2"], Kind.DATE),
        (["20260301", "20260302"], Kind.DATE),
        (["2026年3月1日", "2026年3月2日"], Kind.DATE),
        (["2026.03.01", "2026.3.2"], Kind.DATE),
        (["2026年3月1日 下午3:05", "2026-03-02 9点"], Kind.TIME),
        (["12345678", "99999999"], Kind.NUMBER),
        (["1", "2.5", "x", "3", "4", "5", "6"], Kind.NUMBER),
        (["２", "3.5"], Kind.NUMBER),
        (["1,000.5", "12"], Kind.NUMBER),
        (["2小时30分", "1小时5分"], Kind.DURATION),
        (["1.5kg", "2 kg", "3"], Kind.NUMBER),
        (["图书角", "敬老院"], Kind.TEXT),
        ([], Kind.EMPTY),
    ],
)
def test_the_kind_follows_most_values(values: list[str], kind: Kind) -> None:
    assert judge("c", values, max(len(values), 1)).kind is kind


def test_formats_come_by_how_often_they_stand_there() -> None:
    found = judge("c", ["2026/03/01 09:00"] * 3 + ["2026年3月1日 9:00"] * 2 + ["bad"], 6)
    assert found.formats == ("%Y/%m/%d %H:%M", "%Y年%m月%d日 %H:%M")


def test_day_and_month_that_may_be_exchanged_are_noticed() -> None:
    assert judge("c", ["03/04/2026", "05/06/2026"], 2).has_months_and_days_mixed


def test_suffixes_and_thousands_are_seen() -> None:
    assert judge("c", ["1.5公斤", "2公斤"], 2).suffix == "公斤"
    assert judge("c", ["1,500", "12"], 2).thousands


def test_a_code_repeats_and_an_id_does_not() -> None:
    assert judge("c", ["a", "b"] * 20, 40).is_code
    unique = judge("c", [f"V{n}" for n in range(40)], 40)
    assert unique.is_unique
    assert not unique.is_code


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (["ZY001", "ZY-12345"], "[A-Z0-9\\-]{5,8}"),
        (["５１０１", "51 01"], "[0-9]{4}"),
        (["zd_0a", "zd_1b"], "[a-z0-9_]{5}"),
        (["川A-1"], ""),
        ([], ""),
    ],
)
def test_a_pattern_is_loose_and_of_the_form_that_is_compared(values: list[str], pattern: str) -> None:
    assert pattern_of(values) == pattern


def test_seconds_and_times_of_day_are_seen_where_the_name_says_time() -> None:
    assert judge("created_at", ["1767225600", "1767312000"], 2).formats == ("unix",)
    assert judge("时间", ["1767225600000"], 1).formats == ("unix-ms",)
    assert judge("编号", ["1767225600", "1767312000"], 2).kind is Kind.NUMBER
    assert judge("开始时间", ["9:05", "下午3:05"], 2).kind is Kind.CLOCK
    assert judge("比分", ["9:05", "3:05"], 2).kind is Kind.TEXT
