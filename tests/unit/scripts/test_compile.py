"""The compile tool's decisions: what is a unit, what an artifact holds, and when the committed ones have drifted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import compile as tool

ROOT = Path(__file__).resolve().parents[3]


def project(folder: Path, **files: str) -> Path:
    """Write Solidity files (``Ledger__Book`` is contracts/Ledger/Book.sol) and stand-ins for OpenZeppelin's."""
    for name, text in files.items():
        path = folder / "contracts" / (name.replace("__", "/") + ".sol")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in tool.LIBRARY_CONTRACTS:
        path = folder / "node_modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("contract Manager {}")
    return folder


def test_relative_imports_are_resolved_against_the_importing_file() -> None:
    text = 'import {A} from "../libraries/A.sol";\nimport "./B.sol";\nimport * as C from "@openzeppelin/C.sol";\n'
    assert tool.imports_of("contracts/ledger/Book.sol", text) == [
        "contracts/libraries/A.sol",
        "contracts/ledger/B.sol",
        "@openzeppelin/C.sol",
    ]


def test_an_import_may_span_lines() -> None:
    assert tool.imports_of("contracts/A.sol", 'import {\n  X,\n  Y\n} from "./B.sol";') == ["contracts/B.sol"]


def test_imports_in_comments_do_not_count() -> None:
    assert tool.imports_of("contracts/A.sol", '// import "./B.sol";\n/*\nimport "./C.sol";\n*/') == []


def test_the_closure_follows_imports_of_imports(tmp_path: Path) -> None:
    root = project(tmp_path, A='import "./B.sol";', B='import "./C.sol";', C="", D="")
    assert sorted(tool.closure(root, "contracts/A.sol")) == [f"contracts/{name}.sol" for name in "ABC"]


def test_an_import_that_leads_nowhere_is_named_with_its_importer(tmp_path: Path) -> None:
    root = project(tmp_path, A='import "./Missing.sol";')
    with pytest.raises(tool.CompileError, match=r"contracts/A.sol imports .contracts/Missing.sol."):
        tool.closure(root, "contracts/A.sol")


def test_abstract_contracts_interfaces_and_libraries_have_no_artifact_of_their_own(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        Book='import "./Base.sol";\ncontract Book is Base {}',
        Base="abstract contract Base {}",
        Lonely="interface Lonely {}",
    )
    units = {unit.name: unit.contracts for unit in tool.find_units(root)}
    assert units == {
        "contracts/Book.sol": ("Book",),
        "contracts/Lonely.sol": (),  # imported by nobody, so it is checked by itself
        tool.LIBRARY_CONTRACTS[0]: ("Manager",),
    }


def test_a_contract_in_a_comment_is_not_a_contract(tmp_path: Path) -> None:
    root = project(tmp_path, Note="/*\ncontract Old {}\n*/\ninterface New {}")
    assert [unit.contracts for unit in tool.find_units(root)] == [(), ("Manager",)]


def test_the_source_hash_changes_with_any_imported_source() -> None:
    one = tool.Unit("a", ("A",), {"a": "x", "b": "y"})
    other = tool.Unit("a", ("A",), {"a": "x", "b": "z"})
    assert one.source_hash() != other.source_hash()
    assert one.source_hash() == tool.Unit("a", ("A",), {"b": "y", "a": "x"}).source_hash()


def test_only_the_unit_itself_is_asked_for() -> None:
    request = tool.Unit("a", ("A",), {"a": "", "b": ""}).standard_input()
    assert list(request["settings"]["outputSelection"]) == ["a"]
    assert request["settings"]["evmVersion"] == "london"


def compiled(**changes: Any) -> dict[str, Any]:
    """Return the compiler's output for contract A in file a."""
    contract: dict[str, Any] = {
        "abi": [],
        "evm": {
            "bytecode": {"object": "6001", "linkReferences": {}},
            "deployedBytecode": {
                "object": "6002",
                "immutableReferences": {"9": [{"start": 70, "length": 32}], "12": [{"start": 4, "length": 32}]},
            },
            "methodIdentifiers": {"f()": "26121ff0"},
        },
        "storageLayout": {
            "storage": [
                {"astId": 5, "label": "x", "slot": "0", "offset": 0, "type": "t_struct(Programme)1234_storage"},
                {"astId": 6, "label": "gap", "slot": "1", "offset": 0, "type": "t_array(t_uint256)50_storage"},
            ]
        },
    }
    contract["evm"] |= changes
    return {"contracts": {"a": {"A": contract}}}


def test_an_artifact_holds_nothing_that_changes_with_unrelated_edits() -> None:
    kept = tool.artifact(tool.Unit("a", ("A",), {"a": ""}), "A", compiled())
    assert kept["immutableReferences"] == [{"start": 4, "length": 32}, {"start": 70, "length": 32}]
    assert [slot["type"] for slot in kept["storageLayout"]] == [
        "t_struct(Programme)_storage",
        "t_array(t_uint256)50_storage",  # an array's length is no identifier
    ]
    assert (kept["bytecode"], kept["deployedBytecode"]) == ("0x6001", "0x6002")


def test_a_contract_that_needs_linking_is_refused() -> None:
    linked = compiled(bytecode={"object": "", "linkReferences": {"b": {"B": []}}})
    with pytest.raises(tool.CompileError, match="public library function"):
        tool.artifact(tool.Unit("a", ("A",), {"a": ""}), "A", linked)


def test_warnings_about_openzeppelin_are_left_to_openzeppelin() -> None:
    ours = {"severity": "warning", "formattedMessage": "ours", "sourceLocation": {"file": "contracts/A.sol"}}
    theirs = {"severity": "warning", "formattedMessage": "theirs", "sourceLocation": {"file": "@openzeppelin/B.sol"}}
    assert tool.warnings_of({"errors": [ours, theirs]}) == ["ours"]


def test_two_contracts_may_not_share_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "compile_unit", lambda *_, **__: compiled())
    unit = tool.Unit("a", ("A",), {"a": ""})
    with pytest.raises(tool.CompileError, match="another contract named A"):
        tool.build([unit, unit], tmp_path, None)


@pytest.mark.parametrize(
    ("committed", "line"),
    [
        ({}, "A: no artifact is committed"),
        ({"A": "{ }"}, "A: the committed artifact is not what its source compiles to"),
        ({"A": "{}", "Old": "{}"}, "Old: an artifact without a source"),
    ],
)
def test_drift_is_named(tmp_path: Path, committed: dict[str, str], line: str) -> None:
    for name, text in committed.items():
        (tmp_path / f"{name}.json").write_text(text)
    assert tool.drift(tmp_path, {"A": "{}"}, whole=True) == [line]


def test_equal_artifacts_have_not_drifted(tmp_path: Path) -> None:
    tool.write(tmp_path, {"A": "{}"}, whole=True)
    assert tool.drift(tmp_path, {"A": "{}"}, whole=True) == []


def test_writing_all_removes_what_has_no_source_and_writing_some_does_not(tmp_path: Path) -> None:
    (tmp_path / "Old.json").write_text("{}")
    assert tool.write(tmp_path, {"A": "{}"}, whole=False) == ["A"]
    assert (tmp_path / "Old.json").is_file()
    assert tool.write(tmp_path, {"A": "{}"}, whole=True) == ["Old"]
    assert not (tmp_path / "Old.json").exists()


def test_brownie_compiles_with_the_same_settings() -> None:
    compiler = yaml.safe_load((ROOT / "brownie-config.yaml").read_text(encoding="utf-8"))["compiler"]
    assert compiler["evm_version"] == tool.SETTINGS["evmVersion"]
    assert compiler["solc"]["version"] == tool.SOLC_VERSION
    assert compiler["solc"]["viaIR"] == tool.SETTINGS["viaIR"]
    assert compiler["solc"]["optimizer"] == tool.SETTINGS["optimizer"]


def test_npm_brings_the_same_compiler() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    assert package["dependencies"]["solc"] == tool.SOLC_VERSION
