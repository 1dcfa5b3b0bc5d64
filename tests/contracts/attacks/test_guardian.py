"""The guardian alone, who can pause Exchange and Redemption and freeze programmes: what that costs anybody at worst."""

from __future__ import annotations

import pytest
from city import CULTURE, DAY, NOW, SHOP, VOLUNTEER, City, event_values, go_to, next_block_at, now, rejections, reverts
from reference import expiry_end, quarter_end, token_id

LOT = token_id(VOLUNTEER, NOW)
BRAKE = 72 * 3_600


def by(city: City) -> dict[str, object]:
    return {"from": city.guardian}


def test_a_pause_over_the_capture_time_leaves_no_merchant_unpaid(city: City) -> None:
    """Stopped by: a capture is never paused."""
    city.give(city.ana, LOT, 500)
    hold = city.place_hold(city.ana, [(LOT, 500)], captureBy=now() + 2 * DAY)
    city.redemption.pause(BRAKE, by(city))
    city.ledger.freeze(VOLUNTEER, by(city))
    next_block_at(hold.captureBy)
    tx = city.run_capture(city.signed_capture(hold))
    assert event_values(tx, "Captured")[0]["fen"] == 100
    assert city.merchant_position(SHOP) == 100


def test_pause_and_freeze_one_after_the_other_over_the_quarter_s_end_kill_no_points(city: City) -> None:
    """The guardian pauses in the quarter's last second, for as long as it can, and freezes when that is over. Stopped
    by: both together last six days, and the clock of expiry runs seven late."""
    city.give(city.ana, LOT, 500)
    at = quarter_end(NOW) - 1
    next_block_at(at)
    city.redemption.pause(BRAKE, by(city))
    order = city.redeem_order(city.ana, [(LOT, 500)], deadline=2**40 - 1)
    packed = city.signed(city.ana, order)
    next_block_at(at + BRAKE)
    city.ledger.freeze(VOLUNTEER, by(city))
    next_block_at(at + 2 * BRAKE)
    for brake in (lambda: city.redemption.pause(1, by(city)), lambda: city.ledger.freeze(VOLUNTEER, by(city))):
        with pytest.raises(Exception, match=r"PausableTooSoon|PointsLedgerTooEarly"):
            brake()
    assert now() < expiry_end(NOW)
    assert rejections(city.run_redeem(packed)) == []


def test_pauses_do_not_follow_one_another(city: City) -> None:
    """At most 72 hours in ten days, ended early or not. Stopped by: the next begins seven days after the announced
    end."""
    city.redemption.pause(BRAKE, by(city))
    until = city.redemption.pausedUntil()
    city.redemption.unpause(by(city))
    for at in (until, until + 7 * DAY - 1):
        next_block_at(at)
        with reverts("PausableTooSoon", until + 7 * DAY):
            city.redemption.pause(1, by(city))
    next_block_at(until + 7 * DAY)
    city.redemption.pause(1, by(city))


def test_freezes_do_not_follow_one_another(city: City) -> None:
    """Not even when the council has ended one early. Stopped by: the next begins seven days after the first would
    end."""
    city.ledger.freeze(VOLUNTEER, by(city))
    again = now() + BRAKE + 7 * DAY
    city.ledger.setFrozenUntil(VOLUNTEER, 0, city.by_admin)
    for at in (now() + 10, again - 1):
        next_block_at(at)
        with reverts("PointsLedgerTooEarly", again):
            city.ledger.freeze(VOLUNTEER, by(city))
    next_block_at(again)
    city.ledger.freeze(VOLUNTEER, by(city))


def test_a_guardian_keeps_nobody_s_points(city: City) -> None:
    """Paused and frozen, what is under way ends: release, refund, cancelled nonces. Stopped by: none of these asks."""
    city.give(city.ana, LOT, 1_500)
    merchant_s, own = (city.place_hold(city.ana, [(LOT, 500)], cancellable=True) for _ in range(2))
    paid = city.pay(city.ana, [(LOT, 500)])
    for module in (city.redemption, city.exchange):
        module.pause(BRAKE, by(city))
    city.ledger.freeze(VOLUNTEER, by(city))
    tx = city.run_release(city.signed_release(merchant_s), city.signed_release(own, by=city.ana))
    assert rejections(tx) == []
    city.refund(paid)
    city.ledger.cancelNonce(LOT, 20, {"from": city.ana.account})
    assert city.balances(LOT, city.ana) == [1_500]


def test_a_guardian_can_do_nothing_else(city: City) -> None:
    """Neither unfreeze, nor choose caps, nor touch roles. Stopped by: the role has five functions."""
    for function, args in (
        (city.ledger.setFrozenUntil, (VOLUNTEER, 0)),
        (city.ledger.setCeilings, (VOLUNTEER, 0, 0)),
        (city.ledger.setState, (VOLUNTEER, 2)),
        (city.exchange.setInflowCap, (CULTURE, 1)),
        (city.exchange.setResidentCap, (1,)),
        (city.book.setWaiver, (VOLUNTEER, 0)),
    ):
        with reverts("AccessManagedUnauthorized", city.guardian.address):
            function(*args, by(city))
    with pytest.raises(Exception, match="AccessManagerUnauthorizedAccount"):
        city.manager.grantRole(1, city.guardian, 0, by(city))


def test_a_wrong_par_is_stopped_at_once_and_for_as_long_as_it_takes(city: City) -> None:
    """A programme was opened at a hundred times its worth, and closing it would leave a year of spending. Stopped by:
    the guardian's freeze, then the council's, ninety days at a time, while it closes; nothing is exchanged or
    redeemed."""
    city.register(40, 2_000_000_000, 14)
    city.appropriate(40, 10**9)
    lot = token_id(40, NOW + 8)
    city.give(city.ana, lot, 1_000)
    city.ledger.freeze(40, by(city))
    city.ledger.setState(40, 2, city.by_admin)
    for _ in range(3):
        go_to(city.ledger.programme(40)[8] - 1)
        city.ledger.setFrozenUntil(40, now() + 89 * DAY, city.by_admin)
        for tx in (
            city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(lot, 100)]))),
            city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, lot, 100, CULTURE))),
        ):
            assert len(rejections(tx)) == 1
    assert city.balances(lot, city.ana) == [1_000]
