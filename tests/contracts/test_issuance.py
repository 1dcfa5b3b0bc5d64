"""Issuance: batches, double mint by old bytes, funding, corrections. Reverts first, in the documented order."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    APPROPRIATION_FEN,
    CULTURE,
    DAY,
    GIFT,
    NOW,
    RESIDENCE,
    VOLUNTEER,
    City,
    Person,
    bits,
    event_values,
    next_block_at,
    reverts,
    transfers,
)
from reference import ZERO, EvidenceLeaf, MerkleTree, pack_grants, quarter_end, sign, token_id

LOT = token_id(VOLUNTEER, NOW)
ROOT = b"\x0e" * 32
UNUSED, LANDED, VOID = 0, 1, 2


def send_mint(city: City, signature: bytes, **changes: Any) -> Any:
    """Relay a batch of one grant to ana as it was signed, but for the changes."""
    given = {
        "programme": VOLUNTEER,
        "quarter": NOW,
        "number": 1,
        "root": ROOT,
        "grants": pack_grants([(city.ana.address, 500)]),
    } | changes
    return city.issuance.mint(*given.values(), signature, city.by_operator)


def signed_mint(city: City, by: Person | None = None, **changes: Any) -> bytes:
    given = {
        "programme": VOLUNTEER,
        "quarter": NOW,
        "number": 1,
        "root": ROOT,
        "grants": pack_grants([(city.ana.address, 500)]),
    } | changes
    return city.sign_mint(*given.values(), by or city.issuer[VOLUNTEER])


def sign_and_send(city: City, **changes: Any) -> Any:
    return send_mint(city, signed_mint(city, **changes), **changes)


# mint: reverts, in order ------------------------------------------------------------------------------------------


def test_1_mint_reverts_while_paused(city: City) -> None:
    """First of all checks: even a batch with no signature at all meets the pause."""
    city.issuance.pause(3_600, {"from": city.guardian})
    with reverts("PausableIsPaused", city.issuance.pausedUntil()):
        send_mint(city, b"")


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
def test_2_mint_reverts_where_anything_differs_from_what_was_signed(city: City, change: dict[str, Any]) -> None:
    """The relayer has no power over a batch: another field makes it another signer's."""
    with pytest.raises(Exception, match="IssuanceBadSignature"):
        send_mint(city, signed_mint(city), **change)


def test_2_mint_reverts_for_who_is_no_issuer(city: City) -> None:
    for by in (city.ana, city.issuer[CULTURE]):
        with reverts("IssuanceBadSignature", by.address):
            send_mint(city, signed_mint(city, by=by))


def test_2_mint_reverts_for_bytes_that_are_no_signature(city: City) -> None:
    """Wrong length, a v of 0, and the other signature (high s) that the same key could be made to have."""
    good = signed_mint(city)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high_s = (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    twin = good[:32] + high_s + bytes([55 - good[64]])
    for bad in (b"", good[:64], good + b"\0", good[:64] + b"\0", twin):
        with reverts("IssuanceBadSignature", ZERO):
            send_mint(city, bad)


def test_2_mint_reverts_for_another_installation_s_signature(city: City) -> None:
    """The domain's chain, ledger and salt all count."""
    from dataclasses import replace

    from eth_utils import keccak

    grants = pack_grants([(city.ana.address, 500)])
    message = {
        "programme": VOLUNTEER,
        "quarter": NOW,
        "number": 1,
        "evidenceRoot": ROOT,
        "grantsHash": keccak(grants),
    }
    for change in ({"chain_id": 1}, {"ledger": city.book.address}, {"salt": b"\x01" * 32}):
        digest = replace(city.domain, **change).digest("MintBatch", **message)
        with pytest.raises(Exception, match="IssuanceBadSignature"):
            send_mint(city, sign(city.issuer[VOLUNTEER].key, digest))


def test_3_mint_reverts_for_a_programme_that_is_not_there(city: City) -> None:
    """Nobody can sign for it, so the signature is what fails; the ledger's own check stands behind it."""
    with reverts("IssuanceBadSignature", city.issuer[VOLUNTEER].address):
        sign_and_send(city, programme=99)


def test_4_mint_reverts_where_the_programme_is_closing(city: City) -> None:
    """Before the quarter, the root and the grants are looked at."""
    city.ledger.setState(VOLUNTEER, 2, city.by_admin)
    with reverts("PointsLedgerNotActive", VOLUNTEER):
        sign_and_send(city, quarter=0, root=b"\0" * 32, grants=b"")


def test_5_mint_reverts_for_a_lot_without_end_in_a_programme_with_a_par(city: City) -> None:
    with reverts("PointsLedgerBadQuarter", VOLUNTEER, 0):
        sign_and_send(city, quarter=0, root=b"\0" * 32, grants=b"")


def test_6_mint_reverts_into_a_dead_quarter(city: City) -> None:
    with reverts("PointsLedgerLotDead", LOT - 1):
        sign_and_send(city, quarter=NOW - 1, root=b"\0" * 32, grants=b"")


@pytest.mark.parametrize("root", [b"\0" * 32, bits(1)])
def test_7_mint_reverts_for_a_root_that_means_unused_or_void(city: City, root: bytes) -> None:
    with reverts("PointsLedgerBadRoot", root):
        sign_and_send(city, root=root, grants=b"")


def test_8_mint_reverts_for_a_number_that_landed_or_is_void(city: City) -> None:
    sign_and_send(city)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        sign_and_send(city, grants=b"")
    void(city, 2)
    with reverts("PointsLedgerBatchVoid", VOLUNTEER, 2):
        sign_and_send(city, number=2, grants=b"")


@pytest.mark.parametrize("length", [0, 1, 27, 29])
def test_9_mint_reverts_for_grants_of_no_whole_length(city: City, length: int) -> None:
    with reverts("PointsLedgerBadGrants", length):
        sign_and_send(city, grants=b"\1" * length)


def test_10_mint_reverts_for_a_bad_grant(city: City) -> None:
    """Account 0, the escrow's account, or nothing granted; the offset says which."""
    good = (city.ana.address, 1)
    for bad in ((ZERO, 1), (city.ledger.address, 1), (city.bo.address, 0)):
        with reverts("PointsLedgerBadGrant", 28):
            sign_and_send(city, grants=pack_grants([good, bad, good]))


def test_11_mint_reverts_where_the_lot_is_full(city: City) -> None:
    """Whoever holds it: then no balance of anybody's can outgrow its lane."""
    city.appropriate(VOLUNTEER, 10**15)
    city.mint(VOLUNTEER, NOW, {city.bo.address: 2}, number=2)
    for amounts in ([2**48 - 2], [2**48 - 3, 1], [2**64 - 1, 2**64 - 1]):
        grants = pack_grants([(city.ana.address, amount) for amount in amounts])
        with reverts("PointsLedgerLotFull", LOT, sum(amounts) + 2):
            sign_and_send(city, grants=grants)
    city.mint(VOLUNTEER, NOW, {city.ana.address: 2**48 - 3}, number=3)
    assert city.ledger.totalSupply(LOT) == 2**48 - 1
    assert city.balances(LOT, city.ana, city.bo) == [2**48 - 3, 2]


def test_12_mint_reverts_beyond_the_funding(city: City) -> None:
    """The last check: the value outstanding, rounded up, against what is funded; nothing is left behind."""
    most = APPROPRIATION_FEN * 5
    with reverts("IssuanceFundingExceeded", VOLUNTEER, APPROPRIATION_FEN + 1, APPROPRIATION_FEN):
        sign_and_send(city, grants=pack_grants([(city.ana.address, most + 1)]))
    assert city.ledger.batchState(VOLUNTEER, 1) == UNUSED
    assert city.balances(LOT, city.ana) == [0]
    sign_and_send(city, grants=pack_grants([(city.ana.address, most)]))
    assert city.balances(LOT, city.ana) == [most]


# mint: success ----------------------------------------------------------------------------------------------------


def test_mint(city: City) -> None:
    """Every grant lands, with its Transfer; one event for the batch; root, supplies and neighbours are right."""
    grants = [(city.ana.address, 500), (city.bo.address, 7), (city.ana.address, 2**40)]
    city.appropriate(VOLUNTEER, 10**15)
    city.give(city.ana, LOT + 1, 33)
    tx = sign_and_send(city, number=2**64 - 1, grants=pack_grants(grants))
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
        }
    ]
    assert event_values(tx, "BatchLanded") == [
        {"programme": VOLUNTEER, "number": 2**64 - 1, "evidenceRoot": "0x" + ROOT.hex()}
    ]
    assert city.balances(LOT, city.ana, city.bo) == [500 + 2**40, 7]
    assert city.balances(LOT + 1, city.ana, city.bo) == [33, 0]
    assert city.ledger.totalSupply(LOT) == total
    assert city.ledger.programmeSupply(VOLUNTEER) == total + 33
    assert city.issuance.batchState(VOLUNTEER, 2**64 - 1) == LANDED
    assert bytes(city.issuance.batchRoot(VOLUNTEER, 2**64 - 1)) == ROOT
    assert city.issuance.batchState(CULTURE, 2**64 - 1) == UNUSED
    assert [city.position(p) for p in (VOLUNTEER, CULTURE)] == [0, 0]


def test_batches_land_in_any_order_and_from_any_relayer(city: City) -> None:
    """Numbers are a set: 9 lands before 3, and neither blocks the next."""
    for number in (9, 3, 2**40, 0):
        signature = signed_mint(city, number=number)
        city.issuance.mint(
            VOLUNTEER, NOW, number, ROOT, pack_grants([(city.ana.address, 500)]), signature, {"from": city.stranger}
        )
    assert city.balances(LOT, city.ana) == [2_000]
    assert city.issuance.batchState(VOLUNTEER, 4) == UNUSED


def test_the_four_quarters_of_a_year_share_a_word_and_do_not_touch(city: City) -> None:
    """Each lane of the word, filled to the brim, leaves its neighbours and the nonces alone."""
    city.appropriate(VOLUNTEER, 10**15)
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
    assert city.ledger.programmeSupply(RESIDENCE) == 2**48 - 1


def test_mint_until_the_last_second_of_the_quarter(city: City) -> None:
    signature = signed_mint(city)
    next_block_at(quarter_end(NOW) - 1)
    send_mint(city, signature)
    assert city.balances(LOT, city.ana) == [500]


# The same deed twice ----------------------------------------------------------------------------------------------


def void(city: City, number: int, programme: int = VOLUNTEER, by: Person | None = None) -> Any:
    digest = city.domain.digest("VoidBatch", programme=programme, number=number)
    return city.issuance.voidBatch(
        programme, number, sign((by or city.issuer[programme]).key, digest), city.by_operator
    )


def test_old_bytes_do_not_mint_twice(city: City) -> None:
    """The same signed bytes again, by whoever, do nothing."""
    signature = signed_mint(city)
    send_mint(city, signature)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        send_mint(city, signature)
    assert city.balances(LOT, city.ana) == [500]


def test_signing_again_with_another_quarter_lands_once(city: City) -> None:
    """A batch too late for its quarter is signed again under its number; whichever comes first is the only one."""
    old, new = signed_mint(city), signed_mint(city, quarter=NOW + 1)
    send_mint(city, new, quarter=NOW + 1)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        send_mint(city, old)
    assert city.balances(LOT, city.ana) == [0]
    assert city.balances(LOT + 1, city.ana) == [500]


def test_void_reverts_in_order(city: City) -> None:
    with reverts("IssuanceBadSignature", city.issuer[CULTURE].address):
        void(city, 1, by=city.issuer[CULTURE])
    sign_and_send(city)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 1):
        void(city, 1)
    void(city, 2)
    with reverts("PointsLedgerBatchVoid", VOLUNTEER, 2):
        void(city, 2)


def test_void(city: City) -> None:
    """A void number never lands; its grants may be given another; voiding is no pause's business."""
    signature = signed_mint(city)
    city.issuance.pause(3_600, {"from": city.guardian})
    tx = void(city, 1)
    city.issuance.unpause({"from": city.guardian})
    assert event_values(tx, "BatchVoided") == [{"programme": VOLUNTEER, "number": 1}]
    assert city.issuance.batchState(VOLUNTEER, 1) == VOID
    assert bytes(city.issuance.batchRoot(VOLUNTEER, 1)) == b"\0" * 32
    with reverts("PointsLedgerBatchVoid", VOLUNTEER, 1):
        send_mint(city, signature)
    sign_and_send(city, number=2)
    assert city.balances(LOT, city.ana) == [500]


def test_a_key_rotated_with_a_batch_in_flight(city: City) -> None:
    """Old and new keys overlap; after the old one is gone the same number is signed again and lands once."""
    new_key = Person("issuer 1, second key")
    in_flight, too_late = signed_mint(city), signed_mint(city, number=2)
    city.ledger.setIssuerKey(VOLUNTEER, new_key.address, True, city.by_admin)
    send_mint(city, in_flight)
    city.ledger.setIssuerKey(VOLUNTEER, city.issuer[VOLUNTEER].address, False, city.by_admin)
    with reverts("IssuanceBadSignature", city.issuer[VOLUNTEER].address):
        send_mint(city, too_late, number=2)
    send_mint(city, signed_mint(city, by=new_key, number=2), number=2)
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 2):
        send_mint(city, signed_mint(city, by=new_key, number=2), number=2)
    assert city.balances(LOT, city.ana) == [1_000]


# Funding ----------------------------------------------------------------------------------------------------------


def test_funding_refused_then_appropriated_then_the_same_bytes_land(city: City) -> None:
    """No signature is needed again: the refused batch stays good."""
    grants = pack_grants([(city.ana.address, APPROPRIATION_FEN * 5), (city.bo.address, 5)])
    signature = signed_mint(city, grants=grants)
    with reverts("IssuanceFundingExceeded", VOLUNTEER, APPROPRIATION_FEN + 1, APPROPRIATION_FEN):
        send_mint(city, signature, grants=grants)
    city.appropriate(VOLUNTEER, 1)
    send_mint(city, signature, grants=grants)
    assert city.ledger.programmeSupply(VOLUNTEER) == APPROPRIATION_FEN * 5 + 5


def test_a_started_fen_needs_funding_whole(city: City) -> None:
    """supply * par <= funding * 1e8 exactly: one minor unit (a fifth of a fen) over is over."""
    city.ledger.registerProgramme(12, 20_000_000, 0, bits(0), "", "", city.by_admin)
    city.issuer[12] = Person("issuer 12")
    city.ledger.setIssuerKey(12, city.issuer[12].address, True, city.by_admin)
    with reverts("IssuanceFundingExceeded", 12, 1, 0):
        city.mint(12, NOW, {city.ana.address: 1})
    city.appropriate(12, 1)
    city.mint(12, NOW, {city.ana.address: 5})
    with reverts("IssuanceFundingExceeded", 12, 2, 1):
        city.mint(12, NOW, {city.ana.address: 1})


def test_what_was_redeemed_keeps_its_funding_used(city: City) -> None:
    """The position of the issuer falls as its supply does, so redeeming opens no room to mint anew."""
    most = APPROPRIATION_FEN * 5
    city.give(city.ana, LOT, most)
    order = city.redeem_order(city.ana, [(LOT, most // 2)])
    city.run_redeem(city.signed(city.ana, order))
    assert city.book.fundingFen(VOLUNTEER) == APPROPRIATION_FEN - most // 10
    with pytest.raises(Exception, match="IssuanceFundingExceeded"):
        city.give(city.ana, LOT, 5)


def test_points_that_came_in_by_exchange_are_funded_by_who_gave_them(city: City) -> None:
    """A's position pays for B's new supply, so exchange leaves both issuers' room to mint as it was."""
    lot = token_id(CULTURE, NOW)
    city.give(city.ana, LOT, 5_000)
    city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, LOT, 5_000, CULTURE)))
    assert city.balances(lot, city.ana) == [1_000]
    assert city.book.fundingFen(CULTURE) == APPROPRIATION_FEN + 1_000
    city.mint(CULTURE, NOW, {city.bo.address: APPROPRIATION_FEN})
    with reverts("IssuanceFundingExceeded", CULTURE, APPROPRIATION_FEN + 1_001, APPROPRIATION_FEN + 1_000):
        city.mint(CULTURE, NOW, {city.bo.address: 1})


def test_a_lapse_stops_minting_and_nothing_else(city: City) -> None:
    """Points already out can be spent though nothing stands behind them any more."""
    city.give(city.ana, LOT, 1_000)
    city.book.lapse(VOLUNTEER, 2030, {"from": city.finance})
    with reverts("IssuanceFundingExceeded", VOLUNTEER, 201, 0):
        city.give(city.ana, LOT, 1)
    tx = city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 1_000)])))
    assert event_values(tx, "Redeemed")[0]["fen"] == 200
    assert city.book.fundingFen(VOLUNTEER) == -200
    with reverts("IssuanceFundingExceeded", VOLUNTEER, 1, -200):
        city.give(city.ana, LOT, 1)


# Corrections ------------------------------------------------------------------------------------------------------


class Case:
    """Two grants with evidence, and revocations of the first, to ana, of 500."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.leaf = EvidenceLeaf(b"\x01" * 32, city.ana.address, LOT, 500)
        self.other = EvidenceLeaf(b"\x02" * 32, city.bo.address, LOT, 300)
        self.number, self.tree = city.mint_with_evidence([self.leaf, self.other])

    def revoke(self, total: int, *, by: Person | None = None, **changes: Any) -> Any:
        """Send a revocation; changes replace what would be right."""
        given: dict[str, Any] = {
            "programme": VOLUNTEER,
            "number": self.number,
            "hash": self.leaf.hash(),
            "leaf": self.leaf,
            "proof": self.tree.proof(self.leaf.hash()),
        } | changes
        fields = {
            "programme": given["programme"],
            "number": given["number"],
            "leaf": given["hash"],
            "revokedTotal": total,
            "reason": 17,
        }
        signature = sign((by or self.city.issuer[VOLUNTEER]).key, self.city.domain.digest("Revocation", **fields))
        return self.city.issuance.revoke(
            tuple(fields.values()), given["leaf"].values(), given["proof"], signature, self.city.by_operator
        )


@pytest.fixture
def case(city: City) -> Case:
    return Case(city)


def test_1_revoke_reverts_for_who_is_no_issuer(city: City, case: Case) -> None:
    with reverts("IssuanceBadSignature", city.issuer[CULTURE].address):
        case.revoke(501, by=city.issuer[CULTURE], hash=b"\x09" * 32)


def test_2_revoke_reverts_for_another_leaf(city: City, case: Case) -> None:
    """The leaf shown is not the one signed, or it is another programme's."""
    with reverts("IssuanceWrongLeaf", case.other.hash()):
        case.revoke(501, leaf=case.other)
    foreign = EvidenceLeaf(b"\x03" * 32, city.ana.address, token_id(CULTURE, NOW), 500)
    with reverts("IssuanceWrongLeaf", foreign.hash()):
        case.revoke(501, leaf=foreign, hash=foreign.hash())
    huge = EvidenceLeaf(b"\x03" * 32, city.ana.address, 1 << 64 | LOT, 500)
    with reverts("IssuanceWrongLeaf", huge.hash()):
        case.revoke(501, leaf=huge, hash=huge.hash())


def test_3_revoke_reverts_for_more_than_was_granted(case: Case) -> None:
    with reverts("IssuanceRevokesTooMuch", 501, 500):
        case.revoke(501, proof=[])


def test_4_revoke_reverts_for_a_path_that_leads_elsewhere(city: City, case: Case) -> None:
    """A wrong path, another batch's number, one that never landed, a void one."""
    void(city, 77)
    for change in ({"proof": []}, {"number": 76}, {"number": 77}):
        with reverts("IssuanceBadProof", case.leaf.hash()):
            case.revoke(100, **change)
    tree = MerkleTree([case.leaf.hash()])
    with reverts("IssuanceBadProof", case.leaf.hash()):
        case.revoke(100, proof=tree.proof(case.leaf.hash()))


def test_5_revoke_reverts_where_the_total_does_not_rise(case: Case) -> None:
    """A replay does nothing: totals are cumulative."""
    with reverts("PointsLedgerBadRevocation", case.leaf.hash(), 0, 0):
        case.revoke(0)
    case.revoke(200)
    for total in (200, 199):
        with reverts("PointsLedgerBadRevocation", case.leaf.hash(), total, 200):
            case.revoke(total)


def test_revoke_in_two_steps(city: City, case: Case) -> None:
    """Each time the rise of the total is taken; balances, supply and funding follow."""
    tx = case.revoke(200)
    assert event_values(tx, "Revoked") == [
        {
            "programme": VOLUNTEER,
            "leaf": "0x" + case.leaf.hash().hex(),
            "account": city.ana.address,
            "tokenId": LOT,
            "taken": 200,
            "shortfall": 0,
            "reason": 17,
        }
    ]
    assert transfers(tx) == [(city.ana.address, ZERO, LOT, 200)]
    tx = case.revoke(500)
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "shortfall")] == [300, 0]
    assert city.balances(LOT, city.ana, city.bo) == [0, 300]
    assert city.ledger.totalSupply(LOT) == city.ledger.programmeSupply(VOLUNTEER) == 300
    assert city.issuance.revokedTotal(case.leaf.hash()) == 500
    assert city.issuance.revokedTotal(case.other.hash()) == 0
    assert city.position(VOLUNTEER) == 0


def test_revoke_takes_what_is_there_and_records_the_rest(city: City, case: Case) -> None:
    """What was spent is the issuer's shortfall; other lots of the holder are not touched."""
    city.give(city.ana, LOT + 1, 1_000)
    city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 400)])))
    tx = case.revoke(300)
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "shortfall")] == [100, 200]
    assert transfers(tx) == [(city.ana.address, ZERO, LOT, 100)]
    tx = case.revoke(400)
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "shortfall")] == [0, 100]
    assert transfers(tx) == []
    assert city.balances(LOT, city.ana) == [0]
    assert city.balances(LOT + 1, city.ana) == [1_000]


def test_revoke_takes_from_a_dead_lot(city: City, case: Case) -> None:
    next_block_at(quarter_end(NOW) + DAY)
    tx = case.revoke(500)
    assert event_values(tx, "Revoked")[0]["taken"] == 500
    assert city.ledger.totalSupply(LOT) == 300


def test_revoke_follows_successors(city: City, case: Case) -> None:
    """The grantee gave way twice; what the last account has of the lot is taken."""
    city.ledger.migrate(city.heir.address, [LOT], {"from": city.ana.account})
    city.ledger.migrate(city.chen.address, [LOT], {"from": city.heir.account})
    tx = case.revoke(120)
    assert event_values(tx, "Revoked")[0]["account"] == city.chen.address
    assert city.balances(LOT, city.ana, city.heir, city.chen) == [0, 0, 380]


def test_revoke_is_never_paused(city: City, case: Case) -> None:
    city.issuance.pause(3_600, {"from": city.guardian})
    case.revoke(500)
    assert city.balances(LOT, city.ana) == [0]


def test_revoke_of_a_gift_takes_only_from_the_grantee(city: City) -> None:
    """Points handed on are the receiver's; the giver's issuer bears the shortfall."""
    lot = token_id(GIFT, NOW)
    leaf = EvidenceLeaf(b"\x01" * 32, city.ana.address, lot, 500)
    number, tree = city.mint_with_evidence([leaf])
    city.ledger.transfer(city.bo.address, lot, 450, {"from": city.ana.account})
    fields = {"programme": GIFT, "number": number, "leaf": leaf.hash(), "revokedTotal": 500, "reason": 1}
    signature = sign(city.issuer[GIFT].key, city.domain.digest("Revocation", **fields))
    tx = city.issuance.revoke(
        tuple(fields.values()), leaf.values(), tree.proof(leaf.hash()), signature, city.by_operator
    )
    assert [event_values(tx, "Revoked")[0][name] for name in ("taken", "shortfall")] == [50, 450]
    assert city.balances(lot, city.ana, city.bo) == [0, 450]
