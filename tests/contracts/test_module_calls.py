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
    NOW,
    REDEMPTION,
    RESIDENCE,
    VOLUNTEER,
    City,
    now,
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
    expiry_end,
    pack_lots,
    prefix_word,
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
        return self.wire.read([call], now())[0]

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
    for role in (EXCHANGE, REDEMPTION):
        city.manager.grantRole(role, city.stranger, 0, city.by_admin)
    wire = Wire(web3.provider.endpoint_uri, [city.ledger, city.manager])
    with wire.mining_by_hand():
        yield Module(city, wire)


def packed(*lots: Lot) -> bytes:
    return pack_lots(lots)


# Exchange ---------------------------------------------------------------------------------------------------------


def test_exchange_verdicts_in_order(module: Module) -> None:
    """Nonce, the module's own verdict, room in the lot that is wanted, lot alive, balance."""
    ana, too_much = module.ana, LANE_MAX + 1
    assert module.ask("exchange", ana, 64, FORBIDDEN, DEAD, 5_000, TO, too_much) == NONCE_SPENT
    assert module.ask("exchange", ana, 0, FORBIDDEN, DEAD, 5_000, TO, too_much) == FORBIDDEN
    assert module.ask("exchange", ana, 0, ACCEPTED, DEAD, 5_000, TO, too_much) == CAP_EXCEEDED
    assert module.ask("exchange", ana, 0, ACCEPTED, DEAD, 5_000, TO, 1) == LOT_DEAD
    assert module.ask("exchange", ana, 0, ACCEPTED, LOT, 1_001, TO, 1) == INSUFFICIENT
    assert module.ask("exchange", ana, 0, ACCEPTED, LOT, 1_000, TO, 200) == ACCEPTED


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
    assert [ledger.programme(p)[6] for p in (VOLUNTEER, CULTURE)] == [600, 80]


@pytest.mark.parametrize(
    ("lot", "amount", "to", "out"),
    [
        (LOT, 1_000, TO, 201),
        (LOT, 0, TO, 1),
        (LOT, 1_000, TO, LANE_MAX),
        (LOT, 1_000, TO + 1, 1),
        (LOT, 1_000, token_id(RESIDENCE, NOW), 1),
        (LOT, 1_000, token_id(99, NOW), 1),
        (LOT, 1_000, LOT, 1_000),
    ],
    ids=["too much", "for nothing", "all that a lot holds", "of another quarter", "a score", "of nothing", "itself"],
)
def test_an_exchange_gives_no_more_value_than_it_takes(
    module: Module, lot: int, amount: int, to: int, out: int
) -> None:
    """Whatever the module says: the ledger reverts, for no module that computes as it should ever asks for that."""
    refused = module.refusal("exchange", module.ana, 3, ACCEPTED, lot, amount, to, out)
    assert refused == ("PointsLedgerBadExchange", lot, amount, to, out)
    assert module.moves("exchange", module.ana, 3, ACCEPTED, LOT, 1_000, TO, 200) != []


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
    moves = module.moves("holdLots", HOLD, module.ana, 0, lots, ACCEPTED)
    assert moves == [(module.ana, ledger.address, LOT, 600), (module.ana, ledger.address, OTHER, 5)]
    assert [ledger.balanceOf(ledger, lot) for lot in (LOT, OTHER)] == [600, 5]
    assert [ledger.balanceOf(module.ana, lot) for lot in (LOT, OTHER)] == [400, 995]
    assert [ledger.totalSupply(lot) for lot in (LOT, OTHER)] == [1_000, 1_000]
    assert bytes(ledger.holdCommitment(HOLD)) == keccak(bytes.fromhex(module.ana[2:]) + lots)


def test_a_hold_s_id_is_open_once(module: Module) -> None:
    """Should a module give an open hold's id to another order, that is refused and the open hold stays as it is."""
    module.do("holdLots", HOLD, module.ana, 0, packed((LOT, 600)), ACCEPTED)
    commitment = bytes(module.city.ledger.holdCommitment(HOLD))
    assert module.ask("holdLots", HOLD, module.ana, 1, packed((LOT, 100)), ACCEPTED) == NONCE_SPENT
    assert module.do("holdLots", HOLD, module.ana, 1, packed((LOT, 100)), ACCEPTED) == []
    assert bytes(module.city.ledger.holdCommitment(HOLD)) == commitment
    assert (module.city.escrow(LOT), module.city.balances(LOT, module.ana)) == (600, [400])


def test_close_hold_knows_only_what_was_held(module: Module) -> None:
    """Another id, holder, amount or order of lots: nothing happens, and the hold stays open."""
    lots = packed((LOT, 600), (OTHER, 5))
    module.do("holdLots", HOLD, module.ana, 0, lots, ACCEPTED)
    for hold_id, holder, named in (
        (b"\x0c" * 32, module.ana, lots),
        (HOLD, module.city.bo.address, lots),
        (HOLD, module.ana, packed((LOT, 601), (OTHER, 5))),
        (HOLD, module.ana, packed((OTHER, 5), (LOT, 600))),
        (HOLD, module.ana, packed((LOT, 600))),
    ):
        assert module.ask("finishHold", hold_id, holder, named, 0) is False
        assert module.do("finishHold", hold_id, holder, named, 0) == []
    assert (module.city.escrow(LOT), module.city.escrow(OTHER)) == (600, 5)
    # A hold that is not open is none of address 0 without lots either.
    assert module.ask("finishHold", b"\0" * 32, ZERO, b"", 0) is False


@pytest.mark.parametrize("prefix", [(0, 1), (1, 0), (1, 601), (2, 6), (3, 1), (255, 5)])
def test_close_hold_reverts_for_a_prefix_that_is_none(module: Module, prefix: tuple[int, int]) -> None:
    """What was put in escrow leaves it, and nothing more."""
    lots = packed((LOT, 600), (OTHER, 5))
    module.do("holdLots", HOLD, module.ana, 0, lots, ACCEPTED)
    word = prefix_word(prefix)
    assert module.refusal("finishHold", HOLD, module.ana, lots, word) == ("PointsLedgerBadPrefix", word)


def test_close_hold(module: Module) -> None:
    """The kept prefix burns, the rest goes back; the id is free of any hold then."""
    ledger, lots = module.city.ledger, packed((LOT, 600), (OTHER, 5))
    module.do("holdLots", HOLD, module.ana, 0, lots, ACCEPTED)
    moves = module.moves("finishHold", HOLD, module.ana, lots, prefix_word((1, 450)))
    here = ledger.address
    assert moves == [(here, ZERO, LOT, 450), (here, module.ana, LOT, 150), (here, module.ana, OTHER, 5)]
    assert [ledger.redeemed(lot) for lot in (LOT, OTHER)] == [450, 0]
    assert [ledger.balanceOf(ledger, lot) for lot in (LOT, OTHER)] == [0, 0]
    assert [ledger.balanceOf(module.ana, lot) for lot in (LOT, OTHER)] == [550, 1_000]
    assert [ledger.totalSupply(lot) for lot in (LOT, OTHER)] == [550, 1_000]
    assert bytes(ledger.holdCommitment(HOLD)) == b"\0" * 32
    assert module.ask("finishHold", HOLD, module.ana, lots, prefix_word((1, 450))) is False


def test_restore_mints_the_difference_of_two_prefixes(module: Module) -> None:
    ledger, lots = module.city.ledger, packed((LOT, 600), (OTHER, 5), (LOT, 400))
    module.do("spend", module.ana, 0, lots, ACCEPTED)
    moves = module.moves("restore", module.ana, lots, prefix_word((3, 400)), prefix_word((2, 2)))
    assert moves == [(ZERO, module.ana, OTHER, 3), (ZERO, module.ana, LOT, 400)]
    assert [ledger.balanceOf(module.ana, lot) for lot in (LOT, OTHER)] == [400, 998]
    assert module.ask("restore", module.ana, lots, prefix_word((2, 2)), prefix_word((0, 0))) == module.ana.lower()
    assert module.moves("restore", module.ana, lots, prefix_word((2, 2)), prefix_word((2, 2))) == []
    assert module.moves("restore", module.ana, lots, prefix_word((2, 2)), prefix_word((0, 0))) == [
        (ZERO, module.ana, LOT, 600),
        (ZERO, module.ana, OTHER, 2),
    ]
    assert [ledger.totalSupply(lot) for lot in (LOT, OTHER)] == [1_000, 1_000]


def test_restore_leaves_alone_what_is_kept(module: Module) -> None:
    """Even a dead lot of par 0, of which nothing was redeemed and nothing could be reborn."""
    lots = packed((token_id(RESIDENCE, NOW - 1), 100))
    assert module.moves("restore", module.ana, lots, prefix_word((1, 100)), prefix_word((1, 100))) == []


def test_restore_gives_back_no_more_of_a_lot_than_was_redeemed_of_it(module: Module) -> None:
    """Whoever redeemed it, by spend or by capture. A hold counts nothing, and nothing is restored twice."""
    lots = packed((LOT, 600), (OTHER, 5))
    module.do("spend", module.ana, 0, packed((LOT, 300)), ACCEPTED)
    module.do("holdLots", HOLD, module.ana, 1, lots, ACCEPTED)
    bo = module.city.bo.address
    over = (bo, packed((LOT, 301)), prefix_word((1, 301)), 0)
    assert module.refusal("restore", *over) == ("PointsLedgerNotRedeemed", LOT, 301, 300)
    module.do("finishHold", HOLD, module.ana, lots, prefix_word((1, 450)))
    assert [module.city.ledger.redeemed(lot) for lot in (LOT, OTHER)] == [750, 0]
    assert module.moves("restore", *over) == [(ZERO, bo, LOT, 301)]
    assert module.refusal("restore", bo, packed((LOT, 450)), prefix_word((1, 450)), 0) == (
        "PointsLedgerNotRedeemed",
        LOT,
        450,
        449,
    )
    assert module.refusal("restore", bo, packed((OTHER, 1)), prefix_word((1, 1)), 0) == (
        "PointsLedgerNotRedeemed",
        OTHER,
        1,
        0,
    )


def test_restore_of_one_lot_twice_in_a_basket_is_counted_twice(module: Module) -> None:
    module.do("spend", module.ana, 0, packed((LOT, 300)), ACCEPTED)
    lots = packed((LOT, 200), (LOT, 101))
    assert module.refusal("restore", module.ana, lots, prefix_word((2, 101)), 0) == (
        "PointsLedgerNotRedeemed",
        LOT,
        101,
        100,
    )


def test_restore_reverts_where_the_lot_has_no_room(city: City) -> None:
    """So much was minted since that the lot is full; a smaller refund still lands."""
    city.appropriate(VOLUNTEER, 9 * 10**14)
    city.give(city.ana, LOT, 1_000)
    city.manager.grantRole(REDEMPTION, city.stranger, 0, city.by_admin)
    wire = Wire(web3.provider.endpoint_uri, [city.ledger, city.manager])
    with wire.mining_by_hand():
        Module(city, wire).do("spend", city.ana.address, 0, packed((LOT, 1_000)), ACCEPTED)
    city.give(city.bo, LOT, LANE_MAX - 10)
    with wire.mining_by_hand():
        module = Module(city, wire)
        args = (city.ana.address, packed((LOT, 1_000)), prefix_word((1, 1_000)))
        assert module.refusal("restore", *args, 0) == ("PointsLedgerLotFull", LOT, LANE_MAX + 990)
        assert module.moves("restore", *args, prefix_word((1, 990))) == [(ZERO, city.ana.address, LOT, 10)]
    assert city.ledger.totalSupply(LOT) == LANE_MAX


def test_a_dead_lot_is_dead_to_the_second(module: Module) -> None:
    """The last second of the seven days after its quarter spends, the next does not."""
    module.at = expiry_end(NOW) - 2
    assert module.ask("spend", module.ana, 0, packed((LOT, 1)), ACCEPTED) == ACCEPTED
    module.do("spend", module.ana, 0, packed((LOT, 1)), ACCEPTED)
    assert module.ask("spend", module.ana, 1, packed((LOT, 1)), ACCEPTED) == LOT_DEAD
