"""How far a majority of the council reaches when nobody stops it: what docs/security admits, and how long it is seen.

These tests succeed where the attack does. They show that its only bounds are the council's delay, in which every step
lies open on the chain, and what institutions then do or leave undone: no payment leaves a bank by itself.
"""

from __future__ import annotations

from typing import Any

import pytest
from city import DAY, FINANCE, NOW, SHOP, VOLUNTEER, City, Person, go_to, now, reverts
from institutions import Institutions
from reference import token_id
from test_council import DELAY, Agencies

LOT = token_id(VOLUNTEER, NOW)


@pytest.fixture
def agencies(city: City) -> Agencies:
    """A council that is the manager's only admin, over institutions that wait."""
    Institutions(city)
    return Agencies(city)


def enact_all(agencies: Agencies, *calls: tuple[Any, bytes]) -> None:
    """Have the majority propose all calls at once, wait a single time, and carry them out in order."""
    for place, (target, data) in enumerate(calls):
        salt = place.to_bytes(32, "big")
        agencies.propose(target, data, salt)
        agencies.approve(agencies.id_of(target, data, salt), 1)
    go_to(now() + DELAY)
    for place, (target, data) in enumerate(calls):
        agencies.execute(target, data, place.to_bytes(32, "big"))


def test_it_takes_a_module_s_place_after_its_delay(agencies: Agencies) -> None:
    """It gives a module's function to its own role, which no grant delay holds back, and credits a merchant of its
    choice. What is left: the delay, in which that is seen; a period or two till the claim matures; and a debtor and the
    finance bureau who would have to pay."""
    city, begun = agencies.city, now()
    postings = [(1 << 32 | VOLUNTEER, -(10**8)), (2 << 32 | SHOP, 10**8)]
    function = [city.book.signatures["postReceipts"]]
    enact_all(
        agencies,
        agencies.call(city.manager, "setTargetFunctionRole", city.book, function, 0),
        agencies.call(city.book, "postReceipts", postings, b"\1" * 32),
    )
    assert DELAY <= now() - begun < 7 * DAY
    assert city.book.claim(SHOP)[4] == 0, "nothing of it is payable before it has matured"
    assert city.merchant_position(SHOP) == -city.position(VOLUNTEER) == 10**8
    with reverts("ClearingBookNothingDue"):
        city.book.openCycle({"from": city.stranger})
    city.assert_zero_sum()


def test_it_mints_after_its_delay_what_it_funds_itself(agencies: Agencies) -> None:
    """It opens a programme whose first key is its own, makes a member the finance bureau without any wait, records an
    appropriation and mints. What is left: the delay, and that an auditor and everyone else see a second bureau."""
    city, thief, begun = agencies.city, Person("majority"), now()
    member = agencies.members[0]
    enact_all(
        agencies,
        agencies.call(city.ledger, "registerProgramme", 50, 10**8, 8, b"\0" * 32, thief.address, "Majority", "M"),
        agencies.call(city.manager, "grantRole", FINANCE, member, 0),
    )
    city.book.recordAppropriation(50, 2030, 1_000, b"\1" * 32, {"from": member})
    city.issuer[50] = thief
    city.mint(50, NOW, {thief.address: 100})
    assert DELAY <= now() - begun < 7 * DAY
    assert city.ledger.liabilityFen(50) == 100, "a tenth of what it recorded, the day's ceiling"
    del city.issuer[50]
