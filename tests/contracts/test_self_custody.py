"""Who holds the own key needs nobody: every right of a resident and a merchant works by a transaction of their own.

Nobody here asks the operator for anything; each sends from an account whose key only it has.
"""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    CULTURE,
    DAY,
    ENVIRONMENT,
    NOW,
    SHOP,
    VOLUNTEER,
    City,
    Payment,
    event_values,
    go_to,
    next_block_at,
    now,
    rejections,
    reverts,
    transfers,
)
from reference import ZERO, expiry_end, token_id

LOT, ENV = token_id(VOLUNTEER, NOW), token_id(ENVIRONMENT, NOW)
PAID = [(LOT, 304), (ENV, 200)]


@pytest.fixture
def own(city: City) -> dict[str, Any]:
    """Ana has points; what this returns is how ana sends."""
    for lot in (LOT, ENV):
        city.give(city.ana, lot, 1_000)
    return {"from": city.ana.account}


def shop_s(city: City) -> dict[str, Any]:
    return {"from": city.merchant[SHOP].account}


def test_exchange(city: City, own: dict[str, Any]) -> None:
    tx = city.exchange.execute(city.signed(city.ana, city.exchange_order(city.ana, LOT, 100, CULTURE)), own)
    assert tx.sender == city.ana.address
    assert len(event_values(tx, "Exchanged")) == 1
    assert city.balances(token_id(CULTURE, NOW), city.ana) == [20]


def test_redeem_and_the_merchant_s_refund(city: City, own: dict[str, Any]) -> None:
    """A basket of two programmes, and its way back."""
    tx = city.redemption.execute(city.signed(city.ana, city.redeem_order(city.ana, PAID)), own)
    assert event_values(tx, "Redeemed")[0]["fen"] == 70
    payment = Payment(city.receipt_of(tx, PAID), (1, []), tuple(PAID))
    city.redemption.refund(*payment.arguments((0, 0)), city.sign_refund(payment, (0, 0)), shop_s(city))
    assert (city.balances(LOT, city.ana), city.balances(ENV, city.ana)) == ([1_000], [1_000])
    assert city.merchant_position(SHOP) == 0


def test_hold_and_the_merchant_s_capture(city: City, own: dict[str, Any]) -> None:
    order = city.hold_order(city.ana, PAID)
    city.redemption.hold(city.signed(city.ana, order), own)
    assert (city.escrow(LOT), city.escrow(ENV)) == (304, 200)
    tx = city.redemption.capture(city.signed_capture(order, (1, 100)), shop_s(city))
    assert event_values(tx, "Captured")[0]["fen"] == 20
    assert (city.balances(LOT, city.ana), city.balances(ENV, city.ana)) == ([900], [1_000])


def test_release_of_what_is_cancellable(city: City, own: dict[str, Any]) -> None:
    order = city.hold_order(city.ana, PAID, cancellable=True)
    city.redemption.hold(city.signed(city.ana, order), own)
    city.redemption.release(city.signed_release(order, by=city.ana), own)
    assert (city.escrow(LOT), city.balances(LOT, city.ana)) == (0, [1_000])


def test_release_after_the_capture_time_needs_nobody(city: City, own: dict[str, Any]) -> None:
    order = city.hold_order(city.ana, PAID)
    city.redemption.hold(city.signed(city.ana, order), own)
    next_block_at(order.captureBy)
    assert len(rejections(city.redemption.release(order.packed(b""), own))) == 1
    next_block_at(order.captureBy + 1)
    city.redemption.release(order.packed(b""), own)
    assert (city.escrow(LOT), city.balances(LOT, city.ana)) == (0, [1_000])


def test_an_order_given_to_somebody_who_does_not_relay_it_is_cancelled(city: City, own: dict[str, Any]) -> None:
    """Once the nonce is spent on chain nobody can land the order any more."""
    order = city.redeem_order(city.ana, PAID)
    packed = city.signed(city.ana, order)
    city.ledger.cancelNonce(LOT, order.nonce, own)
    assert [code for _, _, code in rejections(city.run_redeem(packed))] == [3]
    with reverts("PointsLedgerNonceSpent", city.ana.address, order.nonce):
        city.ledger.cancelNonce(LOT, order.nonce, own)


def test_objecting_to_a_successor(city: City, own: dict[str, Any]) -> None:
    """Whoever still has the key stops what two desks began, without a signature of anybody's."""
    city.request_succession(city.ana.address, city.heir)
    city.confirm_succession(city.ana.address, city.heir)
    tx = city.succession.objectTo(city.ana.address, b"", own)
    assert event_values(tx, "SuccessionObjected") == [{"holder": city.ana.address}]


def test_what_still_arrives_at_an_old_account_is_forwarded_and_what_died_there_is_swept(
    city: City, own: dict[str, Any]
) -> None:
    city.succeed(city.ana, city.heir, [LOT])
    city.give(city.ana, LOT, 5)
    by_heir = {"from": city.heir.account}
    city.ledger.forward(city.ana.address, [LOT], by_heir)
    assert city.balances(LOT, city.ana, city.heir) == [0, 1_005]
    go_to(expiry_end(NOW))
    tx = city.ledger.sweep(city.ana.address, [ENV], by_heir)
    assert transfers(tx) == [(city.ana.address, ZERO, ENV, 1_000)]


def test_what_lies_open_is_ended_by_anyone(city: City, own: dict[str, Any]) -> None:
    """A cycle is opened, and a lock ended whose time is over, by whoever likes."""
    payment = city.pay(city.ana, PAID)
    city.lock(payment, 10)
    go_to(now() + 60 * DAY)
    city.book.openCycle(own)
    city.book.unlockOrder(payment.receipt[0], own)
    assert city.book.claim(SHOP)[3] == 0


def test_the_issuer_relays_its_own_batch(city: City) -> None:
    """And any grantee could: whoever has the signed bytes may land them, and nobody twice."""
    batch = city.batch(VOLUNTEER, NOW, {city.ana.address: 70}, 9)
    signature = city.sign_batch(batch)
    city.ledger.mint(batch, signature, {"from": city.issuer[VOLUNTEER].account})
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 9):
        city.ledger.mint(batch, signature, {"from": city.ana.account})
    assert city.balances(LOT, city.ana) == [70]
