"""One of everything that happens on a day in the city, from a batch to a refund, with every balance and position."""

from __future__ import annotations

from city import CULTURE, NOW, SHOP, VOLUNTEER, City, Payment, event_values, rejections, transfers
from reference import MerkleTree, receipt_hash, token_id

LOT = token_id(VOLUNTEER, NOW)
ARTS = token_id(CULTURE, NOW)


def test_mint_exchange_redeem_hold_capture_and_refund(city: City) -> None:
    """Each act lands, and the book of what institutions owe sums to 0 after each of them."""
    city.give(city.ana, LOT, 10_000)
    assert city.balances(LOT, city.ana) == [10_000]

    exchange = city.exchange_order(city.ana, LOT, 5_000, CULTURE)
    tx = city.run_exchange(city.signed(city.ana, exchange))
    assert rejections(tx) == []
    # 50 points at 0.20 yuan are 10 yuan, which are 10 points at 1 yuan.
    assert event_values(tx, "Exchanged")[0]["fen"] == 1_000
    assert city.balances(ARTS, city.ana) == [1_000]
    assert (city.position(VOLUNTEER), city.position(CULTURE)) == (-1_000, 1_000)
    city.assert_zero_sum()

    paid = city.pay(city.ana, [(LOT, 1_000), (ARTS, 100)])
    assert paid.receipt[4] == 300
    assert city.merchant_position(SHOP) == 300
    city.prove(paid)
    city.assert_zero_sum()

    hold = city.place_hold(city.ana, [(LOT, 2_000), (ARTS, 300)])
    assert city.escrow(LOT) == 2_000
    tx = city.run_capture(city.signed_capture(hold, (2, 100)))
    assert rejections(tx) == []
    assert (city.escrow(LOT), city.escrow(ARTS)) == (0, 0)
    assert city.balances(ARTS, city.ana) == [800]
    kept = ((LOT, 2_000), (ARTS, 100))
    captured = Payment(city.receipt_of(tx, kept), (city.book.lastReceiptsBatch(), []), kept)
    assert captured.receipt[4] == 500
    assert city.merchant_position(SHOP) == 800
    city.prove(captured)
    city.assert_zero_sum()

    tx = city.refund(captured, (1, 500))
    assert transfers(tx)[0][1:] == (city.ana.address, LOT, 1_500)
    assert event_values(tx, "Refunded")[0]["fen"] == 400
    assert city.merchant_position(SHOP) == 400
    city.assert_zero_sum()

    batch = city.give(city.bo, LOT, 700)
    tx = city.revoke(batch, (0, 500))
    assert event_values(tx, "Revoked")[0]["taken"] == 500
    assert city.balances(LOT, city.bo) == [200]


def test_two_payments_of_one_call_are_proved_by_a_path(city: City) -> None:
    """The receipts of a call are the leaves of one tree, in the order of execution."""
    city.give(city.ana, LOT, 10_000)
    orders = [city.redeem_order(city.ana, [(LOT, 100 * n)]) for n in (1, 2, 3)]
    tx = city.run_redeem(*(city.signed(city.ana, order) for order in orders))
    receipts = [city.receipt_of(tx, order.lots, index=i) for i, order in enumerate(orders)]
    tree = MerkleTree([receipt_hash(receipt) for receipt in receipts], sort=False)
    batch = city.book.lastReceiptsBatch()
    assert bytes(city.book.receiptsRoot(batch)) == tree.root
    for receipt, order in zip(receipts, orders, strict=True):
        city.refund(Payment(receipt, (batch, tree.proof(receipt_hash(receipt))), order.lots))
    assert city.balances(LOT, city.ana) == [10_000]
    assert city.merchant_position(SHOP) == 0
