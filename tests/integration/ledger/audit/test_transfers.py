"""Transfers between holders: by themselves, by operators and within allowances; what a contract moves is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.audit import auditor
from ledger.audit.report import AuditReport
from ledger.deployment import artifacts
from ledger.standard.ids import ProgrammeId, to_address, token_id
from tests.integration.ledger.audit.lab import Lab, key

PROGRAMME = ProgrammeId(8)
LOT = token_id(PROGRAMME, 111)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    """The audit of a city whose eligibility points can be handed on, and were."""
    lab = Lab.open(Path(tmp_path_factory.mktemp("transfers")))
    try:
        a, b, c, *_ = lab.residents
        opened = (PROGRAMME, 0, 1, bytes(32), key(f"issuer {PROGRAMME}").address, "可转赠", "GIFT")
        lab.decide("PointsLedger", "registerProgramme", opened)
        lab.mint(PROGRAMME, 1, [(a.address, 1_000), (b.address, 1_000)], quarter=111)
        lab.mine()
        lab.call("PointsLedger", "transfer", (b.address, LOT, 100), sender=a)
        lab.call("PointsLedger", "approve", (c.address, LOT, 60), sender=a)
        lab.call("PointsLedger", "approve", (b.address, LOT, 2**256 - 1), sender=a)
        lab.call("PointsLedger", "setOperator", (c.address, True), sender=b)
        lab.mine()
        lab.call("PointsLedger", "transferFrom", (a.address, c.address, LOT, 40), sender=c)
        lab.call("PointsLedger", "transferFrom", (a.address, c.address, LOT, 300), sender=b)
        lab.call("PointsLedger", "transferFrom", (b.address, a.address, LOT, 7), sender=c)
        lab.send(None, lab.contracts.creation_data("WalletMock", (a.address,)))
        receipt = lab.mine()[-1]
        wallet = to_address(receipt["contractAddress"])
        lab.call("PointsLedger", "approve", (wallet, LOT, 50), sender=a)
        lab.mine()
        moved = lab.data("PointsLedger", "transferFrom", (a.address, wallet, LOT, 20))
        lab.send(wallet, artifacts.call_data("WalletMock", "call", (lab.deployment.address("PointsLedger"), moved)))
        lab.mine()
        return auditor.Audit(lab.engine.rpc, lab.deployment, auditor.silent).run(None, None)
    finally:
        lab.close()


def test_allowances_and_operators_are_what_storage_holds(report: AuditReport) -> None:
    assert report.contradiction is None
    assert any("no contract holds anything else" in check for check in report.checks)
    assert report.programmes["8"].outstanding == 2_000


def test_what_a_contract_moved_within_its_allowance_is_said(report: AuditReport) -> None:
    assert report.verdict == "INCOMPLETE"
    assert any("consent of 1 accounts that no key signed for" in skipped for skipped in report.skipped)
