"""The contracts' form with the real formatter: a contract in another form is noticed, and put into it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger.errors import ConfigurationError
from scripts import solidity_form

FORMED = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

contract Counter {
    uint256 public count;

    function add(uint256 more) external {
        count += more;
    }
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "contracts").mkdir()
    shutil.copy(solidity_form.ROOT / "foundry.toml", tmp_path)
    return tmp_path


def test_a_contract_in_another_form_is_noticed_and_formed(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    contract = project / "contracts" / "Counter.sol"
    contract.write_text(FORMED.replace("add(uint256 more) external {", "add(uint256 more)external{"))
    assert not solidity_form.form(project, check=True)
    assert "Counter.sol" in capfd.readouterr().out
    assert solidity_form.form(project, check=False)
    assert contract.read_text() == FORMED
    assert solidity_form.form(project, check=True)


def test_another_version_of_forge_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forge = tmp_path / "forge"
    forge.write_text("#!/bin/sh\necho forge Version: 1.0.0\n")
    forge.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no forge"):
        solidity_form.find_forge(tmp_path)
