"""The compile tool with a real compiler: what it writes, what it notices, what it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scripts import compile as tool

SOURCE = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

contract Purse {
    uint256 private immutable LIMIT = 100;
    mapping(address => uint256) public points;

    function grant(address holder, uint256 minor) external {
        points[holder] = Math.min(points[holder] + minor, LIMIT);
    }
}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with one contract; OpenZeppelin comes from this repository."""
    monkeypatch.setattr(tool, "LIBRARY_CONTRACTS", ())
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "Purse.sol").write_text(SOURCE)
    return tmp_path


def run(root: Path, *options: str) -> int:
    return tool.main(["--root", str(root), *options])


def test_compiling_twice_writes_the_same_bytes(root: Path) -> None:
    assert run(root) == 0
    path = root / "contracts" / "artifacts" / "Purse.json"
    first = path.read_bytes()
    path.unlink()
    assert run(root, "--no-cache") == 0
    assert path.read_bytes() == first
    artifact = json.loads(first)
    assert set(artifact["methodIdentifiers"]) == {"grant(address,uint256)", "points(address)"}
    assert artifact["deployedBytecode"].startswith("0x60")
    assert [slot["label"] for slot in artifact["storageLayout"]] == ["points"]


def test_check_passes_on_fresh_artifacts_and_fails_on_an_edited_one(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root) == 0
    assert run(root, "--check") == 0
    path = root / "contracts" / "artifacts" / "Purse.json"
    path.write_text(path.read_text().replace('"bytecode": "0x60', '"bytecode": "0x61'))
    assert run(root, "--check") == 1
    assert "Purse: the committed artifact is not what its source compiles to" in capsys.readouterr().err


def test_check_fails_when_the_source_changed_and_the_artifact_did_not(root: Path) -> None:
    assert run(root) == 0
    (root / "contracts" / "Purse.sol").write_text(SOURCE.replace("= 100", "= 101"))
    assert run(root, "--check") == 1


def test_check_fails_on_a_warning(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warned = SOURCE.replace("function grant", "function idle() external { uint256 unused; }\n    function grant")
    (root / "contracts" / "Purse.sol").write_text(warned)
    assert run(root) == 0
    assert run(root, "--check") == 1
    assert "Unused local variable" in capsys.readouterr().err


def test_an_error_is_shown_with_its_place_and_nothing_is_written(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "contracts" / "Purse.sol").write_text(SOURCE.replace("Math.min", "Math.least"))
    assert run(root) == 1
    assert "contracts/Purse.sol:11" in capsys.readouterr().err
    assert not (root / "contracts" / "artifacts").exists()


def test_a_contract_that_does_not_exist_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "Purze") == 1
    assert "no contract named Purze" in capsys.readouterr().err


def shim(*arguments: str, stdin: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    tool.find_solc()  # puts the environment's Node on the PATH where the system has none
    return subprocess.run([tool.SHIM, *arguments], input=stdin, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_stand_in_speaks_as_the_native_compiler_does(tmp_path: Path) -> None:
    answer = shim("--version", cwd=tmp_path)
    assert answer.returncode == 0
    assert f"Version: {tool.SOLC_VERSION}+commit." in answer.stdout


def test_the_stand_in_reads_imports_from_the_working_directory_and_from_nowhere_above(tmp_path: Path) -> None:
    (tmp_path / "secret.sol").write_text("contract Secret {}")
    inside = tmp_path / "project"
    inside.mkdir()
    (inside / "near.sol").write_text("contract Near {}")
    request = {
        "language": "Solidity",
        "sources": {"a.sol": {"content": 'import "near.sol"; import "/../secret.sol"; import "../secret.sol";'}},
        "settings": {"outputSelection": {}},
    }
    answer = shim("--standard-json", stdin=json.dumps(request), cwd=inside)
    messages = [error["message"] for error in json.loads(answer.stdout)["errors"] if error["severity"] == "error"]
    assert len(messages) == 2
    assert all("secret.sol" in message and "not found" in message for message in messages)


def test_the_stand_in_refuses_options_that_it_does_not_know(tmp_path: Path) -> None:
    answer = shim("--optimize", cwd=tmp_path)
    assert answer.returncode == 1
    assert "--optimize" in answer.stderr
