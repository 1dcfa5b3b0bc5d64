"""Everything that is installed is pinned by version and hash, and no file says where it is downloaded from."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-node.txt", "requirements-brownie.txt")


def entries(name: str) -> dict[str, str]:
    """Return the requirement of each package in a requirements file, its continuation lines joined."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {re.split(r"[=\[ ]", line, maxsplit=1)[0]: line for line in lines}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_has_one_version_and_a_hash(name: str) -> None:
    pins = entries(name)
    assert pins
    for line in pins.values():
        assert re.match(r"[a-z0-9][a-z0-9._-]*==[^ ;]+ ", line), line
        assert " --hash=sha256:" in line, line


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_name_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^--", text, re.MULTILINE)


def test_what_the_project_declares_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[><=]", requirement, maxsplit=1)[0] for requirement in requirements}

    assert names(project["dependencies"]) <= set(entries("requirements.txt"))
    assert names(project["optional-dependencies"]["dev"]) <= set(entries("requirements-dev.txt"))


def test_tests_run_with_the_versions_that_are_shipped() -> None:
    runtime, development = entries("requirements.txt"), entries("requirements-dev.txt")
    assert {name: development.get(name) for name in runtime} == runtime


def test_npm_packages_are_pinned_by_hash_and_not_by_address() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, package in packages.items():
        if name:
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, name


def test_declared_npm_versions_are_exact() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    for version in (package["dependencies"] | package["optionalDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
