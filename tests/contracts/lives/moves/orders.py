"""Batches of orders, good and spoilt, new and old, by any relayer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from city import DAY
from reference import ExchangeOrder, HoldOrder, Lot, RedeemOrder

from lives.keys import person
from lives.life import Life, address_of, move
from lives.model.state import EXCHANGE_IN
from lives.setting import Player


class OrderMoves(Life):
    """Exchange, redeem, hold."""

    # ---------------------------------------------------------------------------------------------------- making

    def _packed(self, player: Player, order: Any) -> bytes:
        """Sign an order, one time in fifteen with another's key or a byte of it changed."""
        by = player.person if not self.chance(15) else person("nobody")
        signature = self.sign(by, self.model.id_of(order))
        if self.chance(40):
            signature = self.spoilt(signature)
        packed: bytes = order.packed(signature)
        return packed

    def _deadline(self) -> int:
        return self.time + (30 * DAY if not self.chance(15) else self.random.choice((-5, 0, 1)))

    def _basket(self, player: Player) -> tuple[Lot, ...]:
        count = self.random.choice((1, 1, 1, 2, 3)) if not self.chance(40) else self.random.choice((0, 16, 17))
        lots = [self.lot(player) for _ in range(count)]
        if lots and self.chance(10):
            lots[-1] = lots[0]
        return tuple((lot, self.amount(player, lot)) for lot in lots)

    def _exchange_order(self, player: Player) -> ExchangeOrder:
        random = self.random
        lot = self.lot(player)
        others = [p for p, terms in self.model.terms.items() if p != lot >> 32 and terms.flags & EXCHANGE_IN]
        to = random.choice(others) if not self.chance(15) else random.choice((lot >> 32, 99, 0))
        amount, least = self.amount(player, lot), random.choice((0, 0, 0, 0, 100, 10_000))
        return ExchangeOrder(player.address, lot, amount, to, least, self.nonce(player.address, lot), self._deadline())

    def _merchant(self, lots: Sequence[Lot]) -> int:
        """Most often one that may sell for these lots."""
        if self.chance(25):
            return self.random.choice((0, 99))
        scopes = [terms.scope for lot, _ in lots if (terms := self.model.terms[lot >> 32]) and terms.scope]
        shops = sorted(self.model.shops.items())
        fitting = [shop for shop, terms in shops if all(terms.scope & scope for scope in scopes)]
        return self.random.choice(fitting if fitting and not self.chance(12) else [shop for shop, _ in shops] or [1])

    def _redeem_order(self, player: Player) -> RedeemOrder:
        lots = self._basket(player)
        nonce = self.nonce(player.address, lots[0][0]) if lots else 0
        return RedeemOrder(player.address, self._merchant(lots), lots, nonce, self._deadline())

    def _hold_order(self, player: Player) -> HoldOrder:
        random = self.random
        lots = self._basket(player)
        nonce = self.nonce(player.address, lots[0][0]) if lots else 0
        days = random.choice((1, 2, 5, 15, 25, 29)) * DAY
        capture_by = self.time + (days if not self.chance(15) else random.choice((-1, 0, 1, 30 * DAY + 2, 40 * DAY)))
        merchant = self._merchant(lots)
        order = HoldOrder(player.address, merchant, lots, nonce, self._deadline(), capture_by, self.chance(2))
        self.past.holds.append(order)
        return order

    # -------------------------------------------------------------------------------------------------- spoiling

    def _strange(self, packed: bytes) -> bytes:
        """Bytes that are no good order: cut short, too long, a flipped bit, or nothing that was ever signed."""
        random = self.random
        place = random.randrange(len(packed))
        return random.choice(
            (
                packed[:place],
                packed[:place] + random.randbytes(random.randint(1, 3)) + packed[place:],
                packed[:place] + bytes([packed[place] ^ 1 << random.randrange(8)]) + packed[place + 1 :],
                random.randbytes(random.randint(1, 150)),
                b"\0" * random.randint(1, 150),
                b"\xff" * random.randint(1, 150),
            )
        )

    def _mixed(self, past: list[bytes], make: Callable[[], bytes], sizes: Sequence[int]) -> bytes:
        """New orders, old ones once more, and now and then strange bytes in their midst."""
        parts = []
        for _ in range(self.random.choice(sizes)):
            parts.append(self.random.choice(past) if past and self.chance(8) else make())
            past.append(parts[-1])
        if self.chance(8):
            parts.insert(self.random.randint(0, len(parts)), self._strange(self.random.choice(past)))
        return b"".join(parts)

    def _batch(self, make: Callable[[Player], Any], past: list[bytes]) -> bytes:
        def one() -> bytes:
            player = self.holder()
            return self._packed(player, make(player))

        return self._mixed(past, one, (1, 1, 2, 3, 4))

    def relay(self, module: str, function: str, packed: bytes, run: Callable[..., Any]) -> None:
        """Relay a batch; now and then two gateways do so in one block, or somebody to a module that is out of
        office."""
        contract = self.modules[module]
        if self.retired[module] and self.chance(10):
            contract = self.random.choice(self.retired[module])
        caller = self.anyone()
        who = address_of(caller)
        decide = lambda at: run(who, contract.address, packed, at)  # noqa: E731
        act = self.act(caller, contract, function, (packed,), decide)
        for payments in self.perform(*[act] * (2 if self.chance(8) else 1)):
            self.remember(payments)

    # ----------------------------------------------------------------------------------------------------- orders

    @move(5)
    def exchange(self) -> None:
        packed = self._batch(self._exchange_order, self.past.sent["exchange"])
        self.relay("exchange", "execute", packed, self.model.run_exchange)

    @move(8)
    def redeem(self) -> None:
        packed = self._batch(self._redeem_order, self.past.sent["redeem"])
        self.relay("redemption", "execute", packed, self.model.run_redeem)

    @move(5)
    def hold(self) -> None:
        packed = self._batch(self._hold_order, self.past.sent["hold"])
        self.relay("redemption", "hold", packed, self.model.run_hold)

    @move()
    def old_orders_again(self) -> None:
        """Somebody else relays what has been relayed: whatever landed, or was refused for good, moves nothing."""
        kind = self.random.choice(sorted(self.past.sent))
        past = self.past.sent[kind]
        if past:
            packed = b"".join(self.random.sample(past, min(len(past), 3)))
            module = "exchange" if kind == "exchange" else "redemption"
            function = "hold" if kind == "hold" else "execute"
            self.relay(module, function, packed, getattr(self.model, f"run_{kind}"))
