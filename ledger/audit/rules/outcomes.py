"""What the outcomes of signed orders have in common, whichever module gives them."""

from __future__ import annotations

from ledger.audit.books import NOBODY, LotPart
from ledger.audit.nonces import FRESH, locate, spend_nonce
from ledger.audit.orders import SignedOrder
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Rules, Scene, hex_of
from ledger.audit.rules.lots import LotRules
from ledger.proofs.events import Event
from ledger.standard.contract import NONCE_LEFT, REJECTION_CODES, Verdict
from ledger.standard.packed import OrderCall


class OutcomeRules(Rules):
    """Base of the modules' rules."""

    def __init__(self, scene: Scene, lots: LotRules) -> None:
        """``lots`` spends nonces."""
        super().__init__(scene)
        self.lots = lots

    def next_order(self, event: Event, *calls: OrderCall) -> SignedOrder:
        """Return the order whose outcome an event is: the next one in the bytes of the call."""
        where = event.log.where
        if not self.tx.orders or self.tx.to != event.log.address:
            found = "no order left" if self.tx.to == event.log.address else "another call"
            raise Contradicted(f"order {hex_of(event['orderId'])}", where, "an order in the transaction's bytes", found)
        signed = self.tx.orders.popleft()
        if signed.id != event["orderId"] or (calls and signed.call not in calls):
            what = f"order {hex_of(event['orderId'])}"
            raise Contradicted(what, where, "the next order in the transaction's bytes", hex_of(signed.id))
        return signed

    def check_accepted(self, signed: SignedOrder, verdict: Verdict, event: Event) -> None:
        """An order that was carried out passes every check, and its holder signed it."""
        if verdict is not Verdict.ACCEPTED:
            raise Contradicted(
                f"order {hex_of(signed.id)}", event.log.where, f"rejected as {verdict.name}", "carried out"
            )
        if signed.signer != signed.holder:
            self.is_contract(event.log.where, signed.holder)
        if signed.call in (OrderCall.EXCHANGE, OrderCall.REDEEM, OrderCall.HOLD):
            self.once(signed.id, event.log.where)
        self.spend(signed, event.log.where)

    def check_rejected(self, signed: SignedOrder, verdict: Verdict, event: Event) -> None:
        """An order that was rejected has no effect; its code is the first check that it fails."""
        code = event["code"]
        if code not in REJECTION_CODES:
            raise Contradicted("rejection", event.log.where, "a known code", code)
        self.explain(event, ())
        self.books.rejections += 1
        holder = NOBODY if signed.order is None else signed.holder
        self.same(f"holder of order {hex_of(signed.id)}", event, holder, event["holder"])
        by_key = signed.signer == signed.holder
        if code == Verdict.BAD_SIGNATURE and not by_key and signed.nonce_token is not None:
            return  # or a contract said no
        if code != verdict:
            what = f"rejection of order {hex_of(signed.id)}"
            raise Contradicted(what, event.log.where, verdict.name, Verdict(code).name)
        if signed.order is not None and code not in NONCE_LEFT:
            if not by_key and signed.nonce_token is not None:
                self.is_contract(event.log.where, signed.holder)
            self.spend(signed, event.log.where)

    def spend(self, signed: SignedOrder, where: str) -> None:
        """Spend the nonce of an order; captures and releases have none."""
        if signed.nonce_token is not None and signed.order is not None:
            self.lots.spend_nonce(signed.holder, signed.nonce_token, signed.order.nonce, where)

    def is_nonce_free(self, signed: SignedOrder) -> bool:
        """Whether an order's nonce can be spent."""
        if signed.nonce_token is None or signed.order is None:
            return True
        state = self.books.nonces.get((signed.holder, locate(signed.nonce_token)[0]), FRESH)
        return spend_nonce(state, signed.order.nonce) is not None

    def funds(self, signed: SignedOrder, lots: tuple[LotPart, ...]) -> Verdict:
        """The ledger's own checks: each lot alive and there, in the signed order; a lot may stand there twice."""
        left: dict[int, int] = {}
        for token, amount in lots:
            if self.is_dead(token):
                return Verdict.LOT_DEAD
            balance = left.get(token, self.books.balances.get((signed.holder, token), 0))
            if balance < amount:
                return Verdict.INSUFFICIENT
            left[token] = balance - amount
        return Verdict.ACCEPTED

    def check_running(self, event: Event) -> None:
        """A paused module takes no order."""
        until = self.books.module(event.contract, event.log.address).paused_until
        if self.tx.time < until:
            raise Contradicted(f"{event.contract}.{event.name}", event.log.where, f"nothing before {until}", "an act")
