"""A thief of one issuer's key, or the issuer itself: what it tries against residents and against other agencies."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    APPROPRIATION_FEN,
    CULTURE,
    DAY,
    NOW,
    SHOP,
    SPENDABLE,
    VOLUNTEER,
    City,
    Person,
    event_values,
    go_to,
    next_block_at,
    now,
    rejections,
    reverts,
    transfers,
)
from reference import EvidenceLeaf, MerkleTree, expiry_end, pack_grants, pack_revocations, token_id

LOT = token_id(VOLUNTEER, NOW)
ARTS = token_id(CULTURE, NOW)


def test_a_leaf_that_was_never_granted_revokes_nothing(city: City) -> None:
    """The thief puts (anybody, any lot, 2^64 - 1) into a root beside one real grant of 1 unit, and revokes it to burn
    points that came in from other agencies and to mint the funding so freed to a friend. Stopped by: revocations name
    grants by the batch's own bytes, which the stored struct hash binds; the root plays no part."""
    city.give(city.ana, ARTS, 10_000)
    city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, ARTS, 10_000, VOLUNTEER)))
    victim = city.balances(LOT, city.ana)[0]
    phantom = EvidenceLeaf(b"\x01" * 32, city.ana.address, LOT, 2**64 - 1)
    real = EvidenceLeaf(b"\x02" * 32, city.bo.address, LOT, 1)
    root = MerkleTree([phantom.hash(), real.hash()]).root
    batch = city.batch(VOLUNTEER, NOW, {city.bo.address: 1}, root=root)
    city.land(batch)
    free = city.book.fundingOf(VOLUNTEER)[0] - city.ledger.liabilityFen(VOLUNTEER)
    for index, granted in ((0, 1), (1, 0), (2**32 - 1, 0)):
        for total in (2, 2**64 - 1):
            with reverts("PointsLedgerBadRevocation", index, total, 0, granted):
                city.revoke(batch, (index, total))
    programme, quarter, number, _, grants = batch
    longer = (programme, quarter, number, root, grants + pack_grants([(city.ana.address, 2**40)]))
    with reverts("PointsLedgerWrongBatch", VOLUNTEER, number):
        city.revoke(longer, (1, 2**40))
    assert city.balances(LOT, city.ana) == [victim]
    assert city.book.fundingOf(VOLUNTEER)[0] - city.ledger.liabilityFen(VOLUNTEER) == free


def test_a_grant_is_revoked_once_though_it_was_minted_by_two_batches(city: City) -> None:
    """The thief lands the same grants under a second number to revoke each twice. Stopped by: what is revoked is
    counted by batch and index, and a second batch takes funding of its own."""
    first, second = (city.batch(VOLUNTEER, NOW, {city.ana.address: 100}) for _ in range(2))
    city.land(first)
    city.revoke(first, (0, 100))
    with reverts("PointsLedgerWrongBatch", VOLUNTEER, second[2]):
        city.revoke(second, (0, 100))
    with reverts("PointsLedgerBadRevocation", 0, 100, 100, 100):
        city.revoke(first, (0, 100))


def test_a_thief_mints_no_more_a_day_than_a_tenth_of_the_appropriation(city: City) -> None:
    """It mints to a friend who redeems at once. Stopped by: the day's ceiling, the guardian's freeze, the removal of
    the key, which takes effect at once."""
    city.ledger.setCeilings(VOLUNTEER, 0, 0, city.by_admin)
    tenth = APPROPRIATION_FEN // 10
    city.give(city.bo, LOT, tenth * 5)
    for amount in (1, tenth * 5):
        with pytest.raises(Exception, match="PointsLedgerCeilingExceeded"):
            city.give(city.bo, LOT, amount)
    go_to(now() + DAY)
    city.give(city.bo, LOT, tenth * 5)
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    go_to(now() + 2 * DAY)
    with pytest.raises(Exception, match="PointsLedgerFrozen"):
        city.give(city.bo, LOT, 1)
    city.ledger.removeIssuerKey(VOLUNTEER, city.issuer[VOLUNTEER].address, city.by_admin)
    go_to(now() + 2 * DAY)
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, city.issuer[VOLUNTEER].address):
        city.give(city.bo, LOT, 1)
    assert city.ledger.liabilityFen(VOLUNTEER) == 2 * tenth


def test_what_was_minted_under_a_freeze_cannot_be_spent_either(city: City) -> None:
    """The friend's points lie still while the council looks. Stopped by: a freeze stops new orders too."""
    city.give(city.bo, LOT, 10_000)
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    redeem = city.signed(city.bo, city.redeem_order(city.bo, [(LOT, 5_000)]))
    exchange = city.signed(city.bo, city.exchange_order(city.bo, LOT, 5_000, CULTURE))
    hold = city.signed(city.bo, city.hold_order(city.bo, [(LOT, 100)]))
    for tx in (city.run_redeem(redeem), city.run_exchange(exchange), city.run_hold(hold)):
        assert len(rejections(tx)) == 1
    assert city.balances(LOT, city.bo) == [10_000]


def test_a_thief_revokes_no_more_a_day_than_a_hundredth(city: City) -> None:
    """It burns what residents earned. Stopped by: the day's ceiling, and the guardian's freeze; what was burned wrongly
    is granted anew."""
    batch = city.give(city.ana, LOT, APPROPRIATION_FEN)
    city.ledger.setCeilings(VOLUNTEER, 0, 0, city.by_admin)
    most = APPROPRIATION_FEN // 100 * 5
    with pytest.raises(Exception, match="PointsLedgerCeilingExceeded"):
        city.revoke(batch, (0, most + 1))
    city.revoke(batch, (0, most))
    with pytest.raises(Exception, match="PointsLedgerCeilingExceeded"):
        city.revoke(batch, (0, most + 5))
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    go_to(now() + DAY)
    with pytest.raises(Exception, match="PointsLedgerFrozen"):
        city.revoke(batch, (0, most + 5))
    with pytest.raises(Exception, match="PointsLedgerFrozen"):
        city.void(VOLUNTEER, 10**6)
    go_to(now() + 3 * DAY)
    city.give(city.ana, LOT, most)
    assert city.balances(LOT, city.ana) == [APPROPRIATION_FEN]


def test_a_thief_s_own_key_is_no_issuer_s(city: City) -> None:
    """It signs its next key in. Stopped by: keys are the council's to add, and wait seven days."""
    thief = Person("thief")
    with reverts("AccessManagedUnauthorized", city.issuer[VOLUNTEER].address):
        city.ledger.addIssuerKey(VOLUNTEER, thief.address, {"from": city.issuer[VOLUNTEER].account})
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, thief.address):
        city.land(city.batch(VOLUNTEER, NOW, {thief.address: 1}), thief)


def test_no_lot_of_value_lives_for_ever(city: City) -> None:
    """The issuer mints lots that never end, and residents carry them into other programmes. Stopped by: at most forty
    quarters ahead, and quarter 0 only where par is 0; an exchange keeps the quarter."""
    for quarter in (0, NOW + 41, NOW + 4_000, 2**32 - 1):
        with reverts("PointsLedgerBadQuarter", VOLUNTEER, quarter):
            city.mint(VOLUNTEER, quarter, {city.bo.address: 100})
    lot = token_id(VOLUNTEER, NOW + 40)
    city.give(city.bo, lot, 1_000)
    tx = city.run_exchange(city.signed(city.bo, city.exchange_order(city.bo, lot, 1_000, CULTURE)))
    assert transfers(tx)[1][2] == token_id(CULTURE, NOW + 40)


def test_an_agency_gains_nothing_by_what_expires_with_it(city: City) -> None:
    """Another agency's points come in by exchange and expire; the agency, to which nothing was appropriated, mints
    their value to itself. Stopped by: what expires is owed to the treasury, and with it the credit is gone."""
    city.register(40, 10_000_000, SPENDABLE)
    city.ledger.setCeilings(40, 10**9, 0, city.by_admin)
    city.give(city.ana, LOT, 50_000)
    city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, LOT, 50_000, 40)))
    assert (city.position(40), city.position(VOLUNTEER)) == (10_000, -10_000)
    lot = token_id(40, NOW)
    go_to(expiry_end(NOW))
    with pytest.raises(Exception, match="PointsLedgerFundingExceeded"):
        city.give(city.bo, lot + 1, 10)
    city.ledger.sweep(city.ana.address, [lot], {"from": city.stranger})
    assert (city.position(40), city.treasury()) == (0, 10_000)
    with reverts("PointsLedgerFundingExceeded", 40, 1, 0):
        city.give(city.bo, lot + 1, 10)


def test_an_agency_that_does_not_pay_mints_no_more(city: City) -> None:
    """It lets merchants wait and goes on granting. Stopped by: overdue by 10 yuan or more, it does not mint."""
    city.give(city.ana, LOT, 10_000)
    city.pay(city.ana, [(LOT, 5_000)])
    go_to(now() + 14 * DAY)
    city.book.openCycle({"from": city.stranger})
    next_block_at(city.book.lastCycle()[1] + 1)
    with reverts("PointsLedgerOverdue", VOLUNTEER):
        city.give(city.bo, LOT, 1)


def test_a_batch_with_its_grants_beside_another_root_does_not_land(city: City) -> None:
    """A relayer puts its own evidence under grants, or its own grants over evidence. Stopped by: one signature over
    both, and the word that is stored is what was signed."""
    batch = city.batch(VOLUNTEER, NOW, {city.ana.address: 100})
    signature = city.sign_batch(batch)
    for field, value in ((3, b"\x0f" * 32), (4, pack_grants([(city.bo.address, 100)]))):
        forged = (*batch[:field], value, *batch[field + 1 :])
        with pytest.raises(Exception, match="PointsLedgerBadIssuer"):
            city.ledger.mint(forged, signature, city.by_operator)
    tx = city.ledger.mint(batch, signature, {"from": city.stranger})
    stored = bytes(city.ledger.batchWord(VOLUNTEER, batch[2]))
    assert stored == bytes(city.probe.mintBatch(batch))
    assert event_values(tx, "BatchMinted")[0]["word"] == "0x" + stored.hex()


def test_a_signature_revokes_what_it_names_and_nothing_else(city: City) -> None:
    """A relayer takes a signed revocation to another grant, batch or reason. Stopped by: one signature over programme,
    number and all revocations."""
    batch = city.batch(VOLUNTEER, NOW, [(city.ana.address, 100), (city.bo.address, 100)])
    other = city.batch(VOLUNTEER, NOW, [(city.ana.address, 100), (city.bo.address, 100)])
    city.land(batch)
    city.land(other)
    packed = pack_revocations([(0, 50, 1)])
    signature = city.sign_revocation(batch, packed)

    def send(target: Any, revocations: bytes) -> Any:
        return city.ledger.revoke(target, revocations, signature, {"from": city.stranger})

    for target, revocations in (
        (other, packed),
        (batch, pack_revocations([(1, 50, 1)])),
        (batch, pack_revocations([(0, 51, 1)])),
        (batch, pack_revocations([(0, 50, 2)])),
        (batch, packed + packed),
    ):
        with pytest.raises(Exception, match="PointsLedgerBadIssuer"):
            send(target, revocations)
    send(batch, packed)
    assert city.balances(LOT, city.ana, city.bo) == [150, 200]
    assert city.merchant_position(SHOP) == 0
