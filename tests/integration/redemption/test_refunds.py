"""Refunds and holds against the real contracts: what a merchant gives back comes back to the minor unit."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from ledger.clock import ManualClock
from ledger.residents.registry import NewResident, Resident
from ledger.standard.ids import address_bytes
from ledger.store.models.projection import BalanceRow
from redemption.acts.book import ActState
from redemption.acts.refund_approvals import RefundApprovals
from redemption.acts.table import Act
from redemption.errors import (
    ActExistsDifferently,
    NotRefundable,
    OrderStateConflict,
    OwnOrder,
    PayerErased,
    RefundNeedsSecond,
    RefundTooLate,
    UnknownOrder,
)
from redemption.fulfilment import Actor
from redemption.orders import Kind, Purchase, RedemptionOrder
from redemption.refunds import REFUND_DAYS
from redemption.states import State
from tests.integration.ledger import postgres
from tests.integration.ledger_api.minting import mint
from tongdui.bootstrap import OVERDUE_MARGIN_S, City, open_city
from tongdui.settings import Settings

SHOP = Actor("shop-keeper")
GRAIN = 1


@dataclass
class Town:
    """A city without workers, stepped by the test, with residents who hold points of two programmes."""

    city: City
    clock: ManualClock
    people: list[Resident]

    def place(self, person: int, kind: Kind = Kind.REDEEM, clerk: str | None = None) -> RedemptionOrder:
        with self.city.database.transaction() as session:
            purchase = Purchase(self.people[person].resident_id, "rice-5kg", kind=kind, clerk=clerk)
            return self.city.redemptions.place(session, purchase).order

    def get(self, order: RedemptionOrder) -> RedemptionOrder:
        with self.city.database.read() as session:
            return self.city.redemptions.get(session, order.order_id)

    def holdings(self, person: int) -> dict[int, int]:
        account = address_bytes(self.people[person].account)
        with self.city.database.read() as session:
            rows = session.query(BalanceRow).filter_by(account=account).all()
        return {row.token_id: row.amount_minor for row in rows if row.amount_minor}

    def refund(
        self, order: RedemptionOrder, keep_fen: int, actor: Actor = SHOP, merchant: int = GRAIN, key: str | None = None
    ) -> int:
        proof = self.city.refunds.prove(order.order_id)
        with self.city.database.transaction() as session:
            return self.city.refunds.refund(session, merchant, proof, keep_fen, actor, "a reason", key).record.fen

    def settle(self) -> None:
        self.city.run_until_idle()
        assert self.city.gateway.check_projection().is_equal


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    directory: Path = tmp_path_factory.mktemp("town")
    if request.param == "sqlite":
        with _town(Settings(state_dir=directory, workers=False, _env_file=None)) as found:
            yield found
        return
    url: str = request.getfixturevalue("postgres_url")
    with postgres.fresh_database(url, "r" + secrets.token_hex(6)) as fresh:
        settings = Settings(state_dir=directory, workers=False, database_url=SecretStr(fresh), _env_file=None)
        with _town(settings) as found:
            yield found


@contextmanager
def _town(settings: Settings) -> Iterator[Town]:
    clock = ManualClock(datetime(2026, 11, 20, 2, 0, tzinfo=UTC))
    with open_city(settings, clock) as city:
        people = []
        for number in range(4):
            with city.database.transaction() as session:
                people.append(city.registry.register(session, NewResident(f"51010{number}")).resident)
            # 20 yuan of green points that die first, then volunteer points.
            mint(city, people[-1].account, 2, 40_000, 26 * 4 + 4)
            mint(city, people[-1].account, 1, 60_000, 27 * 4 + 4)
        found = Town(city, clock, people)
        found.settle()
        yield found


def test_one_of_three_orders_of_a_batch_is_refunded_in_part_then_whole(town: Town) -> None:
    before = [town.holdings(person) for person in range(3)]
    orders = [town.place(person) for person in range(3)]
    town.settle()
    assert [town.get(order).state for order in orders] == [State.PAID] * 3
    assert town.refund(orders[1], 1000) == 1800
    town.settle()
    part = town.get(orders[1])
    assert (part.state, part.paid_fen) == (State.PART_REFUNDED, 1000)
    for keep_fen in (1000, 2900):
        with pytest.raises(NotRefundable):
            town.refund(orders[1], keep_fen)
    assert town.refund(orders[1], 0) == 1000
    town.settle()
    assert (town.get(orders[1]).state, town.get(orders[1]).paid_fen) == (State.REFUNDED, 0)
    assert town.holdings(1) == before[1]
    assert town.holdings(0) != before[0]
    assert town.get(orders[0]).paid_fen == town.get(orders[2]).paid_fen == 2800
    with pytest.raises(OrderStateConflict):
        town.refund(orders[1], 0)


def test_a_captured_part_is_refunded_from_what_was_captured(town: Town) -> None:
    before = town.holdings(3)
    order = town.place(3, Kind.HOLD)
    town.settle()
    with town.city.database.transaction() as session:
        town.city.fulfilment.capture_part(session, GRAIN, order.order_id, 2500, SHOP)
    town.settle()
    captured = town.get(order)
    assert (captured.state, captured.paid_fen) == (State.CAPTURED, 2500)
    assert town.refund(order, 500) == 2000
    town.settle()
    assert town.get(order).paid_fen == 500
    assert town.refund(order, 0) == 500
    town.settle()
    assert town.holdings(3) == before


def test_nobody_else_refunds_and_not_the_desk_that_took_the_order(town: Town) -> None:
    order = town.place(0, clerk="clerk-a")
    town.settle()
    with pytest.raises(UnknownOrder):
        town.refund(order, 0, merchant=2)
    with pytest.raises(OwnOrder):
        town.refund(order, 0, Actor("clerk-a"))
    with pytest.raises(UnknownOrder):
        town.city.refunds.prove(b"\x01" * 32)


def test_the_same_refund_twice_is_sent_once(town: Town) -> None:
    order = town.place(2)
    town.settle()
    for _ in range(2):
        town.refund(order, 300, key="refund-to-300")
    town.settle()
    assert town.get(order).paid_fen == 300
    with town.city.database.read() as session:
        assert town.city.gateway.outbox.counts(session).get("failed", 0) == 0


def test_a_refund_that_the_chain_refused_can_be_tried_again(town: Town) -> None:
    order = town.place(2)
    town.settle()
    assert town.refund(order, 0) == 2800
    with town.city.database.transaction() as session:
        key = f"refund:{order.order_id.hex()}:0:0"
        town.city.gateway.outbox.replace_call(session, key, b"\xff" * 4, 100_000)  # the contract reverts it
    town.settle()
    assert town.get(order).state is State.PAID
    assert town.refund(order, 0) == 2800
    town.settle()
    assert town.get(order).state is State.REFUNDED


def test_refunds_go_back_one_after_the_other_and_goods_stay_meanwhile(town: Town) -> None:
    order = town.place(3)
    town.settle()
    with town.city.database.transaction() as session:
        slip = town.city.fulfilment.issue_slip(session, order.order_id, "the resident")
    code = town.city.fulfilment.codes.code(slip.slip_id)
    assert town.refund(order, 1000, key="first-part") == 1800
    with pytest.raises(OrderStateConflict, match="refund under way"):
        town.refund(order, 0, key="second-part")
    with town.city.database.transaction() as session, pytest.raises(OrderStateConflict, match="refund under way"):
        town.city.fulfilment.hand_over(session, GRAIN, code, SHOP)
    with pytest.raises(ActExistsDifferently, match="amount"):
        town.refund(order, 0, key="first-part")
    town.settle()
    part = town.get(order)
    assert (part.state, part.paid_fen) == (State.PART_REFUNDED, 1000)
    assert part.kept is not None
    assert sum(lot.amount for lot in part.taken_lots) < sum(lot.amount for lot in part.lots)
    with town.city.database.transaction() as session:
        assert town.city.fulfilment.hand_over(session, GRAIN, code, SHOP).record.fen == 1000
    assert town.refund(order, 0, key="second-part") == 1000
    town.settle()
    assert (town.get(order).state, town.get(order).taken_lots) == (State.REFUNDED, ())
    with town.city.database.read() as session:
        acts = town.city.acts.of_order(session, order.order_id)
    assert [(one.act, one.state, one.fen) for one in acts] == [
        (Act.REFUND, ActState.DONE, 1800),
        (Act.HAND_OVER, ActState.DONE, 1000),
        (Act.REFUND, ActState.DONE, 1000),
    ]


def test_nothing_goes_back_to_who_was_erased(town: Town) -> None:
    with town.city.database.transaction() as session:
        person = town.city.registry.register(session, NewResident("51010999")).resident
    town.people.append(person)
    mint(town.city, person.account, 1, 60_000, 27 * 4 + 4)
    town.settle()
    order = town.place(len(town.people) - 1)
    town.settle()
    with town.city.database.transaction() as session:
        town.city.registry.erase(session, person.resident_id)
    with pytest.raises(PayerErased):
        town.refund(order, 0)
    with pytest.raises(PayerErased):
        town.city.refunds.require_open(GRAIN, order.order_id)
    assert town.get(order).state is State.PAID


def test_a_large_refund_takes_two_logins_and_many_parts_are_one(town: Town) -> None:
    refunds, two = town.city.refunds, Actor("the owner")
    refunds = replace(refunds, approvals=RefundApprovals(town.clock, 1_500))
    order = town.place(3)
    town.settle()

    def refund(keep_fen: int, actor: Actor) -> int:
        proof = refunds.prove(order.order_id)
        with town.city.database.transaction() as session:
            return refunds.refund(session, GRAIN, proof, keep_fen, actor, "a reason").record.fen

    def propose(keep_fen: int) -> None:
        with town.city.database.transaction() as session:
            refunds.approvals.propose(session, GRAIN, order.order_id, keep_fen, "a reason", SHOP)

    assert refund(1_300, SHOP) == 1_500
    town.settle()
    with pytest.raises(RefundNeedsSecond):
        refund(500, SHOP)
    propose(500)
    for keep_fen, actor in ((500, SHOP), (0, two)):
        with pytest.raises(RefundNeedsSecond):
            refund(keep_fen, actor)
    assert refund(500, two) == 800
    town.settle()
    assert town.get(order).paid_fen == 500


def test_an_overdue_hold_goes_back_by_itself_and_a_late_capture_is_given_up(town: Town) -> None:
    """Runs after all others but one: it moves the clock."""
    before = town.holdings(1)
    order = town.place(1, Kind.HOLD)
    town.settle()
    assert order.capture_by is not None
    assert town.holdings(1) != before
    stock = _stock_left(town)
    town.clock.set(datetime.fromtimestamp(order.capture_by + OVERDUE_MARGIN_S + 1, UTC))
    with town.city.database.transaction() as session:
        town.city.fulfilment.capture_part(session, GRAIN, order.order_id, 500, SHOP)
    town.settle()  # nobody sends a capture after its time
    assert town.get(order).state is State.RELEASED
    assert town.holdings(1) == before
    assert _stock_left(town) == stock + 1


def test_after_ninety_days_nothing_goes_back(town: Town) -> None:
    """Runs last: it moves the clock far."""
    order = town.place(1)
    town.settle()
    town.clock.set(town.clock.now() + timedelta(days=REFUND_DAYS, seconds=2))
    with pytest.raises(RefundTooLate):
        town.refund(order, 0)


def _stock_left(town: Town) -> int:
    with town.city.database.read() as session:
        left = town.city.offers.get(session, "rice-5kg").stock_left
    assert left is not None
    return left
