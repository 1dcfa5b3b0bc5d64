"""Rules of positions: every change is posted once, sums to 0, and is what orders and payments make of it."""

from __future__ import annotations

from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, participant_name
from ledger.proofs.events import Event
from ledger.standard.ids import POOL, TREASURY, MerchantId

_MERCHANT_KIND = 2
_ORDER_CALLS = ("execute", "capture", "refund", "arbiterRefund")


class PositionRules(Rules):
    """PositionChanged of ClearingBook."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {("ClearingBook", "PositionChanged"): self._position_changed}

    def check_postings(self) -> None:
        """At a transaction's end positions moved by what orders and payments moved, and stay within their signs."""
        clearing, tx = self.books.clearing, self.tx
        for participant in tx.due.keys() | tx.posted.keys():
            due, posted = tx.due[participant], tx.posted[participant]
            if due != posted:
                name = participant_name(participant)
                raise Contradicted(name, tx.where, f"{due:+d} fen by orders and payments", f"{posted:+d} fen")
            position = clearing.positions[participant]
            if participant >> 32 == _MERCHANT_KIND:
                claim = clearing.merchants[MerchantId(participant & 0xFFFFFFFF)].ages.total
                if claim != position or claim < 0:
                    raise Contradicted(participant_name(participant), tx.where, f"its claim, {claim} fen", position)
        if sum(tx.posted.values()) != 0:
            raise Contradicted("sum of a posting", tx.where, "0 fen", f"{sum(tx.posted.values())} fen")
        if clearing.positions[POOL] > 0 or clearing.positions[TREASURY] < 0:
            found = f"{clearing.positions[POOL]} and {clearing.positions[TREASURY]} fen"
            raise Contradicted("pool and treasury", tx.where, "a pool never above 0, a treasury never below", found)
        by_orders = tx.call is not None and tx.call.contract in ("Exchange", "Redemption")
        if by_orders and any(count > 1 for count in tx.postings.values()):
            raise Contradicted("postings", tx.where, "once a participant and call", "more")

    def _position_changed(self, event: Event) -> None:
        participant, delta = event["participant"], event["delta"]
        position = self.books.clearing.positions[participant] + delta
        self.same(participant_name(participant), event, position, event["position"])
        self.books.clearing.positions[participant] = position
        self.tx.posted[participant] += delta
        self.tx.postings[participant] = self.tx.postings.get(participant, 0) + 1
