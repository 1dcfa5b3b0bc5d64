"""PointsLedger: sweeping, migration by key and by desk and council, forwarding, and the pause of modules."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from city import (
    DAY,
    GIFT,
    NOW,
    VOLUNTEER,
    City,
    event_values,
    go_to,
    next_block_at,
    now,
    reverts,
    transfers,
)
from reference import ZERO, quarter_end, token_id

LOT = token_id(VOLUNTEER, NOW)
NEXT = LOT + 1
GIFTS = token_id(GIFT, NOW)


@pytest.fixture
def rich(city: City) -> City:
    for lot, amount in ((LOT, 500), (NEXT, 70), (GIFTS, 30)):
        city.give(city.ana, lot, amount)
    return city


# Sweep ------------------------------------------------------------------------------------------------------------


def test_sweep_reverts_for_the_escrow_and_for_a_living_lot(rich: City) -> None:
    with reverts("PointsLedgerEscrow"):
        rich.ledger.sweep(rich.ledger.address, [], {"from": rich.stranger})
    with reverts("PointsLedgerLotAlive", LOT):
        rich.ledger.sweep(rich.ana.address, [LOT], {"from": rich.stranger})
    next_block_at(quarter_end(NOW) - 1)
    with reverts("PointsLedgerLotAlive", LOT):
        rich.ledger.sweep(rich.ana.address, [LOT], {"from": rich.stranger})
    next_block_at(quarter_end(NOW))
    with reverts("PointsLedgerLotAlive", NEXT):
        rich.ledger.sweep(rich.ana.address, [LOT, NEXT], {"from": rich.stranger})


def test_sweep(rich: City) -> None:
    """Anyone may; what is empty, twice named or beyond the scheme is passed over; other lots stay."""
    next_block_at(quarter_end(NOW))
    ids = [LOT, LOT, token_id(VOLUNTEER, NOW - 1), NEXT + 9, 1 << 64 | LOT, GIFTS]
    tx = rich.ledger.sweep(rich.ana.address, ids, {"from": rich.stranger})
    assert event_values(tx, "Swept") == [
        {"holder": rich.ana.address, "id": LOT, "amount": 500},
        {"holder": rich.ana.address, "id": GIFTS, "amount": 30},
    ]
    assert transfers(tx) == [(rich.ana.address, ZERO, LOT, 500), (rich.ana.address, ZERO, GIFTS, 30)]
    assert rich.balances(LOT, rich.ana) == [0]
    assert rich.balances(NEXT, rich.ana) == [70]
    assert rich.ledger.totalSupply(LOT) == 0
    assert rich.ledger.programmeSupply(VOLUNTEER) == 70
    assert rich.position(VOLUNTEER) == 0


# Migration by key -------------------------------------------------------------------------------------------------


def test_migrate_reverts_to_whom_it_must_not_go(rich: City) -> None:
    """Nobody, the escrow, oneself, an account that gave way; and not twice."""
    ana = rich.ana.account
    rich.ledger.migrate(rich.heir.address, [], {"from": rich.bo.account})
    for receiver in (ZERO, rich.ledger.address, rich.ana.address, rich.bo.address):
        with reverts("PointsLedgerBadReceiver", receiver):
            rich.ledger.migrate(receiver, [LOT], {"from": ana})
    with reverts("PointsLedgerRetired", rich.bo.address):
        rich.ledger.migrate(rich.chen.address, [], {"from": rich.bo.account})


def test_migrate_moves_lots_whatever_their_flags_and_leaves_nonces(rich: City) -> None:
    rich.ledger.cancelNonce(LOT, 0, {"from": rich.ana.account})
    tx = rich.ledger.migrate(rich.heir.address, [LOT, GIFTS, LOT, 1 << 64], {"from": rich.ana.account})
    assert event_values(tx, "SuccessorSet") == [{"holder": rich.ana.address, "successor": rich.heir.address}]
    ana, heir = rich.ana.address, rich.heir.address
    assert transfers(tx) == [(ana, heir, LOT, 500), (ana, heir, GIFTS, 30)]
    assert rich.balances(LOT, rich.ana, rich.heir) == [0, 500]
    assert rich.balances(NEXT, rich.ana, rich.heir) == [70, 0]
    assert tuple(rich.ledger.nonceState(ana, LOT)) == (0, 1)
    assert tuple(rich.ledger.nonceState(heir, LOT)) == (0, 0)
    assert rich.ledger.successor(ana) == rich.ledger.currentAccount(ana) == heir
    assert rich.ledger.totalSupply(LOT) == 500


def test_migrate_leaves_dead_lots_behind(rich: City) -> None:
    next_block_at(quarter_end(NOW))
    tx = rich.ledger.migrate(rich.heir.address, [LOT, NEXT], {"from": rich.ana.account})
    assert transfers(tx) == [(rich.ana.address, rich.heir.address, NEXT, 70)]
    rich.ledger.sweep(rich.ana.address, [LOT], {"from": rich.stranger})


def test_an_account_that_gave_way_can_still_not_be_a_successor_later(rich: City) -> None:
    """Successors cannot form a circle, however long."""
    rich.ledger.migrate(rich.bo.address, [], {"from": rich.ana.account})
    rich.ledger.migrate(rich.chen.address, [], {"from": rich.bo.account})
    for old in (rich.ana, rich.bo):
        with reverts("PointsLedgerBadReceiver", old.address):
            rich.ledger.migrate(old.address, [], {"from": rich.chen.account})
    assert rich.ledger.currentAccount(rich.ana.address) == rich.chen.address


def test_successors_are_followed_sixteen_steps(rich: City) -> None:
    from city import Person

    chain = [rich.ana, *(Person(f"link {i}") for i in range(18))]
    for old, new in itertools.pairwise(chain):
        rich.ledger.migrate(new.address, [], {"from": old.account})
    assert rich.ledger.currentAccount(rich.ana.address) == chain[16].address
    rich.ledger.forward(rich.ana.address, [LOT], {"from": rich.stranger})
    assert rich.balances(LOT, chain[16]) == [500]
    rich.ledger.forward(chain[16].address, [LOT], {"from": rich.stranger})
    assert rich.balances(LOT, chain[18]) == [500]


# Forward ----------------------------------------------------------------------------------------------------------


def test_forward(rich: City) -> None:
    """What lands later on an account that gave way, anyone may send after it; dead lots stay."""
    with reverts("PointsLedgerNotRetired", rich.ana.address):
        rich.ledger.forward(rich.ana.address, [LOT], {"from": rich.stranger})
    rich.ledger.migrate(rich.heir.address, [LOT, NEXT, GIFTS], {"from": rich.ana.account})
    rich.give(rich.ana, LOT, 11)
    rich.give(rich.ana, NEXT, 12)
    assert rich.balances(LOT, rich.ana, rich.heir) == [11, 500]
    next_block_at(quarter_end(NOW))
    tx = rich.ledger.forward(rich.ana.address, [LOT, NEXT], {"from": rich.stranger})
    assert transfers(tx) == [(rich.ana.address, rich.heir.address, NEXT, 12)]
    assert rich.balances(NEXT, rich.ana, rich.heir) == [0, 82]


# Migration by desk and council ------------------------------------------------------------------------------------

IDS = [LOT, GIFTS]


def request(city: City, to: str | None = None) -> Any:
    return city.ledger.requestMigration(city.ana.address, to or city.heir.address, IDS, {"from": city.desk})


def test_a_request_reverts_for_a_bad_receiver(rich: City) -> None:
    for receiver in (ZERO, rich.ledger.address, rich.ana.address):
        with reverts("PointsLedgerBadReceiver", receiver):
            request(rich, receiver)
    rich.ledger.migrate(rich.heir.address, [], {"from": rich.ana.account})
    with reverts("PointsLedgerRetired", rich.ana.address):
        request(rich)


def test_the_council_approves_what_was_asked_and_nothing_else(rich: City) -> None:
    args = (rich.ana.address, rich.heir.address, IDS)
    with reverts("PointsLedgerNoMigration", rich.ana.address):
        rich.ledger.approveMigration(*args, rich.by_admin)
    request(rich)
    for other in ((rich.ana.address, rich.bo.address, IDS), (rich.ana.address, rich.heir.address, [LOT])):
        with reverts("PointsLedgerNoMigration", rich.ana.address):
            rich.ledger.approveMigration(*other, rich.by_admin)
    request(rich, rich.bo.address)
    with reverts("PointsLedgerNoMigration", rich.ana.address):
        rich.ledger.approveMigration(*args, rich.by_admin)


def test_seven_days_and_the_council_s_word(rich: City) -> None:
    """Neither is enough alone; then anyone carries it out, once."""
    args = (rich.ana.address, rich.heir.address, IDS)
    tx = request(rich)
    ready = now() + 7 * DAY
    (event,) = event_values(tx, "MigrationRequested")
    assert (event["holder"], event["successor"], list(event["ids"])) == (rich.ana.address, rich.heir.address, IDS)
    assert event["executableFrom"] == ready
    next_block_at(ready)
    with reverts("PointsLedgerNoMigration", rich.ana.address):
        rich.ledger.executeMigration(*args, {"from": rich.stranger})
    request(rich)
    ready = now() + 7 * DAY
    tx = rich.ledger.approveMigration(*args, rich.by_admin)
    assert event_values(tx, "MigrationApproved") == [{"holder": rich.ana.address}]
    next_block_at(ready - 1)
    with reverts("PointsLedgerTooEarly", ready):
        rich.ledger.executeMigration(*args, {"from": rich.stranger})
    for other in ((rich.ana.address, rich.bo.address, IDS), (rich.ana.address, rich.heir.address, [])):
        with reverts("PointsLedgerNoMigration", rich.ana.address):
            rich.ledger.executeMigration(*other, {"from": rich.stranger})
    next_block_at(ready + 5)
    tx = rich.ledger.executeMigration(*args, {"from": rich.stranger})
    ana, heir = rich.ana.address, rich.heir.address
    assert event_values(tx, "SuccessorSet") == [{"holder": ana, "successor": heir}]
    assert transfers(tx) == [(ana, heir, LOT, 500), (ana, heir, GIFTS, 30)]
    with reverts("PointsLedgerNoMigration", rich.ana.address):
        rich.ledger.executeMigration(*args, {"from": rich.stranger})


def test_a_new_request_needs_a_new_approval_and_a_new_wait(rich: City) -> None:
    args = (rich.ana.address, rich.heir.address, IDS)
    request(rich)
    rich.ledger.approveMigration(*args, rich.by_admin)
    go_to(now() + 6 * DAY)
    request(rich)
    go_to(now() + 2 * DAY)
    with reverts("PointsLedgerNoMigration", rich.ana.address):
        rich.ledger.executeMigration(*args, {"from": rich.stranger})


def test_the_holder_refuses(rich: City) -> None:
    """Whoever still has the key has the last word, until it is done."""
    with reverts("PointsLedgerNoMigration", rich.ana.address):
        rich.ledger.cancelMigration({"from": rich.ana.account})
    request(rich)
    rich.ledger.approveMigration(rich.ana.address, rich.heir.address, IDS, rich.by_admin)
    tx = rich.ledger.cancelMigration({"from": rich.ana.account})
    assert event_values(tx, "MigrationCancelled") == [{"holder": rich.ana.address}]
    go_to(now() + 8 * DAY)
    with reverts("PointsLedgerNoMigration", rich.ana.address):
        rich.ledger.executeMigration(rich.ana.address, rich.heir.address, IDS, {"from": rich.stranger})


def test_a_migration_asked_for_falls_where_the_holder_or_the_receiver_moved_meanwhile(rich: City) -> None:
    args = (rich.ana.address, rich.heir.address, IDS)
    request(rich)
    rich.ledger.approveMigration(*args, rich.by_admin)
    go_to(now() + 8 * DAY)
    rich.ledger.migrate(rich.bo.address, [], {"from": rich.heir.account})
    with reverts("PointsLedgerBadReceiver", rich.heir.address):
        rich.ledger.executeMigration(*args, {"from": rich.stranger})


# Pause ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["issuance", "exchange", "redemption"])
def test_the_guardian_s_brake(city: City, name: str) -> None:
    """At most 72 hours, lets go by itself, and not again before seven days have passed since."""
    module, guardian = getattr(city, name), {"from": city.guardian}
    for seconds in (0, 72 * 3600 + 1):
        with reverts("PausableBadDuration", seconds):
            module.pause(seconds, guardian)
    tx = module.pause(72 * 3600, guardian)
    until = now() + 72 * 3600
    assert event_values(tx, "Paused") == [{"until": until}]
    assert module.pausedUntil() == until
    tx = module.unpause(guardian)
    assert len(event_values(tx, "Unpaused")) == 1
    assert module.pausedUntil() == 0
    next_block_at(until + 7 * DAY - 1)
    with reverts("PausableTooSoon", until + 7 * DAY):
        module.pause(1, guardian)
    next_block_at(until + 7 * DAY)
    module.pause(1, guardian)


def test_a_pause_ends_to_the_second(rich: City) -> None:
    rich.exchange.pause(1_000, {"from": rich.guardian})
    until = rich.exchange.pausedUntil()
    next_block_at(until - 1)
    with reverts("PausableIsPaused", until):
        rich.run_exchange(b"")
    next_block_at(until)
    rich.run_exchange(b"")
