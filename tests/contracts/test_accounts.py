"""PointsLedger: sweeping and where its value goes, and the pause of modules."""

from __future__ import annotations

import pytest
from city import (
    APPROPRIATION_FEN,
    DAY,
    GIFT,
    NOW,
    PAR,
    RESIDENCE,
    VOLUNTEER,
    City,
    Person,
    event_values,
    next_block_at,
    now,
    reverts,
    transfers,
)
from reference import ZERO, expiry_end, to_fen_down, token_id

LOT = token_id(VOLUNTEER, NOW)
NEXT = LOT + 1
GIFTS = token_id(GIFT, NOW)


@pytest.fixture
def rich(city: City) -> City:
    for lot, amount in ((LOT, 500), (NEXT, 70), (GIFTS, 30)):
        city.give(city.ana, lot, amount)
    return city


# Sweep ------------------------------------------------------------------------------------------------------------


def test_sweep_reverts_for_the_escrow_and_for_a_living_lot(rich: City) -> None:
    with reverts("PointsLedgerEscrow"):
        rich.ledger.sweep(rich.ledger.address, [], {"from": rich.stranger})
    with reverts("PointsLedgerLotAlive", LOT):
        rich.ledger.sweep(rich.ana.address, [LOT], {"from": rich.stranger})
    next_block_at(expiry_end(NOW) - 1)
    with reverts("PointsLedgerLotAlive", LOT):
        rich.ledger.sweep(rich.ana.address, [LOT], {"from": rich.stranger})
    next_block_at(expiry_end(NOW))
    with reverts("PointsLedgerLotAlive", NEXT):
        rich.ledger.sweep(rich.ana.address, [LOT, NEXT], {"from": rich.stranger})


def test_sweep(rich: City) -> None:
    """Anyone may; what is empty, twice named or beyond the scheme is passed over; other lots stay."""
    next_block_at(expiry_end(NOW))
    ids = [LOT, LOT, token_id(VOLUNTEER, NOW - 1), NEXT + 9, 1 << 64 | LOT, GIFTS]
    tx = rich.ledger.sweep(rich.ana.address, ids, {"from": rich.stranger})
    assert event_values(tx, "Swept") == [
        {"holder": rich.ana.address, "id": LOT, "amount": 500},
        {"holder": rich.ana.address, "id": GIFTS, "amount": 30},
    ]
    assert transfers(tx) == [(rich.ana.address, ZERO, LOT, 500), (rich.ana.address, ZERO, GIFTS, 30)]
    assert rich.balances(LOT, rich.ana) == [0]
    assert rich.balances(NEXT, rich.ana) == [70]
    assert rich.ledger.totalSupply(LOT) == 0
    assert rich.ledger.programme(VOLUNTEER)[6] == 70


# Breakage ---------------------------------------------------------------------------------------------------------


def test_what_is_swept_goes_to_the_treasury_and_finance_takes_it_back_once(rich: City) -> None:
    """Nobody gains by expiry: the issuer owes the treasury what expired, and with it goes what was appropriated."""
    next_block_at(expiry_end(NOW))
    rich.ledger.sweep(rich.ana.address, [LOT], {"from": rich.stranger})
    assert (rich.position(VOLUNTEER), rich.treasury()) == (-100, 100)
    assert rich.ledger.swept(VOLUNTEER) == 500
    rich.assert_zero_sum()
    # What expired opens no room to mint: what is free is what was free before.
    free = rich.book.fundingOf(VOLUNTEER)[0] - rich.ledger.liabilityFen(VOLUNTEER)
    assert free == APPROPRIATION_FEN - 114
    rich.book.reclaim(VOLUNTEER, 100, rich.reference(), {"from": rich.finance})
    assert (rich.position(VOLUNTEER), rich.treasury()) == (0, 0)
    assert rich.book.appropriated(VOLUNTEER) == APPROPRIATION_FEN - 100
    with pytest.raises(Exception, match="ClearingBookBadAmount"):
        rich.book.reclaim(VOLUNTEER, 1, rich.reference(), {"from": rich.finance})


def test_sweeping_in_small_parts_gains_no_fraction(city: City) -> None:
    """The fen of all sweeps together, floored once: nine lots of 3 units at a fifth of a fen are 5 fen, not 0."""
    people = [Person(f"holder {i}") for i in range(9)]
    city.mint(VOLUNTEER, NOW, [(person.address, 3) for person in people])
    next_block_at(expiry_end(NOW))
    treasury = []
    for person in people:
        city.ledger.sweep(person.address, [LOT], {"from": city.stranger})
        treasury.append(city.treasury())
    assert treasury == [to_fen_down(3 * (i + 1), PAR[VOLUNTEER]) for i in range(9)]
    assert city.ledger.swept(VOLUNTEER) == 27
    city.assert_zero_sum()


def test_sweeping_what_is_worth_nothing_posts_nothing(city: City) -> None:
    """A score that expires is burned and owed to no one."""
    lot = token_id(RESIDENCE, NOW)
    city.give(city.ana, lot, 10**9)
    next_block_at(expiry_end(NOW))
    tx = city.ledger.sweep(city.ana.address, [lot], {"from": city.stranger})
    assert event_values(tx, "PositionChanged") == []
    assert city.ledger.totalSupply(lot) == 0


# Pause ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exchange", "redemption"])
def test_the_guardian_s_brake(city: City, name: str) -> None:
    """At most 72 hours, lets go by itself, and not again before seven days have passed since."""
    module, guardian = getattr(city, name), {"from": city.guardian}
    for seconds in (0, 72 * 3600 + 1):
        with reverts("PausableBadDuration", seconds):
            module.pause(seconds, guardian)
    tx = module.pause(72 * 3600, guardian)
    until = now() + 72 * 3600
    assert event_values(tx, "Paused") == [{"until": until}]
    assert module.pausedUntil() == until
    tx = module.unpause(guardian)
    assert len(event_values(tx, "Unpaused")) == 1
    assert module.pausedUntil() == 0
    next_block_at(until + 7 * DAY - 1)
    with reverts("PausableTooSoon", until + 7 * DAY):
        module.pause(1, guardian)
    next_block_at(until + 7 * DAY)
    module.pause(1, guardian)


def test_a_pause_ends_to_the_second(rich: City) -> None:
    rich.exchange.pause(1_000, {"from": rich.guardian})
    until = rich.exchange.pausedUntil()
    next_block_at(until - 1)
    with reverts("PausableIsPaused", until):
        rich.run_exchange(b"")
    next_block_at(until)
    rich.run_exchange(b"")
