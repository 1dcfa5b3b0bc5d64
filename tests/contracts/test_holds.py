"""Holds, captures and releases: escrow, prefixes, deadlines, lots that die in escrow, and who may sign what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from city import (
    CULTURE,
    DAY,
    ENVIRONMENT,
    NOW,
    OTHER_SHOP,
    REDEMPTION,
    RESIDENCE,
    SHOP,
    VOLUNTEER,
    City,
    bits,
    event_values,
    go_to,
    next_block_at,
    now,
    rejections,
    reverts,
    transfers,
)
from eth_utils import keccak
from reference import (
    BAD_CAPTURE_TIME,
    BAD_SIGNATURE,
    EXPIRED,
    INSUFFICIENT,
    MALFORMED,
    NO_VALUE,
    NONCE_SPENT,
    NOT_HELD,
    UNKNOWN_MERCHANT,
    ZERO,
    HoldOrder,
    expiry_end,
    lots_hash,
    pack_lots,
    quarter_end,
    receipt_hash,
    sign,
    token_id,
)

LOT = token_id(VOLUNTEER, NOW)
ENV = token_id(ENVIRONMENT, NOW)
SOON = token_id(CULTURE, NOW)


@pytest.fixture
def rich(city: City) -> City:
    city.mint(VOLUNTEER, NOW, {city.ana.address: 10_000})
    city.mint(ENVIRONMENT, NOW, {city.ana.address: 10_000})
    return city


def codes(tx: Any) -> list[int]:
    return [code for _, _, code in rejections(tx)]


def is_spent(city: City, order: HoldOrder) -> bool:
    base, window = city.ledger.nonceState(order.holder, order.lots[0][0])
    ahead = order.nonce - base
    return ahead < 0 or (ahead < 32 and bool(window >> ahead & 1))


def is_open(city: City, order: HoldOrder) -> bool:
    return bytes(city.ledger.holdCommitment(city.id_of(order))) != b"\0" * 32


# Hold: codes in order ---------------------------------------------------------------------------------------------


def expect(city: City, order: HoldOrder, code: int, *, spent: bool, packed: bytes | None = None) -> None:
    """Run the order between two good ones: it alone is rejected, and its nonce is spent or not."""
    good = [city.hold_order(city.ana, [(ENV, 200)]) for _ in range(2)]
    before = city.balances(LOT, city.ana, city.ledger.address)
    packed = city.signed(city.ana, order) if packed is None else packed
    tx = city.run_hold(city.signed(city.ana, good[0]), packed, city.signed(city.ana, good[1]))
    named = (keccak(packed), ZERO) if code == MALFORMED else (city.id_of(order), order.holder)
    assert rejections(tx) == [(*named, code)]
    assert len(event_values(tx, "Held")) == 2
    assert city.balances(LOT, city.ana, city.ledger.address) == before
    assert not is_open(city, order)
    assert not order.lots or is_spent(city, order) is spent


@pytest.mark.parametrize("lots", [(), ((LOT, 1),) * 17, ((LOT, 1), (ENV, 0))])
def test_1_malformed_lots(rich: City, lots: tuple[tuple[int, int], ...]) -> None:
    order = HoldOrder(rich.ana.address, SHOP, lots, 0, 0, 0, False)
    expect(rich, order, MALFORMED, spent=False, packed=order.packed(b""))


def test_1_malformed_dirty_bool(rich: City) -> None:
    """A `cancellable` of 2 is no bool. It is named by its bytes' hash, not by the id of a valid order."""
    order = rich.hold_order(rich.ana, [(LOT, 100)])
    for dirty in (2, 128, 255):
        packed = bytearray(rich.signed(rich.ana, order))
        packed[38] = dirty
        expect(rich, order, MALFORMED, spent=False, packed=bytes(packed))


def test_1_malformed_tail(rich: City) -> None:
    packed = rich.signed(rich.ana, rich.hold_order(rich.ana, [(LOT, 100)]))
    for cut in (1, 39, 40, 57, 58, 100):
        tx = rich.run_hold(packed[:cut])
        assert rejections(tx) == [(keccak(packed[:cut]), ZERO, MALFORMED)]


def test_2_bad_signature_covers_every_field(rich: City) -> None:
    order = rich.hold_order(rich.ana, [(LOT, 100)])
    signature = sign(rich.ana.key, rich.id_of(order))
    for change in (
        {"merchant": OTHER_SHOP},
        {"lots": ((LOT, 101),)},
        {"nonce": order.nonce + 1},
        {"deadline": 0},
        {"captureBy": order.captureBy + 1},
        {"cancellable": True},
    ):
        forged = replace(order, **change)
        expect(rich, forged, BAD_SIGNATURE, spent=False, packed=forged.packed(signature))
    # A redeem order's signature is none for a hold.
    redeem = rich.redeem_order(rich.ana, [(LOT, 100)])
    expect(rich, order, BAD_SIGNATURE, spent=False, packed=order.packed(sign(rich.ana.key, rich.id_of(redeem))))


def test_3_to_8_codes_in_order(rich: City) -> None:
    """Each order fails at its check and would also fail at later ones."""
    dead = token_id(VOLUNTEER, NOW - 1)
    rich.ledger.cancelNonce(LOT, 31, {"from": rich.ana.account})
    late = now() + 40 * DAY
    for lots, fields, code in (
        ([(LOT, 1)], {"nonce": 31, "deadline": 0}, NONCE_SPENT),
        ([(LOT, 1)], {"deadline": 0, "merchant": 99}, EXPIRED),
        ([(LOT, 1)], {"merchant": 99}, UNKNOWN_MERCHANT),
        ([(dead, 49)], {"captureBy": late}, NO_VALUE),
        ([(LOT, 10**6)], {"captureBy": late}, BAD_CAPTURE_TIME),
        ([(dead, 10**6)], {}, BAD_CAPTURE_TIME),
        ([(LOT, 100), (LOT, 10**6)], {}, INSUFFICIENT),
    ):
        expect(rich, rich.hold_order(rich.ana, lots, **fields), code, spent=True)


def test_7_capture_time_is_at_most_30_days_away_and_not_past(rich: City) -> None:
    at = now() + 100
    cases = [(at - 1, False), (at, True), (at + 30 * DAY, True), (at + 30 * DAY + 1, False)]
    orders = [rich.hold_order(rich.ana, [(LOT, 100)], captureBy=by) for by, _ in cases]
    packed = [rich.signed(rich.ana, order) for order in orders]
    next_block_at(at)
    tx = rich.run_hold(*packed)
    assert codes(tx) == [BAD_CAPTURE_TIME] * 2
    assert [is_open(rich, order) for order in orders] == [good for _, good in cases]


def test_hold(rich: City) -> None:
    """Lots go to escrow under the order's id; supply and positions stay; the commitment names holder and lots."""
    order = rich.hold_order(rich.ana, [(LOT, 300), (ENV, 7)], cancellable=True)
    tx = rich.run_hold(rich.signed(rich.ana, order))
    order_id = rich.id_of(order)
    assert event_values(tx, "Held") == [
        {
            "orderId": "0x" + order_id.hex(),
            "merchant": SHOP,
            "captureBy": order.captureBy,
            "cancellable": True,
        }
    ]
    lots = pack_lots(order.lots)
    ledger = rich.ledger.address
    assert transfers(tx) == [(rich.ana.address, ledger, LOT, 300), (rich.ana.address, ledger, ENV, 7)]
    assert rich.balances(LOT, rich.ana, ledger) == [9_700, 300]
    assert rich.balances(ENV, rich.ana, ledger) == [9_993, 7]
    assert rich.ledger.totalSupply(LOT) == 10_000
    commitment = keccak(bytes.fromhex(rich.ana.address[2:]) + lots)
    assert bytes(rich.ledger.holdCommitment(order_id)) == commitment
    assert rich.position(VOLUNTEER) == 0
    assert "PositionChanged" not in tx.events


def test_a_hold_ends_before_the_quarter_of_each_of_its_lots_does(rich: City) -> None:
    """The promised day, to the second, not the ledger's late clock; so no hold outlives its lots."""
    end = quarter_end(NOW)
    go_to(end - 20 * DAY)
    rich.give(rich.ana, LOT + 1, 1_000)
    cases = [
        ([(LOT, 100)], end - 1, True),
        ([(LOT, 100)], end, False),
        ([(LOT + 1, 100)], end, True),
        ([(LOT + 1, 100), (LOT, 1)], end, False),
        ([(LOT + 1, 100), (LOT, 1)], end - 1, True),
    ]
    orders = [rich.hold_order(rich.ana, lots, captureBy=by) for lots, by, _ in cases]
    tx = rich.run_hold(*(rich.signed(rich.ana, order) for order in orders))
    assert codes(tx) == [BAD_CAPTURE_TIME] * 2
    assert [is_open(rich, order) for order in orders] == [good for _, _, good in cases]


def test_in_the_seven_days_after_its_quarter_a_lot_can_be_redeemed_and_not_held(rich: City) -> None:
    go_to(quarter_end(NOW) + DAY)
    order = rich.hold_order(rich.ana, [(LOT, 100)], captureBy=now() + 60)
    assert codes(rich.run_hold(rich.signed(rich.ana, order))) == [BAD_CAPTURE_TIME]
    rich.pay(rich.ana, [(LOT, 100)])


def test_a_hold_ends_before_the_spending_time_of_each_programme_does(rich: City) -> None:
    lot = token_id(VOLUNTEER, NOW + 20)
    rich.give(rich.ana, lot, 1_000)
    rich.ledger.setState(VOLUNTEER, 2, rich.by_admin)
    until = rich.ledger.programme(VOLUNTEER)[7]
    go_to(until - DAY)
    for by, code in ((until - 1, []), (until, [BAD_CAPTURE_TIME])):
        order = rich.hold_order(rich.ana, [(lot, 100)], captureBy=by)
        assert codes(rich.run_hold(rich.signed(rich.ana, order))) == code


# Capture ----------------------------------------------------------------------------------------------------------


def test_capture_codes_in_order(rich: City) -> None:
    """MALFORMED, EXPIRED, BAD_SIGNATURE, NO_VALUE, NOT_HELD; a good capture beside each lands."""
    lots = [(LOT, 300), (ENV, 10)]
    order = rich.place_hold(rich.ana, lots)
    never = rich.hold_order(rich.ana, lots)
    for target, prefix, code in (
        (order, (3, 1), MALFORMED),
        (order, (2, 11), MALFORMED),
        (order, (2, 0), MALFORMED),
        (order, (0, 1), MALFORMED),
        (replace(order, lots=()), (0, 0), MALFORMED),
        (replace(never, captureBy=now() - 1), (1, 1), EXPIRED),
        (replace(never, captureBy=now() - 1), (3, 1), MALFORMED),
        (never, (1, 4), NO_VALUE),
        (never, (1, 5), NOT_HELD),
        (never, (0, 0), NOT_HELD),
        (replace(order, cancellable=True), (1, 300), NOT_HELD),
    ):
        good = rich.place_hold(rich.ana, [(LOT, 50)])
        packed = rich.signed_capture(target, prefix)
        tx = rich.run_capture(packed, rich.signed_capture(good))
        named = (keccak(packed), ZERO) if code == MALFORMED else (rich.id_of(target), rich.ana.address)
        assert rejections(tx) == [(*named, code)], (prefix, code)
        assert len(event_values(tx, "Captured")) == 1
    assert is_open(rich, order)


def test_capture_needs_the_merchant_s_signature_of_this_prefix(rich: City) -> None:
    order = rich.place_hold(rich.ana, [(LOT, 300)])
    packed = [rich.signed_capture(order, (1, 4), by=person) for person in (rich.ana, rich.merchant[OTHER_SHOP])]
    other_prefix = rich.signed_capture(order, (1, 299))
    packed.append(order.body() + bytes([1]) + (300).to_bytes(8, "big") + other_prefix[-67:])
    packed.append(order.packed_capture((1, 300), b""))
    assert codes(rich.run_capture(*packed)) == [BAD_SIGNATURE] * 4
    rich.register_merchant(SHOP, rich.merchant[OTHER_SHOP])
    assert codes(rich.run_capture(rich.signed_capture(order))) == [BAD_SIGNATURE]
    tx = rich.run_capture(rich.signed_capture(order, by=rich.merchant[OTHER_SHOP]))
    assert len(event_values(tx, "Captured")) == 1


def test_a_retired_merchant_captures_nothing(rich: City) -> None:
    order = rich.place_hold(rich.ana, [(LOT, 300)])
    rich.register_merchant(SHOP, None)
    assert codes(rich.run_capture(rich.signed_capture(order))) == [BAD_SIGNATURE]


def test_capture_until_the_last_second(rich: City) -> None:
    orders = [rich.place_hold(rich.ana, [(LOT, 100)], captureBy=now() + 5 * DAY) for _ in range(2)]
    packed = [rich.signed_capture(order) for order in orders]
    next_block_at(orders[0].captureBy)
    assert codes(rich.run_capture(packed[0])) == []
    next_block_at(orders[1].captureBy + 1)
    assert codes(rich.run_capture(packed[1])) == [EXPIRED]


def test_capture_whole(rich: City) -> None:
    """Burned from escrow, paid to the merchant, one receipt; and never a second time."""
    order = rich.place_hold(rich.ana, [(LOT, 304), (ENV, 13)])
    packed = rich.signed_capture(order)
    tx = rich.run_capture(packed, packed)
    assert codes(tx) == [NOT_HELD]
    assert event_values(tx, "Captured") == [
        {
            "orderId": "0x" + rich.id_of(order).hex(),
            "merchant": SHOP,
            "fen": 61,
            "kept": 2 << 64 | 13,
            "lotsHash": "0x" + lots_hash(order.lots).hex(),
        }
    ]
    ledger = rich.ledger.address
    assert transfers(tx) == [(ledger, ZERO, LOT, 304), (ledger, ZERO, ENV, 13)]
    assert (rich.escrow(LOT), rich.escrow(ENV)) == (0, 0)
    assert [rich.ledger.totalSupply(lot) for lot in (LOT, ENV)] == [9_696, 9_987]
    assert [rich.position(p) for p in (VOLUNTEER, ENVIRONMENT)] == [-60, -1]
    assert rich.merchant_position(SHOP) == 61
    assert bytes(rich.book.receiptsRoot(1)) == receipt_hash(rich.receipt_of(tx, order.lots))
    assert not is_open(rich, order)


def test_capture_in_part_releases_the_rest_in_the_same_call(rich: City) -> None:
    """The kept prefix is paid and receipted as what it is; everything behind it goes back."""
    order = rich.place_hold(rich.ana, [(LOT, 300), (ENV, 500), (LOT, 50)])
    tx = rich.run_capture(rich.signed_capture(order, (2, 120)))
    ledger, ana = rich.ledger.address, rich.ana.address
    assert transfers(tx) == [
        (ledger, ZERO, LOT, 300),
        (ledger, ZERO, ENV, 120),
        (ledger, ana, ENV, 380),
        (ledger, ana, LOT, 50),
    ]
    (paid,) = event_values(tx, "Captured")
    assert (paid["fen"], paid["kept"]) == (66, 2 << 64 | 120)
    assert paid["lotsHash"] == "0x" + lots_hash([(LOT, 300), (ENV, 120)]).hex()
    assert rich.balances(LOT, rich.ana, ledger) == [9_700, 0]
    assert rich.balances(ENV, rich.ana, ledger) == [9_880, 0]
    kept = [(LOT, 300), (ENV, 120)]
    assert bytes(rich.book.receiptsRoot(1)) == receipt_hash(rich.receipt_of(tx, kept))
    rich.assert_zero_sum()


def test_capture_of_nothing_gives_all_back(rich: City) -> None:
    order = rich.place_hold(rich.ana, [(LOT, 300)])
    tx = rich.run_capture(rich.signed_capture(order, (0, 0)))
    assert event_values(tx, "Released") == [{"orderId": "0x" + rich.id_of(order).hex(), "merchant": SHOP}]
    assert event_values(tx, "Captured") == []
    assert event_values(tx, "RedemptionBatch") == []
    assert rich.balances(LOT, rich.ana, rich.ledger.address) == [10_000, 0]
    assert codes(rich.run_capture(rich.signed_capture(order))) == [NOT_HELD]


def test_the_same_hold_cannot_be_opened_twice(rich: City) -> None:
    """Not even after it was released: its nonce is spent."""
    order = rich.hold_order(rich.ana, [(LOT, 300)], cancellable=True)
    packed = rich.signed(rich.ana, order)
    assert codes(rich.run_hold(packed, packed)) == [NONCE_SPENT]
    rich.run_release(rich.signed_release(order))
    assert codes(rich.run_hold(packed)) == [NONCE_SPENT]


# Release ----------------------------------------------------------------------------------------------------------


def test_release_codes_in_order(rich: City) -> None:
    order = rich.place_hold(rich.ana, [(LOT, 300)])
    never = rich.hold_order(rich.ana, [(LOT, 300)])
    packed = bytearray(rich.signed_release(order))
    packed[38] = 2
    empty = replace(order, lots=())
    tx = rich.run_release(bytes(packed), empty.packed(b""), order.packed(b""), rich.signed_release(never), packed[:30])
    assert codes(tx) == [MALFORMED, MALFORMED, BAD_SIGNATURE, NOT_HELD, MALFORMED]
    assert rejections(tx)[0] == (keccak(bytes(packed)), ZERO, MALFORMED)
    assert is_open(rich, order)


def test_release_by_the_merchant(rich: City) -> None:
    order = rich.place_hold(rich.ana, [(LOT, 300), (ENV, 5)])
    tx = rich.run_release(rich.signed_release(order))
    order_id = "0x" + rich.id_of(order).hex()
    assert event_values(tx, "Released") == [{"orderId": order_id, "merchant": SHOP}]
    ledger, ana = rich.ledger.address, rich.ana.address
    assert transfers(tx) == [(ledger, ana, LOT, 300), (ledger, ana, ENV, 5)]
    assert rich.balances(LOT, rich.ana, ledger) == [10_000, 0]
    assert rich.ledger.totalSupply(LOT) == 10_000
    assert rich.position(VOLUNTEER) == 0
    assert codes(rich.run_release(rich.signed_release(order))) == [NOT_HELD]
    assert codes(rich.run_capture(rich.signed_capture(order))) == [NOT_HELD]


@pytest.mark.parametrize("cancellable", [True, False])
def test_release_by_the_holder_only_where_the_order_says_so(rich: City, cancellable: bool) -> None:
    order = rich.place_hold(rich.ana, [(LOT, 300)], cancellable=cancellable)
    by_stranger, by_holder = rich.signed_release(order, by=rich.bo), rich.signed_release(order, by=rich.ana)
    assert codes(rich.run_release(by_stranger)) == [BAD_SIGNATURE]
    assert codes(rich.run_release(by_holder)) == ([] if cancellable else [BAD_SIGNATURE])
    assert is_open(rich, order) is not cancellable


def test_release_by_anyone_after_the_capture_time(rich: City) -> None:
    last_second = now() + 5 * DAY
    orders = [rich.place_hold(rich.ana, [(LOT, 300)], captureBy=last_second) for _ in range(2)]
    next_block_at(last_second)
    assert codes(rich.run_release(orders[0].packed(b""))) == [BAD_SIGNATURE]
    next_block_at(last_second + 1)
    tx = rich.redemption.release(orders[0].packed(b"") + orders[1].packed(b""), {"from": rich.stranger})
    assert len(event_values(tx, "Released")) == 2
    assert rich.balances(LOT, rich.ana) == [10_000]


def test_capture_and_release_are_never_paused(rich: City) -> None:
    """The guardian's pause leaves no merchant who delivered unpaid, and keeps nobody's points."""
    released, captured = (rich.place_hold(rich.ana, [(LOT, 300)]) for _ in range(2))
    rich.redemption.pause(3_600, {"from": rich.guardian})
    assert codes(rich.run_release(rich.signed_release(released))) == []
    assert codes(rich.run_capture(rich.signed_capture(captured))) == []
    rich.ledger.cancelNonce(LOT, 30, {"from": rich.ana.account})


def test_release_of_another_holder_s_lots_is_not_held(rich: City) -> None:
    """The commitment binds holder and lots: nobody walks off with a hold by naming it as theirs."""
    order = rich.place_hold(rich.ana, [(LOT, 300)])
    stolen = replace(order, holder=rich.bo.address)
    assert codes(rich.run_release(rich.signed_release(stolen))) == [NOT_HELD]
    assert rich.escrow(LOT) == 300


# Lots that die in escrow ------------------------------------------------------------------------------------------


def hold_to_the_end(city: City) -> HoldOrder:
    """Hold lots of this quarter and of the next until this one's last second."""
    go_to(quarter_end(NOW) - 5 * DAY)
    city.give(city.ana, token_id(VOLUNTEER, NOW + 1), 1_000)
    lots = [(LOT, 300), (token_id(VOLUNTEER, NOW + 1), 40)]
    return city.place_hold(city.ana, lots, captureBy=quarter_end(NOW) - 1)


def test_a_hold_is_captured_until_its_lots_last_second(rich: City) -> None:
    order = hold_to_the_end(rich)
    next_block_at(quarter_end(NOW) - 1)
    tx = rich.run_capture(rich.signed_capture(order))
    assert event_values(tx, "Captured")[0]["fen"] == 68


def test_after_a_hold_seven_days_are_left_to_release_and_spend_its_lots(rich: City) -> None:
    """Anyone releases what was not captured, and what comes back can be redeemed until the ledger's clock has come."""
    order = hold_to_the_end(rich)
    next_block_at(quarter_end(NOW))
    rich.redemption.release(order.packed(b""), {"from": rich.stranger})
    last = rich.redeem_order(rich.ana, [(LOT, 10_000)], deadline=2**40 - 1)
    next_block_at(expiry_end(NOW) - 1)
    assert rejections(rich.run_redeem(rich.signed(rich.ana, last))) == []


def test_what_is_released_late_comes_back_as_what_it_is(rich: City) -> None:
    """Dead, and never reborn, whatever cap there is for refunds: no lot outlives its quarter in escrow."""
    rich.ledger.setRebirthCap(10**6, rich.by_admin)
    order = hold_to_the_end(rich)
    before = rich.balances(LOT + 1, rich.ana)[0]
    next_block_at(expiry_end(NOW))
    tx = rich.run_release(order.packed(b""))
    assert event_values(tx, "LotReborn") == []
    ledger, ana = rich.ledger.address, rich.ana.address
    assert transfers(tx) == [(ledger, ana, LOT, 300), (ledger, ana, LOT + 1, 40)]
    assert rich.balances(LOT + 1, rich.ana) == [before + 40]
    rich.ledger.sweep(ana, [LOT], {"from": rich.stranger})
    assert rich.ledger.totalSupply(LOT) == 0


def test_escrow_cannot_be_swept(rich: City) -> None:
    hold_to_the_end(rich)
    next_block_at(expiry_end(NOW))
    with reverts("PointsLedgerEscrow"):
        rich.ledger.sweep(rich.ledger.address, [LOT], {"from": rich.stranger})
    rich.ledger.sweep(rich.ana.address, [LOT], {"from": rich.stranger})
    assert rich.ledger.totalSupply(LOT) == rich.escrow(LOT) == 300


# Who follows, and contract wallets --------------------------------------------------------------------------------


def test_what_is_released_goes_to_the_successor(rich: City) -> None:
    order = rich.place_hold(rich.ana, [(LOT, 300)], captureBy=now() + 20 * DAY)
    rich.succeed(rich.ana, rich.heir, [LOT, ENV])
    tx = rich.run_capture(rich.signed_capture(order, (1, 100)))
    assert transfers(tx)[-1] == (rich.ledger.address, rich.heir.address, LOT, 200)
    assert rich.balances(LOT, rich.ana, rich.heir) == [0, 9_900]


def test_a_merchant_may_be_a_contract_wallet(rich: City) -> None:
    wallet = rich.project.WalletMock.deploy(rich.chen.address, rich.by_operator)
    rich.book.registerMerchant(SHOP, wallet.address, bits(1), {"from": rich.registrar})
    order = rich.place_hold(rich.ana, [(LOT, 300)])
    tx = rich.run_capture(rich.signed_capture(order, by=rich.bo), rich.signed_capture(order, by=rich.chen))
    assert codes(tx) == [BAD_SIGNATURE]
    assert len(event_values(tx, "Captured")) == 1


def test_a_hold_survives_the_module(rich: City) -> None:
    """Redemption is replaced by moving its role with holds open: the new module captures, the old one can nothing."""
    held = [rich.place_hold(rich.ana, [(LOT, 300)]) for _ in range(2)]
    in_flight = rich.signed(rich.ana, rich.redeem_order(rich.ana, [(LOT, 100)]))
    old = rich.redemption
    new = rich.project.Redemption.deploy(rich.manager, rich.ledger, rich.by_admin)
    rich.manager.grantRole(REDEMPTION, new, 0, rich.by_admin)
    rich.manager.revokeRole(REDEMPTION, old, rich.by_admin)
    for function, packed in ((old.execute, in_flight), (old.capture, rich.signed_capture(held[0]))):
        with reverts("AccessManagedUnauthorized", old.address):
            function(packed, rich.by_operator)
    tx = new.capture(rich.signed_capture(held[0]), rich.by_operator)
    assert event_values(tx, "Captured")[0]["fen"] == 60
    assert event_values(new.release(rich.signed_release(held[1]), rich.by_operator), "Released") != []
    assert event_values(new.execute(in_flight, rich.by_operator), "Redeemed")[0]["fen"] == 20
    assert rich.book.lastReceiptsBatch() == 2


# No order sinks its neighbours ------------------------------------------------------------------------------------


def cheap_lot(city: City) -> int:
    """Return a lot of a programme so cheap that 2^48 minor units of it are worth a fen or two."""
    city.register(60, 1, 15)
    city.appropriate(60, 10**12)
    return token_id(60, NOW)


def test_no_hold_can_overfill_the_escrow(rich: City) -> None:
    """All of the largest lot there can be fits the escrow's lane, beside neighbours of the same word and batch."""
    lot = cheap_lot(rich)
    rich.give(rich.ana, lot, 2**48 - 2)
    rich.give(rich.bo, lot, 1)
    with reverts("PointsLedgerLotFull", lot, 2**48):
        rich.give(rich.bo, lot, 1)
    rich.give(rich.bo, lot + 1, 5)
    rich.give(rich.bo, LOT, 100)
    orders = [
        rich.hold_order(rich.ana, [(LOT, 100), (lot, 2**48 - 2)]),
        rich.hold_order(rich.bo, [(lot, 1), (lot + 1, 5), (LOT, 100)]),
    ]
    tx = rich.run_hold(*(rich.signed(who, order) for who, order in zip((rich.ana, rich.bo), orders, strict=True)))
    assert codes(tx) == []
    assert (rich.escrow(lot), rich.escrow(lot + 1)) == (2**48 - 1, 5)


def test_no_release_can_overfill_the_receiver(rich: City) -> None:
    """What is in escrow counts as supply, so nobody can run a lane full behind a hold."""
    lot = cheap_lot(rich)
    rich.give(rich.bo, lot, 2**48 - 1)
    trap = rich.place_hold(rich.bo, [(lot, 2**48 - 1)])
    with reverts("PointsLedgerLotFull", lot, 2**48):
        rich.give(rich.bo, lot, 1)
    good = rich.place_hold(rich.ana, [(LOT, 100)])
    tx = rich.run_capture(rich.signed_capture(trap, (0, 0)), rich.signed_capture(good))
    assert len(event_values(tx, "Captured")) == 1
    assert rich.balances(lot, rich.bo) == [2**48 - 1]


def test_scores_cannot_be_held(rich: City) -> None:
    rich.mint(RESIDENCE, 0, {rich.ana.address: 100})
    order = rich.hold_order(rich.ana, [(token_id(RESIDENCE, 0), 100)])
    assert codes(rich.run_hold(rich.signed(rich.ana, order))) == [6]
    assert SOON >> 32 == CULTURE
