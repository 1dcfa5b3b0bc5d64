"""A module is replaced live: the council moves its role with orders, holds, batches, receipts and disputes in flight.

The ledger and the book remember what must outlive a module, so the new one goes on where the old one stopped, and
nothing that landed through the one lands again through the other.
"""

from __future__ import annotations

from typing import Any

import pytest
from brownie import web3
from brownie.exceptions import VirtualMachineError
from city import (
    ARBITER,
    CULTURE,
    DAY,
    ENVIRONMENT,
    EXCHANGE,
    GUARDIAN,
    NOW,
    REDEMPTION,
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
from lives.wire import Call, Wire
from reference import (
    ACCEPTED,
    NONCE_SPENT,
    NOT_HELD,
    ZERO,
    MerkleTree,
    pack_lots,
    prefix_word,
    receipt_hash,
    token_id,
)
from test_council import Agencies

LOT, ENV = token_id(VOLUNTEER, NOW), token_id(ENVIRONMENT, NOW)
LOTS = [(LOT, 304), (ENV, 200)]
LATER = 20 * DAY


class Change:
    """The council's two acts: the new module gets the role, the old one loses it."""

    def __init__(self, agencies: Agencies, role: int, name: str, old: Any) -> None:
        self.agencies, self.old = agencies, old
        city = agencies.city
        container = getattr(city.project, name)
        self.new = container.deploy(city.manager, city.ledger, city.by_operator)
        pause = [self.new.pause.signature, self.new.unpause.signature]
        self.acts = [
            agencies.call(city.manager, "grantRole", role, self.new, 0),
            agencies.call(city.manager, "setTargetFunctionRole", self.new, pause, GUARDIAN),
            agencies.call(city.manager, "revokeRole", role, self.old),
        ]
        for target, data in self.acts:
            agencies.propose(target, data)
            agencies.approve(agencies.id_of(target, data), 1)
        self.ready = [agencies.council.executableFrom(agencies.id_of(*act)) for act in self.acts]

    def wait(self) -> None:
        """Let the delay run out, which nobody can shorten."""
        act = self.acts[0]
        next_block_at(self.ready[0] - 1)
        with reverts("CouncilTooEarly", self.agencies.id_of(*act), self.ready[0]):
            self.agencies.execute(*act)
        assert error_of(self.new, self.agencies.city) == "AccessManagedUnauthorized"
        go_to(self.ready[-1])

    def give(self) -> None:
        for act in self.acts[:2]:
            self.agencies.execute(*act)

    def take(self) -> None:
        self.agencies.execute(*self.acts[2])

    def old_reverts(self) -> Any:
        return reverts("AccessManagedUnauthorized", self.old.address)


def error_of(module: Any, city: City) -> str:
    """Return the name of the error with which an empty batch reverts."""
    with pytest.raises(VirtualMachineError) as caught:
        module.execute(b"", city.by_operator)
    return str(caught.value.revert_msg).split(":")[0]


@pytest.fixture
def agencies(city: City) -> Agencies:
    """A council that is the only admin, and a rich resident."""
    for lot in (LOT, ENV):
        city.give(city.ana, lot, 10_000)
    return Agencies(city)


def codes(tx: Any) -> list[int]:
    return [code for _, _, code in rejections(tx)]


# Redemption -------------------------------------------------------------------------------------------------------


class InFlight:
    """What is under way in redemption when the module changes."""

    def __init__(self, city: City) -> None:
        self.city = city
        late = {"deadline": now() + LATER, "captureBy": now() + LATER}
        paid = [city.redeem_order(city.ana, LOTS) for _ in range(3)]
        tx = city.run_redeem(*(city.signed(city.ana, order) for order in paid))
        receipts = [city.receipt_of(tx, LOTS, index=i) for i in range(3)]
        leaves = [receipt_hash(receipt) for receipt in receipts]
        tree = MerkleTree(leaves, sort=False)
        self.paid = [
            Payment(receipt, (1, tree.proof(leaf)), tuple(LOTS)) for receipt, leaf in zip(receipts, leaves, strict=True)
        ]
        self.whole, self.part, self.released, self.forgotten = (
            city.place_hold(city.ana, LOTS, **late) for _ in range(4)
        )
        self.order = city.redeem_order(city.ana, LOTS, deadline=now() + LATER)
        self.redeem = city.signed(city.ana, self.order)
        self.held = city.hold_order(city.ana, LOTS, **late)
        self.hold = city.signed(city.ana, self.held)
        self.capture = city.signed_capture(self.whole)
        self.release = city.signed_release(self.released)
        city.lock(self.paid[2], 70)

    def refund(self, module: Any, which: int, prefix: tuple[int, int]) -> Any:
        """Have the merchant refund one of the first batch's orders through a module."""
        payment = self.paid[which]
        signature = self.city.sign_refund(payment, prefix)
        return module.refund(*payment.arguments(prefix), signature, self.city.by_operator)


@pytest.fixture
def in_flight(agencies: Agencies) -> InFlight:
    return InFlight(agencies.city)


@pytest.fixture
def change(agencies: Agencies, in_flight: InFlight) -> Change:
    """The role has moved from the old redemption to the new one."""
    change = Change(agencies, REDEMPTION, "Redemption", agencies.city.redemption)
    change.wait()
    change.give()
    change.take()
    return change


def test_the_old_redemption_can_do_nothing_any_more(agencies: Agencies, in_flight: InFlight, change: Change) -> None:
    """Each of its functions reverts whole, and nothing has moved."""
    city, old = agencies.city, change.old
    before = (city.balances(LOT, city.ana), city.escrow(LOT), city.merchant_position(SHOP))
    for function, packed in (
        (old.execute, in_flight.redeem),
        (old.hold, in_flight.hold),
        (old.capture, in_flight.capture),
        (old.release, in_flight.release),
    ):
        with change.old_reverts():
            function(packed, city.by_operator)
    with change.old_reverts():
        in_flight.refund(old, 0, (0, 0))
    assert (city.balances(LOT, city.ana), city.escrow(LOT), city.merchant_position(SHOP)) == before


def test_orders_signed_before_land_once_through_the_new_redemption(
    agencies: Agencies, in_flight: InFlight, change: Change
) -> None:
    city, new = agencies.city, change.new
    before = city.merchant_position(SHOP)
    tx = new.execute(in_flight.redeem, city.by_operator)
    assert [(e["orderId"], e["fen"]) for e in event_values(tx, "Redeemed")] == [
        ("0x" + city.id_of(in_flight.order).hex(), 70)
    ]
    assert event_values(tx, "RedemptionBatch")[0]["batch"] == 2
    assert {sender for sender, _, _, _ in transfers(tx)} == {city.ana.address}
    assert codes(new.execute(in_flight.redeem, city.by_operator)) == [NONCE_SPENT]
    tx = new.hold(in_flight.hold, city.by_operator)
    assert [e["orderId"] for e in event_values(tx, "Held")] == ["0x" + city.id_of(in_flight.held).hex()]
    assert codes(new.hold(in_flight.hold, city.by_operator)) == [NONCE_SPENT]
    assert city.merchant_position(SHOP) == before + 70
    assert (city.escrow(LOT), city.escrow(ENV)) == (5 * 304, 5 * 200)
    city.assert_zero_sum()


def test_what_landed_through_the_old_redemption_does_not_land_again(
    agencies: Agencies, in_flight: InFlight, change: Change
) -> None:
    """Not the orders paid, not the holds opened, not a hold that was closed."""
    city, new = agencies.city, change.new
    again = city.signed(city.ana, in_flight.whole)
    assert codes(new.hold(again, city.by_operator)) == [NONCE_SPENT]
    new.capture(in_flight.capture, city.by_operator)
    assert codes(new.hold(again, city.by_operator)) == [NONCE_SPENT]
    assert codes(new.capture(in_flight.capture, city.by_operator)) == [NOT_HELD]
    assert city.escrow(LOT) == 3 * 304


def test_holds_of_the_old_redemption_end_through_the_new_one(
    agencies: Agencies, in_flight: InFlight, change: Change
) -> None:
    """Captured whole, captured in part, released by the merchant, and by anyone after the capture time."""
    city, new = agencies.city, change.new
    balances, position = city.balances(LOT, city.ana)[0], city.merchant_position(SHOP)
    tx = new.capture(in_flight.capture + city.signed_capture(in_flight.part, (1, 150)), city.by_operator)
    assert [e["fen"] for e in event_values(tx, "Captured")] == [70, 30]
    assert (event_values(tx, "RedemptionBatch")[0]["batch"], codes(tx)) == (2, [])
    assert city.balances(LOT, city.ana) == [balances + 154]
    tx = new.release(in_flight.release, city.by_operator)
    assert {receiver for _, receiver, _, _ in transfers(tx)} == {city.ana.address}
    go_to(in_flight.forgotten.captureBy + 1)
    assert codes(new.release(in_flight.forgotten.packed(b""), {"from": city.stranger})) == []
    assert city.balances(LOT, city.ana) == [balances + 154 + 2 * 304]
    assert (city.escrow(LOT), city.escrow(ENV)) == (0, 0)
    assert city.merchant_position(SHOP) == position + 100
    city.assert_zero_sum()


def test_receipts_of_the_old_redemption_are_refunded_through_the_new_one(
    agencies: Agencies, in_flight: InFlight, change: Change
) -> None:
    """Whole and in part; a refund sent again reverts whichever module it was first sent to."""
    city, new = agencies.city, change.new
    before = city.balances(LOT, city.ana)[0]
    tx = in_flight.refund(new, 0, (1, 304))
    assert [(e["receiver"], e["fen"]) for e in event_values(tx, "Refunded")] == [(city.ana.address, 10)]
    assert transfers(tx) == [(ZERO, city.ana.address, ENV, 200)]
    with reverts("RedemptionBadPrefix", prefix_word((1, 304))):
        in_flight.refund(new, 0, (1, 304))
    in_flight.refund(new, 0, (0, 0))
    in_flight.refund(new, 1, (0, 0))
    assert city.balances(LOT, city.ana) == [before + 2 * 304]
    # All that is left of the merchant's value is locked.
    assert (city.merchant_position(SHOP), city.book.claim(SHOP)[3]) == (70, 70)
    city.assert_zero_sum()


def test_a_refund_begun_at_the_old_redemption_goes_on_at_the_new_one(agencies: Agencies, in_flight: InFlight) -> None:
    """The kept prefix is the book's: it only shrinks, whoever is the module."""
    city = agencies.city
    in_flight.refund(city.redemption, 0, (2, 50))
    change = Change(agencies, REDEMPTION, "Redemption", city.redemption)
    change.wait()
    change.give()
    change.take()
    for prefix in ((2, 200), (2, 50)):
        with reverts("RedemptionBadPrefix", prefix_word(prefix)):
            in_flight.refund(change.new, 0, prefix)
    tx = in_flight.refund(change.new, 0, (1, 304))
    assert transfers(tx) == [(ZERO, city.ana.address, ENV, 50)]


def test_the_arbiter_goes_on_while_redemption_changes(agencies: Agencies, in_flight: InFlight, change: Change) -> None:
    """Locked through the old module, refunded through the new one; and locked once, whoever is the module."""
    city, new, payment = agencies.city, change.new, in_flight.paid[2]
    refund = (*payment.arguments((1, 304)), city.sign_refund(payment, (1, 304), city.arbiter_key, "ArbiterRefund"))
    with change.old_reverts():
        change.old.arbiterRefund(*refund, city.by_operator)
    tx = new.arbiterRefund(*refund, city.by_operator)
    assert [e["fen"] for e in event_values(tx, "Refunded")] == [10]
    assert city.book.claim(SHOP)[3] == 60
    locks = [new.lockOrder.signature]
    agencies.enact(city.manager, "setTargetFunctionRole", new, locks, ARBITER, salt=b"\7" * 32)
    arbiter = {"from": city.arbiter}
    with reverts("ClearingBookOrderLocked", payment.receipt[0]):
        new.lockOrder(payment.receipt, payment.proof, 1, b"\1" * 32, arbiter)
    new.lockOrder(in_flight.paid[0].receipt, in_flight.paid[0].proof, 70, b"\1" * 32, arbiter)
    assert city.book.claim(SHOP)[3] == 130
    city.assert_zero_sum()


def test_both_redemptions_may_stand_side_by_side_and_an_order_lands_once(
    agencies: Agencies, in_flight: InFlight
) -> None:
    """Between the two acts of the council either module serves, and neither serves what the other did."""
    city = agencies.city
    change = Change(agencies, REDEMPTION, "Redemption", city.redemption)
    change.wait()
    change.give()
    assert codes(change.old.execute(in_flight.redeem, city.by_operator)) == []
    assert codes(change.new.execute(in_flight.redeem, city.by_operator)) == [NONCE_SPENT]
    assert codes(change.new.hold(in_flight.hold, city.by_operator)) == []
    assert codes(change.old.hold(in_flight.hold, city.by_operator)) == [NONCE_SPENT]
    assert codes(change.old.capture(city.signed_capture(in_flight.held), city.by_operator)) == []
    assert codes(change.new.capture(city.signed_capture(in_flight.held), city.by_operator)) == [NOT_HELD]


def test_the_guardian_s_brake_comes_with_the_new_module(
    agencies: Agencies, in_flight: InFlight, change: Change
) -> None:
    city = agencies.city
    change.new.pause(3_600, {"from": city.guardian})
    until = change.new.pausedUntil()
    with reverts("PausableIsPaused", until):
        change.new.execute(in_flight.redeem, city.by_operator)
    assert codes(change.new.release(in_flight.release, city.by_operator)) == []
    change.new.unpause({"from": city.guardian})
    assert codes(change.new.execute(in_flight.redeem, city.by_operator)) == []


# Exchange --------------------------------------------------------------------------------------------


def test_exchange_is_replaced_with_orders_in_flight(agencies: Agencies) -> None:
    city = agencies.city
    landed, waiting = (city.exchange_order(city.ana, LOT, 100, CULTURE, deadline=now() + LATER) for _ in range(2))
    signed = [city.signed(city.ana, order) for order in (landed, waiting)]
    assert codes(city.run_exchange(signed[0])) == []
    change = Change(agencies, EXCHANGE, "Exchange", city.exchange)
    change.wait()
    change.give()
    assert codes(change.old.execute(signed[0], city.by_operator)) == [NONCE_SPENT]
    change.take()
    for packed in (b"", signed[1]):
        with change.old_reverts():
            change.old.execute(packed, city.by_operator)
    tx = change.new.execute(b"".join(signed), city.by_operator)
    assert codes(tx) == [NONCE_SPENT]
    assert [e["orderId"] for e in event_values(tx, "Exchanged")] == ["0x" + city.id_of(waiting).hex()]
    assert codes(change.new.execute(signed[1], city.by_operator)) == [NONCE_SPENT]
    assert city.balances(LOT, city.ana) == [9_800]
    assert city.balances(token_id(CULTURE, NOW), city.ana) == [40]
    assert (city.position(VOLUNTEER), city.position(CULTURE)) == (-40, 40)


def test_caps_of_a_new_exchange_begin_at_nothing(agencies: Agencies) -> None:
    """A cap slows a drain and is no book: the council sets it anew, and what the old module counted is forgotten."""
    city = agencies.city
    agencies.enact(city.exchange, "setResidentCap", 30, salt=b"\7" * 32)
    first = city.exchange_order(city.ana, LOT, 150, CULTURE)
    assert codes(city.run_exchange(city.signed(city.ana, first))) == []
    assert tuple(city.exchange.outflow(city.ana.address)) == (30, 30)
    change = Change(agencies, EXCHANGE, "Exchange", city.exchange)
    change.wait()
    change.give()
    change.take()
    assert tuple(change.new.outflow(city.ana.address)) == (0, 0)
    agencies.enact(change.new, "setResidentCap", 30, salt=b"\x08" * 32)
    orders = [city.exchange_order(city.ana, LOT, amount, CULTURE) for amount in (150, 5)]
    tx = change.new.execute(b"".join(city.signed(city.ana, order) for order in orders), city.by_operator)
    assert len(codes(tx)) == 1
    assert tuple(change.new.outflow(city.ana.address)) == (30, 30)


# The same block ---------------------------------------------------------------------------------------------------


def test_a_role_taken_away_ends_what_was_begun_with_the_block(city: City) -> None:
    """The ledger asks the authority when a batch begins: in that block, and no longer, the module may go on."""
    city.give(city.ana, LOT, 1_000)
    module, lots = city.redemption.address, pack_lots([(LOT, 100)])
    wire = Wire(web3.provider.endpoint_uri, [city.ledger, city.manager, city.redemption])
    begin = Call(module, city.ledger, "beginRedemption", ())
    revoke = Call(city.admin.address, city.manager, "revokeRole", (REDEMPTION, module))

    def spend(nonce: int) -> Call:
        return Call(module, city.ledger, "spend", (city.ana.address, nonce, lots, ACCEPTED))

    at = now() + 1
    with wire.mining_by_hand():
        done = wire.mine(at, [begin, revoke, spend(0), begin, spend(1)])
        assert [tx.ok for tx in done] == [True, True, True, False, True]
        assert [tx.ok for tx in wire.mine(at + 1, [spend(2), begin])] == [False, False]
        refused = wire.refusal(spend(2), at + 1)
        assert refused is not None
        assert (refused.name, refused.values) == ("PointsLedgerNotBegun", (module,))
    assert city.balances(LOT, city.ana) == [800]
