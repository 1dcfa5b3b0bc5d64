"""The registrar, or a thief of its key: what it tries with merchants' keys. Its acts wait a day on the real manager."""

from __future__ import annotations

import pytest
from city import DAY, NOW, SHOP, VOLUNTEER, City, Person, bits, event_values, go_to, now, rejections, reverts
from institutions import ANNOUNCED, Institutions
from reference import BAD_SIGNATURE, token_id

LOT = token_id(VOLUNTEER, NOW)


@pytest.fixture
def institutions(city: City) -> Institutions:
    return Institutions(city)


def test_a_merchant_s_key_is_not_swapped_at_once(institutions: Institutions) -> None:
    """It puts its own key in a merchant's place, captures its open holds and refunds its orders to itself. Stopped by:
    the act waits a day, announced on the chain, and the supervisor cancels it."""
    city, thief = institutions.city, Person("thief")
    city.give(city.ana, LOT, 1_000)
    hold = city.place_hold(city.ana, [(LOT, 500)])
    act = (SHOP, thief.address, bits(1))
    with pytest.raises(Exception, match="AccessManagerNotScheduled"):
        city.book.registerMerchant(*act, {"from": city.registrar})
    data = institutions.announce(city.registrar, city.book, "registerMerchant", *act)
    tx = city.run_capture(city.signed_capture(hold, by=thief))
    assert [code for _, _, code in rejections(tx)] == [BAD_SIGNATURE]
    institutions.cancel(institutions.supervisor, city.registrar, city.book, data)
    go_to(now() + ANNOUNCED)
    with pytest.raises(Exception, match="AccessManagerNotScheduled"):
        city.book.registerMerchant(*act, {"from": city.registrar})
    tx = city.run_capture(city.signed_capture(hold))
    assert event_values(tx, "Captured")[0]["fen"] == 100


def test_a_merchant_warned_captures_before_its_key_is_swapped(institutions: Institutions) -> None:
    """Even where nobody cancels: a day is left to capture, and what was captured is the merchant's claim whoever has
    the key. Stopped by: the announced day; claims follow the merchant's id."""
    city, thief = institutions.city, Person("thief")
    city.give(city.ana, LOT, 1_000)
    hold = city.place_hold(city.ana, [(LOT, 500)])
    act = (SHOP, thief.address, bits(1))
    institutions.announce(city.registrar, city.book, "registerMerchant", *act)
    assert rejections(city.run_capture(city.signed_capture(hold))) == []
    go_to(now() + ANNOUNCED)
    city.book.registerMerchant(*act, {"from": city.registrar})
    assert city.merchant_position(SHOP) == 100


def test_a_registrar_pays_and_moves_nothing(institutions: Institutions) -> None:
    """Stopped by: the role has one function, and payouts are booked to ids by finance, to accounts by the bank's own
    register."""
    city, by = institutions.city, {"from": institutions.city.registrar}
    for function, arguments in (
        (city.book.payout, (b"\0" * 12, b"\1" * 32)),
        (city.book.recordAppropriation, (VOLUNTEER, 2030, 1, b"\1" * 32)),
        (city.book.setArbiterKey, (city.ana.address,)),
        (city.ledger.addIssuerKey, (VOLUNTEER, city.ana.address)),
    ):
        with reverts("AccessManagedUnauthorized", city.registrar.address):
            function(*arguments, by)


def test_a_swapped_key_takes_no_more_than_what_is_open(institutions: Institutions) -> None:
    """What a thief of the registrar's key has at worst, a day after and uncancelled: the open holds of that merchant go
    to that merchant's own claim, and refunds go to the residents who paid, of whom one may be an accomplice. Bounded
    by what the merchant was not yet paid for; no point and no fen comes to an account that did not pay."""
    city, thief = institutions.city, Person("thief")
    city.give(city.ana, LOT, 1_000)
    hold = city.place_hold(city.ana, [(LOT, 500)], captureBy=now() + 10 * DAY)
    payment = city.pay(city.ana, [(LOT, 500)])
    institutions.announce(city.registrar, city.book, "registerMerchant", SHOP, thief.address, bits(1))
    go_to(now() + ANNOUNCED)
    city.book.registerMerchant(SHOP, thief.address, bits(1), {"from": city.registrar})
    assert rejections(city.run_capture(city.signed_capture(hold, by=thief))) == []
    city.refund(payment, by=thief)
    assert city.merchant_position(SHOP) == 100
    assert city.balances(LOT, city.ana) == [500]
    assert city.ledger.balanceOf(thief.address, LOT) == 0
