"""Refunds by merchants and by the consumer arbiter, and what they give back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from city import ADMIN, ARBITER, REDEMPTION
from reference import (
    LANE_MAX,
    MICROFEN_MINOR,
    ZERO,
    Lot,
    Prefix,
    lots_hash,
    prefix_word,
    programme_of,
    quarter_of,
    to_fen_up,
    token_id,
    whole,
)

from .claims import MATURITY
from .holds import Holds
from .packing import fits
from .redemption import Paid
from .state import DAY, Reverts

REFUND_TIME = 90 * DAY


class Shown(NamedTuple):
    """What a refund shows: the payment, lots, where its receipt is said to be, and whether it is there."""

    paid: Paid
    lots: tuple[Lot, ...]
    batch: int
    leads: bool


class Refunds(Holds):
    """The kept prefix only ever shrinks."""

    def refund(self, caller: str, module: str, shown: Shown, kept: Prefix, signature: bytes, at: int) -> None:
        paid = shown.paid
        self.check_plain(caller)
        self._check_time(paid, at)
        self._check_receipt(shown)
        digest = self.digest("Refund", orderId=paid.order_id, lots=kept[0], lastAmount=kept[1])
        if not self._by_merchant(paid.merchant, digest, signature):
            raise Reverts("RedemptionBadSignature", paid.order_id)
        self._refund(module, paid, kept, False, at)

    def arbiter_refund(self, caller: str, module: str, shown: Shown, kept: Prefix, signature: bytes, at: int) -> None:
        """At most what is locked for the order, while it is."""
        paid = shown.paid
        self.check_plain(caller)
        lock = self.locks[paid.order_id]
        if at >= lock.until:
            raise Reverts("RedemptionTooLate", paid.order_id, lock.until)
        self._check_receipt(shown)
        digest = self.digest("ArbiterRefund", orderId=paid.order_id, lots=kept[0], lastAmount=kept[1])
        key = self.word["arbiter"]
        if not key or key == ZERO or not self.is_signed(key, digest, signature):
            raise Reverts("RedemptionBadSignature", paid.order_id)
        fen = self._refund(module, paid, kept, True, at)
        if fen > lock.fen:
            raise Reverts("RedemptionTooMuch", paid.order_id, fen, lock.fen)

    def lock_order(self, caller: str, module: str, shown: Shown, fen: int, complaint: bytes, at: int) -> None:
        self.check_role(ARBITER, caller)
        paid = shown.paid
        self._check_time(paid, at)
        if not shown.leads:
            raise Reverts("RedemptionBadProof", paid.order_id, shown.batch)
        if fen > paid.fen:
            raise Reverts("RedemptionTooMuch", paid.order_id, fen, paid.fen)
        self.lock(module, paid.order_id, paid.merchant, fen, complaint, at)

    def _check_time(self, paid: Paid, at: int) -> None:
        if at > paid.time + REFUND_TIME:
            raise Reverts("RedemptionTooLate", paid.order_id, paid.time)

    def _check_receipt(self, shown: Shown) -> None:
        paid = shown.paid
        if lots_hash(shown.lots) != lots_hash(paid.lots):
            raise Reverts("RedemptionWrongLots", paid.order_id)
        if not shown.leads:
            raise Reverts("RedemptionBadProof", paid.order_id, shown.batch)

    def _refund(self, module: str, paid: Paid, kept: Prefix, by_arbiter: bool, at: int) -> int:
        before = self.kept[paid.order_id] or whole(paid.lots)
        if kept >= before or not fits(paid.lots, kept):
            raise Reverts("RedemptionBadPrefix", prefix_word(kept))
        self.check_role(REDEMPTION, module)
        fen, _ = self.take_back(paid.order_id, paid.merchant, paid.lots, before, kept, paid.time, at)
        covered = self.covered(paid.merchant, paid.time, at, by_arbiter)
        if fen > covered:
            raise Reverts("ClearingBookNotCovered", paid.merchant, fen, covered)
        self.take(paid.merchant, fen, paid.time // MATURITY, at)
        receiver = self._restore(paid.holder, paid.lots, before, kept, at)
        fields = {"orderId": paid.order_id, "receiver": receiver, "merchant": paid.merchant}
        self.tell("Refunded", **fields, kept=prefix_word(kept), fen=fen, byArbiter=by_arbiter)
        return fen

    # ------------------------------------------------------------------------------------------------ what comes back

    def _restore(self, holder: str, lots: Sequence[Lot], before: Prefix, kept: Prefix, at: int) -> str:
        receiver = self.current(holder)
        pairs = zip(self._kept(lots, before), self._kept(lots, kept), strict=True)
        for (lot, _), (old, new) in zip(lots, pairs, strict=True):
            amount = old - new
            if amount == 0:
                continue
            if amount > self.redeemed[lot]:
                raise Reverts("PointsLedgerNotRedeemed", lot, amount, self.redeemed[lot])
            self.redeemed[lot] -= amount
            reborn = self._reborn(receiver, lot, amount, at) if self.is_over(lot, at) else 0
            if amount != reborn:
                self.move(lot, amount - reborn, ZERO, receiver)
                self.collect_of_line(holder, lot, at)
        return receiver

    def _reborn(self, receiver: str, lot: int, amount: int, at: int) -> int:
        """What died meanwhile comes back in the current quarter's lot, within the receiver's cap and the lot's room."""
        now, programme = quarter_of(at), programme_of(lot)
        alive, par = token_id(programme, now), self.par(lot)
        if self.spending_over(programme, at):
            return 0
        quarter, used = self.reborn[receiver]
        used = used if quarter == now else 0
        left = max(0, self.word["rebirth_cap"] - used)
        reborn = min(amount, left * MICROFEN_MINOR // par, LANE_MAX - self.supplies[alive])
        if reborn:
            self.reborn[receiver] = (now, used + to_fen_up(reborn, par))
            self.tell("LotReborn", holder=receiver, deadId=lot, id=alive, amount=reborn)
            self.move(alive, reborn, ZERO, receiver)
        return int(reborn)

    def set_rebirth_cap(self, caller: str, fen: int, at: int) -> None:
        self.check_role(ADMIN, caller)
        self.tell("RebirthCapSet", previousCapFen=self.word["rebirth_cap"], capFen=fen)
        self.word["rebirth_cap"] = fen
