"""Rules of Redemption: orders, holds, captures, refunds and the receipts of each call."""

from __future__ import annotations

from ledger.audit.books import NOBODY, Account, Hold, LotPart, PaidOrder
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, hex_of
from ledger.audit.transaction import Move
from ledger.proofs.events import Event
from ledger.standard.contract import HOLD_MAX_S, LOTS_MAX, REFUND_MAX_S, ProgrammeFlag
from ledger.standard.evidence import MerkleTree, RedemptionReceipt
from ledger.standard.ids import (
    MerchantId,
    OrderId,
    ProgrammeId,
    merchant_participant,
    programme_of,
    programme_participant,
)
from ledger.standard.typed_data import HoldOrder, Lot, RedeemOrder, lots_hash
from ledger.standard.value import basket_debits_down


class RedemptionRules(Rules):
    """Events of Redemption."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Redemption", "Redeemed"): self._redeemed,
            ("Redemption", "RedemptionBatch"): self._redemption_batch,
            ("Redemption", "Held"): self._held,
            ("Redemption", "Captured"): self._captured,
            ("Redemption", "Released"): self._released,
            ("Redemption", "Refunded"): self.refunded,
            ("Redemption", "Rejected"): self.rejected,
        }

    def _redeemed(self, event: Event) -> None:
        order, holder, merchant = event["orderId"], event["holder"], event["merchant"]
        capture = self.tx.captured.pop(order, None)
        if capture is not None:
            hold, lots = capture
            if (hold.holder, hold.merchant) != (holder, merchant):
                raise Contradicted(
                    f"capture {hex_of(order)}", event.log.where, "holder and merchant of the hold", "others"
                )
        else:
            self.once(order, event)
            lots = self._burned_by(holder, event)
            for token, _ in lots:
                self.check_alive(token, event)
            signed = self.carry_out(event)
            if signed is not None and isinstance(signed.order, RedeemOrder):
                terms = (signed.holder, signed.order.merchant, _parts(signed.order.lots))
                self.check_terms(event, terms, (holder, merchant, lots))
        self._check_merchant(merchant, [programme_of(token) for token, _ in lots], event)
        debits = basket_debits_down(
            [(self.books.programmes[programme_of(token)].par, amount) for token, amount in lots]
        )
        if sum(debits) != event["fen"] or event["fen"] == 0:
            raise Contradicted(f"value of order {hex_of(order)}", event.log.where, f"{sum(debits)} fen", event["fen"])
        for (token, amount), fen in zip(lots, debits, strict=True):
            self.tx.due[programme_participant(programme_of(token))] -= fen
            self.books.programmes[programme_of(token)].figures.redeemed += amount
        self.tx.due[merchant_participant(merchant)] += event["fen"]
        self.books.redeemed_fen += event["fen"]
        self.books.paid_orders[order] = PaidOrder(holder, merchant, lots, lots, self.tx.time)
        paid = lots_hash([Lot(token, amount) for token, amount in lots])
        receipt = RedemptionReceipt(order, "0x" + holder.hex(), merchant, paid, event["fen"], self.tx.time)
        self.tx.receipts.append(receipt.hash())

    def _burned_by(self, holder: Account, event: Event) -> tuple[LotPart, ...]:
        """The lots of a redeem order are the burns just before it, in the signed order."""
        moves = self.tx.moves
        start = len(moves)
        while start and moves[start - 1][:2] == (holder, NOBODY):
            start -= 1
        burns = moves[start:]
        if not 1 <= len(burns) <= LOTS_MAX:
            what = f"order {hex_of(event['orderId'])}"
            raise Contradicted(what, event.log.where, "burns of 1 to 16 lots", f"{len(burns)} burns")
        del moves[start:]
        return tuple((token, amount) for _, _, token, amount in burns)

    def _check_merchant(self, merchant: MerchantId, programmes: list[ProgrammeId], event: Event) -> None:
        key, scope = self.books.merchants.get(merchant, (NOBODY, bytes(32)))
        if key == NOBODY:
            raise Contradicted(f"merchant {merchant}", event.log.where, "registered", "unknown or retired")
        for identifier in programmes:
            programme = self.programme(identifier, event)
            if not programme.flags & ProgrammeFlag.REDEEMABLE:
                raise Contradicted(f"redemption of programme {identifier}", event.log.where, "redeemable", "not so")
            wanted = int.from_bytes(programme.spend_scope, "big")
            if wanted and not wanted & int.from_bytes(scope, "big"):
                what = f"merchant {merchant}"
                raise Contradicted(what, event.log.where, f"a scope of programme {identifier}", hex_of(scope))

    def _redemption_batch(self, event: Event) -> None:
        receipts, self.tx.receipts = self.tx.receipts, []
        expected = MerkleTree(receipts, sort_leaves=False).root if receipts else b""
        if (event["count"], event["root"]) != (len(receipts), expected):
            what = f"receipts of redemption batch {event['batch']}"
            raise Contradicted(
                what, event.log.where, f"{len(receipts)} under {hex_of(expected)}", hex_of(event["root"])
            )
        if event["batch"] != len(self.books.receipt_roots) + 1:
            raise Contradicted("redemption batch", event.log.where, len(self.books.receipt_roots) + 1, event["batch"])
        self.books.receipt_roots[event["batch"]] = event["root"]

    def _held(self, event: Event) -> None:
        hold = self.tx.opened.pop(event["orderId"], None)
        if hold is None or hold.holder != event["holder"]:
            raise Contradicted(f"hold {hex_of(event['orderId'])}", event.log.where, "HoldOpened of its holder", "none")
        if not self.tx.time <= event["captureBy"] <= self.tx.time + HOLD_MAX_S:
            raise Contradicted(
                f"hold {hex_of(event['orderId'])}", event.log.where, "at most 30 days", event["captureBy"]
            )
        self._check_merchant(event["merchant"], [programme_of(token) for token, _ in hold.lots], event)
        signed = self.carry_out(event)
        if signed is not None and isinstance(signed.order, HoldOrder):
            order = signed.order
            terms = (signed.holder, order.merchant, _parts(order.lots), order.capture_by, order.cancellable)
            found = (hold.holder, event["merchant"], hold.lots, event["captureBy"], event["cancellable"])
            self.check_terms(event, terms, found)
        hold.merchant, hold.capture_by = event["merchant"], event["captureBy"]

    def _captured(self, event: Event) -> None:
        order = event["orderId"]
        hold, _, kept, last = self._closed(order, event)
        self.check_running(event)
        self.order_behind(event)
        lots = self.prefix(hold.lots, kept, last, event)
        fen = sum(basket_debits_down([(self.books.programmes[programme_of(token)].par, part) for token, part in lots]))
        expected = (hold.merchant, kept, last, fen)
        found = (event["merchant"], event["lots"], event["lastAmount"], event["fen"])
        if expected != found:
            what = f"capture {hex_of(order)} (merchant, lots, last amount, fen)"
            raise Contradicted(what, event.log.where, expected, found)
        if self.tx.time > hold.capture_by:
            raise Contradicted(f"capture {hex_of(order)}", event.log.where, f"by {hold.capture_by}", self.tx.time)
        if lots:
            self.tx.captured[order] = (hold, lots)

    def _released(self, event: Event) -> None:
        hold, _, kept, _ = self._closed(event["orderId"], event)
        self.order_behind(event)
        if kept or (hold.merchant, hold.holder) != (event["merchant"], event["holder"]):
            raise Contradicted(
                f"release {hex_of(event['orderId'])}", event.log.where, "a whole release", f"{kept} kept"
            )

    def _closed(self, order: OrderId, event: Event) -> tuple[Hold, Account, int, int]:
        closed = self.tx.closed.pop(order, None)
        if closed is None:
            raise Contradicted(f"hold {hex_of(order)}", event.log.where, "HoldClosed before this", "none")
        return closed

    def refunded(self, event: Event) -> None:
        """A refund, by redemption or by a dispute."""
        order = self.books.paid_orders.get(event["orderId"])
        what = f"refund of order {hex_of(event['orderId'])}"
        if order is None or order.merchant != event["merchant"]:
            raise Contradicted(what, event.log.where, "an order paid to this merchant", "none")
        if self.tx.time > order.time + REFUND_MAX_S:
            raise Contradicted(what, event.log.where, "within 90 days", self.tx.time - order.time)
        receiver = self.check_receiver(order.holder, event["receiver"], event)
        kept = self.prefix(order.lots, event["lots"], event["lastAmount"], event)
        if kept == order.lots:
            raise Contradicted(what, event.log.where, "a shorter prefix", "the same")
        moves: list[Move] = []
        for index, (token, amount) in enumerate(order.lots):
            back = amount - (kept[index][1] if index < len(kept) else 0)
            if back:
                moves += self.returned(receiver, token, back, NOBODY)
                self.books.programmes[programme_of(token)].figures.refunded += back
        self.take(event, moves)
        fen = self._due_for_refund(order, kept)
        if fen != event["fen"]:
            raise Contradicted(what, event.log.where, f"{fen} fen", event["fen"])
        order.lots, order.refunded = kept, True
        self.books.refunded_fen += fen

    def _due_for_refund(self, order: PaidOrder, kept: tuple[LotPart, ...]) -> int:
        """Debits reverse by the differences between the old prefix's and the new one's; return their sum in fen."""
        programmes = self.books.programmes
        before = basket_debits_down([(programmes[programme_of(token)].par, amount) for token, amount in order.lots])
        after = basket_debits_down([(programmes[programme_of(token)].par, amount) for token, amount in kept])
        after += [0] * (len(before) - len(after))
        for (token, _), old, new in zip(order.lots, before, after, strict=True):
            self.tx.due[programme_participant(programme_of(token))] += old - new
        fen = sum(before) - sum(after)
        self.tx.due[merchant_participant(order.merchant)] -= fen
        return fen


def _parts(lots: tuple[Lot, ...]) -> tuple[LotPart, ...]:
    return tuple((lot.id, lot.amount) for lot in lots)
