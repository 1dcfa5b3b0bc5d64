"""deptry with our settings notices what the product imports undeclared, or declares and does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def problems(folder: Path, pyproject: str, source: str) -> str:
    """Return what deptry says of a product of one module."""
    (folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    (folder / "ledger").mkdir()
    (folder / "ledger" / "__init__.py").write_text(source, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "deptry"), "--no-ansi", "ledger"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import trie", "DEP004 'trie' imported but declared as a dev dependency"),
        ("import solcx", "DEP004 'solcx' imported but declared as a dev dependency"),
        ("import h11", "DEP003 'h11' imported but it is a transitive dependency"),
        ("import nowhere_to_be_found", "DEP001 'nowhere_to_be_found' imported but missing"),
        ("import orjson", "DEP002 'fastapi' defined as a dependency but not used"),
    ],
)
def test_a_breach_is_noticed(tmp_path: Path, source: str, problem: str) -> None:
    found = problems(tmp_path, (ROOT / "pyproject.toml").read_text(encoding="utf-8"), source)
    assert problem in found
