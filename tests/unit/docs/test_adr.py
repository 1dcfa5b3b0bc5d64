"""Each decision record has the next number, its title, and its line in the index and in ARCHITECTURE.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "adr"
PARTS = ("Context", "Decision", "Consequences")
_LINE = re.compile(r"^\| \[(?P<title>[^\]]+)\]\((?P<file>[^)]+)\) \| (?P<summary>[^|]+) \|$", re.MULTILINE)


def problems_of(folder: Path, architecture: str) -> list[str]:
    """Return what is wrong with the records in ``folder``, their index and the links of the architecture page."""
    found = []
    index = (folder / "README.md").read_text(encoding="utf-8")
    listed = {match["file"]: match["title"] for match in _LINE.finditer(index)}
    pages = sorted(folder.glob("[0-9]*.md"))
    for number, page in enumerate(pages, 1):
        text = page.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ")
        if not page.name.startswith(f"{number:04}-") or not title.startswith(f"{number}. "):
            found.append(f"{page.name}: the number should be {number}")
        if listed.get(page.name) != title:
            found.append(f"{page.name}: the index says {listed.get(page.name)!r}, the page {title!r}")
        if f"docs/adr/{page.name}" not in architecture:
            found.append(f"{page.name}: ARCHITECTURE.md does not link to it")
    found += [f"{name}: listed, but not there" for name in listed if not (folder / name).is_file()]
    return found


def test_every_decision_is_listed_under_its_title() -> None:
    assert problems_of(FOLDER, (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")) == []


def test_every_decision_says_what_was_decided() -> None:
    for page in FOLDER.glob("[0-9]*.md"):
        assert "**Decision" in page.read_text(encoding="utf-8"), page.name


def test_the_template_has_the_parts_of_a_decision() -> None:
    text = (FOLDER / "template.md").read_text(encoding="utf-8")
    assert all(f"**{part}.**" in text for part in PARTS)


@pytest.mark.parametrize(
    ("file", "title", "index_title", "link", "problem"),
    [
        ("0001-a.md", "1. A", "1. B", "0001-a.md", "the index says '1. B', the page '1. A'"),
        ("0002-a.md", "2. A", "2. A", "0002-a.md", "the number should be 1"),
        ("0001-a.md", "2. A", "2. A", "0001-a.md", "the number should be 1"),
        ("0001-a.md", "1. A", "1. A", "0001-b.md", "ARCHITECTURE.md does not link to it"),
    ],
)
def test_a_record_that_is_out_of_step_is_noticed(
    tmp_path: Path, file: str, title: str, index_title: str, link: str, problem: str
) -> None:
    (tmp_path / file).write_text(f"# {title}\n", encoding="utf-8")
    (tmp_path / "README.md").write_text(f"| [{index_title}]({file}) | Why. |\n", encoding="utf-8")
    assert problems_of(tmp_path, f"(docs/adr/{link})") == [f"{file}: {problem}"]


def test_an_index_line_without_its_page_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("| [1. A](0001-a.md) | Why. |\n", encoding="utf-8")
    assert problems_of(tmp_path, "") == ["0001-a.md: listed, but not there"]
