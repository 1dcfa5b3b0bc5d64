from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from ledger.store.models.redemption import DeskPinRow
from redemption.desk_approval import APPROVAL_LIFETIME_S, PIN_FAILURES_MAX, PIN_LOCK_S, PinTry, PinVerdict, Purchase
from redemption.errors import DeskProofRefused, PinLocked, WeakPin
from tests.unit.redemption.world import World

PIN = "481903"


@pytest.fixture
def purchase(world: World) -> Purchase:
    return Purchase("shuangnan", world.resident().resident_id, "rice", 1)


def try_pin(world: World, resident_id: int, pin: str, clerk: str = "clerk-a") -> PinTry:
    with world.database.transaction() as session:
        return world.approvals.try_pin(session, resident_id, pin, clerk)


def set_pin(world: World, resident_id: int, pin: str = PIN, by: str = "resident") -> None:
    with world.database.transaction() as session:
        world.approvals.set_pin(session, resident_id, pin, by)


@pytest.mark.parametrize("pin", ["", "12345", "1234567", "111111", "123456", "654321", "456789", "12a456", "١٢٣٤٥٦"])
def test_a_pin_that_everybody_tries_first_is_refused(world: World, purchase: Purchase, pin: str) -> None:
    with pytest.raises(WeakPin):
        set_pin(world, purchase.resident_id, pin)


def test_the_right_pin_opens_and_the_wrong_one_does_not(world: World, purchase: Purchase) -> None:
    set_pin(world, purchase.resident_id)
    assert try_pin(world, purchase.resident_id, PIN).verdict is PinVerdict.RIGHT
    assert try_pin(world, purchase.resident_id, "481904").verdict is PinVerdict.WRONG


def test_without_a_pin_only_a_second_clerk_helps(world: World, purchase: Purchase) -> None:
    tried = try_pin(world, purchase.resident_id, PIN)
    assert tried.verdict is PinVerdict.NOT_SET
    with pytest.raises(DeskProofRefused):
        tried.require()


def test_five_wrong_pins_lock_for_a_day_even_for_the_right_one(world: World, purchase: Purchase) -> None:
    set_pin(world, purchase.resident_id)
    for _ in range(PIN_FAILURES_MAX - 1):
        assert try_pin(world, purchase.resident_id, "000001").verdict is PinVerdict.WRONG
    assert try_pin(world, purchase.resident_id, "000001").verdict is PinVerdict.LOCKED
    with pytest.raises(PinLocked) as caught:
        try_pin(world, purchase.resident_id, PIN).require()
    assert caught.value.locked_until == world.now + PIN_LOCK_S
    world.clock.set(world.clock.now() + timedelta(seconds=PIN_LOCK_S))
    assert try_pin(world, purchase.resident_id, PIN).verdict is PinVerdict.RIGHT


def test_a_right_pin_forgives_the_wrong_ones_before(world: World, purchase: Purchase) -> None:
    set_pin(world, purchase.resident_id)
    for _ in range(3):
        for _ in range(PIN_FAILURES_MAX - 1):
            try_pin(world, purchase.resident_id, "000001")
        assert try_pin(world, purchase.resident_id, PIN).verdict is PinVerdict.RIGHT


def test_the_clerk_who_set_a_pin_cannot_use_it(world: World, purchase: Purchase) -> None:
    set_pin(world, purchase.resident_id, by="clerk-a")
    tried = try_pin(world, purchase.resident_id, PIN, clerk="clerk-a")
    assert tried.verdict is PinVerdict.OWN
    with pytest.raises(DeskProofRefused):
        tried.require()
    assert try_pin(world, purchase.resident_id, PIN, clerk="clerk-b").verdict is PinVerdict.RIGHT


def approve(world: World, purchase: Purchase, by: str = "clerk-b") -> str:
    with world.database.transaction() as session:
        return world.approvals.approve(session, purchase, by)


def use(world: World, approval_id: str, purchase: Purchase, clerk: str = "clerk-a") -> None:
    with world.database.transaction() as session:
        world.approvals.use_approval(session, approval_id, purchase, clerk)


def test_an_approval_is_good_once(world: World, purchase: Purchase) -> None:
    approval_id = approve(world, purchase)
    use(world, approval_id, purchase)
    with pytest.raises(DeskProofRefused, match="used before"):
        use(world, approval_id, purchase)


def test_nobody_approves_an_own_order(world: World, purchase: Purchase) -> None:
    approval_id = approve(world, purchase, by="clerk-a")
    with pytest.raises(DeskProofRefused, match="somebody else"):
        use(world, approval_id, purchase, clerk="clerk-a")


def test_an_approval_is_for_one_purchase_only(world: World, purchase: Purchase) -> None:
    approval_id = approve(world, purchase)
    more = Purchase(purchase.desk_id, purchase.resident_id, purchase.offer_id, 2)
    with pytest.raises(DeskProofRefused, match="no approval"):
        use(world, approval_id, more)
    with pytest.raises(DeskProofRefused, match="no approval"):
        use(world, "0" * 32, purchase)


def test_an_approval_expires(world: World, purchase: Purchase) -> None:
    approval_id = approve(world, purchase)
    world.clock.set(world.clock.now() + timedelta(seconds=APPROVAL_LIFETIME_S))
    with pytest.raises(DeskProofRefused, match="expired"):
        use(world, approval_id, purchase)


def test_pins_are_stored_salted(world: World, purchase: Purchase) -> None:
    other = world.resident("510107195001011234")
    set_pin(world, purchase.resident_id)
    set_pin(world, other.resident_id)
    with world.database.read() as session:
        first, second = session.scalars(select(DeskPinRow))
    assert first.digest != second.digest
    assert PIN.encode() not in first.digest
