"""A life of the small city: every kind of act at least once, good orders beside refused ones."""

from __future__ import annotations

from dataclasses import replace

from ledger.deployment.contracts import read
from ledger.deployment.deploy import EXCHANGE
from ledger.deployment.file import Contract, PastContract
from ledger.standard import packed
from ledger.standard.ids import MerchantId, to_address, token_id
from ledger.standard.keccak import keccak256
from tests.integration.ledger.audit.lab import Lab, Paid, key

VOLUNTEER, ENVIRONMENTAL, TRAFFIC, CULTURE, RESIDENCE = range(1, 6)
BIG = 2**64 - 1
"""A batch number."""
FINANCE, GUARDIAN, REGISTRAR = key("finance"), key("guardian"), key("registrar")


def live(lab: Lab) -> None:
    """Live it. 2026-03-02 is in quarter 105; short lots die a week after it."""
    residents = [resident.address for resident in lab.residents]
    quarter, short = lab.quarter + 4, lab.quarter
    volunteer, environmental = token_id(VOLUNTEER, quarter), token_id(ENVIRONMENTAL, quarter)
    dying = token_id(VOLUNTEER, short)
    lab.mint(VOLUNTEER, 1, [(account, 10_000 + index) for index, account in enumerate(residents)])
    lab.mint(ENVIRONMENTAL, BIG, [(account, 50_000) for account in residents])
    lab.mint(VOLUNTEER, 2, [(account, 4_000) for account in residents], quarter=short)
    lab.mint(RESIDENCE, 1, [(residents[0], 11_000)], quarter=0)
    lab.void(CULTURE, 99)
    lab.mine()
    _exchange_and_redeem(lab, volunteer, environmental)
    _refund(lab, volunteer, environmental)
    _hold(lab, volunteer, dying)
    _revoke(lab, volunteer)
    late = lab.pay(lab.residents[4], 2, [(dying, 900), (volunteer, 20)], 4)
    _outlive_a_quarter(lab, dying, late)
    _dispute(lab, volunteer, environmental)
    _clear(lab)
    _succeed(lab, volunteer, environmental)
    _govern(lab)
    _replace_exchange(lab)
    _announced_by_the_council(lab)


def _exchange_and_redeem(lab: Lab, volunteer: int, environmental: int) -> None:
    a, b, c, *_ = lab.residents
    lab.exchange(
        (a, lab.exchange_order(a, volunteer, 333, CULTURE, 0)),
        (b, lab.exchange_order(b, environmental, 777, VOLUNTEER, 0)),
        (c, lab.exchange_order(c, volunteer, 99_999_999, CULTURE, 0)),  # over the cap
        (c, lab.exchange_order(c, token_id(TRAFFIC, 119), 5, CULTURE, 3)),  # of a lot the holder never had
        (c, lab.exchange_order(c, volunteer, 10, RESIDENCE, 4)),  # par 0
        (c, lab.exchange_order(c, volunteer, 10, CULTURE, 4)),  # the same nonce again
        (a, lab.exchange_order(c, volunteer, 10, CULTURE, 5)),  # signed by another
        (c, lab.exchange_order(c, volunteer, 0, CULTURE, 6)),  # nothing
    )
    lab.redeem(
        (c, lab.redeem_order(c, 1, [(volunteer, 501), (environmental, 333)], 1)),
        (a, lab.redeem_order(a, 5, [(token_id(CULTURE, volunteer & 0xFFFFFFFF), 66)], 0)),
        (a, lab.redeem_order(a, 999, [(volunteer, 100)], 1)),  # no such merchant
        (a, lab.redeem_order(a, 1, [(volunteer, 10)], 2)),  # 2 fen
        (a, lab.redeem_order(a, 1, [(volunteer, 9_000), (volunteer, 9_000)], 3)),  # the same lot twice
    )
    lab.mine()
    signed = lab.redeem_order(b, 1, [(volunteer, 105)], 1)
    whole = packed.pack_redeem_order(signed, b.sign_digest(signed.digest(lab.deployment.domain())))
    lab.call("Redemption", "execute", (whole + b"\1\2\3",))  # bytes at the end that are no order
    lab.call("Redemption", "execute", (b"",))
    lab.mine()


def _refund(lab: Lab, volunteer: int, environmental: int) -> None:
    """Refund part of a basket, then more of it."""
    paid = lab.pay(lab.residents[3], 2, [(volunteer, 555), (environmental, 1_111)], 0)
    lab.refund(paid, 2, 11)
    lab.mine()
    lab.refund(paid, 1, 5)
    lab.mine()


def _hold(lab: Lab, volunteer: int, dying: int) -> None:
    """One hold captured in part, one released, one left open, one refused; captures and releases that fail."""
    d, e, f = lab.residents[3:6]
    captured = lab.hold_order(d, 3, [(dying, 700), (volunteer, 300)], 1)
    released = lab.hold_order(e, 3, [(volunteer, 450)], 0)
    for holder, order in ((d, captured), (e, released)):
        lab.hold(holder, order)
    lab.hold(f, lab.hold_order(f, 3, [(volunteer, 77)], 0, days=29))
    lab.hold(f, lab.hold_order(f, 3, [(volunteer, 77)], 1, days=40))  # longer than a hold may last
    lab.hold(f, lab.hold_order(f, 3, [(dying, 77)], 2, days=30))  # beyond its lot's quarter
    lab.mine()
    lab.capture(captured, 2, 120)
    lab.capture(captured, 1, 1)  # captured before
    lab.release(released)
    lab.release(released)  # released before
    lab.mine()


def _revoke(lab: Lab, volunteer: int) -> None:
    """Revoke what is there, and more than there is: the rest is owed, and collected when a hold is released."""
    e, f = lab.residents[4:6]
    held = lab.hold_order(e, 3, [(volunteer, 10_000)], 1)
    lab.hold(e, held)
    lab.mine()
    lab.revoke(VOLUNTEER, 1, (5, 1_000), (4, 600))
    lab.mine()
    lab.release(held)
    lab.revoke(ENVIRONMENTAL, BIG, (2, 50_000))
    lab.mine()
    lab.mint(ENVIRONMENTAL, 5, [(lab.residents[2].address, 100)])
    lab.call("PointsLedger", "collect", (lab.residents[2].address, token_id(ENVIRONMENTAL, lab.quarter + 4)))
    lab.call("PointsLedger", "cancelNonce", (token_id(TRAFFIC, 130), 7), sender=f)
    lab.call("PointsLedger", "approve", (e.address, volunteer, 5), sender=f)
    lab.call("PointsLedger", "setOperator", (e.address, True), sender=f)
    lab.mine()


def _outlive_a_quarter(lab: Lab, dying: int, late: Paid) -> None:
    """A refund brings back a dead lot, reborn; what is left of the dead lot is swept to the treasury."""
    lab.advance(days=38)  # 2026-04-09: the quarter is over, and the seven days after it
    lab.refund(late, 1, 100)
    lab.mine()
    for holder in (lab.residents[0], lab.residents[5]):
        lab.call("PointsLedger", "sweep", (holder.address, [dying]))
    lab.revoke(VOLUNTEER, 2, (1, 10))  # of a dead lot nothing is taken
    lab.mine()


def _dispute(lab: Lab, volunteer: int, environmental: int) -> None:
    """Three locked orders: one refunded whole, one in part, one left until its lock ends."""
    b, _, d = lab.residents[1:4]
    whole = lab.pay(b, 4, [(environmental, 2_000)], 3)
    half = lab.pay(b, 4, [(volunteer, 600), (environmental, 40)], 4)
    left = lab.pay(d, 6, [(environmental, 4_000)], 9)
    lab.lock(whole, 100)
    lab.lock(half, 90)
    lab.lock(left, 150)
    lab.mine()
    lab.arbiter_refund(whole, 0, 0)
    lab.arbiter_refund(half, 1, 400)
    lab.mine()
    lab.advance(days=61)
    lab.call("ClearingBook", "unlockOrder", (left.order_id,))
    lab.mine()


def _clear(lab: Lab) -> None:
    """Open a cycle, pay into the treasury account, pay out of it and past it; the next cycle finds a debtor overdue."""
    lab.call("ClearingBook", "openCycle", ())
    lab.mine()
    debts = {programme: _debt(lab, programme) for programme in (VOLUNTEER, ENVIRONMENTAL)}
    lab.announced("ClearingBook", "fund", (VOLUNTEER, debts[VOLUNTEER] // 2, b"\1" * 32), FINANCE)
    lab.announced("ClearingBook", "payDirectly", (VOLUNTEER, 1, 40, b"\2" * 32), FINANCE)
    payouts = packed.pack_payouts([(MerchantId(merchant), 120) for merchant in (1, 2, 3, 99, 6)])
    lab.announced("ClearingBook", "payout", (payouts, b"\3" * 32), FINANCE)
    lab.decide("ClearingBook", "setTerms", ((86_400, 30),))
    lab.announced("ClearingBook", "payout", (packed.pack_payouts([(MerchantId(6), 200)]), b"\4" * 32), FINANCE)
    d = lab.residents[3]
    lab.pay(d, 1, [(token_id(ENVIRONMENTAL, lab.quarter + 3), 40_000)], 12)
    lab.advance(days=20)
    lab.call("ClearingBook", "openCycle", ())
    lab.mine()
    lab.decide("ClearingBook", "setWaiver", (ENVIRONMENTAL, lab.clock.timestamp() + 86_400 * 30))
    lab.announced("ClearingBook", "reclaim", (ENVIRONMENTAL, 7, b"\5" * 32), FINANCE)
    lab.mine()


def _debt(lab: Lab, programme: int) -> int:
    return -int(read(lab.contracts["ClearingBook"].functions.position(1 << 32 | programme), "latest"))


def _succeed(lab: Lab, volunteer: int, environmental: int) -> None:
    """A lost key is succeeded, and what lands on it is forwarded; an objection is heard, and once refused."""
    a, b, lost, wary = lab.residents[0], lab.residents[1], lab.residents[4], lab.residents[5]
    new, other = key("new account"), key("heir")
    for old, heir in ((lost, new), (wary, other), (a, other)):
        lab.request_succession(old.address, heir)
    lab.mine()
    for old, heir in ((lost, new), (wary, other)):
        lab.call("Succession", "confirm", (old.address, heir.address), sender=key("other desk"))
    lab.mine()
    lab.object_to(wary, other.address)
    lab.call("Succession", "objectTo", (a.address, b""), sender=a)
    lab.mine()
    lab.decide("Succession", "decide", (a.address, other.address, True))
    lab.decide("Succession", "decide", (wary.address, other.address, False))
    lab.advance(days=8)
    lab.call("Succession", "execute", (lost.address, [volunteer, token_id(TRAFFIC, 110)]))
    lab.call("Succession", "execute", (a.address, [volunteer]))
    lab.mine()
    lab.mint(VOLUNTEER, 3, [(a.address, 900), (b.address, 20)], quarter=volunteer & 0xFFFFFFFF)
    lab.mine()
    lab.call("PointsLedger", "forward", (a.address, [volunteer, environmental]))
    lab.revoke(VOLUNTEER, 3, (0, 950 - 60))
    lab.mine()


def _govern(lab: Lab) -> None:
    """The acts of council, finance bureau, registrar and guardian; last a programme begins to close."""
    for year, document in ((2027, b"\7"), (2025, b"\x08")):
        terms = (TRAFFIC, year, 1_000, document * 32)
        lab.announced("ClearingBook", "recordAppropriation", terms, FINANCE)
    lab.announced("ClearingBook", "lapse", (TRAFFIC, 2025), FINANCE)
    lab.announced("ClearingBook", "registerMerchant", (9, key("merchant 9").address, b"\0" * 31 + b"\1"), REGISTRAR)
    _cancel(lab)
    lab.call("Exchange", "pause", (3_600,), sender=GUARDIAN)
    lab.call("PointsLedger", "freeze", (CULTURE,), sender=GUARDIAN)
    lab.mine()
    lab.call("Exchange", "unpause", (), sender=GUARDIAN)
    lab.mine()
    lab.decide("PointsLedger", "setFrozenUntil", (CULTURE, 0))
    lab.decide("PointsLedger", "setRulebook", (TRAFFIC, 2, b"\x22" * 32))
    lab.decide("PointsLedger", "addIssuerKey", (TRAFFIC, key("second issuer 3").address))
    lab.decide("PointsLedger", "removeIssuerKey", (TRAFFIC, key("issuer 3").address))
    lab.decide("PointsLedger", "setCeilings", (VOLUNTEER, 5_000_000, 100_000))
    lab.decide("Exchange", "setInflowCap", (VOLUNTEER, 5_000))
    opened = (
        7,
        30_000_000,
        15,
        b"\0" * 32,
        key("issuer 7").address,
        "绿色出行积分·二〇二六年度·示范市交通运输局",
        "GREEN",
    )
    lab.decide("PointsLedger", "registerProgramme", opened)
    lab.decide("Council", "setMember", (key("second member").address, True))
    lab.decide("AccessManager", "labelRole", (3, "finance"))
    lab.decide("PointsLedger", "setState", (TRAFFIC, 2))
    b = lab.residents[1]
    lab.exchange((b, lab.exchange_order(b, token_id(ENVIRONMENTAL, 109), 400, VOLUNTEER, 9)))
    lab.mine()


def _announced_by_the_council(lab: Lab) -> None:
    """The council closes a contract and opens it again: announced, seven days later carried out."""
    manager, desks = lab.deployment.address("AccessManager"), lab.deployment.address("Succession")
    for closed in (True, False):
        data = lab.data("AccessManager", "setTargetClosed", (desks, closed))
        lab.decide("AccessManager", "schedule", (manager, data, 0))
        lab.advance(days=8)
        lab.decide("AccessManager", "setTargetClosed", (desks, closed))


def _cancel(lab: Lab) -> None:
    """The supervisor cancels what the registrar has announced."""
    data = lab.data("ClearingBook", "registerMerchant", (10, key("nobody").address, bytes(32)))
    target = lab.deployment.address("ClearingBook")
    lab.call("AccessManager", "schedule", (target, data, 0), sender=REGISTRAR)
    lab.mine()
    lab.call("AccessManager", "cancel", (REGISTRAR.address, target, data), sender=key("supervisor"))
    lab.mine()


def _replace_exchange(lab: Lab) -> None:
    """Another Exchange takes the place of the first: its role waits seven days, then the old one loses it."""
    rpc, old = lab.engine.rpc, lab.deployment.contracts["Exchange"]
    parts = (lab.deployment.address("AccessManager"), lab.deployment.address("PointsLedger"))
    lab.send(None, lab.contracts.creation_data("Exchange", parts))
    [receipt] = lab.mine()
    new = to_address(receipt["contractAddress"])
    lab.decide("AccessManager", "grantRole", (EXCHANGE, new, 0))
    lab.advance(days=8)
    lab.decide("AccessManager", "revokeRole", (EXCHANGE, old.address))
    last = int(rpc.call("eth_blockNumber"), 16)
    code = bytes.fromhex(rpc.call("eth_getCode", [new, "latest"])[2:])
    contracts = dict(lab.deployment.contracts) | {"Exchange": Contract(new, "0x" + keccak256(code).hex())}
    past = PastContract("Exchange", old.address, old.code_hash, last)
    lab.deployment = replace(lab.deployment, contracts=contracts, replaced=(past,))
    del lab.contracts
    b = lab.residents[1]
    lab.exchange((b, lab.exchange_order(b, token_id(ENVIRONMENTAL, 109), 600, VOLUNTEER, 10)))
    lab.mine()
