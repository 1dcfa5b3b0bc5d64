"""Issuance in the ledger: batches, voids, old bytes. Reverts first, in documented order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from batches import LOT, ROOT, UNUSED, VOID, batch_of, send, sign_and_send, supply_of, word_of
from city import (
    APPROPRIATION_FEN,
    CULTURE,
    DAY,
    NOW,
    RESIDENCE,
    VOLUNTEER,
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
from reference import ZERO, expiry_end, pack_grants, sign, token_id

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
