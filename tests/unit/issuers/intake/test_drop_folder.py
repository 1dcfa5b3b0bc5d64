"""Files of a drop folder: what is whole is taken once, and stands aside with a report where something was refused."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from issuers.answers import Refusal
from issuers.errors import UnknownMapping
from issuers.intake.deliveries import IngestReport
from issuers.intake.drop_folder import (
    MAPPING_FILE,
    REPORT_SUFFIX,
    LinkedFolder,
    drop_folder_files,
    own_mapping,
    set_aside,
    take_files,
)
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


CHINESE = os.fsdecode("志愿记录.csv".encode("gb18030"))
"""A name as an ordinary Chinese system writes it."""


@pytest.mark.parametrize(
    "name", [CHINESE, "\x1b[2Ja.csv", "a\u202evsc.csv", "x" * 250 + ".csv", "志" * 80 + ".csv", "a\nb.csv"]
)
def test_no_name_of_a_file_stops_its_neighbours(tmp_path: Path, name: str) -> None:
    """GBK, control characters, marks of writing direction, the longest: read, or set aside, with a report in words."""
    for one in (name, "z.csv"):
        (tmp_path / one).write_text("")

    def ingest(path: Path) -> IngestReport:
        if path.name == name:
            raise UnknownMapping("*.csv", ProgrammeSlug("test"))
        return REPORT

    for _ in range(2):
        assert take(tmp_path, ingest=ingest) == [REPORT]
        for one in (name, "z.csv"):
            (tmp_path / one).write_text("")
    assert set_aside(tmp_path) == 2
    reports = [path for path in (tmp_path / ".refused").iterdir() if path.name.endswith(REPORT_SUFFIX)]
    shown = {json.loads(path.read_bytes())["file"] for path in reports}
    assert len(reports) == 2
    assert all(one.isprintable() for one in shown)
    if name == CHINESE:
        assert shown == {"志愿记录.csv"}


@pytest.mark.parametrize(
    "error", [UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), ValueError("v"), KeyError("k"), MemoryError()]
)
def test_what_only_the_file_can_have_caused_sets_it_aside(tmp_path: Path, error: Exception) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("secret")

    def ingest(path: Path) -> IngestReport:
        if path.name == "a.csv":
            raise error
        return REPORT

    assert take(tmp_path, ingest=ingest) == [REPORT]
    report = json.loads((tmp_path / ".refused" / f"a.csv{REPORT_SUFFIX}").read_bytes())
    assert report["error"] == type(error).__name__


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "no space"), OperationalError("x", {}, Exception("locked")), OSError(errno.EMFILE, "files")],
)
def test_what_the_machine_has_caused_ends_the_round(tmp_path: Path, error: Exception) -> None:
    (tmp_path / "a.csv").write_text("")

    def ingest(_path: Path) -> IngestReport:
        raise error

    with pytest.raises(type(error)):
        take(tmp_path, ingest=ingest)
    assert set_aside(tmp_path) == 0


@pytest.mark.parametrize("place", [".taken", ".done", ".refused"])
def test_a_folder_that_is_a_link_takes_nothing(tmp_path: Path, place: str) -> None:
    """One agency's file would become another's delivery."""
    mine, others = tmp_path / "mine", tmp_path / "others"
    for folder in (mine, others):
        folder.mkdir()
    (mine / place).symlink_to(others)
    (mine / "a.csv").write_text("")
    with pytest.raises(LinkedFolder):
        take(mine)
    assert files(others) == set()
    assert (mine / "a.csv").exists()
    assert set_aside(mine) == 0


def test_a_link_or_a_pipe_is_set_aside_unread(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("")
    (folder / "a.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "b.csv").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "c.csv")
    (folder / "d.csv").write_text("")
    (folder / "e").mkdir()
    read: list[str] = []

    def ingest(path: Path) -> IngestReport:
        read.append(path.name)
        return REPORT

    assert take(folder, ingest=ingest) == [REPORT]
    assert read == ["d.csv"]
    assert set_aside(folder) == 3
    assert (tmp_path / "secret.csv").exists()


def test_a_folders_own_mapping_is_a_file_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    assert own_mapping(folder) is None
    (tmp_path / "other.yaml").write_text("")
    (folder / MAPPING_FILE).symlink_to(tmp_path / "other.yaml")
    with pytest.raises(OSError, match="link"):
        own_mapping(folder)


def test_any_other_error_ends_the_round_and_the_file_stays_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")

    def ingest(path: Path) -> IngestReport:
        raise RuntimeError(path)

    with pytest.raises(RuntimeError):
        take(tmp_path, ingest=ingest)
    assert files(tmp_path) == {".taken/a.csv"}
    assert take(tmp_path) == [REPORT]
