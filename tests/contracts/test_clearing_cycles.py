"""ClearingBook: how long claims take to mature, what is due when, and what being overdue means."""

from __future__ import annotations

import pytest
from brownie import chain
from city import DAY, event_values, now, reverts
from clearing_office import WEEK, ClearingOffice, merchant, positions
from reference import largest_remainder


@pytest.fixture
def opened(office: ClearingOffice) -> ClearingOffice:
    """Two programmes owe two merchants 6,000 and 3,000 fen, which are due in the first cycle."""
    for number in (1, 2):
        office.appropriate(number, 10**6)
    office.earn({1: 6_000, 2: 3_000}, {1: 5_000, 2: 4_000})
    office.at_period(2)
    office.open_cycle()
    return office


# Maturity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [0, 1, WEEK - 1])
def test_a_claim_matures_with_the_period_after_its_own(office: ClearingOffice, second: int) -> None:
    """Earned in the first second of a period or in its last: paid from the beginning of the period after the next."""
    office.at_period(1, second)
    office.earn({1: 100}, {1: 100})
    assert now() == office.start + WEEK + second
    assert office.claim(1) == (0, 0, 100, 0, 0)
    for period, expected in ((1, (0, 0, 100, 0, 0)), (2, (0, 100, 0, 0, 0))):
        office.at_period(period, WEEK - 1)
        chain.mine()
        assert office.claim(1) == expected
        assert tuple(office.book.totalClaims())[:3] == expected[:3]
    office.at_period(3)
    chain.mine()
    assert office.claim(1) == (100, 0, 0, 0, 100)
    assert office.book.position(merchant(1)) == 100


def test_ages_move_on_together(office: ClearingOffice) -> None:
    for period, fen, expected in (
        (0, 1, (0, 0, 1)),
        (0, 2, (0, 0, 3)),
        (1, 10, (0, 3, 10)),
        (2, 100, (3, 10, 100)),
        (4, 1_000, (113, 0, 1_000)),
        (7, 10_000, (1_113, 0, 10_000)),
    ):
        office.at_period(period, 10 if period else 100 + fen)
        office.earn({1: fen}, {1: fen})
        assert office.claim(1)[:3] == expected
    office.assert_zero_sum([1], [1])


# Opening ----------------------------------------------------------------------------------------------------------


def test_nothing_is_due_before_a_claim_matures(office: ClearingOffice) -> None:
    office.appropriate(1, 10**6)
    with reverts("ClearingBookNothingDue"):
        office.open_cycle()
    office.earn({1: 100}, {1: 100})
    office.at_period(1, WEEK - 1)
    with reverts("ClearingBookNothingDue"):
        office.open_cycle()
    office.at_period(2)
    tx = office.open_cycle()
    due_by = office.start + 3 * WEEK
    assert tx.return_value == 1
    assert event_values(tx, "CycleOpened") == [{"cycle": 1, "totalFen": 100, "dueBy": due_by}]
    assert event_values(tx, "DueSet") == [{"cycle": 1, "programme": 1, "fen": 100, "olderFen": 0}]
    assert tuple(office.book.lastCycle()) == (1, due_by)
    assert tuple(office.book.due(1)) == (100, 0, due_by, 0)


def test_the_next_cycle_opens_a_second_after_the_date(opened: ClearingOffice) -> None:
    due_by = opened.start + 3 * WEEK
    opened.at_period(3)
    with reverts("ClearingBookTooEarly", due_by + 1):
        opened.open_cycle()
    opened.at_period(3, 1)
    tx = opened.open_cycle()
    assert tx.return_value == 2
    assert tuple(opened.book.lastCycle()) == (2, due_by + 1 + WEEK)


def test_what_lies_in_the_pool_is_not_due_again(opened: ClearingOffice) -> None:
    opened.fund(1, 6_000)
    opened.fund(2, 1_000)
    opened.at_period(3, 1)
    tx = opened.open_cycle()
    assert event_values(tx, "CycleOpened")[0]["totalFen"] == 2_000
    opened.fund(2, 2_000)
    opened.at_period(5)
    with reverts("ClearingBookNothingDue"):
        opened.open_cycle()


def test_a_payment_term_of_the_city_s_own(office: ClearingOffice) -> None:
    office.appropriate(1, 10**6)
    office.book.setTerms((30 * DAY, 0), office.by["council"])
    office.earn({1: 100}, {1: 100})
    office.at_period(2)
    office.open_cycle()
    assert office.book.lastCycle()[1] == office.start + 2 * WEEK + 30 * DAY
    office.book.setTerms((DAY, 0), office.by["council"])
    assert office.book.lastCycle()[1] == office.start + 2 * WEEK + 30 * DAY


@pytest.mark.parametrize(
    ("debts", "total"),
    [
        ([100], 100),
        ([60, 40], 100),
        ([10, 10, 10], 10),
        ([10, 10, 10], 29),
        ([1, 1, 1], 1),
        ([1, 1, 1], 2),
        ([1, 100], 10),
        ([0, 7, 0, 5], 11),
        ([5, 7, 11], 20),
        ([3, 5, 5], 6),
        ([10**15 + 1, 3, 10**9], 10**15 + 3),
    ],
)
def test_what_is_due_is_split_by_largest_remainder(office: ClearingOffice, debts: list[int], total: int) -> None:
    """Exact to the fen; ties go to the programme appropriated to first, whatever its number. Who is owed something, and
    who has no appropriation, has nothing to pay."""
    numbers = [9, 4, 7, 2][: len(debts)]
    for number in numbers:
        office.appropriate(number, 1)
    office.appropriate(20, 1)
    office.earn({30: total}, {1: total})
    creditors = sum(debts) - total
    moves = [(1 << 32 | number, -fen) for number, fen in zip(numbers, debts, strict=True)]
    office.book.post([*moves, (1 << 32 | 30, total), (1 << 32 | 20, creditors)], office.by["exchange"])
    office.at_period(2)
    tx = office.open_cycle()
    expected = largest_remainder(total, debts)
    assert event_values(tx, "DueSet") == [
        {"cycle": 1, "programme": number, "fen": fen, "olderFen": 0}
        for number, fen in zip(numbers, expected, strict=True)
        if fen
    ]
    assert [office.due(number) for number in (*numbers, 20, 30)] == [*((fen, 0) for fen in expected), (0, 0), (0, 0)]


def test_more_is_never_due_than_the_listed_programmes_owe(office: ClearingOffice) -> None:
    """A programme without an appropriation owes a fen of roundings: it waits, and the cycle opens."""
    office.appropriate(1, 100)
    office.earn({1: 50, 2: 1}, {1: 51})
    office.at_period(2)
    tx = office.open_cycle()
    assert event_values(tx, "CycleOpened")[0]["totalFen"] == 50
    office.fund(1, 50)
    office.fund(2, 1)
    office.at_period(3, 1)
    tx = office.payout([(1, 51)])
    assert tx.return_value == 51


# Due --------------------------------------------------------------------------------------------------------------


def test_what_stays_unpaid_is_older_in_the_next_cycle(opened: ClearingOffice) -> None:
    assert [opened.due(number) for number in (1, 2)] == [(6_000, 0), (3_000, 0)]
    opened.fund(1, 2_500)
    assert opened.due(1) == (3_500, 0)
    opened.earn({1: 1_000, 2: 10}, {1: 1_010})
    opened.at_period(4)
    tx = opened.open_cycle()
    assert event_values(tx, "CycleOpened")[0]["totalFen"] == 7_510
    assert event_values(tx, "DueSet") == [
        {"cycle": 2, "programme": 1, "fen": 1_000, "olderFen": 3_500},
        {"cycle": 2, "programme": 2, "fen": 10, "olderFen": 3_000},
    ]
    assert [opened.due(number) for number in (1, 2)] == [(1_000, 3_500), (10, 3_000)]


def test_a_payment_lowers_what_has_been_due_for_longest(opened: ClearingOffice) -> None:
    opened.earn({1: 1_000}, {1: 1_000})
    opened.at_period(4)
    opened.open_cycle()
    assert opened.due(1) == (1_000, 6_000)
    for fen, expected in ((5_999, (1_000, 1)), (2, (999, 0)), (998, (1, 0)), (1, (0, 0))):
        opened.fund(1, fen)
        assert opened.due(1) == expected
    opened.at_period(6)
    tx = opened.open_cycle()
    assert [e["programme"] for e in event_values(tx, "DueSet")] == [2]


def test_who_pays_more_than_is_due_has_nothing_due(opened: ClearingOffice) -> None:
    opened.earn({1: 1_000}, {1: 1_000})
    opened.fund(1, 6_500)
    assert opened.due(1) == (0, 0)
    opened.at_period(4)
    tx = opened.open_cycle()
    assert event_values(tx, "DueSet") == [
        {"cycle": 2, "programme": 1, "fen": 500, "olderFen": 0},
        {"cycle": 2, "programme": 2, "fen": 0, "olderFen": 3_000},
    ]


def test_a_share_below_what_was_unpaid_is_all_of_it_older(opened: ClearingOffice) -> None:
    """A debt that was refunded meanwhile is due no more."""
    opened.refund(1, 1, 4_500, now())
    opened.at_period(3, 1)
    tx = opened.open_cycle()
    assert event_values(tx, "DueSet") == [
        {"cycle": 2, "programme": 1, "fen": 0, "olderFen": 1_500},
        {"cycle": 2, "programme": 2, "fen": 0, "olderFen": 3_000},
    ]


def test_a_debtor_whose_debt_is_gone_has_nothing_due(opened: ClearingOffice) -> None:
    opened.book.post([(1 << 32 | 1, 6_000), (1 << 32 | 2, -6_000)], opened.by["exchange"])
    opened.at_period(3, 1)
    tx = opened.open_cycle()
    assert event_values(tx, "DueSet") == [
        {"cycle": 2, "programme": 1, "fen": 0, "olderFen": 0},
        {"cycle": 2, "programme": 2, "fen": 6_000, "olderFen": 3_000},
    ]


# Overdue ----------------------------------------------------------------------------------------------------------


def test_a_debtor_is_overdue_from_the_second_after_the_date(opened: ClearingOffice) -> None:
    for second, overdue in ((0, False), (1, True)):
        opened.at_period(3, second)
        chain.mine()
        assert [opened.is_overdue(number) for number in (1, 2, 3)] == [overdue, overdue, False]


@pytest.mark.parametrize(("paid", "overdue"), [(5_000, True), (5_001, False), (6_000, False)])
def test_a_debtor_is_overdue_from_ten_yuan_on(opened: ClearingOffice, paid: int, overdue: bool) -> None:
    opened.fund(1, paid)
    opened.at_period(3, 1)
    chain.mine()
    assert opened.is_overdue(1) is overdue


def test_what_is_due_of_the_new_cycle_is_not_overdue_yet(opened: ClearingOffice) -> None:
    """Only what was left from earlier is; who pays that mints again."""
    opened.earn({1: 2_000}, {1: 2_000})
    opened.at_period(4)
    opened.open_cycle()
    assert opened.due(1) == (2_000, 6_000)
    assert opened.is_overdue(1)
    opened.fund(1, 5_000)
    assert opened.is_overdue(1)
    opened.fund(1, 1)
    assert not opened.is_overdue(1)


def test_nobody_is_overdue_beyond_what_is_owed(opened: ClearingOffice) -> None:
    opened.at_period(3, 1)
    opened.refund(1, 1, 5_000, now())
    assert opened.is_overdue(1)
    opened.refund(1, 2, 1, now())
    assert (opened.due(1), opened.book.position(1 << 32 | 1)) == ((6_000, 0), -999)
    assert not opened.is_overdue(1)


def test_the_council_waives_for_ninety_days_at_most(opened: ClearingOffice) -> None:
    opened.at_period(3, 1)
    most = opened.start + 3 * WEEK + 1 + 90 * DAY
    with reverts("ClearingBookBadTerms"):
        opened.book.setWaiver(1, most + 1, opened.by["council"])
    opened.at_period(3, 2)
    tx = opened.book.setWaiver(1, most + 1, opened.by["council"])
    assert event_values(tx, "WaiverSet") == [{"programme": 1, "previousUntil": 0, "until": most + 1}]
    assert opened.book.due(1)[3] == most + 1
    assert [opened.is_overdue(number) for number in (1, 2)] == [False, True]
    tx = opened.book.setWaiver(1, opened.start + 3 * WEEK + 100, opened.by["council"])
    assert event_values(tx, "WaiverSet")[0]["previousUntil"] == most + 1
    for second, overdue in ((99, False), (100, True)):
        opened.at_period(3, second)
        chain.mine()
        assert opened.is_overdue(1) is overdue
    opened.book.setWaiver(1, now() + 50, opened.by["council"])
    assert not opened.is_overdue(1)
    opened.book.setWaiver(1, 0, opened.by["council"])
    assert opened.is_overdue(1)


def test_a_waiver_outlasts_a_cycle(opened: ClearingOffice) -> None:
    until = opened.start + 10 * WEEK
    opened.book.setWaiver(1, until, opened.by["council"])
    opened.at_period(4)
    opened.open_cycle()
    opened.fund(1, 10)
    assert opened.book.due(1)[3] == until
    assert not opened.is_overdue(1)


# Size -------------------------------------------------------------------------------------------------------------


def test_a_cycle_over_thirty_programmes_does_not_depend_on_merchants(office: ClearingOffice) -> None:
    """One call, the same gas whether three merchants are owed or a hundred, and far below a block."""
    numbers = range(1, 31)
    for number in numbers:
        office.appropriate(number, 10**6)
    gas = []
    for first, count, period in ((1, 3, 2), (1_000, 100, 6)):
        paid = {number: 100 * count + number for number in numbers}
        merchants = range(first, first + count)
        each, rest = divmod(sum(paid.values()), count)
        office.earn(paid, {number: each + (number < first + rest) for number in merchants})
        office.at_period(period)
        tx = office.open_cycle()
        assert positions(tx) == []
        assert len(event_values(tx, "DueSet")) == 30
        gas.append(tx.gas_used)
        for number in numbers:
            office.fund(number, paid[number])
        office.payout((number, each + 1) for number in merchants)
    office.assert_zero_sum(numbers, [*range(1, 4), *range(1_000, 1_100)])
    assert max(gas) < 2_000_000
    assert gas[1] < gas[0], "the first writes words that the second finds"
