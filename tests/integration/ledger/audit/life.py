"""A life of the small city: every kind of act at least once, good orders beside refused ones."""

from __future__ import annotations

from ledger.deployment.contracts import read
from ledger.standard.ids import token_id
from tests.integration.ledger.audit.lab import Lab, key

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
    _dispute(lab, volunteer, environmental)
    _settle(lab)
    _end_disputes(lab)
    _migrate_by_desk(lab, volunteer)
    _govern(lab)


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
    paid = lab.pay(lab.residents[3], 2, [(volunteer, 555), (environmental, 1_111)], 0)
    lab.refund(paid, 2, 11)
    lab.mine()
    lab.refund(paid, 1, 5)
    lab.mine()


def _dispute(lab: Lab, volunteer: int, environmental: int) -> None:
    """Three disputes: uncontested and refunded whole, contested and decided for half, opened and left to lapse."""
    b, _, d = lab.residents[1:4]
    whole = lab.pay(b, 4, [(environmental, 2_000)], 3)
    half = lab.pay(b, 4, [(volunteer, 600), (environmental, 40)], 4)
    left = lab.pay(d, 6, [(environmental, 4_000)], 9)
    lab.dispute(whole, b)
    lab.dispute(half, b)
    lab.dispute(left, d)
    lab.contest(half)
    lab.mine()
    lab.call("Disputes", "decide", (half.order_id, 60), sender=key("finance"))
    lab.mine()
    lab.refund_locked(half, 1, 400)
    lab.advance(days=8)
    lab.refund_locked(whole, 0, 0)
    lab.mine()


def _settle(lab: Lab) -> None:
    """Close a cycle over all participants and pay all its lines but the last."""
    programmes, merchants = [1, 2, 3, 4, 5], list(range(1, 9))
    lab.call("Settlement", "closeCycle", (programmes, merchants), sender=key("finance"))
    lab.mine()
    lines = read(lab.contracts["Settlement"].functions.lines(1), "latest")
    for index, line in enumerate(lines[:-1]):
        terms = (line.programme, line.merchant, line.fen)
        lab.settle(1, index, terms, bytes([index + 1]) * 32, None if index else "finance")
    lab.mine()


def _end_disputes(lab: Lab) -> None:
    """Sixty days after its opening a dispute frees what it still locks."""
    lab.advance(days=61)
    for order_id in open_disputes(lab):
        lab.call("Disputes", "close", (order_id,))
    lab.mine()


def open_disputes(lab: Lab) -> list[bytes]:
    """Ids of the disputes that may be closed."""
    disputed = lab.contracts["Disputes"].events.Disputed
    return [log["args"]["orderId"] for log in disputed.get_logs(from_block=0, to_block="latest")]


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


def _migrate_by_desk(lab: Lab, volunteer: int) -> None:
    """A holder who lost the key is moved by desk and council; another one refuses."""
    lost, wary = lab.residents[4], lab.residents[5]
    desk, new = key("desk"), key("new account").address
    move = (lost.address, new, [volunteer])
    lab.call("PointsLedger", "requestMigration", move, sender=desk)
    lab.call("PointsLedger", "requestMigration", (wary.address, new, [volunteer]), sender=desk)
    lab.call("PointsLedger", "requestMigration", (lab.residents[2].address, new, [volunteer]), sender=desk)
    lab.mine()
    lab.call("PointsLedger", "cancelMigration", (), sender=wary)
    lab.decide("PointsLedger", "approveMigration", move)
    lab.advance(days=8)
    lab.call("PointsLedger", "executeMigration", move)
    lab.mine()


def _govern(lab: Lab) -> None:
    """The council's, the finance bureau's and the guardian's acts; last a programme begins to close."""
    finance, guardian = key("finance"), key("guardian")
    for year in (2027, 2025):
        lab.call("ClearingBook", "recordAppropriation", (TRAFFIC, year, 1_000, bytes(32)), sender=finance)
    lab.call("ClearingBook", "lapse", (TRAFFIC, 2025), sender=finance)
    lab.call("Exchange", "pause", (3_600,), sender=guardian)
    lab.mine()
    lab.call("Exchange", "unpause", (), sender=guardian)
    lab.mine()
    lab.decide("PointsLedger", "setRulebook", (TRAFFIC, 2, b"\x22" * 32))
    lab.decide("Exchange", "setInflowCap", (VOLUNTEER, 5_000))
    lab.decide("PointsLedger", "setState", (TRAFFIC, 2))
