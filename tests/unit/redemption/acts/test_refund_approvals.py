from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ledger_api.auth.logins import Logins, NewLogin
from redemption.acts.refund_approvals import PROPOSAL_LIFETIME_S, RefundApprovals
from redemption.errors import RefundNeedsSecond
from redemption.fulfilment import Actor
from tests.unit.redemption.world import GROCER, MUSEUM, World

ORDER, LIMIT = b"\x07" * 32, 50_000
ONE, TWO = Actor("one"), Actor("two")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    city = World(tmp_path)
    yield city
    city.close()


@pytest.fixture
def approvals(world: World) -> RefundApprovals:
    return RefundApprovals(world.clock, LIMIT)


def carry_out(
    world: World, approvals: RefundApprovals, person: Actor, *, keep_fen: int = 0, back: int = LIMIT + 1
) -> None:
    with world.database.transaction() as session:
        approvals.require(session, ORDER, keep_fen, back, person)


def propose(world: World, approvals: RefundApprovals, person: Actor = ONE, keep_fen: int = 0) -> None:
    with world.database.transaction() as session:
        approvals.propose(session, GROCER, ORDER, keep_fen, "out of date", person)


def test_up_to_the_limit_one_login_is_enough_and_none_is_a_limit_too(world: World, approvals: RefundApprovals) -> None:
    carry_out(world, approvals, ONE, back=LIMIT)
    carry_out(world, RefundApprovals(world.clock), ONE, back=10**9)
    with pytest.raises(RefundNeedsSecond):
        carry_out(world, approvals, ONE)


def test_another_login_carries_out_just_what_was_proposed_and_once(world: World, approvals: RefundApprovals) -> None:
    propose(world, approvals, keep_fen=100)
    for person, keep_fen in ((ONE, 100), (TWO, 99)):
        with pytest.raises(RefundNeedsSecond):
            carry_out(world, approvals, person, keep_fen=keep_fen)
    carry_out(world, approvals, TWO, keep_fen=100)
    with pytest.raises(RefundNeedsSecond):
        carry_out(world, approvals, TWO, keep_fen=100)


def test_two_logins_of_one_resident_are_one_person(world: World, approvals: RefundApprovals) -> None:
    propose(world, approvals, Actor("one", (), 7))
    with pytest.raises(RefundNeedsSecond):
        carry_out(world, approvals, Actor("two", (), 7))
    carry_out(world, approvals, Actor("two", (), 8))


def test_a_proposal_takes_the_place_of_the_one_before_and_does_not_wait_for_ever(
    world: World, approvals: RefundApprovals
) -> None:
    propose(world, approvals, ONE, keep_fen=100)
    propose(world, approvals, TWO, keep_fen=200)
    with world.database.read() as session:
        [waits] = approvals.of_merchant(session, GROCER)
        assert (waits.keep_fen, waits.proposed_by) == (200, "two")
        assert approvals.of_merchant(session, MUSEUM) == []
    world.clock.set(world.clock.now() + timedelta(seconds=PROPOSAL_LIFETIME_S))
    with pytest.raises(RefundNeedsSecond):
        carry_out(world, approvals, ONE, keep_fen=200)
    with world.database.read() as session:
        assert approvals.of_merchant(session, GROCER) == []


def test_an_owner_and_the_staff_whose_logins_he_made_are_one_person(world: World, approvals: RefundApprovals) -> None:
    logins = Logins(world.clock)
    with world.database.transaction() as session:
        made = [
            logins.add(session, NewLogin(f"staff.{n}", "x", frozenset({"merchant:1:refunds"}), "owner", GROCER)).subject
            for n in (1, 2)
        ]
        others = logins.add(session, NewLogin("second", "x", frozenset({"merchant:1:refunds"}), "command line")).subject
    one, two = made
    for proposer, second in (("owner", one), (one, "owner"), (one, two)):
        propose(world, approvals, Actor(proposer))
        with pytest.raises(RefundNeedsSecond):
            carry_out(world, approvals, Actor(second))
    propose(world, approvals, Actor(one))
    carry_out(world, approvals, Actor(others))
