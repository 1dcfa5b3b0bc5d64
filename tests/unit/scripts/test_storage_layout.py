"""The committed storage layout is the compiler's, struct members included, and says where proofs look."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts import compile as contracts
from scripts import storage_layout


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(storage_layout.COMMITTED.read_text(encoding="utf-8"))
    return found


def test_the_sources_have_the_committed_layout(committed: dict[str, Any]) -> None:
    """Whoever moves a variable or a member of a struct sees it here, before a proof is read from another place."""
    assert storage_layout.layouts() == committed


def test_every_deployed_contract_is_there(committed: dict[str, Any]) -> None:
    """All that has an artifact and is no test's mock."""
    folder = storage_layout.ROOT / "contracts"
    mocks = {path.stem for path in (folder / "mocks").glob("*.sol")}
    assert set(committed) == {path.stem for path in (folder / "artifacts").glob("*.json")} - mocks


def test_no_two_variables_share_a_byte(committed: dict[str, Any]) -> None:
    """Neither a contract's nor a struct's; offsets are in bytes from the low end of the word."""
    for contract, found in committed.items():
        for places in (found["variables"], *found["structs"].values()):
            begins = [32 * entry["slot"] + entry["offset"] for entry in places]
            ends = [begin + entry["bytes"] for begin, entry in zip(begins, places, strict=True)]
            assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False)), contract


@pytest.mark.parametrize(
    ("contract", "name", "slot"),
    [
        ("PointsLedger", "batchWord", 9),
        ("PointsLedger", "_lanes", 3),
        ("PointsLedger", "_lots", 4),
        ("PointsLedger", "holdCommitment", 12),
        ("ClearingBook", "receiptsRoot", 15),
        ("ClearingBook", "_positions", 1),
    ],
)
def test_proofs_look_here(committed: dict[str, Any], contract: str, name: str, slot: int) -> None:
    """The slots that the points standard names for proofs of grants, receipts and balances."""
    (entry,) = [entry for entry in committed[contract]["variables"] if entry["name"] == name]
    assert (entry["slot"], entry["offset"]) == (slot, 0)


def test_a_missing_contract_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_layout, "DEPLOYED", ("Nowhere",))
    with pytest.raises(contracts.CompileError, match="Nowhere"):
        storage_layout.layouts()


def test_check_compares_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "layout.json"
    other.write_text("{}\n")
    monkeypatch.setattr(storage_layout, "COMMITTED", other)
    monkeypatch.setattr(storage_layout, "layouts", lambda: {"Book": {}})
    assert storage_layout.main(["--check"]) == 1
    assert "another layout" in capsys.readouterr().err
    assert other.read_text() == "{}\n"
    assert storage_layout.main([]) == 0
    assert storage_layout.main(["--check"]) == 0
