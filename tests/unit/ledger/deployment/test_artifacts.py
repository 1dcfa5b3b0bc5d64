"""Contracts' interfaces: calls and events by name, structs and overloads, reverts in words, and clear errors."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from ledger.chain.errors import ArtifactMissing, UnknownAbiEntry
from ledger.deployment import artifacts
from ledger.errors import ConfigurationError
from ledger.standard.keccak import keccak256

UINT = {"type": "uint256", "name": "amount"}
PAIR = {
    "type": "tuple[]",
    "name": "pairs",
    "components": [{"type": "address", "name": "who"}, {"type": "uint64", "name": "much"}],
}
ABI = [
    {"type": "constructor", "inputs": [UINT]},
    {"type": "function", "name": "pay", "inputs": [PAIR], "outputs": [UINT]},
    {"type": "function", "name": "both", "inputs": [], "outputs": [UINT, {"type": "bytes32", "name": ""}]},
    {"type": "function", "name": "set", "inputs": [UINT], "outputs": []},
    {"type": "function", "name": "set", "inputs": [UINT, UINT], "outputs": []},
    {"type": "event", "name": "Paid", "inputs": [UINT]},
    {"type": "error", "name": "PurseEmpty", "inputs": [UINT, {"type": "bytes32", "name": "who"}]},
]
WHO = "0x" + "11" * 20


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    document = {
        "abi": ABI,
        "bytecode": "0x6001",
        "deployedBytecode": "0x60000000",
        "immutableReferences": [{"start": 1, "length": 2}],
    }
    (tmp_path / "Purse.json").write_bytes(orjson.dumps(document))
    monkeypatch.setenv(artifacts.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_a_struct_is_the_tuple_of_its_members() -> None:
    data = artifacts.call_data("Purse", "pay", [[(WHO, 5)]])
    assert data[:4] == keccak256(b"pay((address,uint64)[])")[:4]
    assert data[-64:] == bytes(12) + b"\x11" * 20 + (5).to_bytes(32, "big")


def test_one_result_comes_alone_several_as_a_tuple() -> None:
    assert artifacts.decode_result("Purse", "pay", (7).to_bytes(32, "big")) == 7
    assert artifacts.decode_result("Purse", "both", (7).to_bytes(32, "big") + b"\xaa" * 32) == (7, b"\xaa" * 32)
    with pytest.raises(artifacts.BadCallArguments):
        artifacts.decode_result("Purse", "pay", b"")


def test_an_overloaded_function_needs_its_signature() -> None:
    with pytest.raises(UnknownAbiEntry, match=r"set\(uint256\), set\(uint256,uint256\)"):
        artifacts.call_data("Purse", "set", [1])
    assert artifacts.call_data("Purse", "set(uint256)", [1])[:4] == keccak256(b"set(uint256)")[:4]


def test_events_and_immutables() -> None:
    assert artifacts.event_topic("Purse", "Paid") == keccak256(b"Paid(uint256)")
    purse = artifacts.load("Purse")
    assert purse.without_immutables(b"\x60\xaa\xbb\x00") == purse.deployed_bytecode


@pytest.mark.parametrize("args", [[], [1, 2, 3], ["x"], [-1]])
def test_arguments_that_do_not_fit_are_refused(args: list[object]) -> None:
    with pytest.raises(artifacts.BadCallArguments, match="set"):
        artifacts.call_data("Purse", "set(uint256)", args)


def test_reverts_in_words() -> None:
    purse_empty = keccak256(b"PurseEmpty(uint256,bytes32)")[:4] + (3).to_bytes(32, "big") + b"\xab" * 32
    assert artifacts.explain_revert(purse_empty) == f"PurseEmpty(amount=3, who=0x{'ab' * 32})"
    panic = bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big")
    assert artifacts.explain_revert(panic) == "Panic(17)"
    assert artifacts.explain_revert(b"") == artifacts.explain_revert(None)
    assert "0xdeadbeef" in artifacts.explain_revert(bytes.fromhex("deadbeef"))


def test_missing_and_broken_files_are_named(folder: Path) -> None:
    with pytest.raises(ArtifactMissing, match="Nothing"):
        artifacts.load("Nothing")
    (folder / "Bad.json").write_text("{")
    (folder / "Odd.json").write_text("{}")
    for name in ("Bad", "Odd"):
        with pytest.raises(ConfigurationError, match=name):
            artifacts.load(name)
    with pytest.raises(UnknownAbiEntry):
        artifacts.event_topic("Purse", "Lost")
