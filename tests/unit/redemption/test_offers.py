from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.standard.ids import MerchantId
from redemption.errors import OfferClosed, OutOfStock, UnknownMerchant, UnknownOffer
from redemption.offers import Offer, Promised, StockMoves, closed_because
from redemption.states import Stock
from tests.unit.redemption.world import GROCER, World

OIL = Offer("oil", GROCER, "菜籽油", "Rapeseed oil", 6000, stock_total=2)


def test_an_offer_is_made_once_under_its_id(world: World) -> None:
    with world.database.transaction() as session:
        first = world.offers.ensure(session, OIL)
        again = world.offers.ensure(session, replace(OIL, price_fen=1))
    assert first == again == OIL


def test_an_offer_without_an_id_draws_one(world: World) -> None:
    with world.database.transaction() as session:
        made = world.offers.create(session, replace(OIL, offer_id=""))
    assert len(made.offer_id) == 24


def test_no_offer_without_a_merchant(world: World) -> None:
    with world.database.transaction() as session, pytest.raises(UnknownMerchant):
        world.offers.create(session, replace(OIL, merchant_id=MerchantId(99)))


def test_stock_cannot_fall_below_what_is_promised(world: World) -> None:
    with world.database.transaction() as session:
        promised = Promised()
        promised.add("rice", 1, 2)
        world.offers.reserve(session, promised)
        moves = StockMoves()
        moves.add("rice", 1, Stock.RESERVED, Stock.TAKEN)
        world.offers.move(session, moves)
    with world.database.transaction() as session, pytest.raises(OutOfStock):
        world.offers.restock(session, "rice", 1)
    with world.database.transaction() as session:
        assert world.offers.restock(session, "rice", 2).stock_left == 0
        assert world.offers.restock(session, "rice", None).stock_left is None


def test_what_went_to_another_since_one_looked_is_not_reserved(world: World) -> None:
    """The look takes no lock: what was promised and is gone, or closed, loses the whole transaction."""
    with world.database.transaction() as session:
        world.offers.restock(session, "rice", 3)
    promised = Promised()
    promised.add("rice", 1, 2)
    promised.add("rice", 2, 2)
    with world.database.transaction() as session, pytest.raises(OutOfStock):
        world.offers.reserve(session, promised)
    few = Promised()
    few.add("rice", 1, 3)
    with world.database.transaction() as session:
        world.offers.set_status(session, "rice", "paused")
    with world.database.transaction() as session, pytest.raises(OfferClosed):
        world.offers.reserve(session, few)
    assert world.offer().stock_reserved == 0


def test_pieces_come_and_go_whatever_an_offers_status_is(world: World) -> None:
    """A block may say late that an order was paid which had been given up: that is no new order."""
    with world.database.transaction() as session:
        world.offers.set_status(session, "rice", "paused")
        moves = StockMoves()
        moves.add("rice", 1, Stock.RELEASED, Stock.TAKEN)
        world.offers.move(session, moves)
    assert world.offer().stock_taken == 1


def test_what_has_ended_stays_ended(world: World) -> None:
    with world.database.transaction() as session:
        world.offers.set_status(session, "rice", "ended")
    with world.database.transaction() as session, pytest.raises(OfferClosed):
        world.offers.set_status(session, "rice", "active")


def test_an_offer_is_open_from_its_first_second_to_its_last() -> None:
    offer = replace(OIL, opens_at=100, closes_at=200)
    assert [closed_because(offer, at) is None for at in (99, 100, 199, 200)] == [False, True, True, False]


def test_pages_follow_the_id_and_can_leave_out_what_is_closed(world: World) -> None:
    with world.database.transaction() as session:
        world.offers.create(session, replace(OIL, closes_at=world.now))
    with world.database.read() as session:
        everything = world.offers.page(session, merchant_id=None, after=None, limit=10, only_open=False)
        opened = world.offers.page(session, merchant_id=GROCER, after=None, limit=10, only_open=True)
        after = world.offers.page(session, merchant_id=None, after="rice", limit=10, only_open=False)
    assert [one.offer_id for one in everything] == ["oil", "rice", "ticket"]
    assert [one.offer_id for one in opened] == ["rice"]
    assert [one.offer_id for one in after] == ["ticket"]


def test_an_unknown_offer_is_said_so(world: World) -> None:
    with world.database.read() as session, pytest.raises(UnknownOffer):
        world.offers.get(session, "nothing")
