"""What each actor can do at worst is shown by tests that exist; rules have ids of their own, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledger.deployment.deploy import ROLE_NAMES

ROOT = Path(__file__).resolve().parents[4]
PAGES = ("actors.md", "actors.zh-CN.md")
_TEST = re.compile(r"`((?:attacks/)?test_\w+\.py)::(test_\w+)`")


def page(name: str) -> str:
    """Return a page of docs/security."""
    return (ROOT / "docs" / "security" / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row below its head."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def missing(text: str, folder: Path) -> list[str]:
    """Return the tests that a text names and ``folder`` does not have."""
    found = []
    for file, test in _TEST.findall(text):
        path = folder / file
        if not path.is_file() or f"\ndef {test}(" not in path.read_text(encoding="utf-8"):
            found.append(f"{file}::{test}")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_every_test_that_is_named_exists(name: str) -> None:
    assert missing(page(name), ROOT / "tests" / "contracts") == []


def test_a_test_that_is_gone_is_missed(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("\ndef test_here() -> None: ...\n", encoding="utf-8")
    text = "`test_a.py::test_here`, `test_a.py::test_gone`, `attacks/test_b.py::test_here`"
    assert missing(text, tmp_path) == ["test_a.py::test_gone", "attacks/test_b.py::test_here"]


@pytest.mark.parametrize("name", PAGES)
def test_every_row_names_a_test(name: str) -> None:
    heads = {"test", "测试"}
    assert [cells[0] for cells in rows(page(name)) if cells[-1] not in heads and not _TEST.search(cells[-1])] == []


def test_both_languages_name_the_same_tests_in_the_same_rows() -> None:
    english, chinese = ([_TEST.findall(cells[-1]) for cells in rows(page(name))] for name in PAGES)
    assert english == chinese


@pytest.mark.parametrize("name", PAGES)
def test_rules_are_numbered_in_order(name: str) -> None:
    ids = [cells[0] for cells in rows(page(name)) if re.fullmatch(r"R\d+", cells[0])]
    assert ids == [f"R{number}" for number in range(1, len(ids) + 1)]
    assert {int(number) for number in re.findall(r"\bR(\d+)", page(name))} <= set(range(1, len(ids) + 1))


def test_every_role_is_an_actor() -> None:
    words = {"ADMIN": "council", "EXCHANGE": "module", "REDEMPTION": "module"}
    actors = " ".join(cells[0].lower() for cells in rows(page("actors.md")))
    assert {role for role in ROLE_NAMES.values() if words.get(role, role.lower()) not in actors} == set()
