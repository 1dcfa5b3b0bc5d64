"""Recorded receipts of every kind and seal, and changes of them that must be refused: no chain is needed to tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.deployment.file import Deployment
from ledger.proofs.receipt import verify_receipt
from tests.unit.ledger.proofs.changes import changed

FOLDER = Path(__file__).resolve().parents[3] / "vectors" / "verify"
RECORDED = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", RECORDED["vectors"], ids=lambda vector: vector["name"])
def test_a_recorded_receipt_is_judged_as_it_was(vector: dict[str, Any]) -> None:
    deployment = Deployment.read(FOLDER / "deployment.json") if vector["has_deployment"] else None
    receipt = changed(RECORDED["receipts"][vector["receipt"]], vector["change"])
    found = verify_receipt(receipt, vector["validators"], deployment)
    assert found.ok == vector["ok"], found.reason
    assert (None if found.seal is None else str(found.seal)) == vector["seal"]
    assert (None if found.reason is None else found.reason.partition(":")[0]) == vector["refused_at"]


def test_the_recorded_receipts_say_yes_and_no() -> None:
    assert {vector["ok"] for vector in RECORDED["vectors"]} == {True, False}
    assert len(RECORDED["vectors"]) > 70
