"""A desk, two desks, and desks with the council: what they try with accounts that are not theirs."""

from __future__ import annotations

import pytest
from city import DAY, NOW, SHOP, VOLUNTEER, WEEK, City, go_to, now, rejections, reverts
from reference import token_id

LOT = token_id(VOLUNTEER, NOW)
REQUESTED = 1


def test_one_desk_alone_moves_no_account(city: City) -> None:
    """Stopped by: the desk that asked cannot confirm, however many requests it makes."""
    city.give(city.ana, LOT, 500)
    city.request_succession(city.ana.address, city.bo)
    with reverts("SuccessionSameDesk", city.desk.address):
        city.succession.confirm(city.ana.address, city.bo.address, {"from": city.desk})
    go_to(now() + 8 * DAY)
    with reverts("SuccessionBadState", city.ana.address, REQUESTED):
        city.succession.execute(city.ana.address, [LOT], {"from": city.stranger})


def test_two_desks_are_seen_for_seven_days(city: City) -> None:
    """They name an accomplice the successor of a resident who still has the key. Stopped by: seven days, in which the
    old key objects; then the council decides, and till then nothing moves."""
    city.give(city.ana, LOT, 500)
    city.request_succession(city.ana.address, city.bo)
    city.confirm_succession(city.ana.address, city.bo)
    go_to(now() + WEEK - 10)
    with pytest.raises(Exception, match="SuccessionTooEarly"):
        city.succession.execute(city.ana.address, [LOT], {"from": city.stranger})
    signature = city.sign_objection(city.ana, city.bo.address)
    city.succession.objectTo(city.ana.address, signature, {"from": city.stranger})
    for desk in (city.desk, city.other_desk):
        with pytest.raises(Exception, match="SuccessionBadState"):
            city.succession.confirm(city.ana.address, city.bo.address, {"from": desk})
    go_to(now() + 90 * DAY)
    with pytest.raises(Exception, match="SuccessionBadState"):
        city.succession.execute(city.ana.address, [LOT], {"from": city.stranger})
    assert city.balances(LOT, city.ana, city.bo) == [500, 0]


def test_a_desk_does_not_put_another_account_in_the_place_of_one_that_was_confirmed(city: City) -> None:
    """A request of its own resets another desk's, or swaps the account after the second clerk has looked. Stopped by:
    one request at a time, and whoever confirms or decides names the account."""
    city.request_succession(city.ana.address, city.heir)
    deadline = now() + DAY
    consent = city.sign_consent(city.ana.address, city.bo, deadline)
    with reverts("SuccessionBadState", city.ana.address, REQUESTED):
        city.succession.requestSuccession(
            city.ana.address, city.bo.address, deadline, consent, {"from": city.other_desk}
        )
    with reverts("SuccessionBadState", city.ana.address, REQUESTED):
        city.succession.confirm(city.ana.address, city.bo.address, {"from": city.other_desk})
    city.confirm_succession(city.ana.address, city.heir)


def test_a_request_does_not_wait_for_a_better_day(city: City) -> None:
    """It lies until the holder no longer looks. Stopped by: unconfirmed it lapses after thirty days, unexecuted too."""
    city.request_succession(city.ana.address, city.bo)
    go_to(now() + 30 * DAY)
    with pytest.raises(Exception, match="SuccessionLapsed"):
        city.confirm_succession(city.ana.address, city.bo)
    city.request_succession(city.ana.address, city.bo)
    city.confirm_succession(city.ana.address, city.bo)
    go_to(now() + 37 * DAY)
    with pytest.raises(Exception, match="SuccessionLapsed"):
        city.succession.execute(city.ana.address, [LOT], {"from": city.stranger})


def test_desks_and_council_together_do_not_move_the_escrow(city: City) -> None:
    """The ledger's own account, where open holds lie, gets a successor, and then every release reverts and sinks its
    neighbours. Stopped by: the ledger has no successor and is none, whoever asks for it."""
    city.give(city.ana, LOT, 500)
    hold = city.place_hold(city.ana, [(LOT, 500)], captureBy=now() + 20 * DAY)
    city.request_succession(city.ledger.address, city.bo)
    city.confirm_succession(city.ledger.address, city.bo)
    go_to(now() + WEEK)
    with reverts("PointsLedgerBadSuccessor", city.bo.address):
        city.succession.execute(city.ledger.address, [LOT], {"from": city.stranger})
    with reverts("PointsLedgerNotRetired", city.ledger.address):
        city.ledger.forward(city.ledger.address, [LOT], {"from": city.stranger})
    assert rejections(city.run_release(city.signed_release(hold))) == []
    assert city.balances(LOT, city.ana) == [500]


def test_a_desk_captures_nothing_and_pays_nobody(city: City) -> None:
    """Stopped by: the role has two functions; a capture needs the merchant's signature."""
    city.give(city.ana, LOT, 500)
    hold = city.place_hold(city.ana, [(LOT, 500)])
    by = {"from": city.desk}
    tx = city.redemption.capture(city.signed_capture(hold, by=city.bo), by)
    assert len(rejections(tx)) == 1
    for function, args in (
        (city.book.payout, (b"\0" * 12, b"\1" * 32)),
        (city.book.registerMerchant, (SHOP, city.desk.address, b"\1" * 32)),
        (city.succession.decide, (city.ana.address, city.bo.address, True)),
        (city.ledger.freeze, (VOLUNTEER,)),
    ):
        with reverts("AccessManagedUnauthorized", city.desk.address):
            function(*args, by)


def test_an_old_consent_is_not_used_later(city: City) -> None:
    """A desk keeps a consent for when the holder has forgotten it. Stopped by: it has a deadline."""
    deadline = now() + DAY
    consent = city.sign_consent(city.ana.address, city.bo, deadline)
    go_to(deadline + 1)
    with reverts("SuccessionBadSignature", city.bo.address):
        city.succession.requestSuccession(city.ana.address, city.bo.address, deadline, consent, {"from": city.desk})
