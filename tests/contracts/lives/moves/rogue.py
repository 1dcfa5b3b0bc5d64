"""A module that somebody hostile wrote and the council let in: what the books themselves refuse it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference import Lot, pack_lots, prefix_word, whole

from lives.life import Act, Life, move
from lives.model import Reverts
from lives.model.state import Lock
from lives.wire import Call


class RogueMoves(Life):
    """It may do whatever a module may; here it tries what would create value."""

    def _by_module(self, contract: Any, begin: str, function: str, args: tuple[Any, ...], decide: Any) -> Act:
        """The rogue begins a batch, if there is one to begin, and calls."""
        calls = [Call("", contract, begin, ())] if begin else []
        data = [bytes.fromhex(call.data[2:]) for call in (*calls, Call("", contract, function, args))]
        call = Call(self.city.operator.address, self.setting.rogue, "callAll", (contract, data))
        return Act(call, decide, function)

    def _refused(self, act: Callable[[Callable[[int], None]], Act], error: str, *values: Any) -> None:
        def refuse(at: int) -> None:
            raise Reverts(error, *values)

        self.perform(act(refuse))

    @move()
    def restores_more_than_was_redeemed(self) -> None:
        random, model = self.random, self.model
        lots = sorted(model.redeemed) or [self.lot()]
        lot = random.choice(lots)
        amount = model.redeemed[lot] + random.choice((1, 5_000))
        account = random.choice(self.players).address
        packed: tuple[Lot, ...] = ((lot, amount),)
        args = (account, pack_lots(packed), prefix_word(whole(packed)), 0)
        make = lambda decide: self._by_module(self.city.ledger, "beginRedemption", "restore", args, decide)  # noqa: E731
        self._refused(make, "PointsLedgerNotRedeemed", lot, amount, model.redeemed[lot])

    @move(0.7)
    def ends_a_hold_as_it_was_not(self) -> None:
        """With other lots or for another holder nothing happens; beyond its lots it is refused."""
        random, model = self.random, self.model
        if not model.holds:
            return
        order_id, order = random.choice(list(model.holds.items()))
        lots, holder, kept = order.lots, order.holder, (0, 0)
        way = random.randrange(3)
        if way == 0:
            lots = ((lots[0][0], lots[0][1] + 1), *lots[1:])
        elif way == 1:
            holder = self.city.stranger.address
        else:
            kept = (len(lots), lots[-1][1] + 1)
        args = (order_id, holder, pack_lots(lots), prefix_word(kept))

        def decide(at: int) -> None:
            if way == 2:
                raise Reverts("PointsLedgerBadPrefix", prefix_word(kept))

        self.perform(self._by_module(self.city.ledger, "beginRedemption", "finishHold", args, decide))

    @move(0.5)
    def spends_what_is_not_there(self) -> None:
        """Only the nonce goes, as with an order that is refused."""
        player = self.holder()
        lot = self.lot(player)
        nonce = self.nonce(player.address, lot)
        amount = min(self.model.balances[player.address, lot] + 1, 2**64 - 1)
        args = (player.address, nonce, pack_lots(((lot, amount),)), 0)

        def decide(at: int) -> None:
            self.model.spend_nonce(player.address, lot, nonce)

        self.perform(self._by_module(self.city.ledger, "beginRedemption", "spend", args, decide))

    @move(0.7)
    def exchanges_for_more(self) -> None:
        """Value out above value in, or another quarter: refused whole, even where the holder has the points."""
        random, model = self.random, self.model
        player = self.holder()
        alive = [x for x in self.lots_of(player) if not model.is_dead(x, self.time + 1) and model.par(x) > 1]
        others = [p for p in sorted(model.terms) if model.terms[p].par > 1]
        if not alive:
            return
        lot, to = random.choice(sorted(alive)), random.choice(others)
        base, window = model.nonces[model.place_of(player.address, lot)]
        if window & 1 or base > 2**31:
            return
        amount = random.randint(1, model.balances[player.address, lot])
        most = amount * model.par(lot) // model.terms[to].par
        wanted = to << 32 | (lot & 0xFFFFFFFF)
        out = most + random.choice((1, 1_000))
        if self.chance(2) and most:
            wanted, out = wanted + 1, most
        args = (player.address, base, 0, lot, amount, wanted, out)
        make = lambda decide: self._by_module(self.city.ledger, "beginExchange", "exchange", args, decide)  # noqa: E731
        self._refused(make, "PointsLedgerBadExchange", lot, amount, wanted, out)

    @move(0.7)
    def posts_what_is_no_posting(self) -> None:
        """Sums that are not 0, the wrong sign, somebody else's participant."""
        random = self.random
        one, other, shop, pool = 1 << 32 | 1, 1 << 32 | 2, 2 << 32 | 1, 3 << 32
        order, fen = random.randbytes(32), random.randint(1, 10**6)
        unbalanced, bad = "ClearingBookUnbalanced", "ClearingBookBadPosting"
        tries: list[tuple[str, tuple[Any, ...], str, tuple[Any, ...]]] = [
            ("post", ([(one, fen), (other, -fen - 1)],), unbalanced, (-1,)),
            ("post", ([(one, -fen), (shop, fen)],), bad, (shop, fen)),
            ("post", ([(one, -fen), (pool, fen)],), bad, (pool, fen)),
            ("postReceipts", ([(one, -fen), (shop, fen + 1)], order), unbalanced, (1,)),
            ("postReceipts", ([(one, fen), (shop, -fen)], order), bad, (one, fen)),
            ("postRefund", ([(shop, -fen), (one, fen + 1)], order, 1, 0, self.time, True), unbalanced, (1,)),
            ("postRefund", ([(shop, fen), (one, -fen)], order, 1, 0, self.time, True), bad, (shop, fen)),
            ("lockOrder", (order, 0, fen, order), "ClearingBookBadMerchant", ()),
        ]
        function, args, error, values = random.choice(tries)
        self._refused(lambda decide: self._by_module(self.city.book, "", function, args, decide), error, *values)

    @move(0.3)
    def refunds_what_no_merchant_has(self) -> None:
        """At most the claim, even for a module and in the arbiter's place."""
        random, model = self.random, self.model
        merchant = random.choice((1, 2, 3))
        covered = model.covered(merchant, self.time + 1, self.time + 1, True)
        fen, order = covered + random.randint(1, 10), random.randbytes(32)
        assert model.locks[order] == Lock()
        postings = [(2 << 32 | merchant, -fen), (1 << 32 | 1, fen)]
        args = (postings, order, merchant, 0, self.time + 1, True)
        make = lambda decide: self._by_module(self.city.book, "", "postRefund", args, decide)  # noqa: E731
        self._refused(make, "ClearingBookNotCovered", merchant, fen, covered)
