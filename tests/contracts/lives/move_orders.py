"""Batches of orders, good and spoilt, new and old, by any relayer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from city import DAY, Person
from reference import ExchangeOrder, HoldOrder, Lot, Prefix, RedeemOrder

from .model import Reverts
from .model.book import EXCHANGE_IN
from .stage import Act, Player, Stage, move


class OrderMoves(Stage):
    """Exchange, redeem, hold, capture, release."""

    # ---------------------------------------------------------------------------------------------------- making

    def _packed(self, player: Player, order: Any) -> bytes:
        """Sign an order, one time in fifteen with another's key or a byte of it changed."""
        signature = self.sign(player.person if not self.chance(15) else Person("nobody"), self.model.id_of(order))
        if self.chance(40):
            signature = self.random.choice((b"", signature[:-1], signature + b"\0", signature[:-1] + b"\x1d"))
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
        others = [p for p, terms in self.model.programmes.items() if p != lot >> 32 and terms.flags & EXCHANGE_IN]
        to = random.choice(others) if not self.chance(15) else random.choice((lot >> 32, 99, 0))
        amount, least = self.amount(player, lot), random.choice((0, 0, 0, 0, 100, 10_000))
        return ExchangeOrder(player.address, lot, amount, to, least, self.nonce(player.address, lot), self._deadline())

    def _merchant(self, lots: Sequence[Lot]) -> int:
        """Most often one that may sell for these lots."""
        if self.chance(25):
            return self.random.choice((0, 99))
        scopes = [terms.scope for lot, _ in lots if (terms := self.model.programmes.get(lot >> 32)) and terms.scope]
        shops = sorted(self.model.shops.items())
        fitting = [shop for shop, terms in shops if all(terms.scope & scope for scope in scopes)]
        return self.random.choice(fitting if fitting and not self.chance(12) else [shop for shop, _ in shops])

    def _redeem_order(self, player: Player) -> RedeemOrder:
        lots = self._basket(player)
        nonce = self.nonce(player.address, lots[0][0]) if lots else 0
        return RedeemOrder(player.address, self._merchant(lots), lots, nonce, self._deadline())

    def _hold_order(self, player: Player) -> HoldOrder:
        random = self.random
        lots = self._basket(player)
        nonce = self.nonce(player.address, lots[0][0]) if lots else 0
        days = random.choice((1, 5, 15, 25, 29)) * DAY
        capture_by = self.time + (days if not self.chance(15) else random.choice((-1, 0, 1, 30 * DAY + 2, 40 * DAY)))
        order = HoldOrder(
            player.address, self._merchant(lots), lots, nonce, self._deadline(), capture_by, self.chance(2)
        )
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

    def _batch(self, make: Callable[[Player], Any], past: list[bytes]) -> bytes:
        """One to four orders: new ones, old ones once more, and now and then strange bytes in their midst."""
        parts = []
        for _ in range(self.random.choice((1, 1, 2, 3, 4))):
            if past and self.chance(8):
                parts.append(self.random.choice(past))
            else:
                player = self.holder()
                parts.append(self._packed(player, make(player)))
                past.append(parts[-1])
        if self.chance(8):
            parts.insert(self.random.randint(0, len(parts)), self._strange(self.random.choice(past)))
        return b"".join(parts)

    def _relay(self, module: str, function: str, packed: bytes, run: Callable[[bytes, int], Any]) -> None:
        """Relay a batch; now and then two gateways do so in one block, or somebody to a module that is out of
        office."""
        if self.retired[module] and self.chance(10):
            self._relay_in_vain(module, function, packed)
        contract = self.modules[module]
        act = self.act(self.anyone(), contract, function, (packed,), lambda at: run(packed, at))
        acts: Sequence[Act] = [act] * (2 if self.chance(8) else 1)
        for payments in self.perform(*acts):
            self.remember(payments)

    def _relay_in_vain(self, module: str, function: str, packed: bytes) -> None:
        old, brake = self.random.choice(self.retired[module])

        def refuse(at: int) -> None:
            if at < brake.until and function != "release":
                raise Reverts("PausableIsPaused", brake.until)
            raise Reverts("AccessManagedUnauthorized", old.address)

        self.perform(self.act(self.anyone(), old, function, (packed,), refuse))

    # ----------------------------------------------------------------------------------------------------- orders

    @move(5)
    def exchange(self) -> None:
        packed = self._batch(self._exchange_order, self.past.sent["exchange"])
        self._relay("exchange", "execute", packed, self.model.run_exchange)

    @move(5)
    def redeem(self) -> None:
        packed = self._batch(self._redeem_order, self.past.sent["redeem"])
        self._relay("redemption", "execute", packed, self.model.run_redeem)

    @move(5)
    def hold(self) -> None:
        packed = self._batch(self._hold_order, self.past.sent["hold"])
        self._relay("redemption", "hold", packed, self.model.run_hold)

    @move(2)
    def old_orders_again(self) -> None:
        """Somebody else relays what has been relayed: whatever landed, or was refused for good, moves nothing."""
        random = self.random
        kind = random.choice(sorted(self.past.sent))
        past = self.past.sent[kind]
        if not past:
            return
        packed = b"".join(random.sample(past, min(len(past), 3)))
        module = "exchange" if kind == "exchange" else "redemption"
        function = "hold" if kind == "hold" else "execute"
        self._relay(module, function, packed, getattr(self.model, f"run_{kind}"))

    # --------------------------------------------------------------------------------------------- end of a hold

    def _some_hold(self) -> HoldOrder:
        """A hold order: most often one that is open."""
        opened = list(self.model.holds.values())
        in_time = [order for order in opened if order.captureBy > self.time]
        opened = in_time if in_time and not self.chance(8) else opened
        return self.random.choice(opened if opened and not self.chance(10) else self.past.holds)

    def some_prefix(self, lots: Sequence[Lot]) -> Prefix:
        random = self.random
        if self.chance(20):
            return random.choice(((0, 1), (len(lots), 0), (len(lots) + 1, 1), (255, 2**64 - 1)))
        count = random.randint(0, len(lots))
        most = lots[count - 1][1] if count else 0
        return count, random.choice((most, random.randint(1, most))) if most else 0

    def shop_s(self, merchant: int) -> Person:
        """Who signs for a merchant now; one time in fifteen somebody else."""
        return Person("nobody") if self.chance(15) else self.shop_keys.get(merchant, Person("nobody"))

    def _capture_of(self, order: HoldOrder) -> bytes:
        prefix = self.some_prefix(order.lots)
        order_id = self.model.id_of(order)
        digest = self.model.digest("Capture", orderId=order_id, lots=prefix[0], lastAmount=prefix[1])
        return order.packed_capture(prefix, self.sign(self.shop_s(order.merchant), digest))

    def _release_of(self, order: HoldOrder) -> bytes:
        owner = next((p.person for p in self.players if p.address == order.holder), Person("nobody"))
        by = self.shop_s(order.merchant) if self.chance(2) else owner
        digest = self.model.digest("Release", orderId=self.model.id_of(order))
        return order.packed(self.sign(by, digest) if not self.chance(10) else b"")

    def _closing(self, kind: str, make: Callable[[HoldOrder], bytes]) -> bytes | None:
        if not self.past.holds or (not self.model.holds and not self.chance(5)):
            return None
        parts, past = [], self.past.closings[kind]
        for _ in range(self.random.choice((1, 1, 2, 3))):
            again = past and self.chance(8)
            parts.append(self.random.choice(past) if again else make(self._some_hold()))
            past.append(parts[-1])
        if self.chance(8):
            parts.insert(self.random.randint(0, len(parts)), self._strange(self.random.choice(past)))
        return b"".join(parts)

    @move(4)
    def capture(self) -> None:
        if self.chance(8) and self.model.holds:
            # To the last second of a capture time, or beyond.
            late = self.random.choice(list(self.model.holds.values())).captureBy
            self.time = max(self.time, late - self.random.choice((0, 1, 2)))
        packed = self._closing("capture", self._capture_of)
        if packed is not None:
            self._relay("redemption", "capture", packed, self.model.run_capture)

    @move(3)
    def release(self) -> None:
        random = self.random
        if self.chance(3) and self.model.holds:
            # Beyond a capture time: then anyone may.
            late = random.choice(list(self.model.holds.values())).captureBy
            self.time = max(self.time, late + random.choice((-1, 0)))
        packed = self._closing("release", self._release_of)
        if packed is not None:
            self._relay("redemption", "release", packed, self.model.run_release)

    @move()
    def capture_what_was_never_held(self) -> None:
        """A merchant signs captures of orders that it makes up, beside a good one."""
        random = self.random
        made_up = []
        for _ in range(2):
            lots = tuple((self.lot(), random.randint(1, 20_000)) for _ in range(random.randint(1, 3)))
            merchant = random.choice(sorted(self.shop_keys))
            player = random.choice(self.players)
            made_up.append(HoldOrder(player.address, merchant, lots, 0, self.time + 60, self.time + DAY, False))
        parts = [self._capture_of(order) for order in made_up]
        if self.model.holds:
            parts.insert(random.randint(0, 1), self._capture_of(random.choice(list(self.model.holds.values()))))
        self._relay("redemption", "capture", b"".join(parts), self.model.run_capture)
