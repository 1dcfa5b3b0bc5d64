"""Claims by age, budgets by year and dues, as the auditor keeps them."""

from __future__ import annotations

from ledger.audit.books import Ages, ClearingBooks, LockBook
from ledger.audit.books.clearing import Budget, DueBook, YearBook
from ledger.standard.ids import MerchantId, OrderId, ProgrammeId
from tests.unit.ledger.standard.vectors import load

SHOP, PROGRAMME = MerchantId(3), ProgrammeId(1)
DAY = 86_400


def test_the_shared_claims_age_alike() -> None:
    vectors = load("clearing.json")
    for life in vectors["claims"]:
        book = ClearingBooks(maturity=vectors["maturity_s"])
        for step in life:
            time, fen = step["time"], step["fen"]
            ages = book.merchants[SHOP].ages.at(book.period(time))
            if step["act"] == "earn":
                book.credit(SHOP, fen, time)
            elif step["act"] == "payout":
                assert fen <= book.payable(SHOP, time)
                book.debit(SHOP, (fen, 0, 0), time)
            elif fen:
                earned_in = book.period(step["earned_at"])
                assert fen <= ages.earned_by(earned_in)
                book.debit(SHOP, ages.draw(fen, earned_in), time)
            ages = book.merchants[SHOP].ages.at(book.period(time))
            expected = (step["youngest_fen"], step["younger_fen"], step["matured_fen"])
            assert (ages.youngest, ages.younger, ages.matured) == expected
            assert book.total_ages.at(book.period(time)) == ages


def test_a_payout_takes_neither_what_is_locked_nor_more_than_the_ceiling() -> None:
    book = ClearingBooks(maturity=DAY)
    book.credit(SHOP, 100, 0)
    assert book.payable(SHOP, 0) == 0
    assert book.payable(SHOP, 2 * DAY) == 100
    book.lock(OrderId(b"\1" * 32), SHOP, 30, DAY)
    assert book.locks[OrderId(b"\1" * 32)] == LockBook(SHOP, 30, DAY)
    assert book.payable(SHOP, 2 * DAY) == 70
    book.payout_ceiling, book.cycle = 50, 4
    assert book.payable(SHOP, 2 * DAY) == 50
    book.merchants[SHOP].paid, book.merchants[SHOP].cycle = 20, 4
    assert book.payable(SHOP, 2 * DAY) == 30
    book.merchants[SHOP].cycle = 3
    assert book.payable(SHOP, 2 * DAY) == 50


def test_payments_consume_the_oldest_year_first() -> None:
    budget = Budget(appropriated=300, paid=120, reclaimed=10)
    budget.years = {2027: YearBook(200), 2026: YearBook(100)}
    assert (budget.left(2026), budget.left(2027), budget.left(2030)) == (0, 170, 0)


def test_a_debt_is_overdue_from_ten_yuan_on_after_its_date_unless_it_is_waived() -> None:
    book = ClearingBooks(maturity=DAY, due_by=50)
    book.positions[1 << 32 | PROGRAMME] = -5_000
    book.dues[PROGRAMME] = DueBook(fen=999, older=1)
    assert not book.is_overdue(PROGRAMME, 50)
    assert book.is_overdue(PROGRAMME, 51)
    book.dues[PROGRAMME].waived_until = 60
    assert not book.is_overdue(PROGRAMME, 59)
    assert book.is_overdue(PROGRAMME, 60)
    book.positions[1 << 32 | PROGRAMME] = -999
    assert not book.is_overdue(PROGRAMME, 60)


def test_a_refund_draws_on_what_was_earned_by_then_youngest_first() -> None:
    ages = Ages(matured=5, younger=7, youngest=9, period=10)
    assert ages.earned_by(10) == 21
    assert ages.draw(17, 10) == (1, 7, 9)
    assert (ages.earned_by(9), ages.draw(8, 9)) == (12, (1, 7, 0))
    assert (ages.earned_by(8), ages.draw(4, 8)) == (5, (4, 0, 0))
