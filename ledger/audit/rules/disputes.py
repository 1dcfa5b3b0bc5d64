"""Rules of Disputes: what locks a merchant's value, who may draw on it, when it is freed."""

from __future__ import annotations

from ledger.audit.books import Dispute
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, Scene, hex_of
from ledger.audit.rules.redemption import RedemptionRules
from ledger.proofs.events import Event
from ledger.standard.contract import CONTEST_S, DISPUTE_CLOSES_S, DISPUTE_MAX_S, DisputeState
from ledger.standard.ids import programme_of
from ledger.standard.value import basket_debits_down


class DisputeRules(Rules):
    """Events of Disputes."""

    def __init__(self, scene: Scene, redemption: RedemptionRules) -> None:
        """Refunds of disputes follow redemption's rules for refunds."""
        super().__init__(scene)
        self._redemption = redemption

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Disputes", "Disputed"): self._disputed,
            ("Disputes", "Contested"): self._contested,
            ("Disputes", "Decided"): self._decided,
            ("Disputes", "Refunded"): self._refunded,
            ("Disputes", "DisputeClosed"): self._dispute_closed,
        }

    def _refunded(self, event: Event) -> None:
        self._redemption.refunded(event)
        self._draw_on_dispute(event, event["fen"])

    def _disputed(self, event: Event) -> None:
        order_id, merchant = event["orderId"], event["merchant"]
        order = self.books.paid_orders.get(order_id)
        what = f"dispute of order {hex_of(order_id)}"
        if order is None or (order.merchant, order.holder) != (merchant, event["holder"]):
            raise Contradicted(what, event.log.where, "an order of this holder, paid to this merchant", "none")
        if order_id in self.books.disputes or self.tx.time > order.time + DISPUTE_MAX_S:
            raise Contradicted(what, event.log.where, "once, within 30 days", "again or later")
        kept = sum(
            basket_debits_down([(self.books.programmes[programme_of(t)].par, amount) for t, amount in order.lots])
        )
        fen = min(kept, self.books.free_fen(merchant))
        if fen != event["fen"] or fen == 0:
            raise Contradicted(what, event.log.where, f"{fen} fen locked", event["fen"])
        self.books.disputes[order_id] = Dispute(merchant, self.tx.time, fen)
        self.tx.disputed.append((merchant, self.books.disputed[merchant] + fen))

    def _contested(self, event: Event) -> None:
        dispute = self._dispute(event, DisputeState.OPEN)
        if dispute.merchant != event["merchant"] or self.tx.time >= dispute.opened_at + CONTEST_S:
            raise Contradicted("contest", event.log.where, "by the merchant within seven days", event["merchant"])
        dispute.state = DisputeState.CONTESTED

    def _decided(self, event: Event) -> None:
        dispute = self._dispute(event, DisputeState.CONTESTED)
        if event["refundFen"] > dispute.locked_fen:
            raise Contradicted("decision", event.log.where, f"<= {dispute.locked_fen} fen", event["refundFen"])
        left = self.books.disputed[dispute.merchant] - dispute.locked_fen + event["refundFen"]
        self.tx.disputed.append((dispute.merchant, left))
        dispute.state, dispute.locked_fen = DisputeState.DECIDED, event["refundFen"]

    def _draw_on_dispute(self, event: Event, fen: int) -> None:
        dispute = self._dispute(event, DisputeState.OPEN, DisputeState.DECIDED)
        if dispute.state == DisputeState.OPEN and self.tx.time < dispute.opened_at + CONTEST_S:
            raise Contradicted("refund of a dispute", event.log.where, "after seven days", self.tx.time)
        if fen > dispute.locked_fen:
            raise Contradicted("refund of a dispute", event.log.where, f"<= {dispute.locked_fen} fen", fen)
        # The module frees all that is locked, refunds, and locks again what the refund did not take.
        if self.tx.freed != (dispute.merchant, dispute.locked_fen):
            raise Contradicted("refund of a dispute", event.log.where, "its locked value freed", self.tx.freed)
        self.tx.freed = None
        dispute.locked_fen -= fen
        left = self.books.disputed[dispute.merchant] + dispute.locked_fen
        self.tx.disputed.append((dispute.merchant, left))

    def _dispute_closed(self, event: Event) -> None:
        dispute = self._dispute(event, DisputeState.OPEN, DisputeState.DECIDED)
        if event["freedFen"] != dispute.locked_fen or self.tx.time < dispute.opened_at + DISPUTE_CLOSES_S:
            raise Contradicted("end of a dispute", event.log.where, f"{dispute.locked_fen} fen", event["freedFen"])
        left = self.books.disputed[dispute.merchant] - dispute.locked_fen
        self.tx.disputed.append((dispute.merchant, left))
        dispute.state, dispute.locked_fen = DisputeState.CLOSED, 0

    def _dispute(self, event: Event, *states: int) -> Dispute:
        dispute = self.books.disputes.get(event["orderId"])
        if dispute is None or dispute.state not in states:
            found = "none" if dispute is None else f"state {dispute.state}"
            raise Contradicted(
                f"dispute of order {hex_of(event['orderId'])}", event.log.where, f"state {states}", found
            )
        return dispute
