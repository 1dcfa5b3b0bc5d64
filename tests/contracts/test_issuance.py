"""Issuance in the ledger: batches, old bytes, funding, ceilings, revocations. Reverts first, in documented order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
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
    Person,
    event_values,
    go_to,
    next_block_at,
    now,
    reverts,
    transfers,
)
from eth_utils import keccak
from reference import ZERO, expiry_end, pack_grants, pack_revocations, sign, token_id

LOT = token_id(VOLUNTEER, NOW)
ROOT = b"\x0e" * 32
UNUSED, VOID = b"\0" * 32, b"\0" * 31 + b"\1"
FIELDS = ("programme", "quarter", "number", "root", "grants")


def batch_of(city: City, **changes: Any) -> Batch:
    """Return a batch of one grant of 500 to ana, but for the changes."""
    given = dict(zip(FIELDS, (VOLUNTEER, NOW, 1, ROOT, pack_grants([(city.ana.address, 500)])), strict=True))
    return tuple((given | changes).values())  # type: ignore[return-value]


def send(city: City, batch: Batch, signature: bytes) -> Any:
    return city.ledger.mint(batch, signature, city.by_operator)


def sign_and_send(city: City, **changes: Any) -> Any:
    """Land a batch under the key of programme 1's issuer."""
    batch = batch_of(city, **changes)
    return send(city, batch, city.sign_batch(batch, city.issuer[VOLUNTEER]))


def word_of(city: City, number: int, programme: int = VOLUNTEER) -> bytes:
    return bytes(city.ledger.batchWord(programme, number))


# mint: reverts, in order ------------------------------------------------------------------------------------------


def test_1_mint_reverts_for_a_programme_that_is_not_there(city: City) -> None:
    with reverts("PointsLedgerUnknownProgramme", 99):
        send(city, batch_of(city, programme=99, quarter=0, grants=b""), b"")


def test_2_mint_reverts_where_the_programme_is_frozen(city: City) -> None:
    """Before its state, the quarter and the signature are looked at."""
    city.ledger.setState(VOLUNTEER, 2, city.by_admin)
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    with reverts("PointsLedgerFrozen", VOLUNTEER, now() + 3 * DAY):
        send(city, batch_of(city, quarter=0, grants=b""), b"")


def test_3_mint_reverts_where_the_programme_is_closing(city: City) -> None:
    city.ledger.setState(VOLUNTEER, 2, city.by_admin)
    with reverts("PointsLedgerNotActive", VOLUNTEER):
        send(city, batch_of(city, quarter=0, grants=b""), b"")


def test_4_mint_reverts_for_a_quarter_that_is_not_allowed(city: City) -> None:
    """No lot of value is without end, and none ends more than forty quarters ahead; forty are."""
    for quarter in (0, NOW + 41, 2**32 - 1):
        with reverts("PointsLedgerBadQuarter", VOLUNTEER, quarter):
            send(city, batch_of(city, quarter=quarter, grants=b""), b"")
    sign_and_send(city, quarter=NOW + 40)
    assert city.balances(token_id(VOLUNTEER, NOW + 40), city.ana) == [500]


def test_5_mint_reverts_into_a_dead_quarter(city: City) -> None:
    with reverts("PointsLedgerLotDead", LOT - 1):
        send(city, batch_of(city, quarter=NOW - 1, grants=b""), b"")


@pytest.mark.parametrize(
    "change",
    [
        {"programme": CULTURE},
        {"quarter": NOW + 1},
        {"number": 2},
        {"root": b"\x0f" * 32},
        {"grants": pack_grants([("0x" + "11" * 20, 500)])},
    ],
    ids=lambda c: next(iter(c)),
)
def test_6_mint_reverts_where_anything_differs_from_what_was_signed(city: City, change: dict[str, Any]) -> None:
    """The relayer has no power over a batch: another field makes it another signer's."""
    with pytest.raises(Exception, match="PointsLedgerBadIssuer"):
        send(city, batch_of(city, **change), city.sign_batch(batch_of(city)))


def test_6_mint_reverts_for_who_is_no_issuer(city: City) -> None:
    """Before the number, the grants and the funding are looked at."""
    sign_and_send(city)
    for by in (city.ana, city.issuer[CULTURE]):
        batch = batch_of(city, grants=b"")
        with reverts("PointsLedgerBadIssuer", VOLUNTEER, by.address):
            send(city, batch, city.sign_batch(batch, by))


def test_6_mint_reverts_for_bytes_that_are_no_signature(city: City) -> None:
    """Wrong length, a v of 0, and the other signature (high s) that the same key could be made to have."""
    good = city.sign_batch(batch_of(city))
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high_s = (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    twin = good[:32] + high_s + bytes([55 - good[64]])
    for bad in (b"", good[:64], good + b"\0", good[:64] + b"\0", twin):
        with reverts("PointsLedgerBadIssuer", VOLUNTEER, ZERO):
            send(city, batch_of(city), bad)


def test_6_mint_reverts_for_another_installation_s_signature(city: City) -> None:
    """The domain's chain, ledger and salt all count."""
    message = {
        "programme": VOLUNTEER,
        "quarter": NOW,
        "number": 1,
        "evidenceRoot": ROOT,
        "grantsHash": keccak(batch_of(city)[4]),
    }
    for change in ({"chain_id": 1}, {"ledger": city.book.address}, {"salt": b"\x01" * 32}):
        digest = replace(city.domain, **change).digest("MintBatch", **message)
        with pytest.raises(Exception, match="PointsLedgerBadIssuer"):
            send(city, batch_of(city), sign(city.issuer[VOLUNTEER].key, digest))


def test_7_mint_reverts_for_a_number_that_landed_or_is_void(city: City) -> None:
    sign_and_send(city)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        sign_and_send(city, grants=b"")
    city.void(VOLUNTEER, 2)
    with reverts("PointsLedgerBatchVoid", VOLUNTEER, 2):
        sign_and_send(city, number=2, grants=b"")


@pytest.mark.parametrize("length", [0, 1, 27, 29])
def test_8_mint_reverts_for_grants_of_no_whole_length(city: City, length: int) -> None:
    with reverts("PointsLedgerBadGrants", length):
        sign_and_send(city, grants=b"\1" * length)


def test_9_mint_reverts_for_a_bad_grant(city: City) -> None:
    """Account 0, the escrow's account, or nothing granted; the offset says which."""
    good = (city.ana.address, 1)
    for bad in ((ZERO, 1), (city.ledger.address, 1), (city.bo.address, 0)):
        with reverts("PointsLedgerBadGrant", 28):
            sign_and_send(city, grants=pack_grants([good, bad, good]))


def test_10_mint_reverts_where_the_lot_is_full(city: City) -> None:
    """Whoever holds it: then no balance of anybody's can outgrow its lane. Before ceiling and funding are looked at."""
    city.mint(VOLUNTEER, NOW, {city.bo.address: 2}, number=2)
    for amounts in ([2**48 - 2], [2**48 - 3, 1], [2**64 - 1, 2**64 - 1]):
        grants = pack_grants([(city.ana.address, amount) for amount in amounts])
        with reverts("PointsLedgerLotFull", LOT, sum(amounts) + 2):
            sign_and_send(city, grants=grants)
    city.appropriate(VOLUNTEER, 9 * 10**14)
    city.mint(VOLUNTEER, NOW, {city.ana.address: 2**48 - 3}, number=3)
    assert city.ledger.totalSupply(LOT) == 2**48 - 1
    assert city.balances(LOT, city.ana, city.bo) == [2**48 - 3, 2]


def test_11_mint_reverts_beyond_the_day_s_ceiling(city: City) -> None:
    """Before the funding is looked at."""
    city.ledger.setCeilings(VOLUNTEER, 100, 0, city.by_admin)
    most = APPROPRIATION_FEN * 5
    with reverts("PointsLedgerCeilingExceeded", VOLUNTEER, APPROPRIATION_FEN + 1, 100):
        sign_and_send(city, grants=pack_grants([(city.ana.address, most + 1)]))


def test_12_mint_reverts_beyond_the_funding(city: City) -> None:
    """The last check: the value outstanding, rounded up, against what is funded; nothing is left behind."""
    most = APPROPRIATION_FEN * 5
    with reverts("PointsLedgerFundingExceeded", VOLUNTEER, APPROPRIATION_FEN + 1, APPROPRIATION_FEN):
        sign_and_send(city, grants=pack_grants([(city.ana.address, most + 1)]))
    assert word_of(city, 1) == UNUSED
    assert city.balances(LOT, city.ana) == [0]
    sign_and_send(city, grants=pack_grants([(city.ana.address, most)]))
    assert city.balances(LOT, city.ana) == [most]


def supply_of(city: City, programme: int) -> int:
    return int(city.ledger.programme(programme)[6])


def funding_of(city: City, programme: int) -> int:
    """Return what is available beyond what was paid and is owed, in fen."""
    return int(city.book.fundingOf(programme)[0])


# mint: success ----------------------------------------------------------------------------------------------------


def test_mint(city: City) -> None:
    """Every grant lands, with its Transfer; one event for the batch; its word, supplies and neighbours are right."""
    grants = [(city.ana.address, 500), (city.bo.address, 7), (city.ana.address, 2**40)]
    city.appropriate(VOLUNTEER, 9 * 10**14)
    city.give(city.ana, LOT + 1, 33)
    tx = sign_and_send(city, number=2**64 - 1, grants=pack_grants(grants))
    word = word_of(city, 2**64 - 1)
    assert word == bytes(city.probe.mintBatch(batch_of(city, number=2**64 - 1, grants=pack_grants(grants))))
    assert transfers(tx) == [(ZERO, account, LOT, amount) for account, amount in grants]
    total = 507 + 2**40
    assert event_values(tx, "BatchMinted") == [
        {
            "programme": VOLUNTEER,
            "number": 2**64 - 1,
            "quarter": NOW,
            "evidenceRoot": "0x" + ROOT.hex(),
            "count": 3,
            "amount": total,
            "signer": city.issuer[VOLUNTEER].address,
            "word": "0x" + word.hex(),
        }
    ]
    assert city.balances(LOT, city.ana, city.bo) == [500 + 2**40, 7]
    assert city.balances(LOT + 1, city.ana, city.bo) == [33, 0]
    assert city.ledger.totalSupply(LOT) == total
    assert supply_of(city, VOLUNTEER) == total + 33
    assert word_of(city, 2**64 - 1, CULTURE) == UNUSED
    assert [city.position(p) for p in (VOLUNTEER, CULTURE)] == [0, 0]


def test_batches_land_in_any_order_and_from_any_relayer(city: City) -> None:
    """Numbers are a set: 9 lands before 3, and neither blocks the next."""
    for number in (9, 3, 2**40, 0):
        batch = batch_of(city, number=number)
        city.ledger.mint(batch, city.sign_batch(batch), {"from": city.stranger})
    assert city.balances(LOT, city.ana) == [2_000]
    assert word_of(city, 4) == UNUSED


def test_the_four_quarters_of_a_year_share_a_word_and_do_not_touch(city: City) -> None:
    """Each lane of the word, filled to the brim, leaves its neighbours and the nonces alone."""
    city.appropriate(VOLUNTEER, 9 * 10**14)
    city.ledger.cancelNonce(LOT, 31, {"from": city.ana.account})
    for quarter, amount in ((NOW, 2**48 - 1), (NOW + 1, 1), (NOW + 2, 2**48 - 1), (NOW + 3, 2), (NOW + 4, 3)):
        city.give(city.ana, token_id(VOLUNTEER, quarter), amount)
    amounts = [city.balances(token_id(VOLUNTEER, NOW + i), city.ana)[0] for i in range(5)]
    assert amounts == [2**48 - 1, 1, 2**48 - 1, 2, 3]
    assert tuple(city.ledger.nonceState(city.ana.address, LOT)) == (0, 1 << 31)


def test_a_score_needs_no_funding_and_never_expires(city: City) -> None:
    """Par 0: lots of quarter 0, any amount."""
    city.mint(RESIDENCE, 0, {city.ana.address: 2**48 - 1})
    assert city.balances(token_id(RESIDENCE, 0), city.ana) == [2**48 - 1]
    assert supply_of(city, RESIDENCE) == 2**48 - 1


def test_mint_until_the_last_second_of_the_lot(city: City) -> None:
    """The clock of expiry runs seven days late: a lot may be minted until it dies, and not after."""
    batch = batch_of(city)
    signature, later = city.sign_batch(batch), batch_of(city, number=2)
    next_block_at(expiry_end(NOW) - 1)
    send(city, batch, signature)
    assert city.balances(LOT, city.ana) == [500]
    next_block_at(expiry_end(NOW))
    with reverts("PointsLedgerLotDead", LOT):
        send(city, later, city.sign_batch(later))


# The same deed twice ----------------------------------------------------------------------------------------------


def test_old_bytes_do_not_mint_twice(city: City) -> None:
    """The same signed bytes again, by whoever, do nothing."""
    signature = city.sign_batch(batch_of(city))
    send(city, batch_of(city), signature)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        send(city, batch_of(city), signature)
    assert city.balances(LOT, city.ana) == [500]


def test_signing_again_with_another_quarter_lands_once(city: City) -> None:
    """A batch too late for its quarter is signed again under its number; whichever comes first is the only one."""
    old, new = batch_of(city), batch_of(city, quarter=NOW + 1)
    city.land(new)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        city.land(old)
    assert city.balances(LOT, city.ana) == [0]
    assert city.balances(LOT + 1, city.ana) == [500]


def test_void_reverts_in_order(city: City) -> None:
    """Programme, freeze, signature, number."""
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.void(99, 1, by=city.issuer[CULTURE])
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, city.issuer[CULTURE].address):
        city.void(VOLUNTEER, 1, by=city.issuer[CULTURE])
    sign_and_send(city)
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, city.issuer[CULTURE].address):
        city.void(VOLUNTEER, 1, by=city.issuer[CULTURE])
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        city.void(VOLUNTEER, 1)
    city.void(VOLUNTEER, 2)
    with reverts("PointsLedgerBatchVoid", VOLUNTEER, 2):
        city.void(VOLUNTEER, 2)
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    with reverts("PointsLedgerFrozen", VOLUNTEER, now() + 3 * DAY):
        city.void(VOLUNTEER, 3, by=city.issuer[CULTURE])


def test_void(city: City) -> None:
    """A void number never lands; its grants may be given another."""
    signature = city.sign_batch(batch_of(city))
    tx = city.void(VOLUNTEER, 1)
    signer = city.issuer[VOLUNTEER].address
    assert event_values(tx, "BatchVoided") == [{"programme": VOLUNTEER, "number": 1, "signer": signer}]
    assert word_of(city, 1) == VOID
    with reverts("PointsLedgerBatchVoid", VOLUNTEER, 1):
        send(city, batch_of(city), signature)
    sign_and_send(city, number=2)
    assert city.balances(LOT, city.ana) == [500]


def test_a_key_rotated_with_a_batch_in_flight(city: City) -> None:
    """Old and new keys overlap; after the old one is gone the same number is signed again and lands once."""
    old_key, new_key = city.issuer[VOLUNTEER], Person("issuer 1, second key")
    in_flight, too_late = batch_of(city), batch_of(city, number=2)
    city.ledger.addIssuerKey(VOLUNTEER, new_key.address, city.by_admin)
    go_to(now() + 7 * DAY)
    city.land(in_flight)
    city.ledger.removeIssuerKey(VOLUNTEER, old_key.address, city.by_admin)
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, old_key.address):
        city.land(too_late)
    city.land(too_late, new_key)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 2):
        city.land(too_late, new_key)
    assert city.balances(LOT, city.ana) == [1_000]


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
