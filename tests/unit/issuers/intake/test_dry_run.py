"""A dry run rates a file as if everybody were linked, and says of each row what would become of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from issuers.answers import CheckReport
from issuers.intake import dry_run as module
from issuers.intake.dry_run import dry_run
from tests.unit.issuers.build import NOW, mapping, rulebook

HEAD = "id,who,what,when,until,amount\n"
RULE: dict[str, Any] = {"unit": "hour", "points_per_unit": "10", "minimum": "1"}


def check(tmp_path: Path, *rows: str, head: str = HEAD, **rule: Any) -> CheckReport:
    path = tmp_path / "file.csv"
    path.write_text(head + "".join(f"{row}\n" for row in rows))
    return dry_run(mapping(), [rulebook({**RULE, **rule})], path, NOW)


def test_what_would_be_granted_is_counted_and_explained(tmp_path: Path) -> None:
    report = check(tmp_path, "r1,p1,work,2026-08-31 09:00,,2", "r2,p2,work,2026-08-31 09:00,,3")
    assert (report.rows, report.would_grant, report.would_grant_minor, report.refusals) == (2, 2, 5_000, {})
    assert [(one["row"], one["amount_minor"]) for one in report.first_grants] == [("1", "2000"), ("2", "3000")]
    assert "That makes 20 points." in report.first_grants[0]["explanation_en"]


def test_what_mapping_and_rules_refuse_is_reported_with_its_place(tmp_path: Path) -> None:
    report = check(tmp_path, "r1,p1,work,2026-08-31 09:00,,0.5", "r2,p1,work,yesterday,,2", "r3,p1,work,2026-08-31,,2")
    assert report.refusals == {"below_minimum": 1, "bad_date": 1}
    assert [(one["row"], one["field"], one["code"]) for one in report.first_refusals] == [
        ("1", "quantity", "below_minimum"),
        ("2", "started_at", "bad_date"),
    ]
    assert report.would_grant == 1


def test_a_record_that_comes_twice_counts_once(tmp_path: Path) -> None:
    report = check(tmp_path, *["r1,p1,work,2026-08-31 09:00,,2"] * 2)
    assert (report.would_grant, report.refusals) == (1, {"duplicate_record": 1})


def test_caps_bind_each_person_by_the_source_id(tmp_path: Path) -> None:
    rows = [f"r{n},{who},work,2026-08-31 09:00,,2" for n, who in enumerate(["p1", "p1", "p2"])]
    report = check(tmp_path, *rows, caps=[{"per": "day", "points": "20"}])
    assert (report.would_grant, report.refusals) == (2, {"cap_reached": 1})


def test_self_reported_deeds_would_wait(tmp_path: Path) -> None:
    report = check(tmp_path, "r1,p1,work,2026-08-31 09:00,,2", pending_days=7)
    assert (report.pending, report.would_grant) == (1, 0)


def test_a_file_that_is_none_is_one_refusal_of_row_0(tmp_path: Path) -> None:
    report = check(tmp_path, head="")
    assert (report.rows, report.refusals) == (0, {"empty_file": 1})
    assert report.first_refusals[0]["row"] == "0"


def test_only_the_first_twenty_are_shown(tmp_path: Path) -> None:
    rows = [f"r{n},p{n},work,2026-08-31 09:00,,{'2' if n % 2 else '0.5'}" for n in range(50)]
    report = check(tmp_path, *rows)
    assert (report.would_grant, len(report.first_grants), len(report.first_refusals)) == (25, 20, 20)


def test_the_first_rows_are_shown_as_read_beside_their_cells(tmp_path: Path) -> None:
    rows = ["r1,p1,work,2026-08-31 23:30,2026-09-01 00:30,1", "r2,p\u200b2,work,yesterday,,2"]
    first, second = check(tmp_path, *rows).first_rows
    assert first.cells == {"id": "r1", "who": "p1", "what": "work", "when": "2026-08-31 23:30",
                           "until": "2026-09-01 00:30", "amount": "1"}  # fmt: skip
    assert (first.record_id, first.owner, first.day, first.activity) == ("r1", "p1", "2026-08-31", "WORK")
    assert (first.started_at, first.ended_at) == ("2026-08-31 23:30:00", "2026-09-01 00:30:00")
    assert (first.quantity, first.outcome, first.amount_minor) == ("1 hour", "grant", 1_000)
    assert (second.cells["who"], second.outcome, second.owner) == ("p\u200b2", "refuse", "")
    assert second.reason_en.startswith("started_at: ")
    assert second.reason_zh.endswith("字段不是约定格式的日期或时间（实际形式：aaaaaaaaa）。")


def test_what_would_be_minted_is_said_in_points_and_money(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text(HEAD + "r1,p1,work,2026-08-31 09:00,,2\nr2,p2,work,2026-08-31 09:00,,3.5\n")
    report = dry_run(mapping(), [rulebook(RULE)], path, NOW, par_microfen=20_000_000)
    [minted] = report.minted
    assert (minted.programme, minted.amount_minor, minted.value_fen) == ("test", 5_500, 1_100)
    assert (minted.deeds, minted.people) == (2, 2)
    assert check(tmp_path).minted[0].value_fen is None


def test_a_number_that_repeats_is_said_with_both_rows(tmp_path: Path) -> None:
    rows = [
        "r1,p1,work,2026-03-31 09:00,,2",
        "r1,p2,work,2026-03-31 09:00,,2",
        "r1,p1,work,2026-06-30 09:00,,2",
        "r1,p1,work,2026-03-31 09:00,,2",
    ]
    report = check(tmp_path, *rows)
    assert report.repeats == {"other_person": 1, "other_day": 1, "duplicate": 1}
    assert [(one.number, one.row, one.first_row, one.kind) for one in report.first_repeats] == [
        ("r1", 2, 1, "other_person"),
        ("r1", 3, 1, "other_day"),
        ("r1", 4, 1, "duplicate"),
    ]
    assert (report.held, report.would_grant, report.refusals) == (2, 1, {"duplicate_record": 1})
    assert [one.code for one in report.notices] == ["numbers_repeat"]


def test_a_later_version_counts_instead_of_the_first(tmp_path: Path) -> None:
    rows = ["r1,p1,work,2026-08-31 09:00,,5", "r1,p1,work,2026-08-31 09:00,,2", "r2,p1,work,2026-08-31 09:00,,3"]
    report = check(tmp_path, *rows, caps=[{"per": "day", "quantity": "5"}])
    assert (report.corrections, report.would_grant_minor, report.refusals) == (1, 5_000, {})


def test_a_refused_row_that_comes_again_corrected_is_granted(tmp_path: Path) -> None:
    rows = ["r1,p1,work,2026-08-31 09:00,,0.5", "r1,p2,work,2026-08-30 09:00,,2"]
    report = check(tmp_path, *rows)
    assert (report.held, report.corrections, report.would_grant_minor) == (0, 1, 2_000)


def test_who_reaches_a_cap_is_named(tmp_path: Path) -> None:
    rows = [f"r{n},{who},work,2026-08-31 09:00,,2" for n, who in enumerate(["p1", "p1", "p1", "p2"])]
    report = check(tmp_path, *rows, caps=[{"per": "day", "points": "30"}])
    assert report.capped_people == 1
    assert [(one.owner, one.deeds, one.granted_minor) for one in report.first_capped] == [("p1", 2, 3_000)]


def test_reasons_stand_beside_their_counts(tmp_path: Path) -> None:
    report = check(tmp_path, "r1,p1,work,2026-08-31 09:00,,x", "r2,p1,work,2026-08-31 09:00,,y")
    assert report.refusals == {"bad_number": 2}
    assert report.reasons["bad_number"] == (
        "The field is not a plain decimal number (found: a).",
        "字段不是有效的十进制数（实际形式：a）。",
    )


def test_columns_say_what_repeats_and_what_is_odd(tmp_path: Path) -> None:
    rows = [f"r{n},{'p-1' if n == 3 else 'p1'},work,2026-08-31 09:00,,2" for n in range(8)]
    views = {one.column: one for one in check(tmp_path, *rows).columns}
    assert views["who"].repeated == (("p1", 7),)
    assert [(one.value, one.row, one.count) for one in views["who"].odd] == [("p-1", 4, 1)]
    assert (views["until"].empty, views["until"].filled, views["id"].distinct) == (8, 0, 8)


def test_long_numbers_that_end_in_000_are_pointed_out(tmp_path: Path) -> None:
    """A spreadsheet keeps fifteen digits: three people become one, and nothing else would say so."""
    rows = [f"r{n},510107199001011000,work,2026-08-{n + 1:02d} 09:00,,2" for n in range(3)]
    notices = check(tmp_path, *rows).notices
    assert [one.code for one in notices] == ["digits_lost"]
    assert "who" in notices[0].en
    assert "文本" in notices[0].zh


def test_the_days_of_the_deeds_are_said(tmp_path: Path) -> None:
    report = check(tmp_path, "r1,p1,work,2026-08-31 09:00,,2", "r2,p1,work,2026-03-01 09:00,,2")
    assert (report.first_day, report.last_day) == ("2026-03-01", "2026-08-31")


def test_what_no_longer_fits_in_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NUMBERS_MAX", 2)
    rows = [f"r{n},p{n},work,2026-08-31 09:00,,2" for n in (1, 2, 3, 3)]
    report = check(tmp_path, *rows)
    assert [one.code for one in report.notices] == ["file_too_long_to_compare"]
