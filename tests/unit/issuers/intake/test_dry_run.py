"""A dry run rates a file as if everybody were linked, and says of each row what would become of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from issuers.answers import CheckReport
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
