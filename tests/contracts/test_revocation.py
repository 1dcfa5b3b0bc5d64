"""Revocations: what was granted wrongly is taken back, and what is owed is collected. Reverts first, in order."""

from __future__ import annotations

import pytest
from batches import LOT, batch_of, send, supply_of
from city import (
    APPROPRIATION_FEN,
    CULTURE,
    DAY,
    GIFT,
    NOW,
    RESIDENCE,
    SHOP,
    SPENDABLE,
    VOLUNTEER,
    Batch,
    City,
    event_values,
    next_block_at,
    now,
    reverts,
    transfers,
)
from eth_utils import keccak
from reference import ZERO, expiry_end, pack_revocations, sign, token_id

# revoke: reverts, in order ----------------------------------------------------------------------------------------


@pytest.fixture
def batch(city: City) -> Batch:
    """A landed batch of 500 to ana and 300 to bo."""
    landed = city.batch(VOLUNTEER, NOW, [(city.ana.address, 500), (city.bo.address, 300)])
    city.land(landed)
    return landed


def test_1_revoke_reverts_for_a_programme_that_is_not_there(city: City, batch: Batch) -> None:
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.revoke((99, *batch[1:]), b"", b"", city.by_operator)


def test_2_revoke_reverts_while_frozen(city: City, batch: Batch) -> None:
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    with reverts("PointsLedgerFrozen", VOLUNTEER, now() + 3 * DAY):
        city.ledger.revoke((*batch[:4], b""), b"", b"", city.by_operator)


def test_3_revoke_reverts_for_other_bytes_than_landed(city: City, batch: Batch) -> None:
    """Another quarter, root or grant, a number that never landed, a void one."""
    city.void(VOLUNTEER, 77)
    programme, quarter, number, root, grants = batch
    others = (
        (programme, quarter + 1, number, root, grants),
        (programme, quarter, number, b"\x0f" * 32, grants),
        (programme, quarter, number, root, grants[:28]),
        (programme, quarter, number, root, grants[28:] + grants[:28]),
        (programme, quarter, 76, root, grants),
        (programme, quarter, 77, root, grants),
    )
    for other in others:
        with reverts("PointsLedgerWrongBatch", VOLUNTEER, other[2]):
            city.ledger.revoke(other, b"", b"", city.by_operator)


@pytest.mark.parametrize("length", [0, 1, 13, 15])
def test_4_revoke_reverts_for_revocations_of_no_whole_length(city: City, batch: Batch, length: int) -> None:
    with reverts("PointsLedgerBadRevocations", length):
        city.ledger.revoke(batch, b"\0" * length, b"", city.by_operator)


def test_5_revoke_reverts_for_who_is_no_issuer(city: City, batch: Batch) -> None:
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, city.issuer[CULTURE].address):
        city.revoke(batch, (0, 501), by=city.issuer[CULTURE])


@pytest.mark.parametrize("change", ["programme", "number", "revocations"])
def test_5_revoke_reverts_where_anything_differs_from_what_was_signed(city: City, batch: Batch, change: str) -> None:
    packed = pack_revocations([(0, 100, 3)])
    signed = {"programme": VOLUNTEER, "number": batch[2], "revocationsHash": keccak(packed)}
    signed |= {change: b"\1" * 32 if change == "revocations" else 9}
    signed = {name: signed[name] for name in ("programme", "number", "revocationsHash")}
    if change == "revocations":
        signed["revocationsHash"] = keccak(pack_revocations([(1, 100, 3)]))
    signature = sign(city.issuer[VOLUNTEER].key, city.domain.digest("Revocation", **signed))
    with pytest.raises(Exception, match="PointsLedgerBadIssuer"):
        city.ledger.revoke(batch, packed, signature, city.by_operator)


def test_6_revoke_reverts_for_more_than_was_granted(city: City, batch: Batch) -> None:
    """And for a grant that the batch has not, whose index may be as large as it can."""
    with reverts("PointsLedgerBadRevocation", 0, 501, 0, 500):
        city.revoke(batch, (0, 501))
    for index in (2, 2**32 - 1):
        with reverts("PointsLedgerBadRevocation", index, 1, 0, 0):
            city.revoke(batch, (index, 1))


def test_6_revoke_reverts_where_the_total_does_not_rise(city: City, batch: Batch) -> None:
    """A replay does nothing: totals are cumulative. One bad revocation reverts the whole call."""
    with reverts("PointsLedgerBadRevocation", 0, 0, 0, 500):
        city.revoke(batch, (0, 0))
    city.revoke(batch, (0, 200))
    for total in (200, 199):
        with reverts("PointsLedgerBadRevocation", 0, total, 200, 500):
            city.revoke(batch, (1, 300), (0, total))
    assert city.balances(LOT, city.ana, city.bo) == [300, 300]


def test_7_revoke_reverts_beyond_the_day_s_ceiling(city: City, batch: Batch) -> None:
    """All that a call revokes is rounded up together: 500 and 3 units are 101 fen."""
    city.ledger.setCeilings(VOLUNTEER, 0, 100, city.by_admin)
    with reverts("PointsLedgerCeilingExceeded", VOLUNTEER, 101, 100):
        city.revoke(batch, (0, 500), (1, 3))
    city.revoke(batch, (0, 498), (1, 2))


# revoke: success --------------------------------------------------------------------------------------------------


def test_revoke_in_two_steps(city: City, batch: Batch) -> None:
    """Each time the rise of the total is taken; balances, supply and funding follow."""
    tx = city.revoke(batch, (0, 200), reason=17)
    assert event_values(tx, "Revoked") == [
        {
            "programme": VOLUNTEER,
            "number": batch[2],
            "index": 0,
            "revokedTotal": 200,
            "reason": 17,
            "account": city.ana.address,
            "taken": 200,
            "owed": 0,
        }
    ]
    assert transfers(tx) == [(city.ana.address, ZERO, LOT, 200)]
    tx = city.revoke(batch, (0, 500))
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "owed")] == [300, 0]
    assert city.balances(LOT, city.ana, city.bo) == [0, 300]
    assert city.ledger.totalSupply(LOT) == supply_of(city, VOLUNTEER) == 300
    assert [city.ledger.revokedTotal(VOLUNTEER, batch[2], index) for index in (0, 1, 2)] == [500, 0, 0]
    assert city.position(VOLUNTEER) == 0


def test_revoke_several_grants_under_one_signature(city: City, batch: Batch) -> None:
    """In the order given; the same grant may stand twice while its total rises."""
    tx = city.revoke(batch, (1, 300), (0, 1), (0, 500))
    assert transfers(tx) == [
        (city.bo.address, ZERO, LOT, 300),
        (city.ana.address, ZERO, LOT, 1),
        (city.ana.address, ZERO, LOT, 499),
    ]
    assert city.ledger.totalSupply(LOT) == 0


def test_revoke_takes_what_is_there_and_the_rest_is_owed(city: City, batch: Batch) -> None:
    """Other lots of the holder are not touched, nor what it is owed by nobody."""
    city.give(city.ana, LOT + 1, 1_000)
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 400)])))
    tx = city.revoke(batch, (0, 300))
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "owed")] == [100, 200]
    assert transfers(tx) == [(city.ana.address, ZERO, LOT, 100)]
    tx = city.revoke(batch, (0, 400))
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "owed")] == [0, 100]
    assert transfers(tx) == []
    assert city.ledger.owed(city.ana.address, LOT) == 300
    assert city.ledger.owed(city.ana.address, LOT + 1) == city.ledger.owed(city.bo.address, LOT) == 0
    assert city.balances(LOT, city.ana, city.bo) == [0, 300]
    assert city.balances(LOT + 1, city.ana) == [1_000]


def test_a_single_minor_unit_is_owed_like_any_other(city: City, batch: Batch) -> None:
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 400)])))
    tx = city.revoke(batch, (0, 101))
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "owed")] == [100, 1]
    assert city.ledger.owed(city.ana.address, LOT) == 1


def test_anyone_collects_what_is_owed(city: City, batch: Batch) -> None:
    """As far as it is there, again and again, and never more."""
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 400)])))
    city.revoke(batch, (0, 500))
    assert transfers(city.ledger.collect(city.ana.address, LOT, {"from": city.stranger})) == []
    city.give(city.ana, LOT, 150)
    tx = city.ledger.collect(city.ana.address, LOT, {"from": city.stranger})
    assert transfers(tx) == [(city.ana.address, ZERO, LOT, 150)]
    assert event_values(tx, "OwedCollected") == [
        {"debtor": city.ana.address, "id": LOT, "account": city.ana.address, "amount": 150}
    ]
    city.give(city.ana, LOT, 1_000)
    tx = city.ledger.collect(city.ana.address, LOT, {"from": city.stranger})
    assert event_values(tx, "OwedCollected")[0]["amount"] == 250
    assert city.ledger.owed(city.ana.address, LOT) == 0
    assert transfers(city.ledger.collect(city.ana.address, LOT, {"from": city.stranger})) == []
    assert city.balances(LOT, city.ana) == [750]
    # Ids that are no lots' owe nothing.
    assert city.ledger.owed(city.ana.address, LOT + 2**64) == 0
    assert transfers(city.ledger.collect(city.ana.address, LOT + 2**64, {"from": city.stranger})) == []


def test_what_is_owed_is_collected_from_a_release(city: City, batch: Batch) -> None:
    """From all that comes back of the lot, and not of another."""
    city.give(city.ana, LOT + 1, 100)
    order = city.place_hold(city.ana, [(LOT, 400), (LOT + 1, 100)], cancellable=True)
    city.revoke(batch, (0, 450))
    assert city.ledger.owed(city.ana.address, LOT) == 350
    tx = city.run_release(city.signed_release(order, city.ana))
    assert event_values(tx, "OwedCollected")[0]["amount"] == 350
    assert city.balances(LOT, city.ana) == [50]
    assert city.balances(LOT + 1, city.ana) == [100]
    assert city.ledger.owed(city.ana.address, LOT) == 0


def test_what_is_owed_is_collected_from_what_a_capture_leaves(city: City, batch: Batch) -> None:
    order = city.place_hold(city.ana, [(LOT, 500)])
    city.revoke(batch, (0, 500))
    tx = city.run_capture(city.signed_capture(order, (1, 200)))
    assert event_values(tx, "OwedCollected")[0]["amount"] == 300
    assert city.ledger.owed(city.ana.address, LOT) == 200
    assert city.balances(LOT, city.ana) == [0]
    assert city.merchant_position(SHOP) == 40


def test_what_is_owed_is_collected_from_a_refund(city: City, batch: Batch) -> None:
    payment = city.pay(city.ana, [(LOT, 500)])
    city.revoke(batch, (0, 300))
    tx = city.refund(payment)
    assert event_values(tx, "OwedCollected")[0]["amount"] == 300
    assert city.balances(LOT, city.ana) == [200]


def test_of_a_dead_lot_nothing_is_taken_or_owed(city: City, batch: Batch) -> None:
    """Its value is the treasury's. The revocation is recorded, until the last second it takes."""
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 100)])))
    next_block_at(expiry_end(NOW) - 1)
    tx = city.revoke(batch, (0, 450))
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "owed")] == [400, 50]
    next_block_at(expiry_end(NOW))
    tx = city.revoke(batch, (0, 500), (1, 300))
    assert [[e["taken"], e["owed"]] for e in event_values(tx, "Revoked")] == [[0, 0], [0, 0]]
    assert city.ledger.totalSupply(LOT) == 300
    assert city.ledger.owed(city.ana.address, LOT) == 50
    tx = city.ledger.collect(city.ana.address, LOT, city.by_operator)
    assert transfers(tx) == []


def test_revoke_follows_successors(city: City, batch: Batch) -> None:
    """The grantee has a successor, and that one too; what the last has of the lot is taken, and it owes the rest."""
    city.succeed(city.ana, city.heir, [LOT])
    city.succeed(city.heir, city.chen, [LOT])
    city.run_redeem(city.signed(city.chen, city.redeem_order(city.chen, [(LOT, 400)])))
    tx = city.revoke(batch, (0, 120))
    assert event_values(tx, "Revoked")[0]["account"] == city.chen.address
    assert city.balances(LOT, city.ana, city.heir, city.chen) == [0, 0, 0]
    assert city.ledger.owed(city.chen.address, LOT) == 20


def test_what_a_predecessor_owes_is_collected_from_its_successor(city: City, batch: Batch) -> None:
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 400)])))
    city.revoke(batch, (0, 500))
    city.succeed(city.ana, city.heir)
    city.give(city.heir, LOT, 1_000)
    tx = city.ledger.collect(city.ana.address, LOT, city.by_operator)
    assert event_values(tx, "OwedCollected") == [
        {"debtor": city.ana.address, "id": LOT, "account": city.heir.address, "amount": 400}
    ]
    assert city.balances(LOT, city.heir) == [600]


def test_revoke_of_a_gift_takes_only_from_the_grantee(city: City) -> None:
    """Points handed on are the receiver's; the giver owes them."""
    lot = token_id(GIFT, NOW)
    batch = city.give(city.ana, lot, 500)
    city.ledger.transfer(city.bo.address, lot, 450, {"from": city.ana.account})
    tx = city.revoke(batch, (0, 500))
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "owed")] == [50, 450]
    assert city.balances(lot, city.ana, city.bo) == [0, 450]


def test_revoke_goes_on_while_a_programme_is_closing(city: City, batch: Batch) -> None:
    city.ledger.setState(VOLUNTEER, 2, city.by_admin)
    city.revoke(batch, (0, 500))
    assert city.balances(LOT, city.ana) == [0]


def test_a_score_is_revoked_without_a_ceiling(city: City) -> None:
    """Par 0 is worth nothing, so the ceilings in fen do not meet it."""
    city.ledger.setCeilings(RESIDENCE, 0, 0, city.by_admin)
    batch = city.give(city.ana, token_id(RESIDENCE, 0), 10**12)
    city.revoke(batch, (0, 10**12))
    assert city.balances(token_id(RESIDENCE, 0), city.ana) == [0]


def test_revoking_frees_funding_for_others(city: City) -> None:
    """What was burned wrongly is granted anew by another batch: nothing is undone."""
    batch = city.give(city.ana, LOT, APPROPRIATION_FEN * 5)
    with pytest.raises(Exception, match="PointsLedgerFundingExceeded"):
        city.give(city.bo, LOT, 5)
    city.revoke(batch, (0, 5))
    city.give(city.bo, LOT, 5)


def test_the_programme_of_a_relayed_batch_has_a_key_of_its_own(city: City) -> None:
    """A key of one programme signs nothing of another, whatever it was opened with."""
    city.register(12, 20_000_000, SPENDABLE)
    batch = batch_of(city, programme=12)
    with reverts("PointsLedgerBadIssuer", 12, city.issuer[VOLUNTEER].address):
        send(city, batch, city.sign_batch(batch, city.issuer[VOLUNTEER]))
