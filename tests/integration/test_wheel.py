"""What a wheel of the project holds: the product with its data files, and no developer's tool."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("ledger", "ledger_api", "issuers", "redemption", "tongdui")
TOOLS = ("deptry", "hypothesis", "import-linter", "mypy", "py-solc-x", "pytest", "ruff", "trie")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy: building leaves files in the folder of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in (*PRODUCT, "scripts"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def files_of(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (place,) = [entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}")]
    return wheel.read(place).decode()


def name_of(requirement: str) -> str:
    return re.split(r"[\[><=!~; ]", requirement, maxsplit=1)[0]


def test_the_wheel_holds_the_product_with_its_data_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for name in PRODUCT
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files_of(wheel) == wanted
    assert {name.split("/")[0] for name in wanted} == set(PRODUCT)
    assert any(name.endswith(".html") for name in wanted)
    assert any(name.endswith(".yaml") for name in wanted)


def test_the_wheel_starts_the_product_and_asks_for_no_tool(wheel: zipfile.ZipFile) -> None:
    assert "tongdui = tongdui.cli.main:main" in metadata(wheel, "entry_points.txt")
    asked = Parser().parsestr(metadata(wheel, "METADATA")).get_all("Requires-Dist", [])
    needed = {name_of(requirement) for requirement in asked if "extra ==" not in requirement}
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert needed == {name_of(requirement) for requirement in declared}
    assert needed.isdisjoint(TOOLS)
