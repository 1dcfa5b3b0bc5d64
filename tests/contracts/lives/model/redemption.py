"""Redemption: what baskets of lots may pay merchants, and paying at once."""

from __future__ import annotations

from dataclasses import dataclass

from reference import (
    ACCEPTED,
    BAD_CAPTURE_TIME,
    BAD_SIGNATURE,
    EXPIRED,
    FORBIDDEN,
    INSUFFICIENT,
    LOT_DEAD,
    NO_VALUE,
    NONCE_SPENT,
    OUT_OF_SCOPE,
    UNKNOWN_MERCHANT,
    UNKNOWN_PROGRAMME,
    ZERO,
    HoldOrder,
    Lot,
    MerkleTree,
    RedeemOrder,
    basket_fen,
    lots_hash,
    programme_of,
    quarter_of,
    receipt_hash,
)

from .exchange import Exchange
from .packing import Unpacked, read_redeem
from .state import DAY, REDEEMABLE

LEAST_FEN = 10


@dataclass
class Paid:
    """A redemption with a receipt."""

    order_id: bytes
    holder: str
    merchant: int
    lots: tuple[Lot, ...]
    fen: int
    time: int
    batch: int = 0

    def receipt(self) -> tuple[bytes, str, int, bytes, int, int]:
        return (self.order_id, self.holder, self.merchant, lots_hash(self.lots), self.fen, self.time)

    def leaf(self) -> bytes:
        return receipt_hash(self.receipt())


class Redemption(Exchange):
    """What redeem and hold have in common, and redeem."""

    def _basket_terms(self, order: RedeemOrder | HoldOrder, at: int) -> int:
        """Return the verdict on what is neither nonce nor lot."""
        if at > order.deadline:
            return EXPIRED
        shop = self.shops[order.merchant]
        if shop.key == ZERO:
            return UNKNOWN_MERCHANT
        for lot, _ in order.lots:
            programme = programme_of(lot)
            terms = self.terms[programme]
            if terms is None:
                return UNKNOWN_PROGRAMME
            if not terms.flags & REDEEMABLE or not self.is_open(programme, at):
                return FORBIDDEN
            if terms.scope and not terms.scope & shop.scope:
                return OUT_OF_SCOPE
        if sum(basket_fen(order.lots, self.pars())) < LEAST_FEN:
            return NO_VALUE
        if isinstance(order, HoldOrder) and not self._ends_in_time(order, at):
            return BAD_CAPTURE_TIME
        return ACCEPTED

    def _ends_in_time(self, order: HoldOrder, at: int) -> bool:
        """Whether no lot ends before the hold: by the promised day, not by the late clock."""
        if not at <= order.captureBy <= at + 30 * DAY:
            return False
        quarter = quarter_of(order.captureBy)
        return all(
            lot & 0xFFFFFFFF >= quarter and not self.spending_over(programme_of(lot), order.captureBy)
            for lot, _ in order.lots
        )

    def _take(self, order: RedeemOrder | HoldOrder, signature: bytes, at: int) -> int:
        """Check an order; accepted, all its lots are there and alive."""
        order_id = self.id_of(order)
        if not self.is_signed(order.holder, order_id, signature):
            return BAD_SIGNATURE
        if not self.spend_nonce(order.holder, order.lots[0][0], order.nonce):
            return NONCE_SPENT
        code = self._basket_terms(order, at)
        wanted: dict[int, int] = {}
        for lot, amount in order.lots if code == ACCEPTED else ():
            wanted[lot] = wanted.get(lot, 0) + amount
            if self.is_dead(lot, at):
                return LOT_DEAD
            if self.balances[order.holder, lot] < wanted[lot]:
                return INSUFFICIENT
        return code

    def _redeem_lot(self, lot: int, amount: int, source: str) -> None:
        self.move(lot, amount, source, ZERO)
        self.redeemed[lot] += amount

    def _keep_receipts(self, payments: list[Paid]) -> list[Paid]:
        if payments:
            self.word["last_batch"] += 1
            batch = self.word["last_batch"]
            self.roots[batch] = MerkleTree([paid.leaf() for paid in payments], sort=False).root
            for paid in payments:
                paid.batch = batch
            self.tell("RedemptionBatch", batch=batch, root=self.roots[batch], count=len(payments))
        return payments

    def run_redeem(self, caller: str, module: str, packed: bytes, at: int) -> list[Paid]:
        self.check_running(module, at)
        self.check_redemption(module, caller)
        payments: list[Paid] = []

        def redeem(order_id: bytes, order: RedeemOrder, found: Unpacked) -> int:
            code = self._take(order, found.signature, at)
            if code == ACCEPTED:
                for lot, amount in order.lots:
                    self._redeem_lot(lot, amount, order.holder)
                fen = self.pay_merchant(order.merchant, order.lots, at)
                fields = {"orderId": order_id, "merchant": order.merchant, "fen": fen}
                self.tell("Redeemed", **fields, lotsHash=lots_hash(order.lots))
                payments.append(Paid(order_id, order.holder, order.merchant, order.lots, fen, at))
            return code

        self.run(packed, read_redeem, redeem)
        return self._keep_receipts(payments)
