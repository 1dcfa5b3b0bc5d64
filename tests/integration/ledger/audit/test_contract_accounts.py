"""Contracts that hold and relay: what they hide from calldata makes an audit incomplete, and never a false alarm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.audit import AuditReport, auditor
from ledger.chain.rpc import RpcError
from ledger.deployment import artifacts
from ledger.deployment.contracts import read
from ledger.standard import packed
from ledger.standard.ids import ProgrammeId, to_address, token_id
from ledger.standard.typed_data import Lot, RedeemOrder
from tests.integration.ledger.audit.lab import Lab, key
from tests.integration.ledger.audit.life import VOLUNTEER

LOT = token_id(VOLUNTEER, 111)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[Lab]:
    """A new city, in which nothing has happened."""
    lab = Lab.open(tmp_path)
    try:
        yield lab
    finally:
        lab.close()


def report_of(lab: Lab) -> AuditReport:
    """The audit without leaves, whose lack it says last."""
    report = auditor.Audit(lab.engine.rpc, lab.deployment, auditor.silent).run(None, None)
    assert report.contradiction is None
    assert report.verdict == "INCOMPLETE"
    assert any("no leaf files were given" in skipped for skipped in report.skipped)
    return report


def wallet_of(lab: Lab, owner: str) -> str:
    """A contract wallet of an owner."""
    lab.send(None, lab.contracts.creation_data("WalletMock", (owner,)))
    [receipt] = lab.mine()
    return to_address(receipt["contractAddress"])


def through(lab: Lab, wallet: str, target: str, data: bytes) -> None:
    """A call that the wallet makes."""
    lab.send(wallet, artifacts.call_data("WalletMock", "call", (target, data)))
    lab.mine()


def test_a_wallet_s_order_is_reported_as_what_no_key_signed(city: Lab) -> None:
    wallet = wallet_of(city, city.residents[0].address)
    city.mint(VOLUNTEER, 1, [(wallet, 5_000)], quarter=111)
    city.mine()
    order = RedeemOrder(to_address(wallet), 1, (Lot(LOT, 700),), 0, city.clock.timestamp() + 3_600)
    signature = city.residents[0].sign_digest(order.digest(city.deployment.domain()))
    city.call("Redemption", "execute", (packed.pack_redeem_order(order, signature),))
    [receipt] = city.mine()
    assert len(receipt["logs"]) > 1
    report = report_of(city)
    assert any(wallet in skipped and "no key signed for" in skipped for skipped in report.skipped)


def test_what_anybody_may_do_a_contract_may_do_unsuspected(city: Lab) -> None:
    """Sweeping through a contract needs nobody's power, so nothing about it is unseen."""
    holder, ledger = city.residents[0].address, city.deployment.address("PointsLedger")
    city.mint(VOLUNTEER, 1, [(holder, 5_000)], quarter=105)
    city.mine()
    city.advance(days=60)
    wallet = wallet_of(city, holder)
    through(city, wallet, ledger, city.data("PointsLedger", "sweep", (holder, [token_id(VOLUNTEER, 105)])))
    report = report_of(city)
    assert report.programmes["volunteer"].expired == 5_000
    assert len(report.skipped) == 1


def test_a_contract_carries_out_no_succession_and_forwards_nothing(city: Lab) -> None:
    """What they name stands in calldata alone, so the chain takes it from plain accounts; an audit misses nothing."""
    old, new, ledger = city.residents[0], key("heir"), city.deployment.address("PointsLedger")
    city.mint(VOLUNTEER, 1, [(old.address, 5_000)], quarter=111)
    city.request_succession(old.address, new)
    city.mine()
    city.call("Succession", "confirm", (old.address, new.address), sender=key("other desk"))
    city.mine()
    city.advance(days=8)
    wallet = wallet_of(city, new.address)
    desks = city.deployment.address("Succession")
    assert "PlainAccountNeeded" in refusal(city, wallet, desks, city.data("Succession", "execute", (old.address, [])))
    city.call("Succession", "execute", (old.address, []))
    city.mine()
    ids = [LOT, token_id(ProgrammeId(VOLUNTEER), 130), token_id(ProgrammeId(77), 200)]
    data = city.data("PointsLedger", "forward", (old.address, ids))
    assert "PlainAccountNeeded" in refusal(city, wallet, ledger, data)
    city.call("PointsLedger", "forward", (old.address, ids))
    city.mine()
    moved: Any = read(city.contracts["PointsLedger"].functions.balanceOf(new.address, LOT), "latest")
    assert moved == 5_000
    assert len(report_of(city).skipped) == 1


def refusal(lab: Lab, wallet: str, target: str, data: bytes) -> str:
    """Why a call through a wallet reverts."""
    sent = {"to": wallet, "data": "0x" + artifacts.call_data("WalletMock", "call", (target, data)).hex()}
    with pytest.raises(RpcError) as caught:
        lab.engine.rpc.call("eth_call", [sent | {"from": lab.residents[0].address}, "latest"])
    return artifacts.explain_revert(caught.value.data)


def test_a_wallet_that_objects_for_itself_is_reported_as_what_no_key_signed(city: Lab) -> None:
    wallet = wallet_of(city, city.residents[0].address)
    city.mint(VOLUNTEER, 1, [(wallet, 5_000)], quarter=111)
    city.request_succession(wallet, key("heir"))
    city.mine()
    through(city, wallet, city.deployment.address("Succession"), city.data("Succession", "objectTo", (wallet, b"")))
    assert any(wallet in skipped and "no key signed for" in skipped for skipped in report_of(city).skipped)
