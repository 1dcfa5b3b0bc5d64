"""How holds end: capture, whole or in part, and release."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from city import DAY, Person
from reference import HoldOrder, Lot, Prefix

from lives.keys import person
from lives.life import move

from .orders import OrderMoves


class HoldMoves(OrderMoves):
    """Capture and release."""

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
        return person("nobody") if self.chance(15) else self.shop_keys.get(merchant, person("nobody"))

    def _capture_of(self, order: HoldOrder) -> bytes:
        prefix = self.some_prefix(order.lots)
        order_id = self.model.id_of(order)
        digest = self.model.digest("Capture", orderId=order_id, lots=prefix[0], lastAmount=prefix[1])
        return order.packed_capture(prefix, self.sign(self.shop_s(order.merchant), digest))

    def _release_of(self, order: HoldOrder) -> bytes:
        owner = next((p.person for p in self.players if p.address == order.holder), person("nobody"))
        by = self.shop_s(order.merchant) if self.chance(2) else owner
        digest = self.model.digest("Release", orderId=self.model.id_of(order))
        return order.packed(self.sign(by, digest) if not self.chance(10) else b"")

    def _closing(self, kind: str, make: Callable[[HoldOrder], bytes]) -> bytes | None:
        if not self.past.holds or (not self.model.holds and not self.chance(5)):
            return None
        return self._mixed(self.past.closings[kind], lambda: make(self._some_hold()), (1, 1, 2, 3))

    @move(4)
    def capture(self) -> None:
        if self.chance(8) and self.model.holds:
            # To the last second of a capture time, or beyond.
            late = self.random.choice(list(self.model.holds.values())).captureBy
            self.to_time(late - self.random.choice((0, 1, 2)))
        packed = self._closing("capture", self._capture_of)
        if packed is not None:
            self.relay("redemption", "capture", packed, self.model.run_capture)

    @move(3)
    def release(self) -> None:
        if self.chance(3) and self.model.holds:
            # Beyond a capture time: then anyone may.
            late = self.random.choice(list(self.model.holds.values())).captureBy
            self.to_time(late + self.random.choice((-1, 0)))
        packed = self._closing("release", self._release_of)
        if packed is not None:
            self.relay("redemption", "release", packed, self.model.run_release)

    @move()
    def capture_what_was_never_held(self) -> None:
        """A merchant, or the thief of its key, signs captures of orders that it makes up, beside a good one."""
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
        self.relay("redemption", "capture", b"".join(parts), self.model.run_capture)
