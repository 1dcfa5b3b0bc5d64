"""Files of a drop folder: what is whole is taken once, and stands aside with a report where something was refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from issuers.answers import Refusal
from issuers.errors import UnknownMapping
from issuers.intake.deliveries import IngestReport
from issuers.intake.drop_folder import REPORT_SUFFIX, drop_folder_files, take_files
from issuers.states import RefusalState
from ledger.standard.ids import ProgrammeSlug

REPORT = IngestReport(4, "a.csv", "created", 3, Counter({"accepted": 2, "refused": 1}), Counter({"bad_date": 1}), 700)


def refusal(row: int) -> Refusal:
    return Refusal(
        1, ProgrammeSlug("test"), "a.csv", 4, row, 2, "day", "bad_date", "no date", "日期无效", RefusalState.OPEN, 0
    )


def take(
    folder: Path, refused: Sequence[Refusal] = (), ingest: Callable[[Path], IngestReport] = lambda _path: REPORT
) -> list[IngestReport]:
    return take_files(folder, ingest, lambda _delivery: refused)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_whole_files_are_taken_by_name_and_what_a_crash_left_comes_first(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", ".hidden.csv", "c.csv.part", "d.tmp", "mapping.yaml"):
        (tmp_path / name).write_text("")
    (tmp_path / ".taken").mkdir()
    (tmp_path / ".taken" / "z.csv").write_text("")
    assert [path.name for path in drop_folder_files(tmp_path)] == ["z.csv", "a.csv", "b.csv"]
    assert files(tmp_path) >= {".hidden.csv", "c.csv.part", "d.tmp", "mapping.yaml"}


def test_a_file_waits_while_one_of_its_name_is_read(tmp_path: Path) -> None:
    (tmp_path / ".taken").mkdir()
    for path in (tmp_path / "a.csv", tmp_path / ".taken" / "a.csv"):
        path.write_text("")
    assert len(list(drop_folder_files(tmp_path))) == 1
    assert (tmp_path / "a.csv").exists()


def test_a_file_that_may_still_grow_is_left_until_it_has_rested(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    assert list(drop_folder_files(tmp_path, min_age_s=3_600.0)) == []
    assert len(list(drop_folder_files(tmp_path))) == 1


def test_what_was_taken_in_is_done_and_a_second_file_of_the_name_gets_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / "a.csv").write_text("")
        assert take(tmp_path) == [REPORT]
    assert files(tmp_path) == {".done/a.csv", ".done/a.2.csv"}


def test_many_files_with_refusals_are_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(8):
        (tmp_path / f"{number}.csv").write_text("")
    take(tmp_path, [refusal(2)])
    [warning] = caplog.messages
    assert "8 files" in warning
    assert str(tmp_path.name) in warning
    caplog.clear()
    (tmp_path / "good.csv").write_text("")
    take(tmp_path)
    assert caplog.messages == []


def test_refusals_are_reported_beside_the_file_without_a_value_of_a_record(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    take(tmp_path, [refusal(2)])
    report = json.loads((tmp_path / ".done" / f"a.csv{REPORT_SUFFIX}").read_text())
    assert report == {
        "file": "a.csv",
        "outcome": "created",
        "delivery": "4",
        "rows": 3,
        "statuses": {"accepted": 2, "refused": 1},
        "refusals": [
            {
                "row": 2,
                "line": 2,
                "field": "day",
                "code": "bad_date",
                "reason_en": "no date",
                "reason_zh": "日期无效",
            }
        ],
    }


def test_a_file_that_cannot_be_read_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    assert take(tmp_path, [refusal(0)]) == [REPORT]
    assert files(tmp_path) == {".refused/a.csv", f".refused/a.csv{REPORT_SUFFIX}"}


@pytest.mark.parametrize("error", [UnknownMapping("test", "none for .pdf"), OSError("the disk is gone")])
def test_a_file_that_cannot_be_read_is_set_aside_and_the_next_is_read(tmp_path: Path, error: Exception) -> None:
    for name in ("a.pdf", "b.csv"):
        (tmp_path / name).write_text("")

    def ingest(path: Path) -> IngestReport:
        if path.suffix == ".pdf":
            raise error
        return REPORT

    assert take(tmp_path, ingest=ingest) == [REPORT]
    assert files(tmp_path) == {".refused/a.pdf", f".refused/a.pdf{REPORT_SUFFIX}", ".done/b.csv"}


def test_a_file_that_another_worker_has_taken_in_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")

    def ingest(path: Path) -> IngestReport:
        path.unlink()
        raise FileNotFoundError(path)

    assert take(tmp_path, ingest=ingest) == []
    assert files(tmp_path) == set()


def test_any_other_error_ends_the_round_and_the_file_stays_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")

    def ingest(path: Path) -> IngestReport:
        raise RuntimeError(path)

    with pytest.raises(RuntimeError):
        take(tmp_path, ingest=ingest)
    assert files(tmp_path) == {".taken/a.csv"}
    assert take(tmp_path) == [REPORT]
