"""Each rule of the house notices a breach, and the house keeps all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.house import (
    FILE_LINES_MAX,
    FUNCTION_LINES_MAX,
    MODULES_MAX,
    crowded_folders,
    findings,
    long_files,
    long_functions,
    misplaced_tests,
    waits,
)


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_house_keeps_its_rules() -> None:
    assert findings() == []


@pytest.mark.parametrize(
    ("test", "tested"),
    [
        ("ledger/orders/test_quote.py", "ledger/orders/quote.py"),
        ("ledger/test_custody.py", "ledger/custody/__init__.py"),
        ("tongdui/test_main.py", "tongdui/__main__.py"),
        ("scripts/test_lock.py", "scripts/lock.sh"),
        ("docs/test_points_standard.py", "docs/points-standard.md"),
        ("docs/test_adr.py", "docs/adr/README.md"),
    ],
)
def test_a_unit_test_names_what_exists(tmp_path: Path, test: str, tested: str) -> None:
    write(tmp_path / "tests" / "unit" / test)
    [found] = misplaced_tests(tmp_path)
    assert found.startswith(f"tests/unit/{test}: ")
    write(tmp_path / tested)
    assert list(misplaced_tests(tmp_path)) == []


def test_a_folder_may_not_be_crowded(tmp_path: Path) -> None:
    for name in ["__init__", "__main__", *(f"m{number}" for number in range(MODULES_MAX))]:
        write(tmp_path / "issuers" / "rules" / f"{name}.py")
    assert list(crowded_folders(tmp_path)) == []
    write(tmp_path / "issuers" / "rules" / "more.py")
    assert list(crowded_folders(tmp_path)) == ["issuers/rules: 16 modules side by side, at most 15"]


def test_a_file_may_not_be_long(tmp_path: Path) -> None:
    write(tmp_path / "ledger" / "a.py", "\n" * FILE_LINES_MAX)
    assert list(long_files(tmp_path)) == []
    assert list(long_files(tmp_path, {"ledger/a.py": "why"})) == ["ledger/a.py: is short enough to need no exception"]
    write(tmp_path / "ledger" / "a.py", "\n" * (FILE_LINES_MAX + 1))
    assert list(long_files(tmp_path)) == ["ledger/a.py: 601 lines, at most 600"]
    assert list(long_files(tmp_path, {"ledger/a.py": "why"})) == []


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_function_may_not_be_long(tmp_path: Path, kind: str) -> None:
    path, long, allowed = tmp_path / "tongdui" / "a.py", "    x = 1\n", {"tongdui/a.py:f": "why"}
    write(path, f"class A:\n  {kind} f():\n" + long * (FUNCTION_LINES_MAX - 1))
    assert list(long_functions(tmp_path)) == []
    assert list(long_functions(tmp_path, allowed)) == ["tongdui/a.py:f: is short enough to need no exception"]
    write(path, f"class A:\n  {kind} f():\n" + long * FUNCTION_LINES_MAX)
    assert list(long_functions(tmp_path)) == ["tongdui/a.py:2: f has 71 lines, at most 70"]
    assert list(long_functions(tmp_path, allowed)) == []


def test_a_test_waits_with_eventually(tmp_path: Path) -> None:
    write(tmp_path / "tests/e2e/test_a.py", "for _ in range(3):\n    time.sleep(0.1)\n")
    assert list(waits(tmp_path)) == [], "a rhythm is no wait"
    wait = "while not f():\n    assert time.monotonic() < until\n    time.sleep(0.1)\n"
    write(tmp_path / "tests/e2e/test_a.py", wait)
    assert list(waits(tmp_path)) == ["tests/e2e/test_a.py:1: waits in a loop of its own, not with eventually()"]
