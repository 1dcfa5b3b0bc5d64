"""Generated files: what is written, and what ``--check`` shows of a difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.reference import __main__ as reference


def test_a_file_is_written_once_and_again_only_when_its_text_changes(tmp_path: Path) -> None:
    assert reference.write(tmp_path, {"docs/a.md": lambda: "one\n"}) == ["docs/a.md"]
    assert (tmp_path / "docs" / "a.md").read_text() == "one\n"
    assert reference.write(tmp_path, {"docs/a.md": lambda: "one\n"}) == []
    assert reference.write(tmp_path, {"docs/a.md": lambda: "two\n"}) == ["docs/a.md"]


def test_a_difference_is_a_unified_diff(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("same\nbefore\n")
    assert reference.differences(tmp_path, {"a.md": lambda: "same\nafter\n"}) == [
        "--- a.md (committed)",
        "+++ a.md (code)",
        "@@ -1,2 +1,2 @@",
        " same",
        "-before",
        "+after",
    ]


def test_a_long_difference_is_cut(tmp_path: Path) -> None:
    lines = reference.differences(tmp_path, {"a.md": lambda: "line\n" * 1000})
    assert len(lines) == reference.DIFF_LINES_MAX + 1
    assert lines[-1] == "… 803 more lines of a.md"


def test_the_check_names_the_command_that_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "GENERATED", {"a.md": lambda: "text\n"})
    assert reference.main(["--check"]) == 1
    printed = capsys.readouterr()
    assert "+text" in printed.out
    assert "make docs" in printed.err
    assert not (tmp_path / "a.md").exists()
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
