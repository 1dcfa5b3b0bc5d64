"""Disputes: opening, contesting, deciding, refunding the locked part, closing. Reverts first, in order."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    DAY,
    NOW,
    OTHER_SHOP,
    SHOP,
    VOLUNTEER,
    City,
    Person,
    event_values,
    go_to,
    next_block_at,
    reverts,
    transfers,
)
from reference import ZERO, pack_lots, sign, token_id

LOT = token_id(VOLUNTEER, NOW)
LOTS = [(LOT, 304), (LOT, 200)]
NONE, OPEN, CONTESTED, DECIDED, CLOSED = range(5)


class Case:
    """An order of 100 fen that ana paid and disputes."""

    def __init__(self, city: City) -> None:
        self.city = city
        city.give(city.ana, LOT, 1_000)
        order = city.redeem_order(city.ana, LOTS)
        tx = city.run_redeem(city.signed(city.ana, order))
        self.receipt = city.receipt_of(tx, lots=LOTS)
        self.id, self.time = self.receipt[0], self.receipt[5]
        self.hex = "0x" + self.id.hex()

    def open(self, by: Person | None = None, **changes: Any) -> Any:
        given = {"receipt": self.receipt, "batch": 1, "proof": [], "paid": pack_lots(LOTS)} | changes
        signature = sign((by or self.city.ana).key, self.city.domain.digest("Dispute", orderId=self.id))
        return self.city.disputes.open(*given.values(), signature, self.city.by_operator)

    def contest(self, by: Person | None = None) -> Any:
        key = (by or self.city.merchant[SHOP]).key
        signature = sign(key, self.city.domain.digest("Contest", orderId=self.id))
        return self.city.disputes.contest(self.id, signature, self.city.by_operator)

    def decide(self, fen: int) -> Any:
        return self.city.disputes.decide(self.id, fen, {"from": self.city.finance})

    def refund(self, kept: int, last: int, **changes: Any) -> Any:
        given = {"receipt": self.receipt, "batch": 1, "proof": [], "paid": pack_lots(LOTS)} | changes
        return self.city.disputes.refundLocked(*given.values(), kept, last, {"from": self.city.stranger})

    def state(self) -> tuple[int, ...]:
        return tuple(self.city.disputes.dispute(self.id))


@pytest.fixture
def case(city: City) -> Case:
    return Case(city)


# Open -------------------------------------------------------------------------------------------------------------


def test_open_reverts_in_order(city: City, case: Case) -> None:
    with reverts("RefundDeskWrongLots", case.id):
        case.open(paid=pack_lots(LOTS[:1]), batch=2)
    with reverts("RefundDeskBadProof", case.id, 2):
        case.open(batch=2, by=city.bo)
    for by in (city.bo, city.merchant[SHOP]):
        with reverts("DisputesBadSignature", case.id):
            case.open(by=by)
    city.settlement.closeCycle([VOLUNTEER], [SHOP], {"from": city.finance})
    with reverts("DisputesNothingToLock", case.id):
        case.open()


def test_open_until_30_days(city: City, case: Case) -> None:
    next_block_at(case.time + 30 * DAY + 1)
    with reverts("DisputesTooLate", case.id, case.time):
        case.open(batch=2, by=city.bo)
    assert case.state()[0] == NONE


def test_open_on_the_last_second(city: City, case: Case) -> None:
    next_block_at(case.time + 30 * DAY)
    case.open()
    assert case.state()[0] == OPEN


def test_open(city: City, case: Case) -> None:
    """The order's whole value is locked: no cycle lists it and the merchant cannot refund elsewhere from it."""
    tx = case.open()
    assert event_values(tx, "Disputed") == [
        {"orderId": case.hex, "holder": city.ana.address, "merchant": SHOP, "fen": 100}
    ]
    assert case.state() == (OPEN, city_time(tx), SHOP, 100)
    assert (city.book.disputedFen(SHOP), city.book.freeFen(SHOP)) == (100, 0)
    with reverts("DisputesBadState", case.id, OPEN):
        case.open()
    with reverts("SettlementNothingToPay"):
        city.settlement.closeCycle([VOLUNTEER], [SHOP], {"from": city.finance})


def city_time(tx: Any) -> int:
    from brownie import web3

    return int(web3.eth.get_block(tx.block_number)["timestamp"])


def test_open_locks_what_is_left_unpaid_and_unrefunded(city: City, case: Case) -> None:
    """After a refund only what is kept counts; of what is listed for payment nothing is locked."""
    city.refund(case.receipt, 1, [], LOTS, (1, 304))
    city.settlement.closeCycle([VOLUNTEER], [SHOP], {"from": city.finance})
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 150)])))
    tx = case.open()
    assert event_values(tx, "Disputed")[0]["fen"] == 30


def test_the_successor_may_open(city: City, case: Case) -> None:
    city.ledger.migrate(city.heir.address, [], {"from": city.ana.account})
    case.open(by=city.heir)
    assert case.state()[0] == OPEN


# Contest and decide -----------------------------------------------------------------------------------------------


def test_contest(city: City, case: Case) -> None:
    with reverts("DisputesBadState", case.id, NONE):
        case.contest(by=city.bo)
    opened = city_time(case.open())
    for by in (city.ana, city.merchant[OTHER_SHOP]):
        with reverts("DisputesBadSignature", case.id):
            case.contest(by=by)
    next_block_at(opened + 7 * DAY - 1)
    tx = case.contest()
    assert event_values(tx, "Contested") == [{"orderId": case.hex, "merchant": SHOP}]
    with reverts("DisputesBadState", case.id, CONTESTED):
        case.contest()
    for act in (lambda: case.refund(0, 0), lambda: city.disputes.close(case.id, city.by_operator)):
        go_to(opened + 80 * DAY)
        with reverts("DisputesBadState", case.id, CONTESTED):
            act()


def test_contest_too_late(city: City, case: Case) -> None:
    opened = city_time(case.open())
    next_block_at(opened + 7 * DAY)
    with reverts("DisputesContestTooLate", case.id):
        case.contest()


def test_decide(city: City, case: Case) -> None:
    """Only a contested dispute, never more than is locked; the rest is free at once."""
    case.open()
    with reverts("DisputesBadState", case.id, OPEN):
        case.decide(10)
    case.contest()
    with reverts("DisputesTooMuch", case.id, 101, 100):
        case.decide(101)
    tx = case.decide(40)
    assert event_values(tx, "Decided") == [{"orderId": case.hex, "refundFen": 40}]
    assert case.state()[0::3] == (DECIDED, 40)
    assert city.book.freeFen(SHOP) == 60
    with reverts("DisputesBadState", case.id, DECIDED):
        case.decide(10)
    with reverts("DisputesTooMuch", case.id, 100, 40):
        case.refund(0, 0)
    tx = case.refund(1, 304)
    assert event_values(tx, "Refunded")[0]["fen"] == 40
    assert transfers(tx) == [(ZERO, city.ana.address, LOT, 200)]
    assert (city.book.disputedFen(SHOP), city.book.freeFen(SHOP)) == (0, 60)


# Refund of the locked part ----------------------------------------------------------------------------------------


def test_refund_reverts_in_order(city: City, case: Case) -> None:
    """The receipt, then the dispute's state and time, then the prefix."""
    with reverts("RefundDeskWrongLots", case.id):
        case.refund(0, 0, paid=pack_lots(LOTS[:1]), batch=2)
    with reverts("RefundDeskBadProof", case.id, 2):
        case.refund(0, 1, batch=2)
    with reverts("DisputesBadState", case.id, NONE):
        case.refund(0, 1)
    opened = city_time(case.open())
    next_block_at(opened + 7 * DAY - 1)
    with reverts("DisputesTooEarly", case.id, opened + 7 * DAY):
        case.refund(0, 1)
    go_to(opened + 7 * DAY)
    for prefix in ((2, 200), (2, 201), (0, 1)):
        with reverts("RefundDeskBadPrefix", *prefix):
            case.refund(*prefix)


def test_an_uncontested_dispute_is_refunded_by_anyone(city: City, case: Case) -> None:
    """In parts or whole; the merchant's position pays; what is left stays locked."""
    opened = city_time(case.open())
    next_block_at(opened + 7 * DAY)
    tx = case.refund(2, 100)
    assert event_values(tx, "Refunded") == [
        {
            "orderId": case.hex,
            "receiver": city.ana.address,
            "merchant": SHOP,
            "lots": 2,
            "lastAmount": 100,
            "fen": 20,
        }
    ]
    assert case.state()[0::3] == (OPEN, 80)
    assert (city.book.disputedFen(SHOP), city.book.freeFen(SHOP), city.merchant_position(SHOP)) == (80, 0, 80)
    case.refund(0, 0)
    assert case.state()[0::3] == (OPEN, 0)
    assert city.balances(LOT, city.ana) == [1_000]
    assert (city.merchant_position(SHOP), city.position(VOLUNTEER)) == (0, 0)
    with reverts("RefundDeskBadPrefix", 0, 0):
        case.refund(0, 0)


def test_no_more_than_what_is_locked(city: City, case: Case) -> None:
    """An order half listed for payment is half refundable, though the merchant has other value by now."""
    city.refund(case.receipt, 1, [], LOTS, (2, 150))
    city.settlement.closeCycle([VOLUNTEER], [SHOP], {"from": city.finance})
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 150)])))
    opened = city_time(case.open())
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 300)])))
    go_to(opened + 7 * DAY)
    with reverts("DisputesTooMuch", case.id, 90, 30):
        case.refund(0, 0)
    case.refund(1, 304)
    assert city.book.disputedFen(SHOP) == 0
    assert city.book.freeFen(SHOP) == 60


def test_the_merchant_may_refund_a_disputed_order_only_from_free_value(city: City, case: Case) -> None:
    case.open()
    with reverts("ClearingBookNotCovered", SHOP, 100, 0):
        city.refund(case.receipt, 1, [], LOTS, (0, 0))


def test_a_retired_merchant_s_order_can_still_be_refunded(city: City, case: Case) -> None:
    """Who leaves the scheme does not take disputed value along."""
    opened = city_time(case.open())
    city.book.registerMerchant(SHOP, ZERO, b"\1" * 32, {"from": city.registrar})
    next_block_at(opened + 7 * DAY)
    case.refund(0, 0)
    assert city.balances(LOT, city.ana) == [1_000]
    city.assert_zero_sum()


# Close ------------------------------------------------------------------------------------------------------------


def test_close_after_60_days(city: City, case: Case) -> None:
    with reverts("DisputesBadState", case.id, NONE):
        city.disputes.close(case.id, city.by_operator)
    opened = city_time(case.open())
    next_block_at(opened + 60 * DAY - 1)
    with reverts("DisputesTooEarly", case.id, opened + 60 * DAY):
        city.disputes.close(case.id, city.by_operator)
    next_block_at(opened + 60 * DAY)
    tx = city.disputes.close(case.id, {"from": city.stranger})
    assert event_values(tx, "DisputeClosed") == [{"orderId": case.hex, "freedFen": 100}]
    assert case.state()[0::3] == (CLOSED, 0)
    assert (city.book.disputedFen(SHOP), city.book.freeFen(SHOP)) == (0, 100)
    for act in (lambda: city.disputes.close(case.id, city.by_operator), lambda: case.refund(0, 0)):
        with reverts("DisputesBadState", case.id, CLOSED):
            act()


def test_close_of_a_decided_dispute(city: City, case: Case) -> None:
    opened = city_time(case.open())
    case.contest()
    case.decide(40)
    next_block_at(opened + 60 * DAY)
    tx = city.disputes.close(case.id, city.by_operator)
    assert event_values(tx, "DisputeClosed")[0]["freedFen"] == 40
