"""ClearingBook: what the budget makes available, by fiscal year; what lapses and what finance takes back."""

from __future__ import annotations

import pytest
from city import event_values, reverts
from clearing_office import DOCUMENT, TREASURY, ClearingOffice, positions, programme

A = programme(1)


@pytest.mark.parametrize(("year", "fen"), [(2030, 0), (2030, 10**15 + 1), (2030, 2**256 - 1), (0, 1)])
def test_a_bad_appropriation_reverts(office: ClearingOffice, year: int, fen: int) -> None:
    with reverts("ClearingBookBadAppropriation", year, fen):
        office.appropriate(1, fen, year)


def test_an_unknown_programme_gets_nothing(office: ClearingOffice) -> None:
    """So that neither a slip nor a thief of finance's key lengthens the list that every cycle visits."""
    with reverts("ClearingBookUnknownProgramme", 100):
        office.appropriate(100, 1)
    assert list(office.book.programmes()) == []


def test_a_year_s_appropriations_are_ten_trillion_yuan_at_most(office: ClearingOffice) -> None:
    """So that what offices and databases count in 64-bit integers does not overflow, by a slip or by a thief."""
    most = 10**15
    office.appropriate(1, most - 1)
    with reverts("ClearingBookBadAppropriation", 2030, 2):
        office.appropriate(1, 2, document=b"\2" * 32)
    office.appropriate(1, 1, document=b"\2" * 32)
    office.appropriate(1, most, 2031)
    assert office.book.appropriated(1) == 2 * most
    assert tuple(office.book.fundingOf(1)) == (2 * most, 2 * most, False)
    assert 9_000 * most < 2**63


def test_a_document_counts_once_for_a_programme_and_year(office: ClearingOffice) -> None:
    """Whatever the sum: who was told that it did not land and sends it again does no harm."""
    tx = office.appropriate(1, 700, 2031)
    assert event_values(tx, "AppropriationRecorded") == [
        {
            "programme": 1,
            "fiscalYear": 2031,
            "fen": 700,
            "documentHash": "0x" + DOCUMENT.hex(),
            "appropriatedFen": 700,
        }
    ]
    for fen in (700, 1):
        with reverts("ClearingBookDocumentUsed", 1, 2031, DOCUMENT):
            office.appropriate(1, fen, 2031)
    office.appropriate(1, 50, 2031, b"\2" * 32)
    tx = office.appropriate(1, 5, 2032)
    assert event_values(tx, "AppropriationRecorded")[0]["appropriatedFen"] == 755
    office.appropriate(2, 9, 2031)
    assert tuple(office.book.appropriation(1, 2031)) == (750, 0, 750)
    assert tuple(office.book.appropriation(1, 2033)) == (0, 0, 0)
    assert [office.book.appropriated(number) for number in (1, 2, 3)] == [755, 9, 0]


def test_programmes_are_listed_at_their_first_appropriation(office: ClearingOffice) -> None:
    for number, year in ((7, 2030), (2, 2030), (7, 2031), (5, 2029), (2, 2030)):
        office.appropriate(number, 1, year, office.reference())
    assert list(office.book.programmes()) == [7, 2, 5]


def test_payments_and_what_is_taken_back_consume_the_oldest_year_first(office: ClearingOffice) -> None:
    """Years are told apart whatever the order in which they were recorded."""
    for year, fen in ((2032, 300), (2031, 100), (2033, 50)):
        office.appropriate(1, fen, year)
    office.earn({1: 150}, {1: 150})
    left = [office.book.appropriation(1, year)[2] for year in (2031, 2032, 2033)]
    assert left == [100, 300, 50]
    office.fund(1, 130)
    office.ledger.postBreakage(office.book, 1, 60)
    office.book.reclaim(1, 40, office.reference(), office.by["finance"])
    left = [office.book.appropriation(1, year)[2] for year in (2031, 2032, 2033)]
    assert left == [0, 230, 50]
    office.appropriate(1, 20, 2030)
    left = [office.book.appropriation(1, year)[2] for year in (2030, 2031, 2032, 2033)]
    assert left == [0, 0, 250, 50]


# Lapse ------------------------------------------------------------------------------------------------------------


def test_a_lapse_takes_what_is_left_of_the_year(office: ClearingOffice) -> None:
    office.appropriate(1, 100, 2030)
    office.appropriate(1, 400, 2031)
    office.earn({1: 30}, {1: 30})
    office.fund(1, 30)
    tx = office.book.lapse(1, 2030, office.by["finance"])
    assert event_values(tx, "AppropriationLapsed") == [
        {"programme": 1, "fiscalYear": 2030, "fen": 70, "appropriatedFen": 430}
    ]
    assert tuple(office.book.appropriation(1, 2030)) == (100, 70, 0)
    assert tuple(office.book.fundingOf(1)) == (400, 430, False)


def test_a_lapse_takes_nothing_that_merchants_earned_or_residents_hold(office: ClearingOffice) -> None:
    """What is free is what is available beyond what was paid, what is owed, and the value of the supply."""
    office.appropriate(1, 1_000, 2030)
    office.earn({1: 300}, {1: 300})
    office.ledger.setLiability(1, 700)
    with reverts("ClearingBookNothingToLapse", 1, 2030):
        office.book.lapse(1, 2030, office.by["finance"])
    office.ledger.setLiability(1, 701)
    with reverts("ClearingBookNothingToLapse", 1, 2030):
        office.book.lapse(1, 2030, office.by["finance"])
    office.ledger.setLiability(1, 650)
    tx = office.book.lapse(1, 2030, office.by["finance"])
    assert event_values(tx, "AppropriationLapsed")[0]["fen"] == 50
    assert tuple(office.book.appropriation(1, 2030)) == (1_000, 50, 950)


def test_a_year_lapses_once(office: ClearingOffice) -> None:
    """Nor can more be recorded for it, which would never lapse."""
    office.appropriate(1, 1_000, 2030)
    office.ledger.setLiability(1, 400)
    office.book.lapse(1, 2030, office.by["finance"])
    office.ledger.setLiability(1, 0)
    assert office.book.appropriation(1, 2030)[2] == 400
    with reverts("ClearingBookNothingToLapse", 1, 2030):
        office.book.lapse(1, 2030, office.by["finance"])
    with reverts("ClearingBookBadAppropriation", 2030, 5):
        office.appropriate(1, 5, 2030, b"\2" * 32)
    office.appropriate(2, 5, 2030)
    with reverts("ClearingBookNothingToLapse", 1, 2040):
        office.book.lapse(1, 2040, office.by["finance"])
    assert office.book.appropriated(1) == 400


# Reclaim ----------------------------------------------------------------------------------------------------------


def test_finance_takes_back_what_expired(office: ClearingOffice) -> None:
    """The programme owes less and has as much less available: its funding stays as it was, and nobody gains."""
    office.appropriate(1, 1_000)
    office.ledger.postBreakage(office.book, 1, 60)
    before = tuple(office.book.fundingOf(1))
    assert before == (940, 1_000, False)
    tx = office.book.reclaim(1, 45, b"\7" * 32, office.by["finance"])
    assert event_values(tx, "AppropriationReclaimed") == [
        {"programme": 1, "fen": 45, "paymentReference": "0x" + "07" * 32, "appropriatedFen": 955}
    ]
    assert positions(tx) == [(A, 45, -15), (TREASURY, -45, 15)]
    assert tuple(office.book.fundingOf(1)) == (940, 955, False)
    assert office.book.paid(1) == 0
    office.assert_zero_sum([1], [1])


def test_finance_takes_back_at_most_what_is_owed_and_what_expired(office: ClearingOffice) -> None:
    office.appropriate(1, 1_000)
    office.appropriate(2, 1_000)
    office.ledger.postBreakage(office.book, 1, 60)
    office.earn({2: 80}, {1: 80})
    for number, fen, most in ((1, 0, 60), (1, 61, 60), (2, 61, 60), (3, 1, 0), (1, 2**256 - 1, 60)):
        with reverts("ClearingBookBadAmount", fen, most):
            office.book.reclaim(number, fen, office.reference(), office.by["finance"])
    office.fund(1, 50)
    with reverts("ClearingBookBadAmount", 11, 10):
        office.book.reclaim(1, 11, office.reference(), office.by["finance"])
    office.book.reclaim(2, 60, office.reference(), office.by["finance"])
    with reverts("ClearingBookBadAmount", 1, 0):
        office.book.reclaim(1, 1, office.reference(), office.by["finance"])
    office.assert_zero_sum([1, 2], [1])


def test_finance_takes_back_at_most_what_is_available(office: ClearingOffice) -> None:
    """A programme can owe a few fen of roundings beyond its appropriation."""
    office.appropriate(1, 3)
    office.ledger.postBreakage(office.book, 1, 5)
    with reverts("ClearingBookBadAmount", 4, 3):
        office.book.reclaim(1, 4, office.reference(), office.by["finance"])
    office.book.reclaim(1, 3, office.reference(), office.by["finance"])
    assert (office.book.appropriated(1), office.book.position(A)) == (0, -2)
    office.assert_zero_sum([1], [1])
