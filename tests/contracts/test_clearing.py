"""ClearingBook and Settlement: appropriations, postings, locks, cycles, netting, payments."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    APPROPRIATION_FEN,
    CULTURE,
    ENVIRONMENT,
    GIFT,
    NOW,
    OTHER_SHOP,
    SHOP,
    THEATRE,
    VOLUNTEER,
    City,
    Person,
    event_values,
    reverts,
)
from reference import ZERO, sign, token_id

LOT = token_id(VOLUNTEER, NOW)
CUL = token_id(CULTURE, NOW)
A, B, M, N = 1 << 32 | VOLUNTEER, 1 << 32 | CULTURE, 2 << 32 | SHOP, 2 << 32 | OTHER_SHOP


@pytest.fixture
def clerk(city: City) -> City:
    """The city, in which the operator holds every module's role, to call the book directly."""
    for role in (2, 3, 4, 9):
        city.manager.grantRole(role, city.operator, 0, city.by_admin)
    return city


# Appropriations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "fen"), [(2030, 0), (2030, 2**96), (0, 1)])
def test_a_bad_appropriation_reverts(city: City, year: int, fen: int) -> None:
    with reverts("ClearingBookBadAppropriation", year, fen):
        city.appropriate(VOLUNTEER, fen, year)


def test_appropriations_add_up(city: City) -> None:
    tx = city.appropriate(VOLUNTEER, 700, 2031)
    document = "0x" + "01" * 32
    assert event_values(tx, "AppropriationRecorded") == [
        {"programme": VOLUNTEER, "fiscalYear": 2031, "fen": 700, "documentHash": document}
    ]
    city.appropriate(VOLUNTEER, 50, 2031)
    assert tuple(city.book.appropriation(VOLUNTEER, 2031)) == (750, 0, 750)
    assert city.book.appropriated(VOLUNTEER) == APPROPRIATION_FEN + 750
    assert city.book.fundingFen(VOLUNTEER) == APPROPRIATION_FEN + 750
    assert tuple(city.book.appropriation(CULTURE, 2031)) == (0, 0, 0)


def test_payments_consume_the_oldest_year_first_and_a_lapse_takes_only_the_rest(clerk: City) -> None:
    """Years are told apart whatever the order in which they were recorded."""
    book, finance = clerk.book, {"from": clerk.finance}
    book.lapse(VOLUNTEER, 2030, finance)
    for year, fen in ((2032, 300), (2031, 100), (2033, 50)):
        clerk.appropriate(VOLUNTEER, fen, year)
    book.post([(A, -150), (M, 150)], clerk.by_operator)
    book.lock([(VOLUNTEER, SHOP, 150)], clerk.by_operator)
    book.pay(VOLUNTEER, SHOP, 150, clerk.by_operator)
    left = [book.appropriation(VOLUNTEER, year)[2] for year in (2031, 2032, 2033)]
    assert left == [0, 250, 50]
    with reverts("ClearingBookNothingToLapse", VOLUNTEER, 2031):
        book.lapse(VOLUNTEER, 2031, finance)
    tx = book.lapse(VOLUNTEER, 2032, finance)
    assert event_values(tx, "AppropriationLapsed") == [{"programme": VOLUNTEER, "fiscalYear": 2032, "fen": 250}]
    assert tuple(book.appropriation(VOLUNTEER, 2032)) == (300, 250, 0)
    with reverts("ClearingBookNothingToLapse", VOLUNTEER, 2032):
        book.lapse(VOLUNTEER, 2032, finance)
    with reverts("ClearingBookNothingToLapse", VOLUNTEER, 2040):
        book.lapse(VOLUNTEER, 2040, finance)
    assert (book.appropriated(VOLUNTEER), book.paid(VOLUNTEER), book.fundingFen(VOLUNTEER)) == (200, 150, 50)


# Merchants and postings -------------------------------------------------------------------------------------------


def test_merchants(city: City) -> None:
    registrar = {"from": city.registrar}
    with reverts("ClearingBookBadMerchant"):
        city.book.registerMerchant(0, city.ana.address, b"\1" * 32, registrar)
    for key in (city.ana.address, city.bo.address, ZERO):
        tx = city.book.registerMerchant(9, key, b"\1" * 32, registrar)
        assert event_values(tx, "MerchantRegistered") == [{"id": 9, "key": key, "scope": "0x" + "01" * 32}]
        assert tuple(city.book.merchant(9)) == (key, "0x" + "01" * 32)


@pytest.mark.parametrize(("postings", "total"), [([(A, 1)], 1), ([(A, -5), (M, 3)], -2), ([(A, 0), (M, 7)], 7)])
def test_unbalanced_postings_revert(clerk: City, postings: list[tuple[int, int]], total: int) -> None:
    with reverts("ClearingBookUnbalanced", total):
        clerk.book.post(postings, clerk.by_operator)
    with reverts("ClearingBookUnbalanced", total):
        clerk.book.postReceipts(postings, b"\1" * 32, clerk.by_operator)
    with reverts("ClearingBookUnbalanced", total):
        clerk.book.postRefund(postings, b"\1" * 32, THEATRE, 0, 0, clerk.by_operator)
    assert clerk.book.position(A) == 0


def test_post(clerk: City) -> None:
    """One event a participant that moved, none for who did not."""
    tx = clerk.book.post([(A, -7), (B, 0), (M, 5), (N, 2)], clerk.by_operator)
    assert event_values(tx, "PositionChanged") == [
        {"participant": A, "delta": -7, "position": -7},
        {"participant": M, "delta": 5, "position": 5},
        {"participant": N, "delta": 2, "position": 2},
    ]
    clerk.assert_zero_sum()


def test_receipts_count_up(clerk: City) -> None:
    for batch in (1, 2):
        clerk.book.postReceipts([], bytes([batch]) * 32, clerk.by_operator)
        assert clerk.book.lastReceiptsBatch() == batch
        assert bytes(clerk.book.receiptsRoot(batch)) == bytes([batch]) * 32


def test_a_refund_draws_on_free_value_only(clerk: City) -> None:
    book, by = clerk.book, clerk.by_operator
    book.post([(A, -100), (M, 100)], by)
    book.lock([(VOLUNTEER, SHOP, 60)], by)
    book.lockDisputed(SHOP, 15, by)
    assert book.freeFen(SHOP) == 25
    with reverts("ClearingBookNotCovered", SHOP, 26, 25):
        book.postRefund([(A, 26), (M, -26)], b"\1" * 32, SHOP, 1, 5, by)
    book.postRefund([(A, 25), (M, -25)], b"\1" * 32, SHOP, 1, 5, by)
    assert tuple(book.keptPrefix(b"\1" * 32)) == (True, 1, 5)
    assert book.freeFen(SHOP) == 0


# Locks and payments -----------------------------------------------------------------------------------------------


def test_locks_revert_beyond_what_is_owed_and_free(clerk: City) -> None:
    book, by = clerk.book, clerk.by_operator
    book.post([(A, -100), (B, -10), (M, 50), (N, 60)], by)
    with reverts("ClearingBookNotFree", A, 101, 100):
        book.lock([(VOLUNTEER, SHOP, 101)], by)
    with reverts("ClearingBookNotFree", M, 51, 50):
        book.lock([(VOLUNTEER, SHOP, 51)], by)
    with reverts("ClearingBookNotFree", A, 61, 60):
        book.lock([(VOLUNTEER, SHOP, 40), (VOLUNTEER, OTHER_SHOP, 61)], by)
    tx = book.lock([(VOLUNTEER, SHOP, 40), (CULTURE, SHOP, 10)], by)
    assert event_values(tx, "Locked") == [
        {"programme": VOLUNTEER, "merchant": SHOP, "fen": 40},
        {"programme": CULTURE, "merchant": SHOP, "fen": 10},
    ]
    assert [book.lockedFen(p) for p in (A, B, M, N)] == [40, 10, 50, 0]
    assert (book.owedFen(VOLUNTEER), book.owedFen(CULTURE), book.owedFen(GIFT)) == (60, 0, 0)
    assert (book.freeFen(SHOP), book.freeFen(OTHER_SHOP)) == (0, 60)


def test_pay(clerk: City) -> None:
    """Only what is locked; positions move towards 0 and `paid` rises, so the funding stays as it was."""
    book, by = clerk.book, clerk.by_operator
    book.post([(A, -100), (B, -50), (M, 150)], by)
    book.lock([(VOLUNTEER, SHOP, 40), (CULTURE, SHOP, 50)], by)
    with reverts("ClearingBookNotLocked", A, 41, 40):
        book.pay(VOLUNTEER, SHOP, 41, by)
    with reverts("ClearingBookNotLocked", N, 40, 0):
        book.pay(VOLUNTEER, OTHER_SHOP, 40, by)
    before = book.fundingFen(VOLUNTEER)
    tx = book.pay(VOLUNTEER, SHOP, 40, by)
    assert event_values(tx, "Paid") == [{"programme": VOLUNTEER, "merchant": SHOP, "fen": 40}]
    assert event_values(tx, "PaidChanged") == [{"programme": VOLUNTEER, "paid": 40}]
    assert [(e["participant"], e["delta"], e["position"]) for e in event_values(tx, "PositionChanged")] == [
        (A, 40, -60),
        (M, -40, 110),
    ]
    assert (book.paid(VOLUNTEER), book.fundingFen(VOLUNTEER)) == (40, before)
    assert [book.lockedFen(p) for p in (A, M)] == [0, 50]
    clerk.assert_zero_sum()


def test_disputed_value(clerk: City) -> None:
    book, by = clerk.book, clerk.by_operator
    book.post([(A, -100), (M, 100)], by)
    with reverts("ClearingBookNotFree", M, 101, 100):
        book.lockDisputed(SHOP, 101, by)
    tx = book.lockDisputed(SHOP, 60, by)
    assert event_values(tx, "DisputedChanged") == [{"merchant": SHOP, "disputedFen": 60}]
    with reverts("ClearingBookNotFree", M, 41, 40):
        book.lock([(VOLUNTEER, SHOP, 41)], by)
    with reverts("ClearingBookNotLocked", M, 61, 60):
        book.freeDisputed(SHOP, 61, by)
    tx = book.freeDisputed(SHOP, 20, by)
    assert event_values(tx, "DisputedChanged") == [{"merchant": SHOP, "disputedFen": 40}]
    assert (book.disputedFen(SHOP), book.freeFen(SHOP)) == (40, 60)


# Cycles -----------------------------------------------------------------------------------------------------------


def close(city: City, programmes: list[int], merchants: list[int]) -> Any:
    return city.settlement.closeCycle(programmes, merchants, {"from": city.finance})


def lines(city: City, cycle: int = 1) -> list[tuple[int, int, int, bool]]:
    return [tuple(line) for line in city.settlement.lines(cycle)]


def test_a_cycle_reverts_in_order(clerk: City) -> None:
    """Ids ascend; everyone who has a position is listed; somebody is to be paid."""
    clerk.book.post([(A, -100), (M, 70), (N, 30)], clerk.by_operator)
    for programmes, merchants, bad in (
        ([VOLUNTEER, VOLUNTEER], [SHOP], VOLUNTEER),
        ([CULTURE, VOLUNTEER], [SHOP], VOLUNTEER),
        ([VOLUNTEER], [OTHER_SHOP, SHOP], SHOP),
    ):
        with reverts("SettlementUnsorted", bad):
            close(clerk, programmes, merchants)
    for programmes, merchants, total in (
        ([VOLUNTEER], [SHOP], -30),
        ([], [SHOP, OTHER_SHOP], 100),
        ([VOLUNTEER], [], -100),
    ):
        with reverts("SettlementIncomplete", total):
            close(clerk, programmes, merchants)
    with reverts("SettlementNothingToPay"):
        close(clerk, [], [])


@pytest.mark.parametrize(
    ("debts", "claims", "expected"),
    [
        ({1: 100}, {1: 100}, [(1, 1, 100)]),
        ({1: 60, 4: 40}, {1: 30, 2: 70}, [(1, 1, 30), (1, 2, 30), (4, 2, 40)]),
        ({1: 10, 2: 10, 4: 10, 6: -20}, {1: 10}, [(1, 1, 4), (2, 1, 3), (4, 1, 3)]),
        ({1: 1, 2: 1, 4: 1, 6: -2}, {2: 1}, [(1, 2, 1)]),
        ({1: 1, 2: 100, 6: -91}, {1: 10}, [(2, 1, 10)]),
        ({1: 5, 2: 7, 4: 11, 6: -3}, {1: 13, 3: 7}, [(1, 1, 4), (2, 1, 6), (4, 1, 3), (4, 3, 7)]),
        ({1: 10**15 + 1, 2: 3}, {1: 10**15, 2: 4}, [(1, 1, 10**15), (1, 2, 1), (2, 2, 3)]),
    ],
    ids=[
        "one",
        "filled by ascending ids",
        "ties to the lower id",
        "less than all debtors",
        "a share of nothing first",
        "remainders",
        "huge",
    ],
)
def test_netting(
    clerk: City, debts: dict[int, int], claims: dict[int, int], expected: list[tuple[int, int, int]]
) -> None:
    """Split over debtors by largest remainder, then merchants by id filled from debtors by id. Creditors wait."""
    postings = [(1 << 32 | p, -fen) for p, fen in debts.items()] + [(2 << 32 | m, fen) for m, fen in claims.items()]
    clerk.book.post(postings, clerk.by_operator)
    tx = close(clerk, sorted(debts), sorted(claims))
    assert lines(clerk) == [(*line, False) for line in expected]
    assert event_values(tx, "CycleClosed") == [{"cycle": 1, "lines": len(expected), "fen": sum(claims.values())}]
    assert all(clerk.book.freeFen(merchant) == 0 for merchant in claims)
    for programme in debts:
        listed = sum(fen for p, _, fen in expected if p == programme)
        assert clerk.book.lockedFen(1 << 32 | programme) == listed
    assert clerk.settlement.lastCycle() == 1


def test_a_second_cycle_lists_only_what_came_since(clerk: City) -> None:
    clerk.book.post([(A, -100), (M, 100)], clerk.by_operator)
    close(clerk, [VOLUNTEER], [SHOP])
    with reverts("SettlementNothingToPay"):
        close(clerk, [VOLUNTEER], [SHOP])
    clerk.book.post([(A, -7), (B, -3), (M, 10)], clerk.by_operator)
    close(clerk, [VOLUNTEER, CULTURE], [SHOP])
    assert lines(clerk, 2) == [(VOLUNTEER, SHOP, 7, False), (CULTURE, SHOP, 3, False)]


def settle(city: City, line: int, by: Person, reference: bytes = b"\x0b" * 32, cycle: int = 1, **changes: Any) -> Any:
    programme, merchant, fen, _ = lines(city, cycle)[line]
    fields = {"cycle": cycle, "programme": programme, "merchant": merchant, "fen": fen, "reference": reference}
    digest = city.domain.digest("Settlement", **(fields | changes))
    return city.settlement.settle(cycle, line, reference, sign(by.key, digest), city.by_operator)


def test_settle_reverts_in_order(clerk: City) -> None:
    clerk.book.post([(A, -100), (M, 70), (N, 30)], clerk.by_operator)
    close(clerk, [VOLUNTEER], [SHOP, OTHER_SHOP])
    for cycle, line in ((1, 2), (2, 0), (0, 0)):
        with reverts("SettlementNoLine", cycle, line):
            clerk.settlement.settle(cycle, line, b"\1" * 32, b"", clerk.by_operator)
    for by, changes in (
        (clerk.ana, {}),
        (clerk.merchant[OTHER_SHOP], {}),
        (clerk.issuer[VOLUNTEER], {}),
        (clerk.merchant[SHOP], {"fen": 71}),
        (clerk.merchant[SHOP], {"programme": CULTURE}),
        (clerk.merchant[SHOP], {"merchant": OTHER_SHOP}),
    ):
        with reverts("SettlementBadSignature", 1, 0):
            settle(clerk, 0, by, **changes)
    settle(clerk, 0, clerk.merchant[SHOP])
    with reverts("SettlementSettled", 1, 0):
        settle(clerk, 0, clerk.merchant[SHOP], b"\3" * 32)
    reference = b"\x0b" * 32
    with reverts("SettlementReferenceUsed", VOLUNTEER, reference):
        settle(clerk, 1, clerk.merchant[OTHER_SHOP], reference)


def test_settle_by_the_payee_and_by_the_finance_bureau(clerk: City) -> None:
    tx = clerk.settlement.setFinanceKey(clerk.chen.address, clerk.by_admin)
    assert event_values(tx, "FinanceKeySet") == [{"key": clerk.chen.address}]
    assert clerk.settlement.financeKey() == clerk.chen.address
    clerk.book.post([(A, -100), (M, 70), (N, 30)], clerk.by_operator)
    close(clerk, [VOLUNTEER], [SHOP, OTHER_SHOP])
    for line, by, reference in ((0, clerk.merchant[SHOP], b"\1" * 32), (1, clerk.chen, b"\2" * 32)):
        programme, merchant, fen, _ = lines(clerk)[line]
        tx = settle(clerk, line, by, reference)
        assert event_values(tx, "Settled") == [
            {
                "cycle": 1,
                "programme": programme,
                "merchant": merchant,
                "fen": fen,
                "paymentReference": "0x" + reference.hex(),
                "signer": by.address,
            }
        ]
    assert [line[3] for line in lines(clerk)] == [True, True]
    assert [clerk.book.position(p) for p in (A, M, N)] == [0, 0, 0]
    assert clerk.book.paid(VOLUNTEER) == 100
    assert clerk.book.fundingFen(VOLUNTEER) == APPROPRIATION_FEN - 100


def test_a_city_s_month(city: City) -> None:
    """From points to money through every module: who issued pays who was paid with, to the fen."""
    city.give(city.ana, LOT, 10_003)
    city.give(city.bo, CUL, 777)
    city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, LOT, 5_001, CULTURE)))
    orders = [
        (city.ana, city.redeem_order(city.ana, [(LOT, 3_333), (CUL, 500)])),
        (city.bo, city.redeem_order(city.bo, [(CUL, 777)], merchant=OTHER_SHOP)),
    ]
    city.run_redeem(*(city.signed(person, order) for person, order in orders))
    assert [city.position(p) for p in (VOLUNTEER, CULTURE)] == [-1_666, -277]
    assert [city.merchant_position(m) for m in (SHOP, OTHER_SHOP)] == [1_166, 777]
    close(city, [VOLUNTEER, CULTURE], [SHOP, OTHER_SHOP])
    assert lines(city) == [
        (VOLUNTEER, SHOP, 1_166, False),
        (VOLUNTEER, OTHER_SHOP, 500, False),
        (CULTURE, OTHER_SHOP, 277, False),
    ]
    for line in range(3):
        settle(city, line, city.merchant[lines(city)[line][1]], bytes([line]) * 32)
    assert [city.position(p) for p in (VOLUNTEER, CULTURE, ENVIRONMENT)] == [0, 0, 0]
    assert [city.merchant_position(m) for m in (SHOP, OTHER_SHOP)] == [0, 0]
    with reverts("IssuanceFundingExceeded", CULTURE, APPROPRIATION_FEN - 276, APPROPRIATION_FEN - 277):
        city.give(city.bo, CUL, APPROPRIATION_FEN - 276 - city.ledger.programmeSupply(CULTURE))
