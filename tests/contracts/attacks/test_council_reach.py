"""How far a majority of the council reaches when nobody stops it: what docs/security admits, and how long it is seen.

Where the attack succeeds in the end, they show its bounds: the council's delay and the seven days of every change of
authority, in which each step lies open on the chain, and what institutions then do or leave undone: no payment leaves a
bank by itself.
"""

from __future__ import annotations

from typing import Any

import pytest
from city import DAY, DESK, NOW, SHOP, VOLUNTEER, City, Person, go_to, now, reverts
from institutions import AUTHORITY_WAIT, DELAYED_ROLES, Institutions
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


def test_it_takes_no_module_s_place_without_seven_days_more(agencies: Agencies) -> None:
    """It gives a module's function to its own role and credits a merchant of its choice. Stopped by: another role for a
    function is announced, and waits seven days after the council's own delay, in sight of everybody. What is left after
    that: a period or two till the claim matures; and a debtor and the finance bureau who would have to pay."""
    city, begun = agencies.city, now()
    postings = [(1 << 32 | VOLUNTEER, -(10**8)), (2 << 32 | SHOP, 10**8)]
    function = [city.book.signatures["postReceipts"]]
    change = agencies.call(city.manager, "setTargetFunctionRole", city.book, function, 0)
    post = agencies.call(city.book, "postReceipts", postings, b"\1" * 32)
    with pytest.raises(Exception, match="AccessManagerNotScheduled"):
        enact_all(agencies, change)
    enact_all(agencies, agencies.call(city.manager, "schedule", city.manager, change[1], 0))
    go_to(now() + 6 * DAY)
    with pytest.raises(Exception, match="AccessManagerNotReady"):
        agencies.execute(*change, (0).to_bytes(32, "big"))
    with pytest.raises(Exception, match="AccessManagedUnauthorized"):
        enact_all(agencies, post)
    agencies.execute(*change, (0).to_bytes(32, "big"))
    agencies.execute(*post, (0).to_bytes(32, "big"))
    assert now() - begun >= DELAY + AUTHORITY_WAIT
    assert city.book.claim(SHOP)[4] == 0, "nothing of it is payable before it has matured"
    assert city.merchant_position(SHOP) == -city.position(VOLUNTEER) == 10**8
    with reverts("ClearingBookNothingDue"):
        city.book.openCycle({"from": city.stranger})
    city.assert_zero_sum()


def test_it_puts_no_authority_of_its_own_in_the_manager_s_place_at_once(agencies: Agencies) -> None:
    """A manager of its own, or a contract closed, stopped by the same wait."""
    city = agencies.city
    for target in (city.ledger, city.book, city.succession, city.exchange, city.redemption):
        for function, arguments in (("updateAuthority", (agencies.council,)), ("setTargetClosed", (True,))):
            with pytest.raises(Exception, match="AccessManagerNotScheduled"):
                enact_all(agencies, agencies.call(city.manager, function, target, *arguments))


def test_it_makes_itself_no_institution_without_seven_days_more(agencies: Agencies) -> None:
    """It opens a programme whose first key is its own, makes a member the finance bureau, records an appropriation and
    mints. Stopped by: a grant waits seven days after the council's own delay, whichever institution's it is. What is
    left after that: an auditor and everyone else see a second bureau."""
    city, thief, begun = agencies.city, Person("majority"), now()
    member = agencies.members[0]
    enact_all(
        agencies,
        agencies.call(city.ledger, "registerProgramme", 50, 10**8, 8, b"\0" * 32, thief.address, "Majority", "M"),
        *(agencies.call(city.manager, "grantRole", role, member, 0) for role in DELAYED_ROLES),
    )
    appropriation = (50, 2030, 1_000, b"\1" * 32, {"from": member})
    go_to(begun + DELAY + AUTHORITY_WAIT - DAY)
    with reverts("AccessManagedUnauthorized", member.address):
        city.book.recordAppropriation(*appropriation)
    assert not any(city.manager.hasRole(role, member)[0] for role in DELAYED_ROLES)
    go_to(begun + DELAY + AUTHORITY_WAIT + DAY)
    city.book.recordAppropriation(*appropriation)
    city.issuer[50] = thief
    city.mint(50, NOW, {thief.address: 100})
    assert city.ledger.liabilityFen(50) == 100, "a tenth of what it recorded, the day's ceiling"
    del city.issuer[50]


def test_it_moves_an_account_by_desks_of_its_own_in_sight_for_weeks(agencies: Agencies) -> None:
    """It makes two members desks, requests a succession to a thief, and overrules the holder's objection. What is left:
    its delay, seven days till they are desks, and its delay again for its last word; without an objection seven days.
    The holder sees the request and spends meanwhile."""
    city, thief, begun = agencies.city, Person("majority"), now()
    city.give(city.ana, LOT, 500)
    first, second = agencies.members[:2]
    enact_all(agencies, *(agencies.call(city.manager, "grantRole", DESK, desk, 0) for desk in (first, second)))
    with reverts("AccessManagedUnauthorized", first.address):
        ask(city, thief, first)
    go_to(now() + AUTHORITY_WAIT)
    ask(city, thief, first)
    city.succession.confirm(city.ana.address, thief.address, {"from": second})
    with pytest.raises(Exception, match="SuccessionTooEarly"):
        city.succession.execute(city.ana.address, [LOT], {"from": city.stranger})
    city.succession.objectTo(city.ana.address, b"", {"from": city.ana.account})
    with pytest.raises(Exception, match="SuccessionBadState"):
        city.succession.execute(city.ana.address, [LOT], {"from": city.stranger})
    enact_all(agencies, agencies.call(city.succession, "decide", city.ana.address, thief.address, True))
    city.succession.execute(city.ana.address, [LOT], {"from": city.stranger})
    assert now() - begun >= 2 * DELAY + AUTHORITY_WAIT
    assert city.balances(LOT, city.ana, thief) == [0, 500]


def ask(city: City, new: Person, desk: Any) -> Any:
    """A desk's request that an account follow ana's, with that account's consent."""
    deadline = now() + 90 * DAY
    consent = city.sign_consent(city.ana.address, new, deadline)
    return city.succession.requestSuccession(city.ana.address, new.address, deadline, consent, {"from": desk})
