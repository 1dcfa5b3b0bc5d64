"""Acts on an order: each is made once, found again by its client's id, or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ledger.residents.registry import Resident
from ledger.standard.ids import Address
from ledger.store.models.outbox import OutboxMessageRow
from redemption.acts.book import Acted, ActOutcome, ActState, Wish
from redemption.acts.table import Act, Reason, Standing
from redemption.errors import ActExistsDifferently, OrderStateConflict, OwnOrder, UnknownOrder
from redemption.fulfilment import CAPTURE_AGAIN_S, SCREEN_CODE_LIFETIME_S, Actor
from redemption.orders import Kind, Purchase, RedemptionOrder
from redemption.states import State
from tests.unit.redemption.world import GROCER, MUSEUM, Q2026_4, VOLUNTEER, World

SHOP = Actor("shop-keeper")
LEDGER = Address("0x" + "aa" * 20)


@pytest.fixture
def resident(world: World) -> Resident:
    found = world.resident()
    world.give(found.account, VOLUNTEER, Q2026_4, 60_000)
    return found


def place(world: World, resident: Resident, kind: Kind = Kind.REDEEM) -> RedemptionOrder:
    with world.database.transaction() as session:
        order = world.redemptions.place(session, Purchase(resident.resident_id, "rice", kind=kind)).order
    world.say(order.order_id, "hold" if kind is Kind.HOLD else "redeem", 0 if kind is Kind.HOLD else 2800)
    world.settle()
    return order


def code(world: World, order: RedemptionOrder) -> str:
    with world.database.transaction() as session:
        slip = world.fulfilment.issue_slip(session, order.order_id, "wang", lifetime_s=SCREEN_CODE_LIFETIME_S)
    return world.codes.code(slip.slip_id)


def act(world: World, do: Callable[[Session], Any]) -> Any:
    with world.database.transaction() as session:
        return do(session)


def capture(world: World, order: RedemptionOrder, fen: int, key: str | None = None) -> Acted:
    done: Acted = act(world, lambda s: world.fulfilment.capture_part(s, GROCER, order.order_id, fen, SHOP, key))
    return done


def hand_over(world: World, text: str, key: str | None = None) -> Acted:
    done: Acted = act(world, lambda s: world.fulfilment.hand_over(s, GROCER, text, SHOP, key))
    return done


def refund(world: World, order: RedemptionOrder, left_fen: int) -> None:
    """Note a refund as `Refunds.refund` does; the chain's side: tests/integration/redemption."""

    def note(session: Session) -> None:
        world.acts.require(session, world.redemptions.row(session, order.order_id), Act.REFUND)
        wish = Wish(Act.REFUND, order.order_id, "shop-keeper", "spoilt", None, left_fen)
        world.acts.note(session, wish, fen=2800 - left_fen, left_fen=left_fen, kept=(0, 0))

    act(world, note)


def landed(world: World, kind: str) -> None:
    """Let the outbox's messages of a kind land in the block after the last."""
    with world.database.transaction() as session:
        for row in session.query(OutboxMessageRow).filter_by(kind=kind):
            row.state, row.block_number = "done", world.height


def settle(world: World) -> None:
    with world.database.transaction() as session:
        world.redemptions.settle(session)
        world.fulfilment.settle_acts(session, world.height)


def stands(world: World, order: RedemptionOrder) -> Standing:
    with world.database.read() as session:
        return world.acts.standing(session, world.redemptions.row(session, order.order_id, lock=False))


def refused(do: Callable[[], object]) -> str:
    with pytest.raises(OrderStateConflict) as found:
        do()
    return found.value.reason


def test_goods_do_not_leave_while_a_refund_is_under_way(world: World, resident: Resident) -> None:
    order = place(world, resident)
    text = code(world, order)
    refund(world, order, 0)
    assert refused(lambda: hand_over(world, text)) == Reason.REFUND_UNDER_WAY
    assert refused(lambda: code(world, order)) == Reason.REFUND_UNDER_WAY
    with world.database.read() as session:
        checked = world.fulfilment.check(session, GROCER, text, SHOP)
    assert isinstance(checked.refusal, OrderStateConflict), "what is checked is what would be done"
    assert refused(lambda: refund(world, order, 100)) == Reason.REFUND_UNDER_WAY


def test_what_is_left_after_a_part_refund_is_handed_over(world: World, resident: Resident) -> None:
    order = place(world, resident)
    world.say(order.order_id, "refund", 1400, kept=(1, 7_000))
    settle(world)
    text = code(world, order)
    assert hand_over(world, text).record.fen == 1400
    with world.database.read() as session:
        found = world.redemptions.get(session, order.order_id)
    assert (found.state, [lot.amount for lot in found.taken_lots]) == (State.PART_REFUNDED, [7_000])
    assert refused(lambda: code(world, order)) == Reason.ALREADY_HANDED_OVER


def test_a_hold_is_captured_once_and_another_amount_is_no_repeat(world: World, resident: Resident) -> None:
    order = place(world, resident, Kind.HOLD)
    assert capture(world, order, 100, "key-capture").outcome is ActOutcome.CREATED
    assert capture(world, order, 100, "key-capture").outcome is ActOutcome.EXISTS
    with pytest.raises(ActExistsDifferently) as found:
        capture(world, order, 800, "key-capture")
    assert found.value.outcome == "exists_with_different_amount"
    for fen in (100, 800):
        assert refused(lambda fen=fen: capture(world, order, fen, f"key-of-another-{fen}")) == Reason.CAPTURE_UNDER_WAY
    text = code(world, order)
    assert refused(lambda: hand_over(world, text)) == Reason.CAPTURE_UNDER_WAY
    world.say(order.order_id, "capture", 100, kept=(1, 500))
    settle(world)
    assert stands(world, order) is Standing.PAID
    assert hand_over(world, text).record.fen == 100
    with world.database.read() as session:
        found_order = world.redemptions.get(session, order.order_id)
        acts = world.acts.of_order(session, order.order_id)
    assert [lot.amount for lot in found_order.taken_lots] == [500]
    assert [(one.act, one.state, one.fen) for one in acts] == [
        (Act.CAPTURE, ActState.DONE, 100),
        (Act.HAND_OVER, ActState.DONE, 100),
    ]


def test_the_id_of_one_act_is_no_other_acts(world: World, resident: Resident) -> None:
    first, second = place(world, resident, Kind.HOLD), place(world, resident, Kind.HOLD)
    capture(world, first, 100, "one-key")
    for fulfil, field in (
        (lambda s: world.fulfilment.capture_part(s, GROCER, second.order_id, 100, SHOP, "one-key"), "order"),
        (lambda s: world.fulfilment.release(s, GROCER, first.order_id, SHOP, "sold out", "one-key"), "act"),
    ):
        with pytest.raises(ActExistsDifferently) as found:
            act(world, fulfil)
        assert found.value.outcome == f"exists_with_different_{field}"
    act(world, lambda s: world.fulfilment.release(s, GROCER, second.order_id, SHOP, "sold out", "two-keys"))
    with pytest.raises(ActExistsDifferently, match="reason"):
        act(world, lambda s: world.fulfilment.release(s, GROCER, second.order_id, SHOP, "no wish", "two-keys"))


def test_goods_that_are_out_are_captured_until_the_chain_says_yes(world: World, resident: Resident) -> None:
    order = place(world, resident, Kind.HOLD)
    text = code(world, order)
    hand_over(world, text)
    assert stands(world, order) is Standing.HANDING_OVER
    world.say(order.order_id, "rejected", code=2)
    landed(world, "capture")
    settle(world)
    assert stands(world, order) is Standing.UNPAID
    taken_back = [
        lambda s: world.fulfilment.cancel(s, resident.resident_id, order.order_id, "no", "wang"),
        lambda s: world.fulfilment.release(s, GROCER, order.order_id, SHOP, "no"),
    ]
    for do in taken_back:
        assert refused(lambda do=do: act(world, do)) == Reason.ALREADY_HANDED_OVER
    assert act(world, world.fulfilment.capture_again) == 0, "not in every round"
    world.clock.set(world.clock.now() + timedelta(seconds=CAPTURE_AGAIN_S + 1))
    assert act(world, world.fulfilment.capture_again) == 1
    world.say(order.order_id, "capture", 2800, kept=(1, 14_000))
    settle(world)
    assert stands(world, order) is Standing.HANDED_OVER


def test_a_refund_is_over_once_its_block_was_looked_at_and_no_sooner(world: World, resident: Resident) -> None:
    order = place(world, resident)
    text = code(world, order)
    refund(world, order, 0)
    with world.database.transaction() as session:
        world.outbox.enqueue_call(session, "refund", f"refund:{order.order_id.hex()}:0:0", LEDGER, b"\x01", 1)
    world.block()
    landed(world, "refund")
    with world.database.transaction() as session:
        world.redemptions.settle(session)
        assert world.fulfilment.settle_acts(session, world.height - 1) == 0
    assert refused(lambda: hand_over(world, text)) == Reason.REFUND_UNDER_WAY
    world.say(order.order_id, "refund", 2800, kept=(0, 0))
    settle(world)
    assert refused(lambda: hand_over(world, text)) == Reason.REFUNDED


def test_a_refund_that_reverts_says_why_and_the_order_is_as_before(world: World, resident: Resident) -> None:
    order = place(world, resident)
    refund(world, order, 0)
    with world.database.transaction() as session:
        world.outbox.enqueue_call(session, "refund", f"refund:{order.order_id.hex()}:0:0", LEDGER, b"\x01", 1)
    with world.database.transaction() as session:
        world.outbox.withdraw(session, f"refund:{order.order_id.hex()}:0:0", "ClearingNotCovered()")
    settle(world)
    with world.database.read() as session:
        [last] = world.acts.last(session, [order.order_id]).values()
    assert (last.state, last.failure) == (ActState.FAILED, "ClearingNotCovered()")
    assert stands(world, order) is Standing.PAID


def test_nobody_learns_the_state_of_anothers_order(world: World, resident: Resident) -> None:
    order = place(world, resident, Kind.HOLD)
    stranger = world.resident("510107195001011234")
    for do in (
        lambda s: world.fulfilment.capture_part(s, MUSEUM, order.order_id, 100, SHOP),
        lambda s: world.fulfilment.release(s, MUSEUM, order.order_id, SHOP, "not mine"),
        lambda s: world.fulfilment.cancel(s, stranger.resident_id, order.order_id, "not mine", "stranger"),
        lambda s: world.fulfilment.capture_part(s, GROCER, b"\x01" * 32, 100, SHOP),
    ):
        with pytest.raises(UnknownOrder):
            act(world, do)


def test_the_payer_does_not_serve_himself(world: World, resident: Resident) -> None:
    held, bought = place(world, resident, Kind.HOLD), place(world, resident)
    himself = Actor("wang", (), resident.resident_id)
    text = code(world, bought)
    for do in (
        lambda s: world.fulfilment.hand_over(s, GROCER, text, himself),
        lambda s: world.fulfilment.capture_part(s, GROCER, held.order_id, 100, himself),
        lambda s: world.fulfilment.release(s, GROCER, held.order_id, himself, "mine"),
    ):
        with pytest.raises(OwnOrder):
            act(world, do)
    hand_over(world, text)
    with world.database.read() as session:
        assert world.acts.has_acted_for(session, "shop-keeper", GROCER)
        assert not world.acts.has_acted_for(session, "shop-keeper", MUSEUM)
        assert not world.acts.has_acted_for(session, "wang", GROCER)
