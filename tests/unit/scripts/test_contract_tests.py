"""Brownie's surroundings: its node, its compiler and its home."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import compile as compiler
from scripts import contract_tests


def test_the_node_follows_the_rules_of_the_contracts_target() -> None:
    (network,) = json.loads(contract_tests.network_config(4321))["development"]
    assert network["id"] == "development"
    assert network["cmd"].startswith("anvil ")  # Brownie chooses its backend by this word
    assert f"--hardfork {compiler.SETTINGS['evmVersion']}" in network["cmd"]
    assert network["cmd_settings"]["port"] == 4321


def test_a_named_anvil_comes_before_the_installed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
    installed.parent.mkdir(parents=True)
    installed.touch()
    monkeypatch.delenv("TONGDUI_ANVIL", raising=False)
    assert contract_tests.find_anvil(tmp_path) == installed
    monkeypatch.setenv("TONGDUI_ANVIL", "/opt/anvil")
    assert contract_tests.find_anvil(tmp_path) == Path("/opt/anvil")


def test_no_anvil_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TONGDUI_ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert contract_tests.find_anvil(tmp_path) is None


def test_a_home_has_the_compiler_where_py_solc_x_looks(tmp_path: Path) -> None:
    contract_tests.prepare_home(tmp_path / "home")
    solc = tmp_path / "home" / ".solcx" / f"solc-v{compiler.SOLC_VERSION}"
    assert solc.is_symlink()
    assert solc.resolve().is_file()
    assert (tmp_path / "home" / ".brownie" / "network-config.yaml").is_file()


def test_what_was_compiled_of_a_file_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    build = contract_tests.prepare_build(tmp_path) / "contracts"
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "Here.sol").touch()

    def compiled(name: str, *sources: str) -> Path:
        path = build / f"{name}.json"
        paths = [f"contracts/{source}.sol" for source in sources]
        document = {"sourcePath": paths[0], "allSourcePaths": {str(place): path for place, path in enumerate(paths)}}
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    kept, gone, stands_on_gone = compiled("kept", "Here"), compiled("gone", "Gone"), compiled("on", "Here", "Gone")
    contract_tests.prepare_build(tmp_path)
    assert kept.exists()
    assert not gone.exists()
    assert not stands_on_gone.exists()
