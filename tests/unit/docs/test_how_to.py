"""The pages for contributors name only files, links and make targets that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
GUIDES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "how-to").glob("*.md"))
PAGES = ["CONTRIBUTING.md", "SECURITY.md", *GUIDES]
_PLACE = re.compile(r"`((?:contracts|docs|issuers|ledger|ledger_api|redemption|scripts|tests|tongdui)/[\w./-]*)`")
_EXAMPLES = re.compile(r"(^|/)(library|test_library\.py|library-csv\.yaml|culture-2\.yaml)(/|$)")
"""What the guide lets its reader make."""


def stale(page: Path, root: Path) -> list[str]:
    """Return the files, links and make targets that a page names and that are not there."""
    text = page.read_text(encoding="utf-8")
    places = [place for place in _PLACE.findall(text) if not _EXAMPLES.search(place)]
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    return [
        *(place for place in places if not (root / place).exists()),
        *(link for link in links if not (page.parent / link).exists()),
        *(f"make {name}" for name in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE) if name not in targets),
    ]


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_names_is_there(name: str) -> None:
    assert stale(ROOT / name, ROOT) == []


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("lint:\n\ttrue\n")
    page = tmp_path / "page.md"
    page.write_text("`ledger/nowhere.py`, [a page](gone.md), `make lint`, `make tea`\n", encoding="utf-8")
    assert stale(page, tmp_path) == ["ledger/nowhere.py", "gone.md", "make tea"]


def test_the_index_lists_every_guide() -> None:
    index = (ROOT / "docs" / "how-to" / "README.md").read_text(encoding="utf-8")
    listed = {f"docs/how-to/{name}" for name in re.findall(r"^\| \[[^\]]+\]\(([^)]+)\)", index, re.MULTILINE)}
    assert listed == set(GUIDES) - {"docs/how-to/README.md"}
