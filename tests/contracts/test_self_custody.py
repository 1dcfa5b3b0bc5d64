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
    event_values,
    go_to,
    next_block_at,
    now,
    rejections,
    reverts,
    transfers,
)
from reference import ZERO, pack_grants, pack_lots, quarter_end, sign, token_id

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
    receipt = city.receipt_of(tx, lots=PAID)
    signature = sign(city.merchant[SHOP].key, city.domain.digest("Refund", orderId=receipt[0], lots=0, lastAmount=0))
    city.redemption.refund(receipt, 1, [], pack_lots(PAID), 0, 0, signature, shop_s(city))
    assert (city.balances(LOT, city.ana), city.balances(ENV, city.ana)) == ([1_000], [1_000])
    assert city.merchant_position(SHOP) == 0


def test_hold_and_the_merchant_s_capture(city: City, own: dict[str, Any]) -> None:
    order = city.hold_order(city.ana, PAID)
    city.redemption.hold(city.signed(city.ana, order), own)
    assert (city.escrow(LOT), city.escrow(ENV)) == (304, 200)
    tx = city.redemption.capture(city.signed_capture(order, (1, 100)), shop_s(city))
    assert event_values(tx, "Redeemed")[0]["fen"] == 20
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


def test_dispute_to_its_end(city: City, own: dict[str, Any]) -> None:
    """Opened, uncontested, refunded by the holder alone."""
    tx = city.redemption.execute(city.signed(city.ana, city.redeem_order(city.ana, PAID)), own)
    receipt = city.receipt_of(tx, lots=PAID)
    signature = sign(city.ana.key, city.domain.digest("Dispute", orderId=receipt[0]))
    city.disputes.open(receipt, 1, [], pack_lots(PAID), signature, own)
    go_to(now() + 7 * DAY)
    city.disputes.refundLocked(receipt, 1, [], pack_lots(PAID), 0, 0, own)
    assert (city.balances(LOT, city.ana), city.balances(ENV, city.ana)) == ([1_000], [1_000])


def test_moving_house(city: City, own: dict[str, Any]) -> None:
    """To a new key, which then forwards what still arrives at the old one and sweeps what died there."""
    city.ledger.migrate(city.heir.address, [LOT], own)
    city.give(city.ana, LOT, 5)
    by_heir = {"from": city.heir.account}
    city.ledger.forward(city.ana.address, [LOT], by_heir)
    assert city.balances(LOT, city.ana, city.heir) == [0, 1_005]
    go_to(quarter_end(NOW))
    tx = city.ledger.sweep(city.ana.address, [ENV], by_heir)
    assert transfers(tx) == [(city.ana.address, ZERO, ENV, 1_000)]


def test_a_migration_that_a_desk_asked_for_is_refused(city: City, own: dict[str, Any]) -> None:
    city.ledger.requestMigration(city.ana.address, city.heir.address, [LOT], {"from": city.desk})
    city.ledger.cancelMigration(own)
    with reverts("PointsLedgerNoMigration", city.ana.address):
        city.ledger.cancelMigration(own)


def test_the_payee_confirms_its_own_payment(city: City, own: dict[str, Any]) -> None:
    city.redemption.execute(city.signed(city.ana, city.redeem_order(city.ana, PAID)), own)
    city.settlement.closeCycle([VOLUNTEER, ENVIRONMENT], [SHOP], {"from": city.finance})
    for line, (programme, _, fen, _) in enumerate(city.settlement.lines(1)):
        fields = {"cycle": 1, "programme": programme, "merchant": SHOP, "fen": fen, "reference": b"\x05" * 32}
        signature = sign(city.merchant[SHOP].key, city.domain.digest("Settlement", **fields))
        city.settlement.settle(1, line, fields["reference"], signature, shop_s(city))
    assert city.merchant_position(SHOP) == 0
    city.assert_zero_sum()


def test_the_issuer_relays_its_own_batch(city: City) -> None:
    """And any grantee could: whoever has the signed bytes may land them, and nobody twice."""
    grants = pack_grants([(city.ana.address, 70)])
    batch = (VOLUNTEER, NOW, 9, b"\x0e" * 32, grants)
    signature = city.sign_mint(*batch)
    city.issuance.mint(*batch, signature, {"from": city.issuer[VOLUNTEER].account})
    with reverts("PointsLedgerBatchLanded", VOLUNTEER, 9):
        city.issuance.mint(*batch, signature, {"from": city.ana.account})
    assert city.balances(LOT, city.ana) == [70]
