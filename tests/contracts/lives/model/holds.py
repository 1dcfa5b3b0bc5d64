"""Holds: lots in escrow until a merchant captures some of them, and what ends them."""

from __future__ import annotations

from collections.abc import Sequence

from reference import (
    ACCEPTED,
    BAD_SIGNATURE,
    EXPIRED,
    NO_VALUE,
    NOT_HELD,
    ZERO,
    HoldOrder,
    Lot,
    Prefix,
    basket_fen,
    lots_hash,
    prefix_of,
    prefix_word,
    programme_of,
    whole,
)

from .packing import Unpacked, read_capture, read_hold
from .redemption import Paid, Redemption


class Holds(Redemption):
    """Hold, capture, release."""

    def run_hold(self, caller: str, module: str, packed: bytes, at: int) -> None:
        self.check_running(module, at)
        self.check_redemption(module, caller)

        def hold(order_id: bytes, order: HoldOrder, found: Unpacked) -> int:
            code = self._take(order, found.signature, at)
            if code == ACCEPTED:
                for lot, amount in order.lots:
                    self.move(lot, amount, order.holder, self.ledger)
                self.holds[order_id] = order
                fields = {"orderId": order_id, "merchant": order.merchant, "captureBy": order.captureBy}
                self.tell("Held", **fields, cancellable=order.cancellable)
            return code

        self.run(packed, read_hold, hold)

    def _by_merchant(self, merchant: int, digest: bytes, signature: bytes) -> bool:
        key = self.shops[merchant].key
        return key != ZERO and self.is_signed(key, digest, signature)

    def run_capture(self, caller: str, module: str, packed: bytes, at: int) -> list[Paid]:
        self.check_redemption(module, caller)
        payments: list[Paid] = []

        def capture(order_id: bytes, order: HoldOrder, found: Unpacked) -> int:
            code = self._capture_code(order_id, order, found, at)
            if code != ACCEPTED:
                return code
            self._finish(order_id, found.prefix, at)
            kept = tuple(prefix_of(order.lots, found.prefix))
            if not kept:
                self.tell("Released", orderId=order_id, merchant=order.merchant)
                return code
            fen = self.pay_merchant(order.merchant, kept, at)
            fields = {"orderId": order_id, "merchant": order.merchant, "fen": fen}
            self.tell("Captured", **fields, kept=prefix_word(found.prefix), lotsHash=lots_hash(kept))
            payments.append(Paid(order_id, order.holder, order.merchant, kept, fen, at))
            return code

        self.run(packed, read_capture, capture)
        return self._keep_receipts(payments)

    def _capture_code(self, order_id: bytes, order: HoldOrder, found: Unpacked, at: int) -> int:
        if at > order.captureBy:
            return EXPIRED
        count, last = found.prefix
        digest = self.digest("Capture", orderId=order_id, lots=count, lastAmount=last)
        if not self._by_merchant(order.merchant, digest, found.signature):
            return BAD_SIGNATURE
        # What names a programme that is not there has no value for it, and was never held.
        kept = [lot for lot in prefix_of(order.lots, found.prefix) if self.terms[programme_of(lot[0])]]
        if count and sum(basket_fen(kept, self.pars())) == 0:
            return NO_VALUE
        return ACCEPTED if self.holds[order_id] else NOT_HELD

    def run_release(self, caller: str, module: str, packed: bytes, at: int) -> None:
        self.check_redemption(module, caller)

        def release(order_id: bytes, order: HoldOrder, found: Unpacked) -> int:
            digest = self.digest("Release", orderId=order_id)
            by_holder = order.cancellable and self.is_signed(order.holder, digest, found.signature)
            may = at > order.captureBy or by_holder
            if not may and not self._by_merchant(order.merchant, digest, found.signature):
                return BAD_SIGNATURE
            if not self.holds[order_id]:
                return NOT_HELD
            self._finish(order_id, (0, 0), at)
            self.tell("Released", orderId=order_id, merchant=order.merchant)
            return ACCEPTED

        self.run(packed, read_hold, release)

    def _finish(self, order_id: bytes, prefix: Prefix, at: int) -> None:
        """Burn what is kept of a hold; the rest goes back, and pays what its receiver owes of the lot."""
        order = self.holds[order_id]
        self.holds[order_id] = None
        receiver = order.holder if prefix == whole(order.lots) else self.current(order.holder)
        for (lot, amount), kept in zip(order.lots, self._kept(order.lots, prefix), strict=True):
            if kept:
                self._redeem_lot(lot, kept, self.ledger)
            if amount != kept:
                self.move(lot, amount - kept, self.ledger, receiver)
                self.collect_of_line(order.holder, lot, at)

    @staticmethod
    def _kept(lots: Sequence[Lot], prefix: Prefix) -> list[int]:
        """Return how much of each lot a prefix keeps."""
        kept = [amount for _, amount in prefix_of(lots, prefix)]
        return kept + [0] * (len(lots) - len(kept))
