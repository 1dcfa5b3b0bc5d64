"""A life of the small city: every kind of act at least once, good orders beside refused ones."""

from __future__ import annotations

from ledger.standard.evidence import MerkleTree, RedemptionReceipt
from ledger.standard.ids import token_id
from ledger.standard.typed_data import Lot, lots_hash
from ledger.standard.value import basket_debits_down
from tests.integration.audit.lab import Lab, key

VOLUNTEER, ENVIRONMENTAL, TRAFFIC, CULTURE, RESIDENCE = range(1, 6)


def live(lab: Lab) -> None:
    """Live it. 2026-03-02 is in quarter 105; short lots die with it."""
    residents = [resident.address for resident in lab.residents]
    quarter, short = lab.quarter + 4, lab.quarter
    volunteer, environmental = token_id(VOLUNTEER, quarter), token_id(ENVIRONMENTAL, quarter)
    dying = token_id(VOLUNTEER, short)
    lab.mint(VOLUNTEER, 1, [(account, 10_000 + index) for index, account in enumerate(residents)])
    lab.mint(ENVIRONMENTAL, 2**64 - 1, [(account, 50_000) for account in residents])
    lab.mint(VOLUNTEER, 2, [(account, 4_000) for account in residents], quarter=short)
    lab.mint(RESIDENCE, 1, [(residents[0], 11_000)], quarter=0)
    lab.void(CULTURE, 99)
    lab.mine()
    _exchange_and_redeem(lab, volunteer, environmental)
    _refund(lab, volunteer, environmental)
    _hold(lab, volunteer, dying)
    lab.revoke(VOLUNTEER, 1, 5, 1_000)
    lab.revoke(ENVIRONMENTAL, 2**64 - 1, 2, 50_000)
    lab.mine()
    _outlive_a_quarter(lab, volunteer, dying)
    _change_accounts(lab, volunteer, environmental)


def _exchange_and_redeem(lab: Lab, volunteer: int, environmental: int) -> None:
    a, b, c, *_ = lab.residents
    lab.exchange(
        (a, lab.exchange_order(a, volunteer, 333, CULTURE, 0)),
        (b, lab.exchange_order(b, environmental, 777, VOLUNTEER, 0)),
        (c, lab.exchange_order(c, volunteer, 99_999_999, CULTURE, 0)),  # more than there is
        (c, lab.exchange_order(c, token_id(TRAFFIC, 119), 5, CULTURE, 3)),  # a lot the holder never had
        (c, lab.exchange_order(c, volunteer, 10, RESIDENCE, 4)),  # par 0
    )
    lab.redeem(
        (c, lab.redeem_order(c, 1, [(volunteer, 501), (environmental, 333)], 1)),
        (a, lab.redeem_order(a, 5, [(token_id(CULTURE, volunteer & 0xFFFFFFFF), 66)], 0)),
        (a, lab.redeem_order(a, 999, [(volunteer, 100)], 1)),  # no such merchant
    )
    lab.mine()
    lab.redeem((b, lab.redeem_order(b, 1, [(volunteer, 105)], 1)))
    lab.mine()


def _refund(lab: Lab, volunteer: int, environmental: int) -> None:
    """Refund part of a basket, then more of it."""
    d = lab.residents[3]
    lots = (Lot(volunteer, 555), Lot(environmental, 1_111))
    order = lab.redeem_order(d, 2, [(lot.id, lot.amount) for lot in lots], 0)
    lab.redeem((d, order))
    lab.mine()
    fen = sum(basket_debits_down([(20_000_000, 555), (5_000_000, 1_111)]))
    time = int(lab.engine.rpc.call("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)
    receipt = (order.digest(lab.deployment.domain()), d.address, 2, lots_hash(lots), fen, time)
    leaf = RedemptionReceipt(*receipt)
    tree = MerkleTree([leaf.hash()], sort_leaves=False)
    batch = int(lab.engine.rpc.call("eth_getStorageAt", [lab.deployment.address("ClearingBook"), "0x8", "latest"]), 16)
    lab.refund(receipt, batch, tree.proof(0), lots, 2, 11)
    lab.mine()
    lab.refund(receipt, batch, tree.proof(0), lots, 1, 5)
    lab.mine()


def _hold(lab: Lab, volunteer: int, dying: int) -> None:
    """One hold captured in part, one released, one left open; one refused."""
    d, e, f = lab.residents[3:6]
    captured = lab.hold_order(d, 3, [(dying, 700), (volunteer, 300)], 1)
    released = lab.hold_order(e, 3, [(volunteer, 450)], 0)
    for holder, order in ((d, captured), (e, released)):
        lab.hold(holder, order)
    lab.hold(f, lab.hold_order(f, 3, [(volunteer, 77)], 0, days=29))
    lab.hold(f, lab.hold_order(f, 3, [(volunteer, 77)], 1, days=40))  # longer than a hold may last
    lab.mine()
    lab.capture(captured, 2, 120)
    lab.capture(captured, 1, 1)  # captured before: refused, spends nothing
    lab.release(released)
    lab.mine()


def _outlive_a_quarter(lab: Lab, volunteer: int, dying: int) -> None:
    """A hold outlives its lot, comes back reborn; what is left of the dead lot is swept."""
    e, f = lab.residents[4:6]
    lab.advance(days=15)
    order = lab.hold_order(e, 3, [(dying, 800), (volunteer, 20)], 2, days=30)
    lab.hold(e, order)
    lab.mine()
    lab.advance(days=16)  # 2026-04-02: the quarter is over
    lab.release(order)
    lab.mine()
    for holder in (lab.residents[0], f):
        lab.call("PointsLedger", "sweep", (holder.address, [dying]))
    lab.mine()


def _change_accounts(lab: Lab, volunteer: int, environmental: int) -> None:
    """A holder moves to a new key; what lands on the old one is forwarded; others approve and cancel."""
    a, b, *_ = lab.residents
    heir = key("heir")
    lab.call("PointsLedger", "migrate", (heir.address, [volunteer, environmental]), sender=a)
    lab.mine()
    lab.mint(VOLUNTEER, 3, [(a.address, 900)], quarter=volunteer & 0xFFFFFFFF)
    lab.mine()
    lab.call("PointsLedger", "forward", (a.address, [volunteer]))
    lab.call("PointsLedger", "approve", (heir.address, volunteer, 5), sender=b)
    lab.call("PointsLedger", "setOperator", (heir.address, True), sender=b)
    lab.call("PointsLedger", "cancelNonce", (token_id(TRAFFIC, 130), 7), sender=b)
    lab.mine()
