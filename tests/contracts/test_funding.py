"""What bounds issuance: funding, the ceilings of a day, and dues that are overdue."""

from __future__ import annotations

import pytest
from batches import LOT, batch_of, funding_of, send, supply_of
from city import (
    APPROPRIATION_FEN,
    CULTURE,
    DAY,
    NOW,
    VOLUNTEER,
    City,
    event_values,
    go_to,
    next_block_at,
    now,
    reverts,
)
from reference import pack_grants, token_id

# Funding ----------------------------------------------------------------------------------------------------------


def test_funding_refused_then_appropriated_then_the_same_bytes_land(city: City) -> None:
    """No signature is needed again: the refused batch stays good."""
    batch = batch_of(city, grants=pack_grants([(city.ana.address, APPROPRIATION_FEN * 5), (city.bo.address, 5)]))
    signature = city.sign_batch(batch)
    with reverts("PointsLedgerFundingExceeded", VOLUNTEER, APPROPRIATION_FEN + 1, APPROPRIATION_FEN):
        send(city, batch, signature)
    city.appropriate(VOLUNTEER, 1)
    send(city, batch, signature)
    assert supply_of(city, VOLUNTEER) == APPROPRIATION_FEN * 5 + 5


def test_a_started_fen_needs_funding_whole(city: City) -> None:
    """supply * par <= funding * 1e8 exactly: one minor unit (a fifth of a fen) over is over."""
    city.register(12, 20_000_000, 0)
    city.ledger.setCeilings(12, 1_000, 0, city.by_admin)
    with reverts("PointsLedgerFundingExceeded", 12, 1, 0):
        city.mint(12, NOW, {city.ana.address: 1})
    city.appropriate(12, 1)
    city.mint(12, NOW, {city.ana.address: 5})
    with reverts("PointsLedgerFundingExceeded", 12, 2, 1):
        city.mint(12, NOW, {city.ana.address: 1})


def test_what_was_redeemed_keeps_its_funding_used(city: City) -> None:
    """The position of the issuer falls as its supply does, so redeeming opens no room to mint anew."""
    most = APPROPRIATION_FEN * 5
    city.give(city.ana, LOT, most)
    order = city.redeem_order(city.ana, [(LOT, most // 2)])
    city.run_redeem(city.signed(city.ana, order))
    assert funding_of(city, VOLUNTEER) == APPROPRIATION_FEN - most // 10
    with pytest.raises(Exception, match="PointsLedgerFundingExceeded"):
        city.give(city.ana, LOT, 5)


def test_points_that_came_in_by_exchange_are_funded_by_who_gave_them(city: City) -> None:
    """A's position pays for B's new supply, so exchange leaves both issuers' room to mint as it was."""
    lot = token_id(CULTURE, NOW)
    city.give(city.ana, LOT, 5_000)
    city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, LOT, 5_000, CULTURE)))
    assert city.balances(lot, city.ana) == [1_000]
    assert funding_of(city, CULTURE) == APPROPRIATION_FEN + 1_000
    city.mint(CULTURE, NOW, {city.bo.address: APPROPRIATION_FEN})
    with reverts("PointsLedgerFundingExceeded", CULTURE, APPROPRIATION_FEN + 1_001, APPROPRIATION_FEN + 1_000):
        city.mint(CULTURE, NOW, {city.bo.address: 1})


def test_a_lapse_takes_no_more_than_is_free(city: City) -> None:
    """What residents hold and merchants earned stays funded; what was not granted is gone, and mints no more."""
    city.give(city.ana, LOT, 1_000)
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 500)])))
    city.book.lapse(VOLUNTEER, 2030, {"from": city.finance})
    assert city.book.appropriated(VOLUNTEER) == 200
    assert funding_of(city, VOLUNTEER) == 100
    with reverts("PointsLedgerFundingExceeded", VOLUNTEER, 101, 100):
        city.give(city.ana, LOT, 1)
    tx = city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 500)])))
    assert event_values(tx, "Redeemed")[0]["fen"] == 100
    assert funding_of(city, VOLUNTEER) == 0


# Ceilings ---------------------------------------------------------------------------------------------------------


def test_a_tenth_of_the_appropriation_is_minted_a_day(city: City) -> None:
    """The default. Each batch's value is rounded up, and the count begins anew at midnight in UTC+8."""
    city.ledger.setCeilings(VOLUNTEER, 0, 0, city.by_admin)
    most = APPROPRIATION_FEN // 10
    city.give(city.ana, LOT, most * 5 - 6)
    assert tuple(city.ledger.ceilings(VOLUNTEER)) == (0, 0, most - 1, 0)
    city.give(city.ana, LOT, 1)
    assert tuple(city.ledger.ceilings(VOLUNTEER)) == (0, 0, most, 0)
    with reverts("PointsLedgerCeilingExceeded", VOLUNTEER, most + 1, most):
        city.give(city.ana, LOT, 1)
    midnight = now() // DAY * DAY + 16 * 3_600
    midnight += DAY if midnight <= now() else 0
    batch = batch_of(city)
    next_block_at(midnight - 1)
    with reverts("PointsLedgerCeilingExceeded", VOLUNTEER, most + 100, most):
        city.land(batch)
    next_block_at(midnight)
    city.land(batch)
    assert tuple(city.ledger.ceilings(VOLUNTEER)) == (0, 0, 100, 0)


def test_the_ceiling_of_a_day_that_the_council_chose(city: City) -> None:
    """Old and new are in the event; what today has used stays counted."""
    city.ledger.setCeilings(VOLUNTEER, 0, 0, city.by_admin)
    city.give(city.ana, LOT, 500)
    tx = city.ledger.setCeilings(VOLUNTEER, 150, 70, city.by_admin)
    assert event_values(tx, "CeilingsSet") == [
        {"programme": VOLUNTEER, "previousMintFen": 0, "previousRevokeFen": 0, "mintFen": 150, "revokeFen": 70}
    ]
    assert tuple(city.ledger.ceilings(VOLUNTEER)) == (150, 70, 100, 0)
    city.give(city.ana, LOT, 250)
    with reverts("PointsLedgerCeilingExceeded", VOLUNTEER, 151, 150):
        city.give(city.ana, LOT, 1)


def test_a_hundredth_of_the_appropriation_is_revoked_a_day(city: City) -> None:
    """The default; what is owed counts as what is taken, and what was revoked yesterday does not."""
    most = APPROPRIATION_FEN // 100
    batch = city.give(city.ana, LOT, 10 * most * 5)
    city.ledger.setCeilings(VOLUNTEER, 0, 0, city.by_admin)
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 10 * most * 5 - 5)])))
    with reverts("PointsLedgerCeilingExceeded", VOLUNTEER, most + 1, most):
        city.revoke(batch, (0, most * 5 + 1))
    city.revoke(batch, (0, most * 5))
    assert city.ledger.ceilings(VOLUNTEER)[3] == most
    with reverts("PointsLedgerCeilingExceeded", VOLUNTEER, most + 1, most):
        city.revoke(batch, (0, most * 5 + 1))
    go_to(now() + DAY)
    city.revoke(batch, (0, most * 5 + 1))


# Overdue ----------------------------------------------------------------------------------------------------------


def test_an_overdue_programme_does_not_mint_and_can_do_all_else(city: City) -> None:
    """From the second after its date; revocations and refunds go on, and a waiver or the money lets it mint again."""
    batch = city.give(city.ana, LOT, 10_000)
    city.pay(city.ana, [(LOT, 5_000)])
    payment = city.pay(city.ana, [(LOT, 1_000)])
    go_to(now() + 14 * DAY)
    city.book.openCycle(city.by_operator)
    due_by = city.book.lastCycle()[1]
    next_block_at(due_by)
    city.give(city.bo, LOT, 1)
    next_block_at(due_by + 1)
    with reverts("PointsLedgerOverdue", VOLUNTEER):
        city.give(city.bo, LOT, 1)
    city.revoke(batch, (0, 100))
    city.refund(payment)
    city.book.setWaiver(VOLUNTEER, now() + DAY, city.by_admin)
    city.give(city.bo, LOT, 1)
    go_to(now() + DAY)
    with reverts("PointsLedgerOverdue", VOLUNTEER):
        city.give(city.bo, LOT, 1)
    city.book.fund(VOLUNTEER, 1, city.reference(), {"from": city.finance})
    city.give(city.bo, LOT, 1)
