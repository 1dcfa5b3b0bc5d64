"""ClearingBook: value locked for the consumer arbiter, and what a refund draws on."""

from __future__ import annotations

from typing import Any

import brownie
import pytest
from city import DAY, event_values, now, reverts
from clearing_office import WEEK, ClearingOffice

ORDER, OTHER_ORDER = b"\x0a" * 32, b"\x0b" * 32
COMPLAINT = "0x" + "0c" * 32


def shown(order: bytes) -> str:
    return "0x" + order.hex()


def unlock(office: ClearingOffice, order: bytes = ORDER) -> Any:
    return office.book.unlockOrder(order, {"from": office.stranger})


@pytest.fixture
def aged(office: ClearingOffice) -> ClearingOffice:
    """A merchant's claim is 1,000 fen matured, 200 younger and 30 youngest."""
    office.earn({1: 1_000}, {1: 1_000})
    office.at_period(1, 5)
    office.earn({1: 200}, {1: 200})
    office.at_period(2, 5)
    office.earn({1: 30}, {1: 30})
    return office


# Locks ------------------------------------------------------------------------------------------------------------


def test_an_order_is_locked_for_sixty_days(office: ClearingOffice) -> None:
    """Of a claim that is there or that is to come."""
    office.at_period(1)
    tx = office.lock(ORDER, 1, 700)
    until = office.start + WEEK + 60 * DAY
    assert event_values(tx, "OrderLocked") == [
        {"orderId": shown(ORDER), "merchant": 1, "fen": 700, "until": until, "complaintHash": COMPLAINT}
    ]
    assert tuple(office.book.orderLock(ORDER)) == (1, 700, until)
    office.lock(OTHER_ORDER, 1, 50)
    assert office.claim(1) == (0, 0, 0, 750, 0)
    assert office.book.totalClaims()[3] == 750
    office.at_period(1, 60 * DAY - 1)
    with reverts("ClearingBookTooEarly", until):
        unlock(office)
    office.at_period(1, 60 * DAY)
    tx = unlock(office)
    assert event_values(tx, "OrderUnlocked") == [{"orderId": shown(ORDER), "merchant": 1, "fen": 700}]
    assert tuple(office.book.orderLock(ORDER)) == (1, 0, until)
    assert office.claim(1)[3] == office.book.totalClaims()[3] == 50
    with reverts("ClearingBookOrderNotLocked", ORDER):
        unlock(office)


def test_an_order_is_locked_once(office: ClearingOffice) -> None:
    """Not again while it is locked, nor when that is over."""
    office.lock(ORDER, 1, 700)
    with reverts("ClearingBookOrderLocked", ORDER):
        office.lock(ORDER, 2, 1)
    office.at_period(0, 61 * DAY)
    unlock(office)
    with reverts("ClearingBookOrderLocked", ORDER):
        office.lock(ORDER, 1, 700)


def test_a_lock_needs_a_merchant_and_fen(office: ClearingOffice) -> None:
    with reverts("ClearingBookBadMerchant"):
        office.lock(ORDER, 0, 1)
    with reverts("ClearingBookBadAmount", 0, 2**96 - 1):
        office.lock(ORDER, 1, 0)
    with reverts("ClearingBookOrderNotLocked", ORDER):
        unlock(office)
    office.lock(ORDER, 1, 2**96 - 1)
    with brownie.reverts("Integer overflow"):
        office.lock(OTHER_ORDER, 1, 1)


def test_a_refund_frees_its_own_lock_first(aged: ClearingOffice) -> None:
    """Up to what is refunded; what is left of the claim covers the other locks."""
    aged.lock(ORDER, 1, 700)
    aged.lock(OTHER_ORDER, 1, 400)
    tx = aged.refund(1, 1, 300, now(), ORDER)
    assert event_values(tx, "OrderUnlocked") == [{"orderId": shown(ORDER), "merchant": 1, "fen": 300}]
    assert aged.book.orderLock(ORDER)[1] == 400
    assert aged.claim(1)[3] == 800
    with reverts("ClearingBookNotCovered", 1, 531, 530):
        aged.refund(1, 1, 531, now(), ORDER)
    tx = aged.refund(1, 1, 530, now(), ORDER)
    assert event_values(tx, "OrderUnlocked")[0]["fen"] == 400
    assert tuple(aged.book.orderLock(ORDER))[:2] == (1, 0)
    assert aged.claim(1) == (400, 0, 0, 400, 0)
    with reverts("ClearingBookOrderNotLocked", ORDER):
        unlock(aged)
    aged.assert_zero_sum([1], [1])


def test_a_refund_of_another_order_leaves_locks_covered(aged: ClearingOffice) -> None:
    aged.lock(ORDER, 1, 700)
    with reverts("ClearingBookNotCovered", 1, 531, 530):
        aged.refund(1, 1, 531, now(), OTHER_ORDER)
    tx = aged.refund(1, 1, 530, now(), OTHER_ORDER)
    assert event_values(tx, "OrderUnlocked") == []
    with reverts("ClearingBookNotCovered", 1, 1, 0):
        aged.refund(1, 1, 1, now(), OTHER_ORDER)
    aged.assert_zero_sum([1], [1])


def test_the_arbiter_s_refund_may_use_what_other_locks_need(aged: ClearingOffice) -> None:
    aged.lock(ORDER, 1, 1_000)
    aged.lock(OTHER_ORDER, 1, 1_000)
    with reverts("ClearingBookNotCovered", 1, 1_000, 230):
        aged.refund(1, 1, 1_000, now(), ORDER)
    aged.refund(1, 1, 1_000, now(), ORDER, by_arbiter=True)
    assert aged.claim(1)[3:] == (1_000, 0)
    with reverts("ClearingBookNotCovered", 1, 231, 230):
        aged.refund(1, 1, 231, now(), OTHER_ORDER, by_arbiter=True)
    aged.refund(1, 1, 230, now(), OTHER_ORDER, by_arbiter=True)
    assert aged.claim(1) == (0, 0, 0, 770, 0)
    aged.assert_zero_sum([1], [1])


# What a refund draws on -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "fen", "expected"),
    [
        (3, 20, (1_000, 200, 10)),
        (2, 20, (1_000, 200, 10)),
        (2, 100, (1_000, 130, 0)),
        (2, 1_230, (0, 0, 0)),
        (1, 20, (1_000, 180, 30)),
        (1, 300, (900, 0, 30)),
        (1, 1_200, (0, 0, 30)),
        (0, 20, (980, 200, 30)),
        (0, 1_000, (0, 200, 30)),
        (-5, 20, (980, 200, 30)),
    ],
)
def test_a_refund_draws_on_what_the_order_s_period_earned(
    aged: ClearingOffice, period: int, fen: int, expected: tuple[int, int, int]
) -> None:
    """Youngest first, of what was earned in its period or before; for a matured order, on matured value alone."""
    aged.earn({1: 5_000}, {2: 5_000})
    aged.refund(1, 1, fen, aged.start + period * WEEK)
    assert aged.claim(1)[:3] == expected
    assert aged.claim(2)[:3] == (0, 0, 5_000)
    aged.assert_zero_sum([1], [1, 2])


@pytest.mark.parametrize(("period", "covered"), [(2, 1_230), (1, 1_200), (0, 1_000), (-1, 1_000)])
def test_a_refund_beyond_that_reverts(aged: ClearingOffice, period: int, covered: int) -> None:
    for second in (0, WEEK - 1):
        for by_arbiter in (False, True):
            with reverts("ClearingBookNotCovered", 1, covered + 1, covered):
                aged.refund(1, 1, covered + 1, aged.start + period * WEEK + second, by_arbiter=by_arbiter)
