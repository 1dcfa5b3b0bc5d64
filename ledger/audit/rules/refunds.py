"""Rules of refunds and disputes: what goes back, by whose signature, and what is reborn."""

from __future__ import annotations

from typing import Any

from ledger.audit.books import NOBODY, Account, LotPart, PaidOrder
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, Scene, hex_of
from ledger.audit.rules.redemption import RedemptionRules
from ledger.audit.transaction import Effect, Move, Reborn
from ledger.proofs.events import Event
from ledger.standard.contract import LANE_MAX, LOCK_S, REFUND_MAX_S
from ledger.standard.evidence import payer_of, receipt_leaf
from ledger.standard.evidence import verify as verify_merkle
from ledger.standard.ids import (
    MerchantId,
    OrderId,
    merchant_participant,
    programme_of,
    programme_participant,
    to_address,
)
from ledger.standard.packed import pack_lots
from ledger.standard.quarters import is_dead, quarter_at
from ledger.standard.typed_data import ArbiterRefund, Lot, Refund, lots_hash
from ledger.standard.value import MICROFEN_MINOR


class RefundRules(Rules):
    """Refunded of Redemption; OrderLocked and OrderUnlocked of ClearingBook."""

    def __init__(self, scene: Scene, redemption: RedemptionRules) -> None:
        """``redemption`` values baskets."""
        super().__init__(scene)
        self._redemption = redemption

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Redemption", "Refunded"): self._refunded,
            ("ClearingBook", "OrderLocked"): self._order_locked,
            ("ClearingBook", "OrderUnlocked"): self._order_unlocked,
        }

    # ------------------------------------------------------------------------------------------------ refunds

    def _refunded(self, event: Event) -> None:
        call = self.direct_call(event, "refund", "arbiterRefund")
        by_arbiter, where = call.function == "arbiterRefund", event.log.where
        order_id = OrderId(call.args["receipt"][0])
        what = f"refund of order {hex_of(order_id)}"
        order = self._proven_order(call.args["receipt"], call.args["proof"], what, where)
        packed = pack_lots([Lot(token, amount) for token, amount in order.lots])
        if call.args["paid"] != packed:
            raise Contradicted(what, where, "the lots that were paid with", hex_of(call.args["paid"]))
        kept = self.prefix(order.lots, call.args["kept"], where)
        self._check_signature(order_id, order, call.args["kept"], call.args["signature"], by_arbiter, what, where)
        before = _prefix_number(order.kept)
        if not call.args["kept"] < before:
            raise Contradicted(what, where, f"a prefix shorter than {before}", call.args["kept"])
        fen = self._take_back(order_id, order, kept, by_arbiter, what, where)
        receiver = self.books.current_account(order.holder)
        effects: list[Effect] = []
        for index, (token, amount) in enumerate(order.kept):
            back = amount - (kept[index][1] if index < len(kept) else 0)
            if back:
                effects += self._restore(receiver, token, back, event.log.address, where)
                self.books.programmes[programme_of(token)].figures.refunded += back
        self.explain(event, effects)
        expected = (order_id, receiver, order.merchant, call.args["kept"], fen, by_arbiter)
        members = ("orderId", "receiver", "merchant", "kept", "fen", "byArbiter")
        self.same(what, event, expected, tuple(event[member] for member in members))
        order.kept, order.refunded = kept, True
        self.books.clearing.kept[order_id] = kept
        self.books.refunded_fen += fen

    def _proven_order(self, receipt: tuple[Any, ...], proof: tuple[Any, ...], what: str, where: str) -> PaidOrder:
        """Return the order that a receipt opens: it is the one that was paid, and it lies under its batch's root."""
        order_id, holder, merchant, lots, fen, time = receipt
        order = self.books.paid_orders.get(order_id)
        if order is None:
            raise Contradicted(what, where, "an order that was paid", "none")
        paid = lots_hash([Lot(token, amount) for token, amount in order.lots])
        expected = (order.holder, order.merchant, paid, order.fen, order.time)
        if (holder, merchant, lots, fen, time) != expected:
            raise Contradicted(what, where, f"its receipt {expected}", receipt[1:])
        leaf = receipt_leaf(order_id, payer_of(to_address(holder), order_id), merchant, lots, fen, time)
        batch, path = proof
        root = self.books.clearing.receipt_roots.get(batch, bytes(32))
        if not verify_merkle(root, leaf, path):
            raise Contradicted(what, where, f"a path to the root of receipts batch {batch}", "another path")
        return order

    def _check_signature(
        self, order_id: OrderId, order: PaidOrder, kept: int, signature: bytes, by_arbiter: bool, what: str, where: str
    ) -> None:
        clearing, parts = self.books.clearing, (kept >> 64, kept & 2**64 - 1)
        if not by_arbiter:
            if self.tx.time > order.time + REFUND_MAX_S:
                raise Contradicted(what, where, "within 90 days", self.tx.time - order.time)
            digest = Refund(order_id, *parts).digest(self.scene.domain)
            self.check_signed(clearing.merchants[order.merchant].key, digest, signature, what, where)
            return
        lock = clearing.locks.get(order_id)
        if lock is None or self.tx.time >= lock.until:
            raise Contradicted(what, where, "an order that is locked", "one that is not")
        digest = ArbiterRefund(order_id, *parts).digest(self.scene.domain)
        self.check_signed(clearing.arbiter_key, digest, signature, what, where)

    def _take_back(
        self, order_id: OrderId, order: PaidOrder, kept: tuple[LotPart, ...], by_arbiter: bool, what: str, where: str
    ) -> int:
        """Credit the programmes from the merchant's claim, whose lock for this order ends first; return the fen."""
        clearing = self.books.clearing
        before, after = self._redemption.debits(order.kept), self._redemption.debits(kept)
        after += [0] * (len(before) - len(after))
        for (token, _), old, new in zip(order.kept, before, after, strict=True):
            self.tx.due[programme_participant(programme_of(token))] += old - new
        fen = sum(before) - sum(after)
        self.tx.due[merchant_participant(order.merchant)] -= fen
        locked = clearing.locks[order_id].fen if order_id in clearing.locks else 0
        if by_arbiter and fen > locked:
            raise Contradicted(what, where, f"<= {locked} fen, which are locked", f"{fen} fen")
        self._free(order_id, min(locked, fen), what, where)
        book, period = clearing.merchants[order.merchant], clearing.period(order.time)
        ages = book.ages.at(clearing.period(self.tx.time))
        covered = ages.earned_by(period)
        if not by_arbiter:
            covered = min(covered, max(0, ages.total - book.locked))
        if fen > covered:
            raise Contradicted(what, where, f"<= {covered} fen of the merchant's claim", f"{fen} fen")
        if fen:
            clearing.debit(order.merchant, ages.draw(fen, period), self.tx.time)
        return fen

    def _free(self, order_id: OrderId, fen: int, what: str, where: str) -> None:
        """Free what is locked for a refunded order: its event has come, and is the only one."""
        lock = self.books.clearing.locks.get(order_id)
        expected = [(order_id, lock.merchant, fen)] if fen and lock is not None else []
        if self.tx.unlocked != expected:
            raise Contradicted(what, where, f"freed {expected}", self.tx.unlocked)
        self.tx.unlocked.clear()
        if fen and lock is not None:
            self._unlock(order_id, fen)

    def _restore(self, receiver: Account, token: int, amount: int, module: Account, where: str) -> list[Effect]:
        """Mint back what was redeemed: what of it died since comes back in the current quarter's lot, within bounds."""
        books = self.books
        if amount > books.redeemed[token]:
            raise Contradicted(f"refund of lot {token}", where, f"<= {books.redeemed[token]} redeemed", amount)
        books.redeemed[token] -= amount
        effects = self._rebear(receiver, token, amount, module, where)
        reborn = effects[0].amount if effects else 0
        if reborn != amount:
            effects.append(self.apply(Move(module, NOBODY, receiver, token, amount - reborn), where))
            effects += self.collect(receiver, token, module, where)
        return effects

    def _rebear(self, receiver: Account, token: int, amount: int, module: Account, where: str) -> list[Effect]:
        """What is reborn of a lot whose quarter is over: within the receiver's cap and the room in the new lot."""
        time, books = self.tx.time, self.books
        programme = books.programmes[programme_of(token)]
        if not is_dead(token & 0xFFFFFFFF, time) or programme.is_over(time):
            return []
        quarter = quarter_at(time)
        alive = programme_of(token) << 32 | quarter
        used_in, used = books.rebirths.get(receiver, (0, 0))
        used = used if used_in == quarter else 0
        most = max(0, books.rebirth_cap - used) * MICROFEN_MINOR // programme.par
        reborn = min(most, LANE_MAX - books.supply.get(alive, 0), amount)
        if reborn == 0:
            return []
        books.rebirths[receiver] = (quarter, used - (-reborn * programme.par // MICROFEN_MINOR))
        mint = self.apply(Move(module, NOBODY, receiver, alive, reborn), where)
        return [Reborn(receiver, token, alive, reborn), mint]

    # --------------------------------------------------------------------------------------------------- locks

    def _order_locked(self, event: Event) -> None:
        order_id, fen, complaint = OrderId(event["orderId"]), event["fen"], event["complaintHash"]
        act = self.act(event, "lockOrder", "Redemption", fen=fen, complaintHash=complaint)
        what, where = f"lock of order {hex_of(order_id)}", event.log.where
        order = self._proven_order(act.args["receipt"], act.args["proof"], what, where)
        self.same(what, event, OrderId(act.args["receipt"][0]), order_id)
        if (
            self.tx.time > order.time + REFUND_MAX_S
            or order_id in self.books.clearing.locks
            or not 0 < fen <= order.fen
        ):
            raise Contradicted(what, where, f"once, within 90 days, at most {order.fen} fen", f"{fen} fen")
        until = self.tx.time + LOCK_S
        self.same(what, event, (order.merchant, until), (event["merchant"], event["until"]))
        self.books.clearing.lock(order_id, order.merchant, fen, until)

    def _order_unlocked(self, event: Event) -> None:
        freed = (OrderId(event["orderId"]), MerchantId(event["merchant"]), event["fen"])
        call = self.tx.call
        if call is not None and call.function in ("refund", "arbiterRefund"):
            self.tx.unlocked.append(freed)
            return
        what = f"end of the lock of order {hex_of(freed[0])}"
        lock = self.books.clearing.locks.get(freed[0])
        if lock is None or not lock.fen or self.tx.time < lock.until:
            raise Contradicted(what, event.log.where, "a lock whose time is over", "none")
        self.same(what, event, (lock.merchant, lock.fen), freed[1:])
        self._unlock(freed[0], lock.fen)

    def _unlock(self, order_id: OrderId, fen: int) -> None:
        clearing = self.books.clearing
        lock = clearing.locks[order_id]
        lock.fen -= fen
        clearing.merchants[lock.merchant].locked -= fen
        clearing.total_locked -= fen


def _prefix_number(lots: tuple[LotPart, ...]) -> int:
    """A kept prefix as the contracts write it: a shorter one is a smaller number."""
    return len(lots) << 64 | lots[-1][1] if lots else 0
