"""A merchant, or a thief of its key: what it tries against residents, programmes, and other merchants."""

from __future__ import annotations

import pytest
from city import DAY, NOW, OTHER_SHOP, SHOP, VOLUNTEER, City, Payment, go_to, now, rejections, reverts
from reference import BAD_SIGNATURE, NOT_HELD, token_id

LOT = token_id(VOLUNTEER, NOW)


def codes(tx: object) -> list[int]:
    return [code for _, _, code in rejections(tx)]


def test_it_captures_no_more_than_was_held_for_it(city: City) -> None:
    """Another merchant's hold, a longer prefix, a hold twice, a hold made up. Stopped by: the order's own merchant
    signs, the commitment binds holder and lots, and ends with the hold."""
    city.give(city.ana, LOT, 5_000)
    hold = city.place_hold(city.ana, [(LOT, 500)])
    thief = city.merchant[OTHER_SHOP]
    assert codes(city.run_capture(city.signed_capture(hold, by=thief))) == [BAD_SIGNATURE]
    made_up = city.hold_order(city.ana, [(LOT, 5_000)])
    assert codes(city.run_capture(city.signed_capture(made_up))) == [NOT_HELD]
    part = city.signed_capture(hold, (1, 100))
    assert codes(city.run_capture(part, city.signed_capture(hold))) == [NOT_HELD]
    assert city.merchant_position(SHOP) == 20
    assert city.merchant_position(OTHER_SHOP) == 0


def test_an_exit_scam_leaves_what_it_sold_within_reach_of_the_arbiter(city: City) -> None:
    """It sells in the last hour before a cycle and is gone with its key. Stopped by: what it earned matures in seven to
    fourteen days, and the arbiter locks it meanwhile for sixty."""
    city.give(city.ana, LOT, 50_000)
    city.give(city.bo, LOT, 50_000)
    city.pay(city.bo, [(LOT, 5_000)])
    go_to(now() + 14 * DAY)
    payment = city.pay(city.ana, [(LOT, 50_000)])
    city.book.openCycle({"from": city.stranger})
    city.book.fund(VOLUNTEER, 11_000, city.reference(), {"from": city.finance})
    packed = SHOP.to_bytes(4, "big") + (2**64 - 1).to_bytes(8, "big")
    tx = city.book.payout(packed, city.reference(), {"from": city.finance})
    assert tx.return_value == 1_000
    city.lock(payment, 10_000)
    go_to(now() + 59 * DAY)
    with pytest.raises(Exception, match="ClearingBookBadAmount"):
        city.book.payout(packed, city.reference(), {"from": city.finance})
    city.arbiter_refund(payment)
    assert city.merchant_position(SHOP) == 0
    city.assert_zero_sum()


def test_it_refunds_only_what_was_paid_to_it_and_to_who_paid(city: City) -> None:
    """It sends points that others paid with to an accomplice, or refunds an order of another merchant's. Stopped by:
    the receipt names payer and merchant, and is proved."""
    city.give(city.ana, LOT, 1_000)
    payment = city.pay(city.ana, [(LOT, 500)])
    order_id, _, merchant, lots_hash, fen, time = payment.receipt
    for receipt in (
        (order_id, city.bo.address, merchant, lots_hash, fen, time),
        (order_id, city.ana.address, OTHER_SHOP, lots_hash, fen, time),
        (order_id, city.ana.address, merchant, lots_hash, fen + 1, time),
    ):
        with reverts("RedemptionBadProof", order_id, payment.proof[0]):
            city.refund(Payment(receipt, payment.proof, payment.lots))
    with reverts("RedemptionBadSignature", order_id):
        city.refund(payment, by=city.merchant[OTHER_SHOP])


def test_points_are_not_cashed_by_refunding_twice(city: City) -> None:
    """An order is refunded in steps whose sum is more than it, or again after all of it. Stopped by: the kept prefix
    only gets shorter, and the book keeps it."""
    city.give(city.ana, LOT, 1_000)
    payment = city.pay(city.ana, [(LOT, 500), (LOT, 500)])
    for prefix in ((2, 100), (1, 500), (1, 100), (0, 0)):
        city.refund(payment, prefix)
    for prefix in ((0, 0), (1, 100), (2, 100)):
        with pytest.raises(Exception, match="RedemptionBadPrefix"):
            city.refund(payment, prefix)
    assert city.balances(LOT, city.ana) == [1_000]
    assert (city.merchant_position(SHOP), city.position(VOLUNTEER)) == (0, 0)


def test_what_a_merchant_sells_is_paid_out_later(city: City) -> None:
    """Points are cashed at a friendly shop, paid at par the next morning. Braked by: nothing is paid out before it has
    matured, and a ceiling bounds what a merchant is paid a cycle."""
    city.book.setTerms((7 * DAY, 300), city.by_admin)
    city.give(city.ana, LOT, 5_000)
    city.pay(city.ana, [(LOT, 5_000)])
    assert tuple(city.book.claim(SHOP)) == (0, 0, 1_000, 0, 0)
    go_to(now() + 14 * DAY)
    city.book.openCycle({"from": city.stranger})
    city.book.fund(VOLUNTEER, 1_000, city.reference(), {"from": city.finance})
    packed = SHOP.to_bytes(4, "big") + (1_000).to_bytes(8, "big")
    assert city.book.payout(packed, city.reference(), {"from": city.finance}).return_value == 300
    with pytest.raises(Exception, match="ClearingBookBadAmount"):
        city.book.payout(packed, city.reference(), {"from": city.finance})


def test_residents_do_not_starve_a_shop_with_complaints(city: City) -> None:
    """A few residents complain for nothing and lock a small shop's cycle. Stopped by: no resident locks anything; the
    arbiter does, each order once, at most its value, and for sixty days."""
    city.give(city.ana, LOT, 1_000)
    payment = city.pay(city.ana, [(LOT, 500)])
    for account in (city.ana.account, city.stranger, city.desk, city.finance):
        with reverts("AccessManagedUnauthorized", account.address):
            city.redemption.lockOrder(payment.receipt, payment.proof, 1, b"\1" * 32, {"from": account})
    with reverts("RedemptionTooMuch", payment.receipt[0], 101, 100):
        city.lock(payment, 101)
    city.lock(payment, 100)
    until = city.book.orderLock(payment.receipt[0])[2]
    assert until == now() + 60 * DAY
    go_to(until)
    city.book.unlockOrder(payment.receipt[0], {"from": city.stranger})
    with reverts("ClearingBookOrderLocked", payment.receipt[0]):
        city.lock(payment, 1)
