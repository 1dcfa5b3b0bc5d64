"""ClearingBook: what institutions, thieves of their keys, and the calendar tried against the first edition's clearing.

Each test plays an attack that once succeeded, against the rule that stops it now.
"""

from __future__ import annotations

import pytest
from brownie import chain
from city import DAY, event_values, now, reverts
from clearing_office import POOL, TREASURY, WEEK, ClearingOffice, merchant, positions, programme

ORDER, OTHER_ORDER = b"\x0a" * 32, b"\x0b" * 32


@pytest.fixture
def city_of_two(office: ClearingOffice) -> ClearingOffice:
    """Two programmes with 10^6 fen each."""
    for number in (1, 2):
        office.appropriate(number, 10**6)
    return office


def test_a_replaced_module_strands_nothing(city_of_two: ClearingOffice) -> None:
    """Claims, dues, cycle numbers, locks and used references lie in the book: when the roles of finance and redemption
    move, their new holders go on where the others were."""
    office, manager = city_of_two, city_of_two.manager
    office.earn({1: 600, 2: 300}, {1: 900})
    office.at_period(2)
    office.open_cycle()
    office.fund(1, 600, b"\1" * 32)
    office.lock(ORDER, 1, 50)
    roles = {"redemption": 2, "finance": 3}
    for name, role in roles.items():
        manager.revokeRole(role, office.by[name]["from"], {"from": office.admin})
        with reverts("AccessManagedUnauthorized", office.by[name]["from"].address):
            office.fund(2, 1) if name == "finance" else office.lock(OTHER_ORDER, 1, 1)
        manager.grantRole(role, office.stranger, 0, {"from": office.admin})
    by = {"from": office.stranger}
    with reverts("ClearingBookReferenceUsed", b"\1" * 32):
        office.book.fund(2, 300, b"\1" * 32, by)
    with reverts("ClearingBookOrderLocked", ORDER):
        office.book.lockOrder(ORDER, 1, 50, ORDER, by)
    office.book.fund(2, 300, b"\2" * 32, by)
    postings = [(programme(1), 50), (merchant(1), -50)]
    office.book.postRefund(postings, ORDER, 1, 0, office.start, True, by)
    assert office.claim(1) == (850, 0, 0, 0, 850)
    office.at_period(3, 1)
    with reverts("ClearingBookNothingDue"):
        office.open_cycle()
    assert office.book.lastCycle()[0] == 1
    office.assert_zero_sum([1, 2], [1])


def test_an_exit_scam_does_not_outrun_disputes(city_of_two: ClearingOffice) -> None:
    """A merchant takes a large order on the last second of a period and is gone. No cycle and no payout reaches what is
    youngest, so the order is refunded or locked in full for at least as long as a period lasts."""
    office = city_of_two
    office.earn({1: 1}, {1: 1})
    office.at_period(0, WEEK - 1)
    office.earn({1: 50_000}, {1: 50_000})
    sold_at = now()
    office.at_period(1)
    with reverts("ClearingBookNothingDue"):
        office.open_cycle()
    office.fund(1, 50_000)
    for second in (1, WEEK - 1):
        office.at_period(1, second)
        with reverts("ClearingBookBadAmount", 0, 50_000):
            office.payout([(1, 50_000)])
    office.lock(ORDER, 1, 50_000)
    office.at_period(2)
    assert office.payout([(1, 50_000)]).return_value == 1
    office.refund(1, 1, 50_000, sold_at, ORDER, by_arbiter=True)
    assert office.claim(1) == (0, 0, 0, 0, 0)
    office.assert_zero_sum([1], [1])


def test_a_dispute_of_a_penniless_merchant_is_not_used_up(city_of_two: ClearingOffice) -> None:
    """The lock is for the whole order, present or to come: what the merchant earns later is caught by it."""
    office = city_of_two
    office.earn({1: 1_000}, {1: 1_000})
    office.at_period(2)
    office.fund(1, 1_000)
    office.payout([(1, 999)])
    assert office.claim(1)[0] == 1
    office.lock(ORDER, 1, 1_000)
    office.earn({1: 1_500}, {1: 1_500})
    office.at_period(4)
    assert office.fund(1, 1_500)
    assert office.claim(1) == (1_501, 0, 0, 1_000, 501)
    office.refund(1, 1, 1_000, office.start, ORDER, by_arbiter=True)
    office.assert_zero_sum([1], [1])


def test_a_dispute_that_nobody_decides_ends(city_of_two: ClearingOffice) -> None:
    """For the merchant, after sixty days, by anyone, and without a role."""
    office = city_of_two
    office.earn({1: 1_000}, {1: 1_000})
    office.lock(ORDER, 1, 1_000)
    office.at_period(0, 61 * DAY)
    office.fund(1, 1_000)
    assert office.claim(1)[4] == 0
    office.book.unlockOrder(ORDER, {"from": office.stranger})
    assert office.payout([(1, 1_000)]).return_value == 1_000


def test_a_silent_debtor_is_overdue_without_anyone_s_act(city_of_two: ClearingOffice) -> None:
    """Finance does nothing: anyone opens the cycle, the date passes, and the ledger learns it from the book."""
    office = city_of_two
    office.earn({1: 5_000}, {1: 5_000})
    office.at_period(2)
    office.open_cycle()
    assert not office.is_overdue(1)
    office.at_period(3, 1)
    chain.mine()
    assert office.is_overdue(1)
    office.open_cycle()
    assert office.due(1) == (0, 5_000)
    assert office.is_overdue(1), "a new cycle gives no respite"
    office.fund(1, 4_001)
    assert not office.is_overdue(1)


def test_opening_cycles_in_a_hurry_shortens_no_term(city_of_two: ClearingOffice) -> None:
    office = city_of_two
    office.earn({1: 5_000}, {1: 5_000})
    office.at_period(2)
    office.open_cycle()
    office.earn({1: 7_000}, {1: 7_000})
    for second in (1, WEEK):
        office.at_period(2, second)
        with reverts("ClearingBookTooEarly", office.start + 3 * WEEK + 1):
            office.open_cycle()
    office.at_period(4)
    office.open_cycle()
    office.fund(1, 5_000)
    assert office.due(1) == (7_000, 0)
    assert not office.is_overdue(1)


def test_what_merchants_earned_in_december_does_not_lapse(city_of_two: ClearingOffice) -> None:
    """Unpaid is not unearned: a lapse leaves what is owed and what residents hold."""
    office = city_of_two
    office.earn({1: 400_000}, {1: 400_000})
    office.ledger.setLiability(1, 500_000)
    tx = office.book.lapse(1, 2030, office.by["finance"])
    assert event_values(tx, "AppropriationLapsed")[0]["fen"] == 100_000
    assert office.book.fundingOf(1)[0] == 500_000
    office.ledger.setLiability(1, 0)
    office.earn({1: 500_000}, {1: 500_000})
    office.at_period(2)
    office.fund(1, 900_000)
    assert office.payout([(1, 900_000)]).return_value == 900_000
    assert tuple(office.book.fundingOf(1))[:2] == (0, 900_000)


def test_an_inflow_that_expires_is_nobody_s_gain(office: ClearingOffice) -> None:
    """Points of the first programme are exchanged into the second, which has no appropriation, and expire there. Their
    value goes to the treasury, and the second is left with no funding to mint on."""
    office.appropriate(1, 1_000)
    office.book.post([(programme(1), -1_000), (programme(2), 1_000)], office.by["exchange"])
    assert tuple(office.book.fundingOf(2)) == (1_000, 0, False)
    office.ledger.postBreakage(office.book, 2, 1_000)
    assert tuple(office.book.fundingOf(2)) == (0, 0, False)
    assert office.book.position(TREASURY) == 1_000
    office.book.reclaim(1, 1_000, office.reference(), office.by["finance"])
    assert tuple(office.book.fundingOf(1)) == (0, 0, False)
    office.assert_zero_sum([1, 2], [1])


def test_a_bad_debtor_falls_on_no_merchant_in_particular(city_of_two: ClearingOffice) -> None:
    """A claim is against the pool, not against one debtor: whoever is paid first, the ids decide nothing, and what is
    lacking is due again in the next cycle."""
    office = city_of_two
    office.earn({1: 6_000, 2: 6_000}, {1: 6_000, 9: 6_000})
    office.at_period(2)
    office.open_cycle()
    office.fund(1, 6_000)
    office.payout([(9, 3_000), (1, 3_000)])
    assert [office.claim(number)[0] for number in (1, 9)] == [3_000, 3_000]
    office.at_period(3, 1)
    tx = office.open_cycle()
    assert event_values(tx, "DueSet") == [{"cycle": 2, "programme": 2, "fen": 0, "olderFen": 6_000}]
    assert [office.is_overdue(number) for number in (1, 2)] == [False, True]
    office.fund(2, 6_000)
    office.payout([(1, 3_000), (9, 3_000)])
    assert [office.claim(number)[0] for number in (1, 9)] == [0, 0]
    office.assert_zero_sum([1, 2], [1, 9])


def test_cashing_at_a_friend_s_shop_has_brakes(city_of_two: ClearingOffice) -> None:
    """Value waits for a period at least, the arbiter's lock catches it, and a ceiling bounds a merchant's cycle."""
    office = city_of_two
    office.book.setTerms((WEEK, 2_000), office.by["council"])
    office.earn({1: 900_000}, {1: 900_000})
    office.fund(1, 900_000)
    office.at_period(1, WEEK - 1)
    with reverts("ClearingBookBadAmount", 0, 900_000):
        office.payout([(1, 900_000)])
    office.at_period(2)
    assert office.payout([(1, 900_000)] * 3).return_value == 2_000
    with reverts("ClearingBookBadAmount", 0, 898_000):
        office.payout([(1, 1)])
    office.lock(ORDER, 1, 898_000)
    assert office.claim(1)[4] == 0


def test_disputes_starve_no_shop_for_good(city_of_two: ClearingOffice) -> None:
    """Only the arbiter locks, each order once, for sixty days; beyond the locks the shop is paid."""
    office = city_of_two
    office.earn({1: 3_000}, {1: 3_000})
    office.at_period(2)
    office.fund(1, 3_000)
    for sender in (office.stranger, office.by["finance"]["from"], office.by["exchange"]["from"]):
        with reverts("AccessManagedUnauthorized", sender.address):
            office.book.lockOrder(ORDER, 1, 1, ORDER, {"from": sender})
    office.lock(ORDER, 1, 1_000)
    office.lock(OTHER_ORDER, 1, 1_000)
    assert office.payout([(1, 3_000)]).return_value == 1_000
    office.at_period(2, 60 * DAY + 1)
    for order in (ORDER, OTHER_ORDER):
        office.book.unlockOrder(order, {"from": office.stranger})
        with reverts("ClearingBookOrderLocked", order):
            office.lock(order, 1, 1_000)
    assert office.payout([(1, 3_000)]).return_value == 2_000


def test_a_closed_programme_s_credit_is_not_stranded(city_of_two: ClearingOffice) -> None:
    """It goes to the treasury, and finance takes it back from whoever owes it: no debtor carries a debt that no one
    claims."""
    office = city_of_two
    office.book.post([(programme(1), -700), (programme(2), 700)], office.by["exchange"])
    office.at_period(2)
    with reverts("ClearingBookNothingDue"):
        office.open_cycle()
    tx = office.ledger.closeCredit(office.book, 2)
    assert positions(tx) == [(programme(2), -700, 0), (TREASURY, 700, 700)]
    office.book.reclaim(1, 700, office.reference(), office.by["finance"])
    assert [office.book.position(p) for p in (programme(1), programme(2), TREASURY, POOL)] == [0, 0, 0, 0]
    assert office.book.fundingOf(1)[0] == 10**6 - 700


def test_every_act_of_finance_is_refused_the_second_time(city_of_two: ClearingOffice) -> None:
    """Whatever is sent again, byte for byte, reverts and changes nothing."""
    office, book, finance = city_of_two, city_of_two.book, city_of_two.by["finance"]
    office.earn({1: 5_000}, {1: 5_000})
    office.ledger.postBreakage(book, 1, 400)
    office.at_period(2)
    payouts = bytes.fromhex("00000001" + "0000000000000064")
    acts = [
        ("ClearingBookDocumentUsed", book.recordAppropriation, (1, 2031, 70, b"\1" * 32), (1, 2031, b"\1" * 32)),
        ("ClearingBookReferenceUsed", book.fund, (1, 1_000, b"\2" * 32), (b"\2" * 32,)),
        ("ClearingBookReferenceUsed", book.payout, (payouts, b"\3" * 32), (b"\3" * 32,)),
        ("ClearingBookReferenceUsed", book.payDirectly, (1, 1, 10, b"\4" * 32), (b"\4" * 32,)),
        ("ClearingBookReferenceUsed", book.reclaim, (1, 100, b"\5" * 32), (b"\5" * 32,)),
        ("ClearingBookNothingToLapse", book.lapse, (1, 2031), (1, 2031)),
    ]
    for error, act, arguments, values in acts:
        act(*arguments, finance)
        before = (tuple(book.fundingOf(1)), book.paid(1), office.claim(1), tuple(book.totalClaims()))
        with reverts(error, *values):
            act(*arguments, finance)
        assert (tuple(book.fundingOf(1)), book.paid(1), office.claim(1), tuple(book.totalClaims())) == before
    office.assert_zero_sum([1, 2], [1])


def test_what_belonged_to_lines_and_settlement_is_gone(office: ClearingOffice) -> None:
    """No list of lines, no lock of a pair, no signature that settles one: nothing of it can be replayed."""
    gone = {"lock", "pay", "lockedFen", "freeFen", "owedFen", "lockDisputed", "freeDisputed", "disputedFen"}
    assert gone.isdisjoint({item.get("name") for item in office.book.abi})
    assert "Settlement" not in dict(office.project.dict())
