"""Every contract that is deployed fits EIP-170 as it is committed, so it runs on any engine without a raised limit."""

from __future__ import annotations

import json

import pytest
from city import ROOT

DEPLOYED = (
    "AccessManager",
    "ClearingBook",
    "Council",
    "Exchange",
    "PointsLedger",
    "Redemption",
    "Succession",
)


@pytest.mark.parametrize("name", DEPLOYED)
def test_code_is_under_24_576_bytes(name: str) -> None:
    artifact = json.loads((ROOT / "contracts" / "artifacts" / f"{name}.json").read_text(encoding="utf-8"))
    size = len(artifact["deployedBytecode"]) // 2 - 1
    assert 0 < size < 24_576


def test_no_contract_is_left_out() -> None:
    """A new contract outside mocks/ must be measured too."""
    helpers = {path.stem for path in (ROOT / "contracts" / "mocks").glob("*.sol")}
    built = {path.stem for path in (ROOT / "contracts" / "artifacts").glob("*.json")}
    assert built - helpers == set(DEPLOYED)
