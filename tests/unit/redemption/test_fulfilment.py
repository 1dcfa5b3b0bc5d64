from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ledger.custody.signer import LocalSigner
from ledger.residents.registry import Resident
from ledger.standard.signatures import recover
from ledger.standard.typed_data import Capture, Release
from ledger.store.models.outbox import OutboxMessageRow
from ledger.store.models.redemption import RedemptionActRow
from redemption.errors import (
    BadSlipCode,
    MerchantHoldsKey,
    OrderStateConflict,
    OwnOrder,
    SlipExpired,
    SlipUsed,
    UnknownOrder,
)
from redemption.fulfilment import CAPTURE_MARGIN_S, SCREEN_CODE_LIFETIME_S, SLIP_LIFETIME_S, Actor
from redemption.orders import HOLD_LIFETIME_S, Channel, Kind, Purchase, RedemptionOrder
from redemption.states import State
from tests.unit.redemption.world import GROCER, MERCHANT_SECRET, MUSEUM, Q2026_4, VOLUNTEER, World

CLERK = "clerk-a"
SHOP = Actor("shop-keeper")


@pytest.fixture
def resident(world: World) -> Resident:
    found = world.resident()
    world.give(found.account, VOLUNTEER, Q2026_4, 60_000)
    return found


def place(world: World, resident: Resident, kind: Kind = Kind.REDEEM, approver: str | None = None) -> RedemptionOrder:
    purchase = Purchase(
        resident.resident_id,
        "rice",
        kind=kind,
        channel=Channel.DESK,
        desk_id="shuangnan",
        clerk=CLERK,
        approver=approver,
    )
    with world.database.transaction() as session:
        return world.redemptions.place(session, purchase).order


def paid(world: World, resident: Resident, approver: str | None = None) -> RedemptionOrder:
    order = place(world, resident, approver=approver)
    world.say(order.order_id, "redeem", 2800)
    world.settle()
    return order


def held(world: World, resident: Resident) -> RedemptionOrder:
    order = place(world, resident, Kind.HOLD)
    world.say(order.order_id, "hold")
    world.settle()
    return order


def slip_code(world: World, order: RedemptionOrder) -> str:
    with world.database.transaction() as session:
        slip = world.fulfilment.issue_slip(session, order.order_id, CLERK)
    return world.codes.code(slip.slip_id)


def hand_over(world: World, code: str, actor: Actor = SHOP, merchant: int = GROCER) -> RedemptionOrder:
    with world.database.transaction() as session:
        order_id = world.fulfilment.hand_over(session, merchant, code, actor).record.order_id
        return world.redemptions.get(session, order_id)


def messages(world: World, kind: str) -> list[OutboxMessageRow]:
    with world.database.read() as session:
        return list(session.query(OutboxMessageRow).filter_by(kind=kind))


def test_a_code_hands_over_once(world: World, resident: Resident) -> None:
    code = slip_code(world, paid(world, resident))
    with world.database.read() as session:
        checked = world.fulfilment.check(session, GROCER, code, SHOP)
    assert (checked.order.state, checked.refusal) == (State.PAID, None)
    assert hand_over(world, code).handed_over_at == world.now
    with pytest.raises(SlipUsed):
        hand_over(world, code)


def test_another_merchant_learns_nothing_from_a_code(world: World, resident: Resident) -> None:
    code = slip_code(world, paid(world, resident))
    with pytest.raises(BadSlipCode):
        hand_over(world, code, merchant=MUSEUM)
    assert hand_over(world, code).handed_over_at is not None


@pytest.mark.parametrize("actor", [Actor(CLERK), Actor("clerk-b", ["shuangnan"])])
def test_neither_the_clerk_nor_the_desk_hands_over_its_own_order(
    world: World, resident: Resident, actor: Actor
) -> None:
    code = slip_code(world, paid(world, resident))
    with pytest.raises(OwnOrder):
        hand_over(world, code, actor)
    assert hand_over(world, code, Actor("clerk-b", ["another-desk"])).handed_over_at is not None


def test_whoever_printed_the_slip_anew_does_not_hand_over(world: World, resident: Resident) -> None:
    order = paid(world, resident)
    with world.database.transaction() as session:
        slip = world.fulfilment.issue_slip(session, order.order_id, "clerk-b")
    code = world.codes.code(slip.slip_id)
    with pytest.raises(OwnOrder):  # with a token for the shop alone
        hand_over(world, code, Actor("clerk-b"))
    assert hand_over(world, code).handed_over_at is not None


def test_nothing_is_handed_over_before_the_chain_has_paid(world: World, resident: Resident) -> None:
    order = place(world, resident)
    code = slip_code(world, order)
    with pytest.raises(OrderStateConflict):
        hand_over(world, code)
    world.say(order.order_id, "redeem", 2800)
    world.settle()
    assert hand_over(world, code).handed_over_at is not None


def test_a_new_slip_voids_the_old(world: World, resident: Resident) -> None:
    order = paid(world, resident)
    lost, found = slip_code(world, order), slip_code(world, order)
    with pytest.raises(SlipUsed):
        hand_over(world, lost)
    hand_over(world, found)
    with pytest.raises(OrderStateConflict, match="already handed over"):
        slip_code(world, order)


def test_a_slip_expires(world: World, resident: Resident) -> None:
    code = slip_code(world, paid(world, resident))
    world.clock.set(world.clock.now() + timedelta(seconds=SLIP_LIFETIME_S))
    with pytest.raises(SlipExpired):
        hand_over(world, code)


def test_a_rejected_order_gets_no_slip(world: World, resident: Resident) -> None:
    order = place(world, resident)
    world.say(order.order_id, "rejected", code=8)
    world.settle()
    with pytest.raises(OrderStateConflict):
        slip_code(world, order)


def test_handing_over_a_hold_captures_it_whole(world: World, resident: Resident) -> None:
    order = held(world, resident)
    hand_over(world, slip_code(world, order))
    [message] = messages(world, "capture")
    digest = Capture(order.order_id, 1, 14_000).digest(world.domain)
    assert message.order_id == digest
    assert recover(digest, message.payload[-65:]) == LocalSigner(MERCHANT_SECRET).address
    world.say(order.order_id, "capture", 2800)
    world.settle()
    with world.database.read() as session:
        assert world.redemptions.get(session, order.order_id).paid_fen == 2800


def test_a_part_is_captured_by_its_value(world: World, resident: Resident) -> None:
    order = held(world, resident)
    with world.database.transaction() as session:
        world.fulfilment.capture_part(session, GROCER, order.order_id, 1000, SHOP)
    [message] = messages(world, "capture")
    # 10 yuan at 0.20 a point are 50 points.
    assert message.order_id == Capture(order.order_id, 1, 5_000).digest(world.domain)


def test_a_hold_is_either_captured_or_released_never_both(world: World, resident: Resident) -> None:
    order = held(world, resident)
    with world.database.transaction() as session:
        world.fulfilment.release(session, GROCER, order.order_id, SHOP, "sold out")
    with world.database.transaction() as session, pytest.raises(OrderStateConflict):
        world.fulfilment.capture_part(session, GROCER, order.order_id, 1000, SHOP)
    [message] = messages(world, "release")
    assert recover(Release(order.order_id).digest(world.domain), message.payload[-65:])
    assert messages(world, "capture") == []


def reject_call(world: World, kind: str, order_id: bytes) -> None:
    """Let the call land in a new block, in which the chain says no."""
    world.say(order_id, "rejected", code=2)
    with world.database.transaction() as session:
        row = session.query(OutboxMessageRow).filter_by(kind=kind).one()
        row.state, row.block_number = "done", world.height


def settle_all(world: World, block: int | None = None) -> None:
    with world.database.transaction() as session:
        world.redemptions.settle(session)
        world.fulfilment.settle_acts(session, world.height if block is None else block)


def action(world: World) -> list[tuple[str, str]]:
    with world.database.read() as session:
        rows = session.query(RedemptionActRow).order_by(RedemptionActRow.act_id)
        return [(row.act, row.state) for row in rows]


def test_a_capture_that_the_chain_rejects_is_no_longer_on_its_way(world: World, resident: Resident) -> None:
    """Not before its block was looked at; then the same capture can be sent again, or the hold released."""
    order = held(world, resident)
    with world.database.transaction() as session:
        world.fulfilment.capture_part(session, GROCER, order.order_id, 1000, SHOP)
    settle_all(world)
    assert action(world) == [("capture", "under_way")]
    reject_call(world, "capture", order.order_id)
    settle_all(world, block=world.height - 1)
    assert action(world) == [("capture", "under_way")]
    settle_all(world)
    assert action(world) == [("capture", "failed")]
    with world.database.transaction() as session:
        world.fulfilment.capture_part(session, GROCER, order.order_id, 1000, SHOP)
    assert action(world) == [("capture", "failed"), ("capture", "under_way")]
    [message] = messages(world, "capture")
    assert (message.state, message.block_number) == ("queued", None)
    reject_call(world, "capture", order.order_id)
    settle_all(world)
    with world.database.transaction() as session:
        world.fulfilment.release(session, GROCER, order.order_id, SHOP, "the capture was refused")
    assert action(world) == [("capture", "failed"), ("capture", "failed"), ("release", "under_way")]


def test_a_release_that_the_chain_rejects_does_not_keep_the_hold_for_ever(world: World, resident: Resident) -> None:
    """Once its time is over the hold is released without anybody's signature, and not in every round."""
    order = held(world, resident)
    with world.database.transaction() as session:
        world.fulfilment.release(session, GROCER, order.order_id, SHOP, "sold out")
    reject_call(world, "release", order.order_id)
    settle_all(world)
    assert action(world) == [("release", "failed")]
    assert order.capture_by is not None
    world.clock.set(datetime.fromtimestamp(order.capture_by + 7200, UTC))
    for expected in (1, 0):
        with world.database.transaction() as session:
            assert world.fulfilment.release_overdue(session, world.now) == expected
    [message] = messages(world, "release")
    assert (message.state, action(world)) == ("queued", [("release", "failed"), ("lapse", "under_way")])


def test_the_second_clerk_does_not_hand_over_what_was_approved(world: World, resident: Resident) -> None:
    """Not with a token for the shop alone either."""
    order = paid(world, resident, approver="clerk-b")
    code = slip_code(world, order)
    with pytest.raises(OwnOrder):
        hand_over(world, code, Actor("clerk-b"))
    assert hand_over(world, code).handed_over_at is not None


def test_the_resident_cancels_what_is_cancellable(world: World, resident: Resident) -> None:
    order = held(world, resident)
    other = world.resident("510107195001011234")
    with world.database.transaction() as session, pytest.raises(UnknownOrder):
        world.fulfilment.cancel(session, other.resident_id, order.order_id, "not mine", "other")
    with world.database.transaction() as session:
        world.fulfilment.cancel(session, resident.resident_id, order.order_id, "changed my mind", "wang")
    [message] = messages(world, "release")
    assert recover(Release(order.order_id).digest(world.domain), message.payload[-65:]) == resident.account


def test_what_is_not_cancellable_waits_for_its_time(world: World, resident: Resident) -> None:
    with world.database.transaction() as session:
        purchase = Purchase(resident.resident_id, "rice", kind=Kind.HOLD, is_cancellable=False)
        order = world.redemptions.place(session, purchase).order
    world.say(order.order_id, "hold")
    world.settle()
    with world.database.transaction() as session, pytest.raises(OrderStateConflict):
        world.fulfilment.cancel(session, resident.resident_id, order.order_id, "now", "wang")
    with world.database.transaction() as session:
        assert world.fulfilment.release_overdue(session, world.now) == 0
    world.clock.set(world.clock.now() + timedelta(seconds=HOLD_LIFETIME_S + 1))
    for expected in (1, 0):  # once, however often the worker looks
        with world.database.transaction() as session:
            assert world.fulfilment.release_overdue(session, world.now) == expected
    [message] = messages(world, "release")
    assert message.payload[-2:] == b"\0\0"  # nobody has to sign


def test_a_merchant_with_its_own_key_signs_itself(world: World, resident: Resident) -> None:
    order = held(world, resident)
    code = slip_code(world, order)
    with world.database.transaction() as session:
        world.merchants.save(session, replace(world.merchants.get(session, GROCER), signer_name=None))
    with pytest.raises(MerchantHoldsKey):
        hand_over(world, code)
    with world.database.read() as session:
        assert world.redemptions.get(session, order.order_id).handed_over_at is None


def test_a_slip_outlives_no_hold(world: World, resident: Resident) -> None:
    order = held(world, resident)
    with world.database.transaction() as session:
        slip = world.fulfilment.issue_slip(session, order.order_id, CLERK, lifetime_s=10 * HOLD_LIFETIME_S)
    assert order.capture_by is not None
    assert slip.expires_at == order.capture_by - CAPTURE_MARGIN_S, "goods handed over last must still be captured"


def test_codes_are_not_in_the_database(world: World, resident: Resident) -> None:
    code = slip_code(world, paid(world, resident))
    world.database.close()
    for path in world.directory.glob("books.db*"):
        assert code.encode() not in path.read_bytes()


def screen_digits(world: World, order: RedemptionOrder) -> str:
    with world.database.transaction() as session:
        slip = world.fulfilment.issue_slip(session, order.order_id, "wang", lifetime_s=SCREEN_CODE_LIFETIME_S)
    return world.codes.digits(slip.slip_id)


def test_six_digits_stand_for_a_code_on_a_screen_at_its_shop_for_its_time(world: World, resident: Resident) -> None:
    digits = screen_digits(world, paid(world, resident))
    with pytest.raises(BadSlipCode):
        hand_over(world, digits, merchant=MUSEUM)
    assert hand_over(world, f" {digits[:3]} {digits[3:]} ").handed_over_at == world.now
    with pytest.raises(SlipUsed):
        hand_over(world, digits)
    world.clock.set(world.clock.now() + timedelta(seconds=SCREEN_CODE_LIFETIME_S))
    with pytest.raises(BadSlipCode):
        hand_over(world, digits)


def test_no_six_digits_open_a_printed_slip(world: World, resident: Resident) -> None:
    order = paid(world, resident)
    with world.database.transaction() as session:
        slip = world.fulfilment.issue_slip(session, order.order_id, CLERK)
    with pytest.raises(BadSlipCode):
        hand_over(world, world.codes.digits(slip.slip_id))


def test_two_screens_at_a_shop_never_show_the_same_digits(world: World, resident: Resident) -> None:
    first, second = paid(world, resident), paid(world, resident)
    ids = [b"\x01" * 16, b"\x01" * 16, b"\x02" * 16]
    alike = replace(world.fulfilment, random=lambda size: ids.pop(0))
    world.fulfilment = alike
    assert screen_digits(world, first) == world.codes.digits((b"\x01" * 16).hex())
    assert screen_digits(world, second) == world.codes.digits((b"\x02" * 16).hex())
