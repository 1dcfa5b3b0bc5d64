"""Notices say in both languages what to look at, and what to do."""

from __future__ import annotations

from issuers.intake.notices import notices_of


def test_nothing_to_look_at_says_nothing() -> None:
    assert notices_of({"duplicate": 3}, {}, None) == ()


def test_each_notice_names_what_to_do() -> None:
    found = {one.code: one for one in notices_of({"other_person": 2, "other_day": 1, "correction": 4}, {"证号": 5}, 10)}
    assert list(found) == ["numbers_repeat", "versions_in_one_file", "digits_lost", "file_too_long_to_compare"]
    assert "columns" in found["numbers_repeat"].en
    assert "多列" in found["numbers_repeat"].zh
    assert "证号" in found["digits_lost"].zh
    assert "Text" in found["digits_lost"].en
    assert "4" in found["versions_in_one_file"].zh
