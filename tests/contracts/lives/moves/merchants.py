"""Refunds by merchants, and the consumer arbiter's two acts."""

from __future__ import annotations

from city import DAY
from reference import Prefix, pack_lots, prefix_word

from lives.keys import person
from lives.life import Act, address_of, move
from lives.model import Paid, Shown

from .holds import HoldMoves


class MerchantMoves(HoldMoves):
    """How payments are undone."""

    def _shown(self, paid: Paid) -> tuple[Shown, tuple[int, list[bytes]]]:
        """Return what is shown, and the proof; now and then something is wrong."""
        lots, batch, path = paid.lots, paid.batch, self.past.trees[paid.batch].proof(paid.leaf())
        depth = len(path)
        if self.chance(25):
            lots = self.random.choice((lots[:-1], (*lots, lots[0])))
        if self.chance(25):
            batch = self.random.choice((0, batch + 1, batch - 1))
        if self.chance(25):
            path = [*path, b"\7" * 32]
        return Shown(paid, lots, batch, batch == paid.batch and len(path) == depth), (batch, path)

    def _shorter(self, paid: Paid) -> Prefix:
        prefixes = [self.some_prefix(paid.lots) for _ in range(3)]
        return min(prefixes) if not self.chance(8) else prefixes[0]

    def _refund_act(self, paid: Paid, prefix: Prefix, signature: bytes, by_arbiter: bool) -> Act:
        shown, proof = self._shown(paid)
        module = self.modules["redemption"]
        if self.retired["redemption"] and self.chance(15):
            module = self.random.choice(self.retired["redemption"])
        caller = self.anyone()
        who = address_of(caller)
        rule = self.model.arbiter_refund if by_arbiter else self.model.refund
        function = "arbiterRefund" if by_arbiter else "refund"
        args = (paid.receipt(), proof, pack_lots(shown.lots), prefix_word(prefix), signature)
        decide = lambda at: rule(who, module.address, shown, prefix, signature, at)  # noqa: E731
        return self.act(caller, module, function, args, decide)

    @move(4)
    def refund(self) -> None:
        random = self.random
        if not self.past.payments:
            return
        kept = self.model.kept
        fresh = [p for p in self.past.payments if kept[p.order_id] != (0, 0) and self.time - p.time < 89 * DAY]
        paid = random.choice(fresh if fresh and not self.chance(8) else self.past.payments)
        if self.chance(60):
            self.to_time(paid.time + 90 * DAY - random.choice((0, 1, 2)))
        prefix = self._shorter(paid)
        digest = self.model.digest("Refund", orderId=paid.order_id, lots=prefix[0], lastAmount=prefix[1])
        signature = self.sign(self.shop_s(paid.merchant), digest)
        self.past.refunds.append((paid, prefix, signature, False))
        self.perform(self._refund_act(paid, prefix, signature, False))

    @move()
    def refund_again(self) -> None:
        """Anybody may send an old refund once more: a prefix only shrinks."""
        if self.past.refunds:
            self.perform(self._refund_act(*self.random.choice(self.past.refunds)))

    # ----------------------------------------------------------------------------------------------------- the arbiter

    @move(2.5)
    def the_arbiter_locks(self) -> None:
        """Value of an order that is not locked, most often; or what its thief locks: anything, twice, too late."""
        random = self.random
        if not self.past.payments:
            return
        recent = [paid for paid in self.past.payments if self.time - paid.time < 89 * DAY] or self.past.payments
        fresh = [paid for paid in recent if not self.model.locks[paid.order_id].until]
        paid = random.choice(fresh if fresh and not self.chance(10) else recent)
        if self.chance(60):
            self.to_time(paid.time + 90 * DAY - random.choice((0, 1, 2)))
        fen = random.choice((paid.fen, random.randint(1, paid.fen))) if not self.chance(10) else paid.fen + 1
        if self.chance(20):
            fen = 0
        shown, proof = self._shown(paid)
        module = self.modules["redemption"]
        if self.retired["redemption"] and self.chance(15):
            module = self.random.choice(self.retired["redemption"])
        caller = self.city.arbiter if not self.chance(15) else self.city.operator
        complaint = random.randbytes(32)
        args = (paid.receipt(), proof, fen, complaint)
        decide = lambda at: self.model.lock_order(caller.address, module.address, shown, fen, complaint, at)  # noqa: E731
        self.perform(self.act(caller, module, "lockOrder", args, decide))

    @move(3)
    def the_arbiter_refunds(self) -> None:
        random = self.random
        locked = [p for p in self.past.payments if self.model.locks[p.order_id].fen]
        paid = random.choice(locked if locked and not self.chance(12) else self.past.payments or [None])
        if paid is None or (not locked and not self.chance(4)):
            return
        if self.chance(40):
            self.to_time(self.model.locks[paid.order_id].until - random.choice((0, 1, 2)))
        prefix = self._shorter(paid)
        digest = self.model.digest("ArbiterRefund", orderId=paid.order_id, lots=prefix[0], lastAmount=prefix[1])
        by = self.arbiter_keys[-1] if not self.chance(12) else random.choice((person("nobody"), self.arbiter_keys[0]))
        signature = self.sign(by, digest)
        self.past.refunds.append((paid, prefix, signature, True))
        self.perform(self._refund_act(paid, prefix, signature, True))

    @move()
    def anyone_unlocks(self) -> None:
        random = self.random
        locked = [order for order, lock in self.model.locks.items() if lock.fen]
        if not locked and not self.chance(6):
            return
        order_id = random.choice(locked) if locked and not self.chance(8) else random.randbytes(32)
        if self.chance(6):
            self.to_time(self.model.locks[order_id].until - random.choice((0, 1, 2)))
        decide = lambda at: self.model.unlock(order_id, at)  # noqa: E731
        self.perform(self.act(self.anyone(), self.city.book, "unlockOrder", (order_id,), decide))
