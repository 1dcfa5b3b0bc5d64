"""Guardian and registrar, and what those try who have no role, or the wrong key."""

from __future__ import annotations

from typing import Any

from city import DAY, bits
from reference import ZERO

from lives.keys import person
from lives.life import Life, move
from lives.model import Reverts


class AuthorityMoves(Life):
    """Freezes, pauses, merchants, thieves."""

    def _guardian(self) -> Any:
        return self.city.guardian if not self.chance(15) else self.city.finance

    @move()
    def the_guardian_freezes(self) -> None:
        """Rarely, for a frozen programme teaches little; its thief does so as often as he may."""
        if not self.chance(3):
            return
        programme = self.programme() if not self.chance(20) else 97
        if self.chance(6):
            self.to_time(self.model.freezable_from[programme] - self.random.choice((0, 1, 2)))
        self.does(self._guardian(), self.city.ledger, "freeze", (programme,), self.model.freeze)

    @move()
    def the_guardian_pauses(self) -> None:
        """Rarely, and often for a moment only: a module that stands still teaches little."""
        random = self.random
        name = random.choice(sorted(self.modules))
        module = self.modules[name]
        if self.retired[name] and self.chance(6):
            module = random.choice(self.retired[name])
        running = self.time >= self.model.brakes[module.address][0]
        if running and not self.chance(4):
            return
        if running:
            seconds = random.choice((1, 3_600, 3_600, 3 * DAY, 0, 3 * DAY + 1))
            rule = lambda who, at: self.model.pause(who, module.address, seconds, at)  # noqa: E731
            guardian = self._guardian()
            decide = lambda at: rule(guardian.address, at)  # noqa: E731
            self.perform(self.act(guardian, module, "pause", (seconds,), decide))
        else:
            guardian = self._guardian()
            decide = lambda at: self.model.unpause(guardian.address, module.address, at)  # noqa: E731
            self.perform(self.act(guardian, module, "unpause", (), decide))

    @move()
    def a_merchant_changes(self) -> None:
        """A new key, retirement, a return, another scope, somebody new: the registrar, or the thief of its key."""
        random = self.random
        if not self.chance(3):
            return
        merchant = random.choice((*self.model.shops, 0, 4, 5))
        shop = person(f"merchant {merchant} since {self.age % 7}")
        key = random.choice((shop.address, shop.address, shop.address, ZERO))
        registrar = self.city.registrar if not self.chance(12) else self.city.operator
        scope = random.choice((0b001, 0b011, 0b100))
        decide = lambda at: self.model.register_merchant(registrar.address, merchant, key, scope, at)  # noqa: E731
        args = (merchant, key, bits(scope))
        self.perform(self.act(registrar, self.city.book, "registerMerchant", args, decide))
        if self.model.shops[merchant].key == shop.address:
            self.shop_keys[merchant] = shop

    @move(1.5)
    def somebody_without_the_role(self) -> None:
        """Every restricted function, by somebody whose role is another: nothing moves."""
        random, city = self.random, self.city
        who = random.choice((city.finance, city.registrar, city.guardian, city.desk, city.arbiter, city.stranger))
        programme, account = self.programme(), self.players[0].address
        merchant = [(2 << 32 | 1, -5), (1 << 32 | programme, 5)]
        order = random.randbytes(32)
        tries: list[tuple[Any, str, tuple[Any, ...]]] = [
            (city.ledger, "registerProgramme", (90, 1, 15, bits(0), account, "A", "B")),
            (city.ledger, "addIssuerKey", (programme, account)),
            (city.ledger, "removeIssuerKey", (programme, account)),
            (city.ledger, "setState", (programme, 2)),
            (city.ledger, "setCeilings", (programme, 1, 1)),
            (city.ledger, "setFrozenUntil", (programme, 0)),
            (city.ledger, "setRulebook", (programme, 99, order)),
            (city.ledger, "setRebirthCap", (10**9,)),
            (city.ledger, "beginExchange", ()),
            (city.ledger, "beginRedemption", ()),
            (city.book, "post", ([(1 << 32 | 1, -5), (1 << 32 | 2, 5)],)),
            (city.book, "postReceipts", ([(1 << 32 | programme, -5), (2 << 32 | 1, 5)], order)),
            (city.book, "postRefund", (merchant, order, 1, 0, self.time, False)),
            (city.book, "lockOrder", (order, 1, 5, order)),
            (city.book, "setWaiver", (programme, self.time)),
            (city.book, "setArbiterKey", (account,)),
            (city.book, "setTerms", ((DAY, 1),)),
            (self.modules["exchange"], "setInflowCap", (programme, 0)),
            (self.modules["exchange"], "setResidentCap", (0,)),
            (city.succession, "decide", (account, account, True)),
            (city.manager, "grantRole", (1, account, 0)),
        ]
        contract, function, args = random.choice(tries)

        def refuse(caller: str, *_: Any) -> None:
            if function == "grantRole":
                raise Reverts("AccessManagerUnauthorizedAccount", caller, 0)
            raise Reverts("AccessManagedUnauthorized", caller)

        self.does(who, contract, function, args, refuse)

    @move(0.5)
    def somebody_plays_a_module_or_the_ledger(self) -> None:
        """What only the ledger may, and what only a module may that has begun."""
        city = self.city
        lots = (5 << 32 | 121).to_bytes(8, "big") + (5).to_bytes(8, "big")
        account, order = self.players[0].address, self.random.randbytes(32)
        only, begun = "ClearingBookOnlyLedger", "PointsLedgerNotBegun"
        tries: list[tuple[Any, str, tuple[Any, ...], str]] = [
            (city.book, "postBreakage", (1, 5), only),
            (city.book, "closeCredit", (1,), only),
            (city.ledger, "spend", (account, 0, lots, 0), begun),
            (city.ledger, "exchange", (account, 0, 0, 1 << 32 | 121, 5, 2 << 32 | 121, 5), begun),
            (city.ledger, "holdLots", (order, account, 0, lots, 0), begun),
            (city.ledger, "finishHold", (order, account, lots, 0), begun),
            (city.ledger, "restore", (account, lots, (1 << 64) + 5, 0), begun),
        ]
        contract, function, args, error = self.random.choice(tries)

        def refuse(caller: str, *_: Any) -> None:
            raise Reverts(error, caller)

        self.does(city.operator, contract, function, args, refuse)
