"""Refunds: time, proof, signature, prefix and value; what comes back, to whom, and in which lot."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    DAY,
    ENVIRONMENT,
    GIFT,
    MATURITY,
    NOW,
    OTHER_SHOP,
    PAR,
    REDEMPTION,
    SHOP,
    VOLUNTEER,
    City,
    Payment,
    Person,
    event_values,
    go_to,
    next_block_at,
    now,
    reverts,
    transfers,
)
from clearing_office import pack_payouts
from reference import (
    ZERO,
    Lot,
    MerkleTree,
    basket_fen,
    expiry_end,
    pack_lots,
    prefix_of,
    prefix_word,
    receipt_hash,
    token_id,
)

LOT = token_id(VOLUNTEER, NOW)
ENV = token_id(ENVIRONMENT, NOW)
GIFTS = token_id(GIFT, NOW)
LOTS: list[Lot] = [(LOT, 304), (ENV, 113), (GIFTS, 50)]


class Paid:
    """An order that ana paid with three lots, between two orders of bo, and what refunding it takes."""

    def __init__(self, city: City) -> None:
        self.city = city
        city.give(city.ana, LOT, 1_000)
        city.give(city.ana, ENV, 1_000)
        city.give(city.ana, GIFTS, 1_000)
        city.give(city.bo, GIFTS, 1_000)
        orders = [
            (city.bo, city.redeem_order(city.bo, [(GIFTS, 100)])),
            (city.ana, city.redeem_order(city.ana, LOTS)),
            (city.bo, city.redeem_order(city.bo, [(GIFTS, 200)])),
        ]
        tx = city.run_redeem(*(city.signed(person, order) for person, order in orders))
        self.batch = event_values(tx, "RedemptionBatch")[0]["batch"]
        receipts = [city.receipt_of(tx, order.lots, who, i) for i, (who, order) in enumerate(orders)]
        leaves = [receipt_hash(receipt) for receipt in receipts]
        self.receipt = receipts[1]
        self.proof = MerkleTree(leaves, sort=False).proof(leaves[1])
        self.time = self.receipt[5]
        self.order_id = self.receipt[0]

    def payment(self, **changes: Any) -> Payment:
        given = {"receipt": self.receipt, "batch": self.batch, "proof": self.proof, "lots": LOTS} | changes
        return Payment(given["receipt"], (given["batch"], given["proof"]), tuple(given["lots"]))

    def refund(self, kept: int, last: int, by: Person | None = None, **changes: Any) -> Any:
        return self.city.refund(self.payment(**changes), (kept, last), by)

    def arbiter_refund(self, kept: int, last: int, by: Person | None = None, **changes: Any) -> Any:
        return self.city.arbiter_refund(self.payment(**changes), (kept, last), by)

    def lock(self, fen: int) -> Any:
        return self.city.lock(self.payment(), fen)


@pytest.fixture
def paid(city: City) -> Paid:
    return Paid(city)


# Reverts, in the documented order ---------------------------------------------------------------------------------


def test_1_too_late_after_90_days(city: City, paid: Paid) -> None:
    """Even with nothing else right."""
    next_block_at(paid.time + 90 * DAY + 1)
    with reverts("RedemptionTooLate", paid.order_id, paid.time):
        paid.refund(9, 9, lots=[], proof=[], by=city.bo)
    with reverts("RedemptionTooLate", paid.order_id, paid.time):
        paid.refund(0, 0)


def test_1_in_time_on_the_last_second(city: City, paid: Paid) -> None:
    next_block_at(paid.time + 90 * DAY)
    assert event_values(paid.refund(0, 0), "Refunded")[0]["fen"] == 81


@pytest.mark.parametrize("lots", [[], LOTS[:2], [*LOTS, (LOT, 1)], [LOTS[1], LOTS[0], LOTS[2]]])
def test_2_other_lots(city: City, paid: Paid, lots: list[Lot]) -> None:
    with reverts("RedemptionWrongLots", paid.order_id):
        paid.refund(9, 9, lots=lots, proof=[], by=city.bo)


def test_3_bad_proof(city: City, paid: Paid) -> None:
    """No path, another batch, or a receipt that says more than what was paid."""
    for change in ({"proof": []}, {"batch": paid.batch + 1}, {"batch": 0}):
        with pytest.raises(Exception, match="RedemptionBadProof"):
            paid.refund(9, 9, by=city.bo, **change)
    for i, value in ((1, city.bo.address), (2, OTHER_SHOP), (4, 82), (5, paid.time + 1)):
        forged = list(paid.receipt)
        forged[i] = value
        with reverts("RedemptionBadProof", paid.order_id, paid.batch):
            paid.refund(9, 9, receipt=tuple(forged), by=city.bo)


def test_4_bad_signature(city: City, paid: Paid) -> None:
    """The holder's, another merchant's, one for another prefix; and none at all once the merchant is retired."""
    for by in (city.ana, city.merchant[OTHER_SHOP]):
        with reverts("RedemptionBadSignature", paid.order_id):
            paid.refund(9, 9, by=by)
    city.register_merchant(SHOP, None)
    with reverts("RedemptionBadSignature", paid.order_id):
        paid.refund(0, 0)


@pytest.mark.parametrize("prefix", [(3, 50), (3, 51), (4, 1), (3, 0), (2, 0), (1, 305), (0, 1), (255, 2**64 - 1)])
def test_5_bad_prefix(city: City, paid: Paid, prefix: tuple[int, int]) -> None:
    """Not shorter than what is kept, or none that fits the lots."""
    with reverts("RedemptionBadPrefix", prefix_word(prefix)):
        paid.refund(*prefix)


def test_5_a_prefix_only_shrinks(city: City, paid: Paid) -> None:
    """A refund again, or an older one after a newer, does nothing but revert."""
    paid.refund(2, 100)
    for prefix in ((2, 100), (2, 101), (3, 1), (3, 50)):
        with reverts("RedemptionBadPrefix", prefix_word(prefix)):
            paid.refund(*prefix)
    paid.refund(0, 0)
    for prefix in ((0, 0), (1, 1), (2, 99)):
        with reverts("RedemptionBadPrefix", prefix_word(prefix)):
            paid.refund(*prefix)


def test_6_not_covered_by_what_the_merchant_is_owed(city: City, paid: Paid) -> None:
    """What was paid out cannot be taken back; what it earned since, of its order's time or before, can."""
    go_to(now() + 2 * MATURITY)
    city.book.openCycle(city.by_operator)
    for programme in (VOLUNTEER, ENVIRONMENT, GIFT):
        city.book.fund(programme, -city.position(programme), city.reference(), {"from": city.finance})
    everything = city.merchant_position(SHOP)
    city.book.payout(pack_payouts([(SHOP, everything)]), city.reference(), {"from": city.finance})
    with reverts("ClearingBookNotCovered", SHOP, 15, 0):
        paid.refund(2, 113)
    # A younger claim is for younger orders: this one has matured, so it draws on matured value alone.
    city.pay(city.bo, [(GIFTS, 50)])
    with reverts("ClearingBookNotCovered", SHOP, 15, 0):
        paid.refund(2, 113)
    go_to(now() + 2 * MATURITY)
    paid.refund(2, 113)
    assert city.merchant_position(SHOP) == 0
    city.assert_zero_sum()


def test_6_not_covered_by_what_is_locked_for_others(city: City) -> None:
    """The merchant's own refunds leave what the arbiter locked for other orders; its own lock a refund frees."""
    city.give(city.bo, GIFTS, 1_000)
    one, two = (city.pay(city.bo, [(GIFTS, 200)]) for _ in range(2))
    go_to(now() + 2 * MATURITY)
    city.book.openCycle(city.by_operator)
    city.book.fund(GIFT, 50, city.reference(), {"from": city.finance})
    city.book.payout(pack_payouts([(SHOP, 50)]), city.reference(), {"from": city.finance})
    city.lock(one, 40)
    # 70 fen are left of 120, and 40 of them wait for the arbiter's word on the one order.
    with reverts("ClearingBookNotCovered", SHOP, 60, 30):
        city.refund(two)
    city.refund(two, (1, 100))
    with reverts("ClearingBookNotCovered", SHOP, 60, 40):
        city.refund(one)
    city.refund(one, (1, 67))
    assert city.book.orderLock(one.receipt[0])[1] == 0
    assert city.merchant_position(SHOP) == 0
    city.assert_zero_sum()


def test_7_no_room_in_the_lot(city: City, paid: Paid) -> None:
    """Where more was minted since than leaves room, a refund waits, and a smaller one lands."""
    city.appropriate(VOLUNTEER, 9 * 10**14)
    room = 60
    city.give(city.bo, LOT, 2**48 - 1 - room - city.ledger.totalSupply(LOT))
    with reverts("PointsLedgerLotFull", LOT, 2**48 - 1 - room + LOTS[0][1]):
        paid.refund(0, 0)
    paid.refund(1, LOTS[0][1] - room)
    assert city.ledger.totalSupply(LOT) == 2**48 - 1
    city.assert_zero_sum()


# What comes back --------------------------------------------------------------------------------------------------


def test_refund_whole(city: City, paid: Paid) -> None:
    """Same programmes and amounts, the same fen back from the merchant; events, supplies and positions."""
    before = city.merchant_position(SHOP)
    tx = paid.refund(0, 0)
    assert event_values(tx, "Refunded") == [
        {
            "orderId": "0x" + paid.order_id.hex(),
            "receiver": city.ana.address,
            "merchant": SHOP,
            "kept": 0,
            "fen": 81,
            "byArbiter": False,
        }
    ]
    assert transfers(tx) == [(ZERO, city.ana.address, lot, amount) for lot, amount in LOTS]
    for lot in (LOT, ENV, GIFTS):
        assert city.balances(lot, city.ana) == [1_000]
    assert city.ledger.totalSupply(LOT) == city.ledger.programme(VOLUNTEER)[6] == 1_000
    assert [city.position(p) for p in (VOLUNTEER, ENVIRONMENT)] == [0, 0]
    assert before - city.merchant_position(SHOP) == 81
    assert tuple(city.book.keptPrefix(paid.order_id)) == (True, 0)
    city.assert_zero_sum()


@pytest.mark.parametrize("steps", [[(3, 1), (2, 113), (2, 1), (1, 304), (1, 3), (0, 0)], [(2, 50), (1, 100)]])
def test_refund_step_by_step_reverses_the_differences_of_the_floors(
    city: City, paid: Paid, steps: list[tuple[int, int]]
) -> None:
    """After each step every programme and the merchant stand as if only the kept prefix had ever been paid."""
    start = {p: city.position(p) for p in (VOLUNTEER, ENVIRONMENT, GIFT)}
    for (lot, _), fen in zip(LOTS, basket_fen(LOTS, PAR), strict=True):
        start[lot >> 32] += fen
    merchant = city.merchant_position(SHOP) - sum(basket_fen(LOTS, PAR))
    for step in steps:
        paid.refund(*step)
        kept = prefix_of(LOTS, step)
        debits = dict.fromkeys(start, 0)
        for (lot, _), fen in zip(kept, basket_fen(kept, PAR), strict=True):
            debits[lot >> 32] += fen
        assert {p: city.position(p) for p in start} == {p: start[p] - debits[p] for p in start}
        assert city.merchant_position(SHOP) == merchant + sum(debits.values())
        held = dict.fromkeys((LOT, ENV, GIFTS), 0) | dict(kept)
        assert [city.balances(lot, city.ana)[0] for lot in held] == [1_000 - amount for amount in held.values()]
        assert tuple(city.book.keptPrefix(paid.order_id)) == (True, prefix_word(step))


def test_refund_of_a_capture_speaks_of_the_captured_prefix(city: City) -> None:
    city.give(city.ana, LOT, 1_000)
    order = city.place_hold(city.ana, [(LOT, 300), (LOT, 200)])
    tx = city.run_capture(city.signed_capture(order, (2, 100)))
    captured = [(LOT, 300), (LOT, 100)]
    receipt = city.receipt_of(tx, captured)
    with reverts("RedemptionWrongLots", receipt[0]):
        city.refund(Payment(receipt, (1, []), order.lots), (1, 300))
    city.refund(Payment(receipt, (1, []), tuple(captured)), (1, 250))
    assert city.balances(LOT, city.ana) == [750]
    assert (city.position(VOLUNTEER), city.merchant_position(SHOP)) == (-50, 50)


def test_refund_of_a_lot_that_died_is_reborn(city: City, paid: Paid) -> None:
    """In the current quarter's lot of the same programme, within the holder's cap; the rest comes back dead."""
    city.ledger.setRebirthCap(63, city.by_admin)
    next_block_at(expiry_end(NOW))
    tx = paid.refund(0, 0)
    reborn = [(e["deadId"], e["id"], e["amount"]) for e in event_values(tx, "LotReborn")]
    # 304 units are 60.8 fen and count 61; two fen are left for 40 of 113 units at a twentieth; nothing for the gifts.
    assert reborn == [(LOT, LOT + 1, 304), (ENV, ENV + 1, 40)]
    ana = city.ana.address
    assert transfers(tx) == [
        (ZERO, ana, LOT + 1, 304),
        (ZERO, ana, ENV + 1, 40),
        (ZERO, ana, ENV, 73),
        (ZERO, ana, GIFTS, 50),
    ]
    assert event_values(tx, "Refunded")[0]["fen"] == 81


def test_a_lot_that_is_not_dead_yet_comes_back_as_what_it_was(city: City, paid: Paid) -> None:
    """In the seven days after the quarter too; on their last second."""
    city.ledger.setRebirthCap(63, city.by_admin)
    next_block_at(expiry_end(NOW) - 1)
    tx = paid.refund(0, 0)
    assert event_values(tx, "LotReborn") == []
    assert city.balances(LOT, city.ana) == [1_000]


def test_nothing_is_reborn_without_a_cap(city: City, paid: Paid) -> None:
    next_block_at(expiry_end(NOW))
    tx = paid.refund(0, 0)
    assert event_values(tx, "LotReborn") == []
    assert city.balances(LOT, city.ana) == [1_000]
    assert city.ledger.isDead(LOT)


def test_the_rebirth_cap_is_a_holder_s_quarter_s_and_counts_started_fen(city: City) -> None:
    """Many small rebirths cannot slip past the cap: each counts at least a fen. A new quarter has its own."""
    city.ledger.setRebirthCap(3, city.by_admin)
    city.give(city.ana, LOT, 1_000)
    city.give(city.ana, LOT + 1, 1_000)
    go_to(expiry_end(NOW) - DAY)
    payments = [city.pay(city.ana, [(LOT, 56)]) for _ in range(3)]
    go_to(expiry_end(NOW))
    reborn = [event_values(city.refund(payment, (1, 50)), "LotReborn") for payment in payments]
    # 6 units are worth 1.2 fen and count 2; of the second only 5 fit into the fen left, and nothing of the third.
    assert [[e["amount"] for e in events] for events in reborn] == [[6], [5], []]
    assert city.balances(LOT + 1, city.ana) == [1_011]
    assert tuple(city.ledger.rebirth(city.ana.address)) == (NOW + 1, 3)
    go_to(expiry_end(NOW + 1) - DAY)
    late = city.pay(city.ana, [(LOT + 1, 56)])
    go_to(expiry_end(NOW + 1))
    assert [e["amount"] for e in event_values(city.refund(late, (1, 50)), "LotReborn")] == [6]
    assert tuple(city.ledger.rebirth(city.ana.address)) == (NOW + 2, 2)


def test_what_finds_no_room_in_the_current_quarter_s_lot_comes_back_dead(city: City) -> None:
    """A full lot takes up what it can; the refund lands all the same."""
    city.ledger.setRebirthCap(10**6, city.by_admin)
    city.appropriate(VOLUNTEER, 9 * 10**14)
    city.give(city.ana, LOT, 1_000)
    go_to(expiry_end(NOW) - DAY)
    payments = [city.pay(city.ana, [(LOT, 300)]) for _ in range(2)]
    city.give(city.bo, LOT + 1, 2**48 - 1 - 120)
    go_to(expiry_end(NOW))
    reborn = [event_values(city.refund(payment), "LotReborn") for payment in payments]
    assert [[e["amount"] for e in events] for events in reborn] == [[120], []]
    assert city.ledger.totalSupply(LOT + 1) == 2**48 - 1
    assert city.balances(LOT, city.ana) == [1_000 - 120]


def test_a_lot_of_a_programme_past_its_spending_time_is_not_reborn(city: City) -> None:
    city.ledger.setRebirthCap(10**6, city.by_admin)
    lot = token_id(VOLUNTEER, NOW + 4)
    city.give(city.ana, lot, 1_000)
    city.ledger.setState(VOLUNTEER, 2, city.by_admin)
    go_to(city.ledger.programme(VOLUNTEER)[7] - 10)
    payment = city.pay(city.ana, [(lot, 300)])
    next_block_at(expiry_end(NOW + 4))
    tx = city.refund(payment)
    assert event_values(tx, "LotReborn") == []
    assert city.balances(lot, city.ana) == [1_000]


def test_refund_goes_to_the_successor_whoever_relays_it(city: City, paid: Paid) -> None:
    city.succeed(city.ana, city.heir)
    tx = paid.refund(1, 304)
    assert event_values(tx, "Refunded")[0]["receiver"] == city.heir.address
    assert city.balances(ENV, city.heir) == [113]


def test_refund_needs_no_running_module(city: City, paid: Paid) -> None:
    """Never paused; and it works into a programme that is closing."""
    city.redemption.pause(3_600, {"from": city.guardian})
    city.ledger.setState(VOLUNTEER, 2, city.by_admin)
    paid.refund(0, 0)
    assert city.balances(LOT, city.ana) == [1_000]


def test_refund_by_the_merchant_s_new_key(city: City, paid: Paid) -> None:
    """A lost key is replaced by the registrar; refunds of old orders then take the new one."""
    city.register_merchant(SHOP, city.chen)
    with reverts("RedemptionBadSignature", paid.order_id):
        paid.refund(0, 0)
    paid.refund(0, 0, by=city.chen)


def test_refund_opens_no_room_to_mint(city: City) -> None:
    """supply * par - position is the same before and after, but for a rounding."""
    city.give(city.ana, LOT, 1_000)
    payment = city.pay(city.ana, [(LOT, 503)])

    def used() -> int:
        return int(city.ledger.programme(VOLUNTEER)[6]) * PAR[VOLUNTEER] - city.position(VOLUNTEER) * 10**8

    before = used()
    city.refund(payment, (1, 77))
    assert abs(used() - before) < 10**8


# What bounds a refund whoever asks --------------------------------------------------------------------------------


def test_no_more_of_a_lot_comes_back_than_was_redeemed_of_it(city: City) -> None:
    """A module with the role restores what was spent, once, and mints nothing: the ledger counts each lot itself."""
    city.give(city.ana, LOT, 1_000)
    city.pay(city.ana, [(LOT, 400)])
    module = city.project.WalletMock.deploy(city.operator, city.by_operator)
    city.manager.grantRole(REDEMPTION, module, 0, city.by_admin)
    assert city.ledger.redeemed(LOT) == 400
    steal = Module(city, module)
    with reverts("PointsLedgerNotRedeemed", LOT, 401, 400):
        steal.restore(city.bo, LOT, 401)
    with reverts("PointsLedgerNotRedeemed", LOT + 1, 1, 0):
        steal.restore(city.bo, LOT + 1, 1)
    steal.restore(city.bo, LOT, 400)
    with reverts("PointsLedgerNotRedeemed", LOT, 1, 0):
        steal.restore(city.bo, LOT, 1)
    assert city.ledger.totalSupply(LOT) == 1_000


class Module:
    """A contract with the role of redemption that asks the ledger for whatever it likes, in one transaction."""

    def __init__(self, city: City, module: Any) -> None:
        self._city, self._module = city, module

    def restore(self, person: Person, lot: int, amount: int) -> Any:
        ledger = self._city.ledger
        lots = pack_lots([(lot, amount)])
        calls = [
            ledger.beginRedemption.encode_input(),
            ledger.restore.encode_input(person.address, lots, prefix_word((1, amount)), 0),
        ]
        return self._module.callAll(ledger, calls, self._city.by_operator)


# Disputes: two acts of the consumer arbiter -----------------------------------------------------------------------


def test_lock_reverts_in_order(city: City, paid: Paid) -> None:
    """Time, proof, amount; the lots need not be shown. Then the book: a lock of nothing, and a second one."""
    arbiter = {"from": city.arbiter}
    forged = (*paid.receipt[:4], 82, paid.time)
    with reverts("RedemptionBadProof", paid.order_id, paid.batch):
        city.redemption.lockOrder(forged, (paid.batch, paid.proof), 82, b"\1" * 32, arbiter)
    with reverts("RedemptionTooMuch", paid.order_id, 82, 81):
        paid.lock(82)
    with pytest.raises(Exception, match="ClearingBookBadAmount"):
        paid.lock(0)
    paid.lock(1)
    with reverts("ClearingBookOrderLocked", paid.order_id):
        paid.lock(1)


@pytest.mark.parametrize("late", [0, 1])
def test_an_order_is_locked_within_90_days(city: City, paid: Paid, late: int) -> None:
    next_block_at(paid.time + 90 * DAY + late)
    if not late:
        paid.lock(81)
        return
    with reverts("RedemptionTooLate", paid.order_id, paid.time):
        paid.lock(81)


def test_arbiter_refund_reverts_in_order(city: City, paid: Paid) -> None:
    """Lock, lots, proof, signature, prefix, what is locked. The merchant's key does not sign here, nor the arbiter's
    where the merchant's is needed."""
    with reverts("RedemptionTooLate", paid.order_id, 0):
        paid.arbiter_refund(0, 0, lots=[], proof=[], by=city.bo)
    paid.lock(60)
    with reverts("RedemptionWrongLots", paid.order_id):
        paid.arbiter_refund(9, 9, lots=[], proof=[], by=city.bo)
    with reverts("RedemptionBadProof", paid.order_id, paid.batch):
        paid.arbiter_refund(9, 9, proof=[], by=city.bo)
    for by in (city.merchant[SHOP], city.ana):
        with reverts("RedemptionBadSignature", paid.order_id):
            paid.arbiter_refund(9, 9, by=by)
    with reverts("RedemptionBadSignature", paid.order_id):
        paid.refund(0, 0, by=city.arbiter_key)
    with reverts("RedemptionBadPrefix", prefix_word((3, 50))):
        paid.arbiter_refund(3, 50)
    with reverts("RedemptionTooMuch", paid.order_id, 81, 60):
        paid.arbiter_refund(0, 0)


def test_a_refund_s_signature_is_none_for_the_arbiter_s(city: City, paid: Paid) -> None:
    """Two types of typed data: who holds both keys must still sign both."""
    paid.lock(60)
    city.book.setArbiterKey(city.merchant[SHOP].address, city.by_admin)
    signature = city.sign_refund(paid.payment(), (1, 304))
    with reverts("RedemptionBadSignature", paid.order_id):
        city.redemption.arbiterRefund(*paid.payment().arguments((1, 304)), signature, city.by_operator)


def test_arbiter_refund(city: City, paid: Paid) -> None:
    """In the merchant's place, in parts, at most what is locked; what is left of the lock stays."""
    paid.lock(60)
    tx = paid.arbiter_refund(2, 113)
    assert event_values(tx, "Refunded") == [
        {
            "orderId": "0x" + paid.order_id.hex(),
            "receiver": city.ana.address,
            "merchant": SHOP,
            "kept": prefix_word((2, 113)),
            "fen": 15,
            "byArbiter": True,
        }
    ]
    assert city.book.orderLock(paid.order_id)[1] == 45
    with reverts("RedemptionTooMuch", paid.order_id, 46, 45):
        paid.arbiter_refund(1, 101)
    paid.arbiter_refund(1, 105)
    assert city.book.orderLock(paid.order_id)[1] == 0
    with reverts("RedemptionTooMuch", paid.order_id, 1, 0):
        paid.arbiter_refund(1, 100)
    city.assert_zero_sum()


@pytest.mark.parametrize("late", [0, 1])
def test_a_lock_lapses_to_the_merchant_after_60_days(city: City, paid: Paid, late: int) -> None:
    """To the second; then anyone ends it, and the arbiter can do nothing more."""
    paid.lock(81)
    until = now() + 60 * DAY
    assert tuple(city.book.orderLock(paid.order_id)) == (SHOP, 81, until)
    next_block_at(until - 1 + late)
    if not late:
        paid.arbiter_refund(0, 0)
        return
    with reverts("RedemptionTooLate", paid.order_id, until):
        paid.arbiter_refund(0, 0)
    city.book.unlockOrder(paid.order_id, {"from": city.stranger})
    assert city.book.claim(SHOP)[3] == 0
    with reverts("ClearingBookOrderLocked", paid.order_id):
        paid.lock(1)


def test_a_retired_merchant_s_order_is_refunded_by_the_arbiter(city: City, paid: Paid) -> None:
    """And long after the 90 days, where the lock was made in time."""
    next_block_at(paid.time + 90 * DAY)
    paid.lock(81)
    city.register_merchant(SHOP, None)
    go_to(now() + 59 * DAY)
    assert event_values(paid.arbiter_refund(0, 0), "Refunded")[0]["fen"] == 81


def test_no_arbiter_s_key_no_refund(city: City, paid: Paid) -> None:
    """Before the council named one, or after it took it away, nobody signs for it."""
    paid.lock(60)
    city.book.setArbiterKey(ZERO, city.by_admin)
    with reverts("RedemptionBadSignature", paid.order_id):
        paid.arbiter_refund(1, 304)
