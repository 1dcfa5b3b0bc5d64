"""Refunds: time, proof, signature, prefix and value; what comes back, to whom, and in which lot."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    DAY,
    ENVIRONMENT,
    GIFT,
    NOW,
    OTHER_SHOP,
    PAR,
    SHOP,
    VOLUNTEER,
    City,
    event_values,
    next_block_at,
    now,
    reverts,
    transfers,
)
from reference import RECEIPT_TYPES, ZERO, Lot, MerkleTree, basket_fen, leaf_hash, prefix_of, quarter_end, token_id

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
        receipts = [city.receipt_of(tx, i, order.lots) for i, (_, order) in enumerate(orders)]
        self.leaves = [leaf_hash(RECEIPT_TYPES, receipt) for receipt in receipts]
        self.receipt = receipts[1]
        self.other = receipts[0]
        self.proof = MerkleTree(self.leaves, sort=False).proof(self.leaves[1])
        self.time = self.receipt[5]
        self.order_id = self.receipt[0]

    def refund(self, kept: int, last: int, **changes: Any) -> Any:
        given = {"receipt": self.receipt, "batch": self.batch, "proof": self.proof, "lots": LOTS} | changes
        return self.city.refund(prefix=(kept, last), **given)


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
    with reverts("RefundDeskWrongLots", paid.order_id):
        paid.refund(9, 9, lots=lots, proof=[], by=city.bo)


def test_3_bad_proof(city: City, paid: Paid) -> None:
    """No path, another batch, or a receipt that says more than what was paid."""
    for change in ({"proof": []}, {"batch": paid.batch + 1}, {"batch": 0}):
        with pytest.raises(Exception, match="RefundDeskBadProof"):
            paid.refund(9, 9, by=city.bo, **change)
    for i, value in ((1, city.bo.address), (2, OTHER_SHOP), (4, 82), (5, paid.time + 1)):
        forged = list(paid.receipt)
        forged[i] = value
        with reverts("RefundDeskBadProof", paid.order_id, paid.batch):
            paid.refund(9, 9, receipt=tuple(forged), by=city.bo)


def test_4_bad_signature(city: City, paid: Paid) -> None:
    """The holder's, another merchant's, one for another prefix; and none at all once the merchant is retired."""
    for by in (city.ana, city.merchant[OTHER_SHOP]):
        with reverts("RedemptionBadSignature", paid.order_id):
            paid.refund(9, 9, by=by)
    city.book.registerMerchant(SHOP, ZERO, b"\xff" * 32, {"from": city.registrar})
    with reverts("RedemptionBadSignature", paid.order_id):
        paid.refund(0, 0)


@pytest.mark.parametrize("prefix", [(3, 50), (3, 51), (4, 1), (3, 0), (2, 0), (1, 305), (0, 1), (255, 2**64 - 1)])
def test_5_bad_prefix(city: City, paid: Paid, prefix: tuple[int, int]) -> None:
    """Not shorter than what is kept, or none that fits the lots."""
    with reverts("RefundDeskBadPrefix", *prefix):
        paid.refund(*prefix)


def test_5_a_prefix_only_shrinks(city: City, paid: Paid) -> None:
    """A refund again, or an older one after a newer, does nothing but revert."""
    paid.refund(2, 100)
    for prefix in ((2, 100), (2, 101), (3, 1), (3, 50)):
        with reverts("RefundDeskBadPrefix", *prefix):
            paid.refund(*prefix)
    paid.refund(0, 0)
    for prefix in ((0, 0), (1, 1), (2, 99)):
        with reverts("RefundDeskBadPrefix", *prefix):
            paid.refund(*prefix)


def test_6_not_covered_by_value_that_is_locked(city: City, paid: Paid) -> None:
    """What a cycle has listed for payment cannot be refunded from."""
    city.settlement.closeCycle([VOLUNTEER, ENVIRONMENT, GIFT], [SHOP], {"from": city.finance})
    with reverts("ClearingBookNotCovered", SHOP, 15, 0):
        paid.refund(2, 113)
    order = city.redeem_order(city.bo, [(GIFTS, 50)])
    city.run_redeem(city.signed(city.bo, order))
    paid.refund(2, 113)
    assert city.book.freeFen(SHOP) == 0


def test_7_no_room_in_the_lot(city: City, paid: Paid) -> None:
    """Where more was minted since than leaves room, a refund waits, and a smaller one lands."""
    city.appropriate(VOLUNTEER, 10**15)
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
            "lots": 0,
            "lastAmount": 0,
            "fen": 81,
        }
    ]
    assert transfers(tx) == [(ZERO, city.ana.address, lot, amount) for lot, amount in LOTS]
    for lot in (LOT, ENV, GIFTS):
        assert city.balances(lot, city.ana) == [1_000]
    assert city.ledger.totalSupply(LOT) == city.ledger.programmeSupply(VOLUNTEER) == 1_000
    assert [city.position(p) for p in (VOLUNTEER, ENVIRONMENT)] == [0, 0]
    assert before - city.merchant_position(SHOP) == 81
    assert tuple(city.book.keptPrefix(paid.order_id)) == (True, 0, 0)
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
        assert tuple(city.book.keptPrefix(paid.order_id)) == (True, *step)


def test_refund_of_a_capture_speaks_of_the_captured_prefix(city: City) -> None:
    city.give(city.ana, LOT, 1_000)
    order = city.place_hold(city.ana, [(LOT, 300), (LOT, 200)])
    tx = city.run_capture(city.signed_capture(order, (2, 100)))
    captured = [(LOT, 300), (LOT, 100)]
    receipt = city.receipt_of(tx, lots=captured)
    with reverts("RefundDeskWrongLots", receipt[0]):
        city.refund(receipt, 1, [], order.lots, (1, 300))
    city.refund(receipt, 1, [], captured, (1, 250))
    assert city.balances(LOT, city.ana) == [750]
    assert (city.position(VOLUNTEER), city.merchant_position(SHOP)) == (-50, 50)


def test_refund_of_a_lot_that_died_is_reborn(city: City, paid: Paid) -> None:
    """In the current quarter's lot of the same programme, within the holder's cap; the rest comes back dead."""
    city.ledger.setRebirthCap(63, city.by_admin)
    next_block_at(quarter_end(NOW) + DAY)
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


def test_refund_goes_to_the_successor_whoever_relays_it(city: City, paid: Paid) -> None:
    city.ledger.migrate(city.heir.address, [], {"from": city.ana.account})
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
    city.book.registerMerchant(SHOP, city.chen.address, b"\1" * 32, {"from": city.registrar})
    with reverts("RedemptionBadSignature", paid.order_id):
        paid.refund(0, 0)
    paid.refund(0, 0, by=city.chen)


def test_refund_opens_no_room_to_mint(city: City) -> None:
    """supply * par - position is the same before and after, but for a rounding."""
    city.give(city.ana, LOT, 1_000)
    order = city.redeem_order(city.ana, [(LOT, 503)])
    tx = city.run_redeem(city.signed(city.ana, order))
    used = city.ledger.programmeSupply(VOLUNTEER) * PAR[VOLUNTEER] - city.position(VOLUNTEER) * 10**8
    city.refund(city.receipt_of(tx, lots=order.lots), 1, [], order.lots, (1, 77))
    after = city.ledger.programmeSupply(VOLUNTEER) * PAR[VOLUNTEER] - city.position(VOLUNTEER) * 10**8
    assert abs(after - used) < 10**8
    assert now() > 0
