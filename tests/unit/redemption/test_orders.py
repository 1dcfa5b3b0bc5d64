from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from ledger.custody.errors import NotCustodial
from ledger.orders.errors import InsufficientPoints, OrdersPaused, TooLittle
from ledger.outbox.outbox import order_key
from ledger.residents.errors import ResidentNotFound
from ledger.residents.registry import NewResident, Resident
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import GRACE_S, ORDER_FEN_MIN
from ledger.standard.ids import Address, address_bytes, token_id
from ledger.standard.packed import unpack_hold_orders, unpack_redeem_orders
from ledger.standard.quarters import quarter_end_timestamp
from ledger.standard.signatures import recover
from ledger.standard.typed_data import Lot
from ledger.store.models.outbox import OutboxMessageRow
from ledger.store.models.projection import ChainMerchantRow, OrderOutcomeRow, ProjectionCursorRow
from redemption import lists
from redemption.errors import (
    MerchantSuspended,
    OfferClosed,
    OfferLimitReached,
    OutOfStock,
    RequestKeyReused,
    UnknownMerchant,
    UnknownOffer,
    UnknownOrder,
)
from redemption.merchants import SUSPENDED
from redemption.offers import Offer
from redemption.orders import (
    HOLD_LIFETIME_S,
    HOLD_SHORTEST_S,
    ORDER_LIFETIME_S,
    Kind,
    Placed,
    PlaceOutcome,
    Purchase,
)
from redemption.states import State
from tests.unit.redemption.world import CULTURE, GREEN, GROCER, MUSEUM, Q2026_4, Q2027_1, VOLUNTEER, World


@pytest.fixture
def resident(world: World) -> Resident:
    found = world.resident()
    world.give(found.account, VOLUNTEER, Q2026_4, 20_000)
    return found


def place(world: World, purchase: Purchase) -> Placed:
    with world.database.transaction() as session:
        return world.redemptions.place(session, purchase)


def test_an_order_is_signed_by_the_resident_and_waits_in_the_outbox(world: World, resident: Resident) -> None:
    placed = place(world, Purchase(resident.resident_id, "rice"))
    order = placed.order
    # 28 yuan at 0.20 yuan a point are 140 points.
    assert order.lots == (Lot(token_id(VOLUNTEER, Q2026_4), 14_000),)
    assert (order.state, order.value_fen, order.deadline) == (State.PLACED, 2800, world.now + ORDER_LIFETIME_S)
    with world.database.read() as session:
        status = world.outbox.status(session, order_key(order.order_id))
        assert status is not None
        assert (status.kind, status.state) == ("redeem", "queued")
        row = session.query(OutboxMessageRow).one()
    [(signed, signature)] = unpack_redeem_orders(row.payload)
    assert (signed.holder, signed.merchant, signed.lots) == (resident.account, GROCER, order.lots)
    assert signed.digest(world.domain) == order.order_id
    assert recover(order.order_id, signature) == resident.account


def test_a_hold_says_until_when_the_merchant_may_capture(world: World, resident: Resident) -> None:
    order = place(world, Purchase(resident.resident_id, "rice", kind=Kind.HOLD)).order
    with world.database.read() as session:
        row = session.query(OutboxMessageRow).one()
    [(signed, signature)] = unpack_hold_orders(row.payload)
    assert (row.kind, signed.capture_by, signed.cancellable) == ("hold", world.now + HOLD_LIFETIME_S, True)
    assert recover(signed.digest(world.domain), signature) == resident.account
    assert order.capture_by == signed.capture_by


def test_a_hold_ends_within_the_quarter_of_its_lots(world: World, resident: Resident) -> None:
    end = quarter_end_timestamp(Q2026_4)
    world.clock.set(datetime.fromtimestamp(end - 3 * DAY_S, UTC))
    order = place(world, Purchase(resident.resident_id, "rice", kind=Kind.HOLD)).order
    assert order.capture_by == end - 1
    world.say(order.order_id, "rejected", code=15)

    world.clock.set(datetime.fromtimestamp(end - HOLD_SHORTEST_S + 1, UTC))
    with pytest.raises(InsufficientPoints):  # the merchant would have less than a day
        place(world, Purchase(resident.resident_id, "rice", kind=Kind.HOLD))
    world.clock.set(datetime.fromtimestamp(end + GRACE_S - 1, UTC))
    assert place(world, Purchase(resident.resident_id, "rice")).outcome is PlaceOutcome.CREATED


def test_points_of_a_frozen_programme_do_not_pay(world: World, resident: Resident) -> None:
    world.freeze(VOLUNTEER, world.now + 60)
    with pytest.raises(InsufficientPoints):
        place(world, Purchase(resident.resident_id, "rice"))
    world.clock.set(world.clock.now() + timedelta(seconds=60))
    place(world, Purchase(resident.resident_id, "rice"))


def test_a_payment_below_the_least_value_is_refused_before_it_is_signed(world: World, resident: Resident) -> None:
    with world.database.transaction() as session:
        world.offers.create(session, Offer("match", GROCER, "火柴", "A match", ORDER_FEN_MIN - 1))
        with pytest.raises(TooLittle) as caught:
            world.redemptions.place(session, Purchase(resident.resident_id, "match"))
    assert (caught.value.fen, caught.value.least_fen) == (ORDER_FEN_MIN - 1, ORDER_FEN_MIN)


def test_pieces_are_reserved_then_taken(world: World, resident: Resident) -> None:
    order = place(world, Purchase(resident.resident_id, "rice")).order
    assert (world.offer().stock_reserved, world.offer().stock_taken) == (1, 0)
    world.say(order.order_id, "redeem", 2800)
    world.settle()
    assert (world.offer().stock_reserved, world.offer().stock_taken) == (0, 1)
    world.settle()
    assert (world.offer().stock_reserved, world.offer().stock_taken) == (0, 1)


def test_a_rejected_order_gives_its_pieces_back_once(world: World, resident: Resident) -> None:
    world.give(resident.account, VOLUNTEER, Q2026_4, 60_000)
    order = place(world, Purchase(resident.resident_id, "rice", 3)).order
    assert world.offer().stock_left == 0
    world.say(order.order_id, "rejected", code=8)
    world.settle()
    world.settle()
    assert world.offer().stock_left == 3
    with world.database.read() as session:
        found = world.redemptions.get(session, order.order_id)
    assert (found.state, found.reject_code) == (State.REJECTED, 8)


def test_an_order_that_never_lands_expires_only_after_a_final_block_past_its_deadline(
    world: World, resident: Resident
) -> None:
    order = place(world, Purchase(resident.resident_id, "rice")).order
    world.clock.set(world.clock.now() + timedelta(seconds=ORDER_LIFETIME_S))
    world.block()
    world.settle()
    assert world.offer().stock_reserved == 1
    world.clock.set(world.clock.now() + timedelta(seconds=1))
    world.block()
    world.settle()
    with world.database.read() as session:
        assert world.redemptions.get(session, order.order_id).state is State.EXPIRED
    assert world.offer().stock_left == 3


def test_points_in_an_order_on_its_way_are_not_spent_twice(world: World, resident: Resident) -> None:
    place(world, Purchase(resident.resident_id, "rice"))
    with pytest.raises(InsufficientPoints) as caught:
        place(world, Purchase(resident.resident_id, "rice"))
    assert caught.value.available == 1200
    assert world.offer().stock_reserved == 1


def test_once_the_chain_has_spoken_the_projection_alone_counts(world: World, resident: Resident) -> None:
    order = place(world, Purchase(resident.resident_id, "rice")).order
    world.give(resident.account, VOLUNTEER, Q2026_4, 14_000)
    world.say(order.order_id, "rejected", code=11)
    assert place(world, Purchase(resident.resident_id, "rice")).outcome is PlaceOutcome.CREATED


def test_points_in_an_exchange_on_its_way_are_left_alone(world: World, resident: Resident) -> None:
    with world.database.transaction() as session:
        signer = world.registry.signer(session, resident.resident_id)
        world.desk.place_exchange(session, signer, VOLUNTEER, GREEN, 7_000)
    with pytest.raises(InsufficientPoints) as caught:
        place(world, Purchase(resident.resident_id, "rice"))
    assert (caught.value.needed, caught.value.available) == (2800, 2600)


def test_only_points_in_scope_pay(world: World, resident: Resident) -> None:
    """Culture points are for museums; volunteer points buy anything."""
    world.give(resident.account, CULTURE, Q2026_4, 10_000)
    museum = place(world, Purchase(resident.resident_id, "ticket")).order
    assert museum.lots[0].id == token_id(VOLUNTEER, Q2026_4)
    assert museum.lots[1].id == token_id(CULTURE, Q2026_4)
    with pytest.raises(InsufficientPoints):
        place(world, Purchase(resident.resident_id, "rice", programmes={CULTURE}))


def test_points_of_a_programme_that_ended_do_not_pay_and_those_that_end_first_pay_first(
    world: World, resident: Resident
) -> None:
    world.give(resident.account, GREEN, Q2027_1 + 8, 60_000)
    world.end_spending(GREEN, world.now + 60)
    order = place(world, Purchase(resident.resident_id, "rice")).order
    assert [lot.id for lot in order.lots] == [token_id(GREEN, Q2027_1 + 8)]
    world.say(order.order_id, "rejected", code=11)
    world.clock.set(world.clock.now() + timedelta(seconds=60))
    assert [lot.id for lot in place(world, Purchase(resident.resident_id, "rice")).order.lots] == [
        token_id(VOLUNTEER, Q2026_4)
    ]
    with pytest.raises(InsufficientPoints):
        place(world, Purchase(resident.resident_id, "ticket", programmes={GREEN}))


def test_a_pause_is_told_before_anything_is_reserved(world: World, resident: Resident) -> None:
    world.pause("Redemption", world.now + 60)
    with pytest.raises(OrdersPaused) as caught:
        place(world, Purchase(resident.resident_id, "rice"))
    assert caught.value.until == world.now + 60
    assert world.offer().stock_reserved == 0
    world.pause("Redemption", 0)
    place(world, Purchase(resident.resident_id, "rice"))


def test_chosen_programmes_alone_pay(world: World, resident: Resident) -> None:
    world.give(resident.account, GREEN, Q2027_1, 60_000)
    order = place(world, Purchase(resident.resident_id, "rice", programmes={GREEN})).order
    assert [lot.id for lot in order.lots] == [token_id(GREEN, Q2027_1)]


def test_a_request_key_makes_one_order(world: World, resident: Resident) -> None:
    purchase = Purchase(resident.resident_id, "rice", request_key="demo:rice")
    first = place(world, purchase)
    again = place(world, purchase)
    assert (first.outcome, again.outcome) == (PlaceOutcome.CREATED, PlaceOutcome.EXISTS)
    assert again.order == first.order
    assert world.offer().stock_reserved == 1
    with pytest.raises(RequestKeyReused, match="quantity"):
        place(world, replace(purchase, quantity=2))


def test_checks_come_in_the_documented_order(world: World, resident: Resident) -> None:
    with pytest.raises(ResidentNotFound):
        place(world, Purchase(1, "rice"))
    own = Address("0x" + "Bb" * 20)
    with world.database.transaction() as session:
        holder = world.registry.register(session, NewResident("X1", {}, own)).resident
    with pytest.raises(NotCustodial):
        place(world, Purchase(holder.resident_id, "no-such-offer"))
    with pytest.raises(UnknownOffer):
        place(world, Purchase(resident.resident_id, "no-such-offer"))
    with world.database.transaction() as session:
        shop = world.merchants.get(session, GROCER)
        world.merchants.save(session, replace(shop, status=SUSPENDED))
        world.offers.set_status(session, "rice", "paused")
    with pytest.raises(MerchantSuspended):
        place(world, Purchase(resident.resident_id, "rice"))
    with world.database.transaction() as session:
        world.merchants.save(session, shop)
    with pytest.raises(OfferClosed):
        place(world, Purchase(resident.resident_id, "rice"))
    with world.database.transaction() as session:
        world.offers.set_status(session, "rice", "active")
    with pytest.raises(OutOfStock) as caught:
        place(world, Purchase(resident.resident_id, "rice", 4))
    assert (caught.value.asked, caught.value.left) == (4, 3)
    with pytest.raises(OfferLimitReached):
        place(world, Purchase(resident.resident_id, "ticket", 2))
    with world.database.transaction() as session:
        session.merge(ChainMerchantRow(merchant=GROCER, key=bytes(20), scope=bytes(32)))
    with pytest.raises(UnknownMerchant):
        place(world, Purchase(resident.resident_id, "rice"))
    assert world.offer().stock_reserved == 0


def test_a_limit_counts_orders_on_their_way_and_forgets_rejected_ones(world: World, resident: Resident) -> None:
    world.give(resident.account, CULTURE, Q2026_4, 20_000)
    order = place(world, Purchase(resident.resident_id, "ticket")).order
    with pytest.raises(OfferLimitReached):
        place(world, Purchase(resident.resident_id, "ticket"))
    world.say(order.order_id, "rejected", code=8)
    world.settle()
    assert place(world, Purchase(resident.resident_id, "ticket")).order.merchant_id == MUSEUM


def test_a_quote_takes_nothing(world: World, resident: Resident) -> None:
    with world.database.read() as session:
        quote = world.redemptions.quote(session, Purchase(resident.resident_id, "rice"))
    assert quote.lots == (Lot(token_id(VOLUNTEER, Q2026_4), 14_000),)
    assert world.offer().stock_reserved == 0


def test_a_projection_that_is_rebuilt_teaches_nothing_until_it_has_caught_up(world: World, resident: Resident) -> None:
    order = place(world, Purchase(resident.resident_id, "rice")).order
    world.say(order.order_id, "redeem", 2800)
    world.settle()
    with world.database.transaction() as session:
        session.query(OrderOutcomeRow).delete()
        cursor = session.get(ProjectionCursorRow, 1)
        assert cursor is not None
        cursor.block_number = 0
    world.settle()
    with world.database.read() as session:
        assert world.redemptions.get(session, order.order_id).state is State.PAID


def test_an_order_that_nobody_placed_is_unknown(world: World) -> None:
    with world.database.read() as session, pytest.raises(UnknownOrder):
        world.redemptions.get(session, b"\x01" * 32)


def test_lists_page_by_sequence_newest_first(world: World, resident: Resident) -> None:
    world.give(resident.account, VOLUNTEER, Q2026_4, 60_000)
    orders = [place(world, Purchase(resident.resident_id, "rice")).order for _ in range(3)]
    service, own = world.redemptions, lists.OrderFilter(resident_id=resident.resident_id)
    with world.database.read() as session:
        first = lists.page(session, service, world.acts, own, None, 2)
        rest = lists.page(session, service, world.acts, own, first[-1].order.sequence, 2)
        other = lists.page(session, service, world.acts, lists.OrderFilter(merchant_id=MUSEUM), None, 10)
    assert [one.order.order_id for one in [*first, *rest]] == [one.order_id for one in reversed(orders)]
    assert other == []
    assert address_bytes(orders[0].holder) == address_bytes(resident.account)


def test_orders_of_one_transaction_see_what_those_before_them_took(world: World, resident: Resident) -> None:
    """Nonces, points, pieces and limits: as if each had been placed by itself, and an error is one order's own."""
    other = world.resident("510107196001011234")
    world.give(other.account, VOLUNTEER, Q2026_4, 20_000)
    with world.database.transaction() as session:
        world.offers.restock(session, "rice", 2)
        placed = world.redemptions.place_many(
            session,
            [
                Purchase(resident.resident_id, "rice"),
                Purchase(resident.resident_id, "rice"),  # 60 points are left of 200
                Purchase(999_999, "rice"),
                Purchase(other.resident_id, "rice"),
                Purchase(other.resident_id, "rice"),  # both pieces are gone
                Purchase(other.resident_id, "nothing"),
            ],
        )
    kinds = [one.outcome if isinstance(one, Placed) else type(one) for one in placed]
    created = PlaceOutcome.CREATED
    assert kinds == [created, InsufficientPoints, ResidentNotFound, created, OutOfStock, UnknownOffer]
    assert world.offer().stock_reserved == 2
    made = [one.order for one in placed if isinstance(one, Placed)]
    assert len({one.sequence for one in made}) == 2
    with world.database.read() as session:
        assert [world.redemptions.get(session, one.order_id) for one in made] == made
        assert session.query(OutboxMessageRow).count() == 2


def test_a_holders_orders_of_one_transaction_take_different_nonces(world: World, resident: Resident) -> None:
    world.give(resident.account, VOLUNTEER, Q2026_4, 40_000)
    with world.database.transaction() as session:
        placed = world.redemptions.place_many(session, [Purchase(resident.resident_id, "rice")] * 2)
    assert [one.order.nonce for one in placed if isinstance(one, Placed)] == [0, 1]


def test_a_group_takes_as_many_statements_as_an_order(world: World) -> None:
    people = [world.resident(f"51010719540307{number:04d}") for number in range(9)]
    for one in people:
        world.give(one.account, VOLUNTEER, Q2026_4, 20_000)
    with world.database.transaction() as session:
        world.offers.restock(session, "rice", len(people))
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    def statements(group: Sequence[Resident]) -> int:
        said.clear()
        with world.database.transaction() as session:
            placed = world.redemptions.place_many(session, [Purchase(one.resident_id, "rice") for one in group])
        assert all(isinstance(one, Placed) for one in placed)
        return len(said)

    event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        statements(people[:1])  # whatever is read once for all
        assert statements(people[2:]) == statements(people[1:2])
    finally:
        event.remove(world.database.engine, "before_cursor_execute", note)
