"""What modules call on the ledger, called directly: the ledger's own promises do not rest on how a module is written.

A test's account holds all module roles here. Each call is made in the block in which its batch was begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from brownie import web3
from city import (
    CULTURE,
    EXCHANGE,
    GIFT,
    ISSUANCE,
    NOW,
    REDEMPTION,
    RESIDENCE,
    VOLUNTEER,
    City,
    now,
    reverts,
)
from eth_utils import keccak
from lives.wire import Call, Event, Wire
from reference import (
    ACCEPTED,
    CAP_EXCEEDED,
    FORBIDDEN,
    INSUFFICIENT,
    LANE_MAX,
    LOT_DEAD,
    NONCE_SPENT,
    ZERO,
    Lot,
    pack_grants,
    pack_lots,
    quarter_end,
    token_id,
)

LOT, OTHER, TO = token_id(VOLUNTEER, NOW), token_id(GIFT, NOW), token_id(CULTURE, NOW)
DEAD = token_id(VOLUNTEER, NOW - 1)
HOLD = b"\x0a" * 32


class Module:
    """An account with the roles of all modules."""

    def __init__(self, city: City, wire: Wire) -> None:
        self.city, self.wire, self.who = city, wire, city.stranger.address
        self.at = now()

    def _call(self, function: str, args: tuple[Any, ...]) -> tuple[Call, Call]:
        begin = "beginExchange" if function == "exchange" else "beginRedemption"
        return Call(self.who, self.city.ledger, begin, ()), Call(self.who, self.city.ledger, function, args)

    def ask(self, function: str, *args: Any) -> Any:
        """Return what a call would answer in the block of its beginning."""
        begin, call = self._call(function, args)
        self.at += 1
        assert self.wire.mine(self.at, [begin])[0].ok
        return self.wire.read([call])[0]

    def refusal(self, function: str, *args: Any) -> tuple[Any, ...]:
        begin, call = self._call(function, args)
        self.at += 1
        assert self.wire.mine(self.at, [begin])[0].ok
        found = self.wire.refusal(call, self.at)
        assert found is not None
        return (found.name, *found.values)

    def do(self, function: str, *args: Any) -> list[Event]:
        """Make the call and return its events."""
        self.at += 1
        begun, done = self.wire.mine(self.at, list(self._call(function, args)))
        assert (begun.ok, done.ok) == (True, True)
        return [event for _, event in done.events]

    def moves(self, function: str, *args: Any) -> list[tuple[str, str, int, int]]:
        events = [values for name, values in self.do(function, *args) if name == "Transfer"]
        assert all(values["caller"] == self.who for values in events)
        return [(v["sender"], v["receiver"], v["id"], v["amount"]) for v in events]

    def nonce(self, lot: int = LOT) -> tuple[int, int]:
        base, window = self.city.ledger.nonceState(self.ana, lot)
        return base, window

    @property
    def ana(self) -> str:
        return str(self.city.ana.address)


@pytest.fixture
def module(city: City) -> Iterator[Module]:
    for lot in (LOT, OTHER):
        city.give(city.ana, lot, 1_000)
    for role in (ISSUANCE, EXCHANGE, REDEMPTION):
        city.manager.grantRole(role, city.stranger, 0, city.by_admin)
    wire = Wire(web3.provider.endpoint_uri, [city.ledger, city.manager])
    with wire.mining_by_hand():
        yield Module(city, wire)


def packed(*lots: Lot) -> bytes:
    return pack_lots(lots)


# Issuance ---------------------------------------------------------------------------------------------------------


def test_mint_answers_amount_supply_and_par(city: City) -> None:
    """The module needs all three to check the funding, and reads nothing again."""
    city.manager.grantRole(ISSUANCE, city.stranger, 0, city.by_admin)
    city.give(city.bo, LOT + 1, 50)
    args = (VOLUNTEER, NOW, 1_000, b"\x0e" * 32, pack_grants([(city.ana.address, 5), (city.bo.address, 6)]))
    assert tuple(city.ledger.mint.call(*args, {"from": city.stranger})) == (11, 61, 20_000_000)


def test_void_reverts_for_a_programme_that_is_not_there(city: City) -> None:
    city.manager.grantRole(ISSUANCE, city.stranger, 0, city.by_admin)
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.voidBatch(99, 1, {"from": city.stranger})


def test_revoke_takes_and_answers(city: City) -> None:
    """Rises only; takes what is there; the account is the end of the chain of successors."""
    city.manager.grantRole(ISSUANCE, city.stranger, 0, city.by_admin)
    city.give(city.ana, LOT, 100)
    by, leaf = {"from": city.stranger}, b"\x0b" * 32
    with reverts("PointsLedgerBadRevocation", leaf, 0, 0):
        city.ledger.revoke(leaf, 0, city.ana.address, LOT, by)
    assert tuple(city.ledger.revoke.call(leaf, 70, city.ana.address, LOT, by)) == (city.ana.address, 70, 0)
    city.ledger.revoke(leaf, 70, city.ana.address, LOT, by)
    city.ledger.migrate(city.heir.address, [LOT], {"from": city.ana.account})
    assert tuple(city.ledger.revoke.call(leaf, 170, city.ana.address, LOT, by)) == (city.heir.address, 30, 70)
    for total in (69, 70):
        with reverts("PointsLedgerBadRevocation", leaf, total, 70):
            city.ledger.revoke(leaf, total, city.ana.address, LOT, by)
    assert (city.ledger.totalSupply(LOT), city.ledger.revokedTotal(leaf)) == (30, 70)


# Exchange ---------------------------------------------------------------------------------------------------------


def test_exchange_verdicts_in_order(module: Module) -> None:
    """Nonce, the module's own verdict, room in the lot that is wanted, lot alive, balance."""
    ana, too_much = module.ana, LANE_MAX + 1
    assert module.ask("exchange", ana, 64, FORBIDDEN, DEAD, 5_000, TO, too_much) == NONCE_SPENT
    assert module.ask("exchange", ana, 0, FORBIDDEN, DEAD, 5_000, TO, too_much) == FORBIDDEN
    assert module.ask("exchange", ana, 0, ACCEPTED, DEAD, 5_000, TO, too_much) == CAP_EXCEEDED
    assert module.ask("exchange", ana, 0, ACCEPTED, DEAD, 5_000, TO, 1) == LOT_DEAD
    assert module.ask("exchange", ana, 0, ACCEPTED, LOT, 1_001, TO, 1) == INSUFFICIENT
    assert module.ask("exchange", ana, 0, ACCEPTED, LOT, 1_000, TO, LANE_MAX) == ACCEPTED


@pytest.mark.parametrize(
    ("verdict", "lot", "amount", "out"),
    [(FORBIDDEN, LOT, 1, 1), (ACCEPTED, DEAD, 1, 1), (ACCEPTED, LOT, 1_001, 1), (ACCEPTED, LOT, 1, LANE_MAX + 1)],
)
def test_an_exchange_that_is_not_accepted_spends_the_nonce_and_nothing_else(
    module: Module, verdict: int, lot: int, amount: int, out: int
) -> None:
    assert module.do("exchange", module.ana, 3, verdict, lot, amount, TO, out) == []
    assert (module.city.balances(LOT, module.ana), module.nonce(lot)) == ([1_000], (0, 0b1000))
    assert module.city.ledger.totalSupply(TO) == 0
    assert module.ask("exchange", module.ana, 3, ACCEPTED, lot, 1, TO, 1) == NONCE_SPENT


def test_exchange(module: Module) -> None:
    """Burn and mint, and the supplies of lots and programmes with them."""
    ledger = module.city.ledger
    moves = module.moves("exchange", module.ana, 3, ACCEPTED, LOT, 400, TO, 80)
    assert moves == [(module.ana, ZERO, LOT, 400), (ZERO, module.ana, TO, 80)]
    assert [ledger.balanceOf(module.ana, lot) for lot in (LOT, TO)] == [600, 80]
    assert [ledger.totalSupply(lot) for lot in (LOT, TO)] == [600, 80]
    assert [ledger.programmeSupply(p) for p in (VOLUNTEER, CULTURE)] == [600, 80]


# Redemption -------------------------------------------------------------------------------------------------------


def test_spend_verdicts_in_order(module: Module) -> None:
    """Nonce, the module's own verdict, then lot by lot: alive, balance."""
    ana, dead_first = module.ana, packed((DEAD, 1), (LOT, 5_000))
    assert module.ask("spend", ana, 64, dead_first, FORBIDDEN) == NONCE_SPENT
    assert module.ask("spend", ana, 0, dead_first, FORBIDDEN) == FORBIDDEN
    assert module.ask("spend", ana, 0, dead_first, ACCEPTED) == LOT_DEAD
    assert module.ask("spend", ana, 0, packed((LOT, 1_001), (DEAD, 1)), ACCEPTED) == INSUFFICIENT
    assert module.ask("spend", ana, 0, packed((LOT, 1_000), (DEAD, 1)), ACCEPTED) == LOT_DEAD
    assert module.ask("spend", ana, 0, packed((LOT, 1_000), (OTHER, 1_001)), ACCEPTED) == INSUFFICIENT
    assert module.ask("spend", ana, 0, packed((LOT, 600), (OTHER, 1), (LOT, 401)), ACCEPTED) == INSUFFICIENT
    assert module.ask("spend", ana, 0, packed((LOT, 600), (OTHER, 1), (LOT, 400)), ACCEPTED) == ACCEPTED


@pytest.mark.parametrize("last", [(LOT, 401), (OTHER, 1_001), (DEAD, 1)])
def test_a_spend_takes_all_lots_or_none(module: Module, last: Lot) -> None:
    """What was debited of the first lots is undone, and the nonce is spent all the same."""
    lots = packed((LOT, 600), (OTHER, 5), last)
    assert module.do("spend", module.ana, 1, lots, ACCEPTED) == []
    assert [module.city.ledger.balanceOf(module.ana, lot) for lot in (LOT, OTHER)] == [1_000, 1_000]
    assert (module.nonce(LOT), module.nonce(OTHER)) == ((0, 0b10), (0, 0))


def test_spend(module: Module) -> None:
    """One id may stand there twice; the nonce is spent in the first lot's word alone."""
    moves = module.moves("spend", module.ana, 1, packed((LOT, 600), (OTHER, 5), (LOT, 400)), ACCEPTED)
    assert moves == [(module.ana, ZERO, lot, amount) for lot, amount in ((LOT, 600), (OTHER, 5), (LOT, 400))]
    assert [module.city.ledger.totalSupply(lot) for lot in (LOT, OTHER)] == [0, 995]
    assert (module.nonce(LOT), module.nonce(OTHER)) == ((0, 0b10), (0, 0))


def test_hold(module: Module) -> None:
    """Into the ledger's own balance: no supply changes; the commitment binds holder and lots."""
    ledger, lots = module.city.ledger, packed((LOT, 600), (OTHER, 5))
    events = module.do("hold", HOLD, module.ana, 0, lots, ACCEPTED)
    assert events[-1] == ("HoldOpened", {"holdId": HOLD, "holder": module.ana, "lots": lots})
    assert [ledger.balanceOf(ledger, lot) for lot in (LOT, OTHER)] == [600, 5]
    assert [ledger.balanceOf(module.ana, lot) for lot in (LOT, OTHER)] == [400, 995]
    assert [ledger.totalSupply(lot) for lot in (LOT, OTHER)] == [1_000, 1_000]
    assert bytes(ledger.holdCommitment(HOLD)) == keccak(bytes.fromhex(module.ana[2:]) + lots)


def test_a_hold_s_id_is_open_once(module: Module) -> None:
    """Should a module give an open hold's id to another order, that is refused and the open hold stays as it is."""
    module.do("hold", HOLD, module.ana, 0, packed((LOT, 600)), ACCEPTED)
    commitment = bytes(module.city.ledger.holdCommitment(HOLD))
    assert module.ask("hold", HOLD, module.ana, 1, packed((LOT, 100)), ACCEPTED) == NONCE_SPENT
    assert module.do("hold", HOLD, module.ana, 1, packed((LOT, 100)), ACCEPTED) == []
    assert bytes(module.city.ledger.holdCommitment(HOLD)) == commitment
    assert (module.city.escrow(LOT), module.city.balances(LOT, module.ana)) == (600, [400])


def test_close_hold_knows_only_what_was_held(module: Module) -> None:
    """Another id, holder, amount or order of lots: nothing happens, and the hold stays open."""
    lots = packed((LOT, 600), (OTHER, 5))
    module.do("hold", HOLD, module.ana, 0, lots, ACCEPTED)
    for hold_id, holder, named in (
        (b"\x0c" * 32, module.ana, lots),
        (HOLD, module.city.bo.address, lots),
        (HOLD, module.ana, packed((LOT, 601), (OTHER, 5))),
        (HOLD, module.ana, packed((OTHER, 5), (LOT, 600))),
        (HOLD, module.ana, packed((LOT, 600))),
    ):
        assert module.ask("closeHold", hold_id, holder, named, 0, 0) is False
        assert module.do("closeHold", hold_id, holder, named, 0, 0) == []
    assert (module.city.escrow(LOT), module.city.escrow(OTHER)) == (600, 5)
    # A hold that is not open is none of address 0 without lots either.
    assert module.ask("closeHold", b"\0" * 32, ZERO, b"", 0, 0) is False


@pytest.mark.parametrize("prefix", [(0, 1), (1, 0), (1, 601), (2, 6), (3, 1), (255, 5)])
def test_close_hold_reverts_for_a_prefix_that_is_none(module: Module, prefix: tuple[int, int]) -> None:
    """What was put in escrow leaves it, and nothing more."""
    lots = packed((LOT, 600), (OTHER, 5))
    module.do("hold", HOLD, module.ana, 0, lots, ACCEPTED)
    assert module.refusal("closeHold", HOLD, module.ana, lots, *prefix) == ("PointsLedgerBadPrefix", *prefix)


def test_close_hold(module: Module) -> None:
    """The kept prefix burns, the rest goes back; the id is free of any hold then."""
    ledger, lots = module.city.ledger, packed((LOT, 600), (OTHER, 5))
    module.do("hold", HOLD, module.ana, 0, lots, ACCEPTED)
    events = module.do("closeHold", HOLD, module.ana, lots, 1, 450)
    assert [name for name, _ in events] == ["Transfer", "Transfer", "Transfer", "HoldClosed"]
    assert events[-1][1] == {"holdId": HOLD, "receiver": module.ana, "keptLots": 1, "lastAmount": 450}
    assert [ledger.balanceOf(ledger, lot) for lot in (LOT, OTHER)] == [0, 0]
    assert [ledger.balanceOf(module.ana, lot) for lot in (LOT, OTHER)] == [550, 1_000]
    assert [ledger.totalSupply(lot) for lot in (LOT, OTHER)] == [550, 1_000]
    assert bytes(ledger.holdCommitment(HOLD)) == b"\0" * 32
    assert module.ask("closeHold", HOLD, module.ana, lots, 1, 450) is False


def test_restore_mints_the_difference_of_two_prefixes(module: Module) -> None:
    ledger, lots = module.city.ledger, packed((LOT, 600), (OTHER, 5), (LOT, 400))
    module.do("spend", module.ana, 0, lots, ACCEPTED)
    moves = module.moves("restore", module.ana, lots, 3, 400, 2, 2)
    assert moves == [(ZERO, module.ana, OTHER, 3), (ZERO, module.ana, LOT, 400)]
    assert [ledger.balanceOf(module.ana, lot) for lot in (LOT, OTHER)] == [400, 998]
    assert module.ask("restore", module.ana, lots, 2, 2, 0, 0) == module.ana.lower()
    assert module.moves("restore", module.ana, lots, 2, 2, 2, 2) == []
    assert module.moves("restore", module.ana, lots, 2, 2, 0, 0) == [
        (ZERO, module.ana, LOT, 600),
        (ZERO, module.ana, OTHER, 2),
    ]
    assert [ledger.totalSupply(lot) for lot in (LOT, OTHER)] == [1_000, 1_000]


def test_restore_leaves_alone_what_is_kept(module: Module) -> None:
    """Even a dead lot of par 0, of which nothing could be reborn."""
    lots = packed((token_id(RESIDENCE, NOW - 1), 100))
    assert module.moves("restore", module.ana, lots, 1, 100, 1, 100) == []


def test_restore_reverts_where_the_lot_has_no_room(city: City) -> None:
    """So much was minted since that the lot is full; a smaller refund still lands."""
    city.appropriate(VOLUNTEER, 10**15)
    city.give(city.ana, LOT, 1_000)
    city.manager.grantRole(REDEMPTION, city.stranger, 0, city.by_admin)
    wire = Wire(web3.provider.endpoint_uri, [city.ledger, city.manager])
    with wire.mining_by_hand():
        Module(city, wire).do("spend", city.ana.address, 0, packed((LOT, 1_000)), ACCEPTED)
    city.give(city.bo, LOT, LANE_MAX - 10)
    with wire.mining_by_hand():
        module = Module(city, wire)
        args = (city.ana.address, packed((LOT, 1_000)), 1, 1_000, 0, 0)
        assert module.refusal("restore", *args) == ("PointsLedgerLotFull", LOT, LANE_MAX + 990)
        assert module.moves("restore", *args[:4], 1, 990) == [(ZERO, city.ana.address, LOT, 10)]
    assert city.ledger.totalSupply(LOT) == LANE_MAX


def test_a_dead_lot_is_dead_to_the_second(module: Module) -> None:
    """The last second of the quarter spends, the next does not."""
    module.at = quarter_end(NOW) - 2
    assert module.ask("spend", module.ana, 0, packed((LOT, 1)), ACCEPTED) == ACCEPTED
    module.do("spend", module.ana, 0, packed((LOT, 1)), ACCEPTED)
    assert module.ask("spend", module.ana, 1, packed((LOT, 1)), ACCEPTED) == LOT_DEAD
