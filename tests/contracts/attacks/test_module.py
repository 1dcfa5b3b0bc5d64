"""Whoever has a module's role: a replaced module, a contract that the council was talked into, a thief of its keys.

The ledger keeps what it promises without believing the module: nothing is minted, and nothing lands twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from brownie import web3
from city import (
    CULTURE,
    DAY,
    EXCHANGE,
    NOW,
    REDEMPTION,
    RESIDENCE,
    SHOP,
    VOLUNTEER,
    City,
    now,
    rejections,
    reverts,
)
from lives.wire import Wire
from reference import ACCEPTED, LANE_MAX, NONCE_SPENT, NOT_HELD, pack_lots, prefix_word, token_id
from test_module_calls import Module

LOT = token_id(VOLUNTEER, NOW)
ARTS = token_id(CULTURE, NOW)
SCORE = token_id(RESIDENCE, 0)


@pytest.fixture
def thief(city: City) -> Iterator[Module]:
    """An account with the roles of both modules, beside honest ones."""
    city.give(city.ana, LOT, 1_000)
    city.give(city.ana, SCORE, 50)
    for role in (EXCHANGE, REDEMPTION):
        city.manager.grantRole(role, city.stranger, 0, city.by_admin)
    wire = Wire(web3.provider.endpoint_uri, [city.ledger, city.manager])
    with wire.mining_by_hand():
        yield Module(city, wire)


def test_a_module_mints_nothing_by_restoring(thief: Module) -> None:
    """It restores what was never redeemed, to itself. Stopped by: of each lot at most what was redeemed of it and not
    restored since."""
    for lot in (LOT, ARTS, SCORE, token_id(VOLUNTEER, NOW - 1), token_id(VOLUNTEER, NOW + 9)):
        most = prefix_word((1, LANE_MAX))
        refused = thief.refusal("restore", thief.who, pack_lots([(lot, LANE_MAX)]), most, 0)
        assert refused == ("PointsLedgerNotRedeemed", lot, LANE_MAX, 0)
    ledger = thief.city.ledger
    assert [ledger.programme(programme)[6] for programme in (VOLUNTEER, CULTURE, RESIDENCE)] == [1_000, 0, 50]


def test_a_module_mints_nothing_by_exchanging(thief: Module) -> None:
    """It gives nothing and takes everything, turns points into a programme worth more, or gives them a later quarter.
    Stopped by: the ledger computes both values itself, and the quarter stays."""
    for lot, amount, to, out in (
        (LOT, 0, ARTS, LANE_MAX),
        (LOT, 1_000, ARTS, 201),
        (LOT, 1_000, ARTS + 40, 200),
        (LOT, 1_000, LOT, 1_001),
        (LOT, 1_000, LOT, 1_000),
        (LOT, 1_000, SCORE, LANE_MAX - 50),
        (SCORE, 50, token_id(VOLUNTEER, 0), 1),
    ):
        refused = thief.refusal("exchange", thief.ana, 0, ACCEPTED, lot, amount, to, out)
        assert refused == ("PointsLedgerBadExchange", lot, amount, to, out)


def test_a_module_mints_nothing_by_ending_holds(thief: Module) -> None:
    """It ends holds that were never opened, twice, or under other lots. Stopped by: the commitment of holder and lots,
    deleted when the hold ends."""
    lots = pack_lots([(LOT, 600)])
    thief.do("holdLots", b"\1" * 32, thief.ana, 0, lots, ACCEPTED)
    for hold_id, holder, named in (
        (b"\2" * 32, thief.ana, lots),
        (b"\1" * 32, thief.who, lots),
        (b"\1" * 32, thief.ana, pack_lots([(LOT, 601)])),
    ):
        assert thief.ask("finishHold", hold_id, holder, named, 0) is False
    thief.do("finishHold", b"\1" * 32, thief.ana, lots, 0)
    assert thief.ask("finishHold", b"\1" * 32, thief.ana, lots, 0) is False
    assert thief.city.balances(LOT, thief.ana) == [1_000]


def test_a_module_reaches_no_issuance(city: City) -> None:
    """In the first edition a module said whether the issuer had signed. Stopped by: the ledger verifies the signature
    over the whole batch, and has no function that mints without one; not even the admin has."""
    minting = {entry["name"] for entry in city.ledger.abi if entry["type"] == "function"}
    assert {"mint", "voidBatch", "revoke"} <= minting
    batch = city.batch(VOLUNTEER, NOW, {city.admin.address: 1})
    for role in range(1, 9):
        city.manager.grantRole(role, city.admin, 0, city.by_admin)
    for signature in (b"", b"\0" * 65, city.sign_batch(batch, city.ana)):
        with pytest.raises(Exception, match="PointsLedgerBadIssuer"):
            city.ledger.mint(batch, signature, city.by_admin)


def test_a_module_posts_what_sums_to_nothing_with_its_own_signs_alone(city: City) -> None:
    """It pays a merchant out of nowhere, or lowers what the treasury is owed. Stopped by: the book's zero sum, and to
    each role its participants and signs."""
    programme, merchant = 1 << 32 | VOLUNTEER, 2 << 32 | SHOP
    for role in (EXCHANGE, REDEMPTION):
        city.manager.grantRole(role, city.stranger, 0, city.by_admin)
    by = {"from": city.stranger}
    with reverts("ClearingBookUnbalanced", 5):
        city.book.postReceipts([(merchant, 5)], b"\1" * 32, by)
    with pytest.raises(Exception, match="ClearingBookBadPosting"):
        city.book.post([(programme, -5), (merchant, 5)], by)
    with pytest.raises(Exception, match="ClearingBookBadPosting"):
        city.book.postReceipts([(programme, 5), (merchant, -5)], b"\1" * 32, by)
    for participant in (3 << 32, 4 << 32):
        with pytest.raises(Exception, match="ClearingBookBadPosting"):
            city.book.post([(programme, -5), (participant, 5)], by)
    city.assert_zero_sum()


def test_what_landed_through_one_module_does_not_land_through_the_next(city: City) -> None:
    """Replaced, with old bytes about: order, hold, capture and refund. Stopped by: nonces, commitments and kept
    prefixes are the books', not the module's."""
    city.give(city.ana, LOT, 2_000)
    order = city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 500)], deadline=now() + DAY))
    city.run_redeem(order)
    paid = city.pay(city.ana, [(LOT, 500)])
    signature = city.sign_refund(paid, (0, 0))
    city.redemption.refund(*paid.arguments((0, 0)), signature, city.by_operator)
    hold = city.place_hold(city.ana, [(LOT, 500)])
    capture = city.signed_capture(hold)
    city.run_capture(capture)
    new = city.project.Redemption.deploy(city.manager, city.ledger, city.by_admin)
    city.manager.grantRole(REDEMPTION, new, 0, city.by_admin)
    city.manager.revokeRole(REDEMPTION, city.redemption, city.by_admin)
    assert [code for _, _, code in rejections(new.execute(order, city.by_operator))] == [NONCE_SPENT]
    assert [code for _, _, code in rejections(new.hold(city.signed(city.ana, hold), city.by_operator))] == [NONCE_SPENT]
    assert [code for _, _, code in rejections(new.capture(capture, city.by_operator))] == [NOT_HELD]
    with reverts("RedemptionBadPrefix", 0):
        new.refund(*paid.arguments((0, 0)), signature, city.by_operator)
    assert city.merchant_position(SHOP) == 200
