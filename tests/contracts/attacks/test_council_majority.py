"""A majority of the council, or a thief of its keys: what it can do, how long that is seen before, and what not."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    CULTURE,
    DAY,
    FINANCE,
    NOW,
    REDEMPTION,
    SHOP,
    VOLUNTEER,
    City,
    Person,
    go_to,
    now,
    reverts,
)
from institutions import AUTHORITY_WAIT, Institutions
from reference import pack_lots, prefix_word, token_id
from test_council import DELAY, Agencies

LOT = token_id(VOLUNTEER, NOW)


@pytest.fixture
def agencies(city: City) -> Agencies:
    """A council that is the manager's only admin, over institutions that wait."""
    Institutions(city)
    return Agencies(city)


def enact(agencies: Agencies, contract: Any, function: str, *arguments: Any) -> Any:
    """Have the majority propose, approve, wait and carry out."""
    return agencies.enact(contract, function, *arguments, salt=now().to_bytes(32, "big"))


def test_it_mints_nothing_through_a_module_of_its_own(agencies: Agencies) -> None:
    """It gives an account the role of redemption and restores 2,000,000 yuan out of nothing. Stopped by: seven days in
    which everyone sees the grant, and the ledger restores no more of a lot than was redeemed of it."""
    city = agencies.city
    city.give(city.ana, LOT, 1_000)
    city.pay(city.ana, [(LOT, 400)])
    module = city.project.WalletMock.deploy(city.operator, city.by_operator)
    enact(agencies, city.manager, "grantRole", REDEMPTION, module, 0)

    def restore(lot: int, amount: int) -> Any:
        lots = pack_lots([(lot, amount)])
        calls = [
            city.ledger.beginRedemption.encode_input(),
            city.ledger.restore.encode_input(city.bo.address, lots, prefix_word((1, amount)), 0),
        ]
        return module.callAll(city.ledger, calls, city.by_operator)

    with reverts("AccessManagedUnauthorized", module.address):
        restore(LOT, 1)
    go_to(now() + 7 * DAY)
    for lot in (LOT + 1, token_id(CULTURE, NOW)):
        with reverts("PointsLedgerNotRedeemed", lot, 10**8, 0):
            restore(lot, 10**8)
    with reverts("PointsLedgerNotRedeemed", LOT, 401, 400):
        restore(LOT, 401)
    assert city.ledger.totalSupply(LOT) == 600


def test_it_mints_nothing_with_a_key_of_its_own_for_nine_days(agencies: Agencies) -> None:
    """It adds an issuer key and grants itself points. Bounded by: the council's delay, seven days till the key signs,
    and funding that the finance bureau, another institution, recorded; a programme without appropriation mints no
    value."""
    city, thief = agencies.city, Person("majority")
    enact(agencies, city.ledger, "addIssuerKey", VOLUNTEER, thief.address)
    batch = city.batch(VOLUNTEER, NOW, {thief.address: 100})
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, thief.address):
        city.land(batch, thief)
    names = ("Majority", "M")
    enact(agencies, city.ledger, "registerProgramme", 50, 10**8, 8, b"\0" * 32, thief.address, *names)
    city.issuer[50] = thief
    with pytest.raises(Exception, match="PointsLedgerCeilingExceeded"):
        city.mint(50, NOW, {thief.address: 100})
    enact(agencies, city.ledger, "setCeilings", 50, 2**48 - 1, 0)
    with reverts("PointsLedgerFundingExceeded", 50, 100, 0):
        city.mint(50, NOW, {thief.address: 100})
    del city.issuer[50]


def test_it_records_no_appropriation_without_its_delay_and_a_finance_key(agencies: Agencies) -> None:
    """It makes itself the finance bureau. Bounded by: the council's delay, seven days more, and each step is an event.
    That remains in its power, and docs/security says so; what another institution recorded is not its to change."""
    city = agencies.city
    with reverts("AccessManagedUnauthorized", agencies.council.address):
        enact(agencies, city.book, "recordAppropriation", VOLUNTEER, 2031, 1, b"\1" * 32)
    begun, member = now(), agencies.members[0]
    enact(agencies, city.manager, "grantRole", FINANCE, member, 0)
    assert city.manager.getAccess(FINANCE, member)[0] - begun >= DELAY + AUTHORITY_WAIT
    with reverts("AccessManagedUnauthorized", member.address):
        city.book.recordAppropriation(VOLUNTEER, 2031, 1, b"\1" * 32, {"from": member})


def test_it_takes_nobody_s_points(agencies: Agencies) -> None:
    """It sends a resident's account to a successor without desks or consent, sweeps living lots, or burns them. Stopped
    by: the ledger asks only the succession contract, which is fixed; the council decides there only on what was
    objected to."""
    city = agencies.city
    city.give(city.ana, LOT, 500)
    with reverts("PointsLedgerOnlySuccession", agencies.council.address):
        enact(agencies, city.ledger, "succeed", city.ana.address, city.bo.address, [LOT])
    with pytest.raises(Exception, match="SuccessionBadState"):
        enact(agencies, city.succession, "decide", city.ana.address, city.bo.address, True)
    with pytest.raises(Exception, match="PointsLedgerLotAlive"):
        enact(agencies, city.ledger, "sweep", city.ana.address, [LOT])
    assert city.balances(LOT, city.ana) == [500]


def test_it_changes_no_par_and_no_flag(agencies: Agencies) -> None:
    """Points are revalued to rob those who hold them. Stopped by: no function sets a par; a programme is registered
    once."""
    city = agencies.city
    names = {entry["name"] for entry in city.ledger.abi if entry["type"] == "function"}
    setters = {name for name in names if name.startswith("set")}
    assert setters == {
        "setAuthority",
        "setCeilings",
        "setFrozenUntil",
        "setOperator",
        "setRebirthCap",
        "setRulebook",
        "setState",
    }
    with reverts("PointsLedgerProgrammeExists", VOLUNTEER):
        enact(agencies, city.ledger, "registerProgramme", VOLUNTEER, 1, 0, b"\0" * 32, city.ana.address, "", "")


def test_it_waives_no_debt_for_longer_than_ninety_days_at_a_time(agencies: Agencies) -> None:
    city = agencies.city
    with pytest.raises(Exception, match="ClearingBookBadTerms"):
        enact(agencies, city.book, "setWaiver", VOLUNTEER, 2**40 - 1)


def test_it_puts_no_other_book_in_the_place_of_this_one(agencies: Agencies) -> None:
    """A second ledger that says it is the city's. Stopped by: book and ledger name one another for good."""
    city = agencies.city
    assert city.book.ledger() == city.succession.ledger() == city.ledger.address
    assert (city.ledger.clearingBook(), city.ledger.succession()) == (city.book.address, city.succession.address)
    for contract in (city.ledger, city.book):
        setters = {e["name"] for e in contract.abi if e["type"] == "function" and e["name"].startswith("set")}
        assert not {name for name in setters if "Ledger" in name or "Book" in name or "Succession" in name}
    assert city.merchant_position(SHOP) == 0
