"""Replays the contracts' events and refuses the first that contradicts the rules of the standard.

Transfers come first and the event that explains them after, within one transaction: a batch explains mints, an exchange
a burn and a mint, and so on. What no event explains at the end of its transaction is a contradiction. Every value
(fen, debits, postings, receipts' roots) is computed anew with `ledger.standard` and compared with what was emitted.
"""

from __future__ import annotations

from collections import deque

from ledger.audit.books import Account, Books
from ledger.audit.orders import OrdersByPlace
from ledger.audit.report import Contradicted
from ledger.audit.rules.authority import AuthorityRules
from ledger.audit.rules.clearing import ClearingRules
from ledger.audit.rules.common import Handlers, Scene
from ledger.audit.rules.disputes import DisputeRules
from ledger.audit.rules.exchange import ExchangeRules
from ledger.audit.rules.issuance import IssuanceRules
from ledger.audit.rules.points import PointsRules
from ledger.audit.rules.redemption import RedemptionRules
from ledger.audit.transaction import Transaction
from ledger.proofs.events import Event


class Replay:
    """Applies events in chain order to `Books`."""

    def __init__(self, ledger: Account) -> None:
        """Begin with empty books; ``ledger`` is the PointsLedger's address, which is also where escrow lies."""
        self._scene = Scene(ledger)
        self._points, self._clearing = PointsRules(self._scene), ClearingRules(self._scene)
        redemption = RedemptionRules(self._scene)
        self.handlers: Handlers = {}
        for rules in (
            self._points,
            IssuanceRules(self._scene),
            ExchangeRules(self._scene),
            redemption,
            DisputeRules(self._scene, redemption),
            self._clearing,
            AuthorityRules(self._scene),
        ):
            self.handlers |= rules.handlers()

    @property
    def books(self) -> Books:
        """The books at the point that the replay has reached."""
        return self._scene.books

    def expect(self, orders: OrdersByPlace) -> None:
        """Take the signed orders of transactions that come next, as `orders.read_orders` found them."""
        self._scene.orders |= {place: None if listed is None else deque(listed) for place, listed in orders.items()}

    def apply(self, event: Event, time: int) -> None:
        """Apply the next event; ``time`` is its block's Unix time. Raises Contradicted."""
        place, before = (event.log.block, event.log.transaction), self._scene.tx
        if place != before.place:
            self.end_transaction()
            if place < before.place:
                raise Contradicted("order of logs", event.log.where, f"after {before.where}", "an earlier place")
            where = f"block {place[0]}, transaction {place[1]}"
            self._scene.tx = Transaction(place=place, where=where, time=time)
        handler = self.handlers.get((event.contract, event.name))
        if handler is None:
            name = f"{event.contract}.{event.name}"
            raise Contradicted("unknown event", event.log.where, "an event this auditor understands", name)
        self.books.events += 1
        handler(event)

    def end_transaction(self) -> None:
        """Check that the transaction left nothing unexplained."""
        tx = self._scene.tx
        for move in tx.moves:
            self._points.check_plain_transfer(move)
        tx.check_explained()
        waiting = self._scene.orders.pop(tx.place, None)
        if waiting:
            raise Contradicted("unexplained change", tx.where, "an outcome of every order", f"{len(waiting)} without")
        self._clearing.check_postings()
        self._scene.tx = Transaction(place=tx.place, where=tx.where, time=tx.time)

    def finish(self) -> None:
        """Call after the last event: nothing may be left unexplained, and no order without an outcome."""
        self.end_transaction()
        for (block, transaction), waiting in self._scene.orders.items():
            if waiting:
                where = f"block {block}, transaction {transaction}"
                raise Contradicted("unexplained change", where, "an outcome of every order", f"{len(waiting)} without")
