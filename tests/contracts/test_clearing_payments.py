"""ClearingBook: money into the treasury account, out of it, and past it."""

from __future__ import annotations

import pytest
from city import event_values, reverts
from clearing_office import POOL, WEEK, ClearingOffice, merchant, pack_payouts, positions, programme

A, M, N = programme(1), merchant(1), merchant(2)
REFERENCE = b"\x0b" * 32


@pytest.fixture
def matured(office: ClearingOffice) -> ClearingOffice:
    """Two merchants have earned 5,000 and 4,000 fen that matured, and 70 and 30 that did not; nothing is funded."""
    for number in (1, 2):
        office.appropriate(number, 10**6)
    office.earn({1: 6_000, 2: 3_000}, {1: 5_000, 2: 4_000})
    office.at_period(2)
    office.earn({1: 100}, {1: 70, 2: 30})
    return office


# Into the treasury account ----------------------------------------------------------------------------------------


def test_a_debtor_pays(matured: ClearingOffice) -> None:
    """Its position rises, the pool's falls, and its funding stays as it was."""
    before = tuple(matured.book.fundingOf(1))
    tx = matured.fund(1, 2_000, REFERENCE)
    assert event_values(tx, "Funded") == [
        {"programme": 1, "fen": 2_000, "paymentReference": "0x" + REFERENCE.hex(), "paidFen": 2_000}
    ]
    assert positions(tx) == [(A, 2_000, -4_100), (POOL, -2_000, -2_000)]
    assert tuple(matured.book.fundingOf(1)) == before
    assert matured.book.paid(1) == 2_000
    assert matured.book.totalClaims()[4] == 2_000
    matured.fund(1, 4_100)
    assert matured.book.paid(1) == 6_100
    matured.assert_zero_sum([1, 2], [1, 2])


@pytest.mark.parametrize("fen", [0, 6_101, 2**256 - 1])
def test_a_debtor_pays_what_it_owes_at_most(matured: ClearingOffice, fen: int) -> None:
    with reverts("ClearingBookBadAmount", fen, 6_100):
        matured.fund(1, fen)
    with reverts("ClearingBookBadAmount", fen, 0):
        matured.fund(3, fen)


# Out of it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 11, 13, 23])
def test_bytes_that_are_no_payouts_revert(matured: ClearingOffice, length: int) -> None:
    matured.fund(1, 100)
    with reverts("ClearingBookBadPayouts", length):
        matured.book.payout(b"\1" * length, REFERENCE, matured.by["finance"])


def test_merchants_are_paid(matured: ClearingOffice) -> None:
    matured.fund(1, 6_000)
    tx = matured.payout([(2, 1_500), (1, 2_000)], REFERENCE)
    assert tx.return_value == 3_500
    assert event_values(tx, "PaidOut") == [
        {"merchant": 2, "fen": 1_500, "paymentReference": "0x" + REFERENCE.hex()},
        {"merchant": 1, "fen": 2_000, "paymentReference": "0x" + REFERENCE.hex()},
    ]
    assert positions(tx) == [(N, -1_500, 2_530), (M, -2_000, 3_070), (POOL, 3_500, -2_500)]
    assert [matured.claim(number) for number in (1, 2)] == [(3_000, 0, 70, 0, 3_000), (2_500, 0, 30, 0, 2_500)]
    matured.assert_zero_sum([1, 2], [1, 2])


def test_a_merchant_is_paid_what_matured_at_most(matured: ClearingOffice) -> None:
    matured.fund(1, 6_100)
    matured.fund(2, 3_000)
    tx = matured.payout([(1, 2**64 - 1), (2, 4_001)])
    assert [(e["merchant"], e["fen"]) for e in event_values(tx, "PaidOut")] == [(1, 5_000), (2, 4_000)]
    assert matured.book.totalClaims()[4] == 100
    matured.assert_zero_sum([1, 2], [1, 2])


def test_nothing_is_paid_beyond_the_pool(matured: ClearingOffice) -> None:
    """Who comes later in the bytes is paid what is left."""
    matured.fund(2, 3_000)
    tx = matured.payout([(2, 2_500), (1, 5_000), (2, 1)])
    assert [(e["merchant"], e["fen"]) for e in event_values(tx, "PaidOut")] == [(2, 2_500), (1, 500)]
    assert matured.book.position(POOL) == 0
    with reverts("ClearingBookBadAmount", 0, 0):
        matured.payout([(1, 5_000)])
    matured.assert_zero_sum([1, 2], [1, 2])


def test_who_has_nothing_payable_is_passed_over(matured: ClearingOffice) -> None:
    matured.fund(1, 6_000)
    tx = matured.payout([(3, 5), (0, 5), (2, 0), (1, 5), (2**32 - 1, 5)])
    assert [(e["merchant"], e["fen"]) for e in event_values(tx, "PaidOut")] == [(1, 5)]
    assert [p for p, _, _ in positions(tx)] == [M, POOL]


def test_a_payout_of_nothing_reverts_and_spends_no_reference(matured: ClearingOffice) -> None:
    matured.fund(1, 6_000)
    with reverts("ClearingBookBadAmount", 0, 6_000):
        matured.payout([(3, 5), (2, 0)], REFERENCE)
    matured.payout([(1, 5)], REFERENCE)


def test_a_merchant_twice_in_one_payout_is_paid_no_more(matured: ClearingOffice) -> None:
    matured.fund(1, 6_100)
    tx = matured.payout([(1, 3_000)] * 3)
    assert [(e["merchant"], e["fen"]) for e in event_values(tx, "PaidOut")] == [(1, 3_000), (1, 2_000)]


def test_what_is_locked_is_not_paid(matured: ClearingOffice) -> None:
    """Locks are taken from matured value first, whenever the order was."""
    matured.fund(1, 6_000)
    matured.lock(b"\1" * 32, 1, 4_000)
    matured.lock(b"\2" * 32, 2, 10_000)
    assert [matured.claim(number) for number in (1, 2)] == [(5_000, 0, 70, 4_000, 1_000), (4_000, 0, 30, 10_000, 0)]
    tx = matured.payout([(1, 5_000), (2, 5_000)])
    assert [(e["merchant"], e["fen"]) for e in event_values(tx, "PaidOut")] == [(1, 1_000)]
    matured.assert_zero_sum([1, 2], [1, 2])


def test_a_ceiling_bounds_what_a_merchant_is_paid_in_a_cycle(matured: ClearingOffice) -> None:
    book = matured.book
    book.setTerms((WEEK, 1_200), matured.by["council"])
    matured.fund(1, 6_000)
    assert matured.claim(1)[4] == 1_200
    matured.payout([(1, 1_000)])
    assert matured.claim(1)[4] == 200
    tx = matured.payout([(1, 1_000), (2, 9_999)])
    assert [(e["merchant"], e["fen"]) for e in event_values(tx, "PaidOut")] == [(1, 200), (2, 1_200)]
    with reverts("ClearingBookBadAmount", 1, 0):
        book.payDirectly(2, 1, 1, matured.reference(), matured.by["finance"])
    book.setTerms((WEEK, 1_000), matured.by["council"])
    assert matured.claim(1)[4] == 0
    matured.open_cycle()
    assert matured.claim(1)[4] == 1_000
    book.payDirectly(2, 1, 300, matured.reference(), matured.by["finance"])
    assert matured.claim(1)[4] == 700
    book.setTerms((WEEK, 0), matured.by["council"])
    assert matured.claim(1)[4] == 5_000 - 1_500
    matured.assert_zero_sum([1, 2], [1, 2])


# Past it ----------------------------------------------------------------------------------------------------------


def test_a_debtor_pays_a_merchant_directly(matured: ClearingOffice) -> None:
    """The pool does not move, and what is due falls."""
    matured.open_cycle()
    tx = matured.book.payDirectly(1, 2, 1_500, REFERENCE, matured.by["finance"])
    assert event_values(tx, "Funded") == [
        {"programme": 1, "fen": 1_500, "paymentReference": "0x" + REFERENCE.hex(), "paidFen": 1_500}
    ]
    assert event_values(tx, "PaidOut") == [{"merchant": 2, "fen": 1_500, "paymentReference": "0x" + REFERENCE.hex()}]
    assert positions(tx) == [(A, 1_500, -4_600), (N, -1_500, 2_530)]
    assert [matured.due(number) for number in (1, 2)] == [(6_033 - 1_500, 0), (2_967, 0)]
    matured.assert_zero_sum([1, 2], [1, 2])


def test_a_direct_payment_is_whole_or_not_at_all(matured: ClearingOffice) -> None:
    book, finance = matured.book, matured.by["finance"]
    for number, fen, most in ((1, 0, 6_100), (1, 6_101, 6_100), (3, 1, 0)):
        with reverts("ClearingBookBadAmount", fen, most):
            book.payDirectly(number, 1, fen, REFERENCE, finance)
    with reverts("ClearingBookBadAmount", 5_001, 5_000):
        book.payDirectly(1, 1, 5_001, REFERENCE, finance)
    matured.lock(b"\1" * 32, 1, 4_999)
    with reverts("ClearingBookBadAmount", 2, 1):
        book.payDirectly(1, 1, 2, REFERENCE, finance)
    with reverts("ClearingBookBadAmount", 2, 0):
        book.payDirectly(1, 0, 2, REFERENCE, finance)
    book.payDirectly(1, 1, 1, REFERENCE, finance)


# Once only --------------------------------------------------------------------------------------------------------


def test_a_payment_reference_is_used_once(matured: ClearingOffice) -> None:
    """By whichever act; a sender that was misled by its node does no harm by sending again."""
    book, finance = matured.book, matured.by["finance"]
    matured.ledger.postBreakage(book, 1, 500)
    acts = [
        lambda reference: book.fund(1, 100, reference, finance),
        lambda reference: book.payout(pack_payouts([(1, 10)]), reference, finance),
        lambda reference: book.payDirectly(1, 1, 10, reference, finance),
        lambda reference: book.reclaim(1, 10, reference, finance),
    ]
    for act in acts:
        with reverts("ClearingBookReferenceUsed", b"\0" * 32):
            act(b"\0" * 32)
    for i, act in enumerate(acts):
        reference = bytes([i + 1]) * 32
        act(reference)
        for again in acts:
            with reverts("ClearingBookReferenceUsed", reference):
                again(reference)
    matured.assert_zero_sum([1, 2], [1, 2])


# Cost -------------------------------------------------------------------------------------------------------------


def test_six_hundred_merchants_are_paid_in_one_call(office: ClearingOffice) -> None:
    """Below ten million gas, with room in a block of a permissioned chain."""
    office.appropriate(1, 10**9)
    numbers = range(1, 601)
    for first in range(1, 601, 100):
        office.earn({1: 100 * 10**4}, dict.fromkeys(range(first, first + 100), 10**4))
    office.at_period(2)
    office.fund(1, 600 * 10**4)
    tx = office.payout((number, 9_000) for number in numbers)
    print("GAS", tx.gas_used)
    assert tx.return_value == 600 * 9_000
    assert tx.gas_used < 10_000_000
