"""The finance bureau, or a thief of its key: appropriations by one hand, money that was never paid, and silence."""

from __future__ import annotations

import pytest
from city import DAY, MATURITY, NOW, OTHER_SHOP, SHOP, VOLUNTEER, City, go_to, now, reverts
from clearing_office import pack_payouts
from institutions import ANNOUNCED, Institutions
from reference import token_id

LOT = token_id(VOLUNTEER, NOW)


@pytest.fixture
def institutions(city: City) -> Institutions:
    return Institutions(city)


def test_one_key_does_not_record_any_appropriation(institutions: Institutions) -> None:
    """A thief records 2^95 fen, and an issuer mints against it. Stopped by: the act waits a day in sight of all,
    another organisation cancels it, and what it can be minted against is a tenth a day."""
    city, book = institutions.city, institutions.city.book
    act = (VOLUNTEER, 2031, 2**95, b"\x0d" * 32)
    data = institutions.announce(city.finance, book, "recordAppropriation", *act)
    institutions.cancel(institutions.supervisor, city.finance, book, data)
    go_to(now() + 2 * ANNOUNCED)
    with pytest.raises(Exception, match="AccessManagerNotScheduled"):
        book.recordAppropriation(*act, {"from": city.finance})


def test_an_act_that_is_sent_again_has_no_second_effect(city: City) -> None:
    """A sender that its node misled records one appropriation seventy times, or pays twice. Stopped by: documents and
    references count once, whatever the amount."""
    by, document = {"from": city.finance}, b"\x0d" * 32
    city.book.recordAppropriation(VOLUNTEER, 2031, 1_000, document, by)
    for fen in (1_000, 1):
        with reverts("ClearingBookDocumentUsed", VOLUNTEER, 2031, document):
            city.book.recordAppropriation(VOLUNTEER, 2031, fen, document, by)
    city.give(city.ana, LOT, 5_000)
    city.pay(city.ana, [(LOT, 5_000)])
    go_to(now() + 2 * MATURITY)
    city.book.fund(VOLUNTEER, 400, b"\1" * 32, by)
    with reverts("ClearingBookReferenceUsed", b"\1" * 32):
        city.book.fund(VOLUNTEER, 400, b"\1" * 32, by)
    city.book.payout(pack_payouts([(SHOP, 100)]), b"\2" * 32, by)
    for reference in (b"\1" * 32, b"\2" * 32, b"\0" * 32):
        with reverts("ClearingBookReferenceUsed", reference):
            city.book.payout(pack_payouts([(SHOP, 100)]), reference, by)
    city.book.lapse(VOLUNTEER, 2030, by)
    with reverts("ClearingBookNothingToLapse", VOLUNTEER, 2030):
        city.book.lapse(VOLUNTEER, 2030, by)


def test_a_lapse_takes_nothing_that_somebody_holds_or_earned(city: City) -> None:
    """On 31 December it takes back what is unpaid: what merchants earned in December, and what residents still hold.
    Stopped by: a lapse takes at most the free funding."""
    city.give(city.ana, LOT, 10_000)
    city.pay(city.ana, [(LOT, 5_000)])
    city.book.lapse(VOLUNTEER, 2030, {"from": city.finance})
    assert city.book.appropriated(VOLUNTEER) == 2_000
    city.pay(city.ana, [(LOT, 5_000)])
    go_to(now() + 2 * MATURITY)
    city.book.fund(VOLUNTEER, 2_000, b"\1" * 32, {"from": city.finance})
    city.book.payout(pack_payouts([(SHOP, 2_000)]), b"\2" * 32, {"from": city.finance})
    assert (city.position(VOLUNTEER), city.merchant_position(SHOP)) == (0, 0)


def test_no_money_comes_out_that_did_not_go_in(city: City) -> None:
    """It pays a friend more than was earned, before it has matured, or more than debtors paid in. Stopped by: a payout
    is at most the matured claim that is not locked, and what lies in the pool."""
    by = {"from": city.finance}
    city.give(city.ana, LOT, 10_000)
    city.pay(city.ana, [(LOT, 5_000)])
    with pytest.raises(Exception, match="ClearingBookBadAmount"):
        city.book.payout(pack_payouts([(SHOP, 1_000)]), b"\1" * 32, by)
    go_to(now() + 2 * MATURITY)
    with pytest.raises(Exception, match="ClearingBookBadAmount"):
        city.book.payout(pack_payouts([(SHOP, 1_000)]), b"\1" * 32, by)
    with pytest.raises(Exception, match="ClearingBookBadAmount"):
        city.book.fund(VOLUNTEER, 1_001, b"\1" * 32, by)
    city.book.fund(VOLUNTEER, 600, b"\1" * 32, by)
    paid = city.book.payout(pack_payouts([(OTHER_SHOP, 500), (SHOP, 1_000), (SHOP, 1_000)]), b"\2" * 32, by)
    assert paid.return_value == 600
    assert city.merchant_position(SHOP) == 400
    city.assert_zero_sum()


def test_finance_that_does_nothing_keeps_nothing_locked_and_no_cycle_closed(city: City) -> None:
    """It opens no cycle and decides no complaint, for ever. Stopped by: anyone opens a cycle, a lock lapses to the
    merchant, and an overdue agency mints no more."""
    city.give(city.ana, LOT, 10_000)
    payment = city.pay(city.ana, [(LOT, 5_000)])
    city.pay(city.ana, [(LOT, 5_000)])
    city.lock(payment, 1_000)
    go_to(now() + 60 * DAY)
    city.book.openCycle({"from": city.stranger})
    city.book.unlockOrder(payment.receipt[0], {"from": city.stranger})
    assert city.book.due(VOLUNTEER)[0] == 2_000
    go_to(city.book.lastCycle()[1] + 1)
    assert city.book.fundingOf(VOLUNTEER)[2] is True


def test_finance_mints_and_registers_nothing(city: City) -> None:
    """Stopped by: another institution holds each key."""
    batch = city.batch(VOLUNTEER, NOW, {city.finance.address: 1})
    with pytest.raises(Exception, match="PointsLedgerBadIssuer"):
        city.ledger.mint(batch, city.sign_batch(batch, city.bo), {"from": city.finance})
    with reverts("AccessManagedUnauthorized", city.finance.address):
        city.book.registerMerchant(SHOP, city.ana.address, b"\1" * 32, {"from": city.finance})
