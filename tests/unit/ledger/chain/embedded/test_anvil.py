"""Where the node's binary is looked for: what is named, the project's own, and a native one on the PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.embedded import anvil
from ledger.chain.errors import NodeBinaryMissing


def program(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "anvil"
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No binary anywhere: neither named, nor in node_modules, nor on the PATH."""
    monkeypatch.delenv(anvil.BINARY_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(anvil, "__file__", str(tmp_path / "project" / "ledger" / "chain" / "embedded" / "anvil.py"))
    monkeypatch.chdir(tmp_path)


def test_the_named_binary_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "path", b"\x7fELF")
    named = program(tmp_path / "named", b"\x7fELF")
    monkeypatch.setenv(anvil.BINARY_VARIABLE, str(named))
    assert anvil.find_binary() == named


def test_a_named_binary_that_is_not_there_is_not_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "path", b"\x7fELF")
    monkeypatch.setenv(anvil.BINARY_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(NodeBinaryMissing, match="nothing"):
        anvil.find_binary()


def test_a_native_binary_on_the_path(tmp_path: Path) -> None:
    native = program(tmp_path / "path", b"\x7fELF")
    assert anvil.find_binary() == native


def test_npms_wrapper_on_the_path_is_none(tmp_path: Path) -> None:
    """It is a script, and killing it would orphan the node it started."""
    program(tmp_path / "path", b"#!/usr/bin/env node\n")
    with pytest.raises(NodeBinaryMissing, match="npm ci"):
        anvil.find_binary()
