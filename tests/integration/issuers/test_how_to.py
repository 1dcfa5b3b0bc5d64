"""The guide "Add a source system" works as it is written: its files, its command, its output, its test."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tests.e2e.runs import tongdui

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "how-to" / "add-a-source-system.md").read_text(encoding="utf-8")
EXAMPLE = Path("tests/integration/issuers/library")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with every file of the guide at its place."""
    files = re.findall(r"^`(tests/[^`]+)`:\n\n```\w+\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    for name, text in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert len(files) == 4, "a sample, a mapping, a rulebook and a test"
    return tmp_path


def cells(line: str) -> list[str]:
    """Return the words of a line, so that the width of a column does not count."""
    return line.split()


def test_the_check_shows_what_the_guide_shows(written: Path) -> None:
    folder = written / EXAMPLE
    (command,) = re.findall(r"^tongdui (issuers check .*)$", GUIDE, re.MULTILINE)
    names = [str(folder / word) if (folder / word).is_file() else word for word in command.split()]
    shown = tongdui(*names, "--state-dir", str(written / "state"), COLUMNS="120")
    assert shown.code == 1, "some records are refused"
    printed = [cells(line) for line in shown.out.splitlines()]
    blocks = re.findall(r"^```text\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    promised = [line for block in blocks for line in block.splitlines()]
    assert len(promised) == 6
    for line in promised:
        assert cells(line) in printed, f"{line}\n\n{shown.out}"


def test_the_test_of_the_guide_passes(written: Path, tmp_path: Path) -> None:
    path = written / "tests" / "integration" / "issuers" / "test_library.py"
    spec = importlib.util.spec_from_file_location("test_library", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.test_visits_become_grants(tmp_path)


def test_the_line_for_editors_leads_to_the_schema() -> None:
    lines = re.findall(r"\$schema=(\.\./\S+)", GUIDE)
    assert len(lines) == 2
    for line in lines:
        assert (ROOT / EXAMPLE / line).resolve().is_file()
