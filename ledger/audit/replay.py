"""Replays transactions: what their bytes call, what events say came of it, and whether the rules allow that.

Effects on lots come first and the event that explains them after, within one transaction: a batch explains mints, an
exchange a burn and a mint, and so on. What no event explains at the end of its transaction is a contradiction. Every
signature is recovered from the bytes of the call; every value (fen, debits, postings, receipts' roots, refusals) is
computed anew with `ledger.standard` and compared with what was emitted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.audit.books import Account, Books
from ledger.audit.calls import Call, read_calls, read_creation
from ledger.audit.orders import CALLS, orders_of
from ledger.audit.report import Contradicted
from ledger.audit.rules.authority import may_call, selector_of
from ledger.audit.rules.budgets import BudgetRules
from ledger.audit.rules.common import Handlers, Scene, hex_of, name_of
from ledger.audit.rules.council import CouncilRules
from ledger.audit.rules.exchange import ExchangeRules
from ledger.audit.rules.issuance import IssuanceRules
from ledger.audit.rules.lots import LotRules
from ledger.audit.rules.payments import PaymentRules
from ledger.audit.rules.positions import PositionRules
from ledger.audit.rules.programmes import ProgrammeRules
from ledger.audit.rules.redemption import RedemptionRules
from ledger.audit.rules.refunds import RefundRules
from ledger.audit.rules.roles import RoleRules
from ledger.audit.rules.succession import SuccessionRules
from ledger.audit.transaction import Place, Transaction
from ledger.proofs.events import Event
from ledger.standard.contract import GRACE_S
from ledger.standard.quarters import quarter_at
from ledger.standard.typed_data import Domain

WANTED = {
    ("PointsLedger", "mint"): "BatchMinted",
    ("PointsLedger", "voidBatch"): "BatchVoided",
    ("PointsLedger", "revoke"): "Revoked",
    ("Redemption", "refund"): "Refunded",
    ("Redemption", "arbiterRefund"): "Refunded",
}
"""Events that a call cannot succeed without."""

WITH_EVENT = frozenset(
    (
        "addIssuerKey",
        "confirm",
        "decide",
        "fund",
        "grantRole",
        "labelRole",
        "lapse",
        "lockOrder",
        "pause",
        "payDirectly",
        "payout",
        "reclaim",
        "recordAppropriation",
        "registerMerchant",
        "registerProgramme",
        "removeIssuerKey",
        "requestSuccession",
        "setArbiterKey",
        "setCeilings",
        "setFrozenUntil",
        "setGrantDelay",
        "setInflowCap",
        "setMember",
        "setRebirthCap",
        "setResidentCap",
        "setRoleAdmin",
        "setRoleGuardian",
        "setRulebook",
        "setRules",
        "setState",
        "setTargetAdminDelay",
        "setTargetClosed",
        "setTargetFunctionRole",
        "setTerms",
        "setWaiver",
        "unpause",
    )
)
"""Restricted functions that cannot succeed without an event of their own."""

_BEGINNINGS = {"Exchange": "beginExchange", "Redemption": "beginRedemption"}
_POSTINGS = {
    ("Exchange", "execute"): "post",
    ("Redemption", "execute"): "postReceipts",
    ("Redemption", "capture"): "postReceipts",
    ("Redemption", "refund"): "postRefund",
    ("Redemption", "arbiterRefund"): "postRefund",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that succeeded, with what of it matters here. ``creates`` is a contract of ours."""

    place: Place
    time: int
    sender: Account
    to: Account | None
    data: bytes
    creates: Account | None = None


class Replay:
    """Applies transactions in chain order to `Books`."""

    def __init__(self, domain: Domain, addresses: Mapping[str, Account], names: Mapping[Account, str]) -> None:
        """Begin with empty books. ``addresses``: today's contracts; ``names``: replaced modules too, by address."""
        self._scene = Scene(domain, addresses, names)
        self._lots = LotRules(self._scene)
        self._programmes, self._issuance = ProgrammeRules(self._scene), IssuanceRules(self._scene)
        self._succession = SuccessionRules(self._scene, self._lots)
        self._positions, self._payments = PositionRules(self._scene), PaymentRules(self._scene)
        self._council = CouncilRules(self._scene)
        redemption = RedemptionRules(self._scene, self._lots)
        self.handlers: Handlers = {}
        for rules in (
            self._lots,
            self._programmes,
            self._issuance,
            ExchangeRules(self._scene, self._lots),
            redemption,
            RefundRules(self._scene, redemption),
            self._succession,
            self._positions,
            self._payments,
            BudgetRules(self._scene),
            RoleRules(self._scene),
            self._council,
        ):
            self.handlers |= rules.handlers()

    @property
    def books(self) -> Books:
        """The books at the point that the replay has reached."""
        return self._scene.books

    def apply(self, sent: Sent, events: Iterable[Event]) -> None:
        """Apply a transaction and its events. Raises Contradicted."""
        before = self._scene.tx.place
        tx = Transaction(place=sent.place, time=sent.time, sender=sent.sender, to=sent.to, creates=sent.creates)
        if sent.place <= before:
            raise Contradicted("order of transactions", tx.where, f"after {before}", "an earlier place")
        self._scene.tx = tx
        self.books.transactions += 1
        self._begin(sent)
        for event in events:
            handler = self.handlers.get((event.contract, event.name))
            if handler is None:
                name = f"{event.contract}.{event.name}"
                raise Contradicted("unknown event", event.log.where, "an event this auditor understands", name)
            self.books.events += 1
            handler(event)
        self._end()

    def _begin(self, sent: Sent) -> None:
        tx, names = self._scene.tx, self._scene.names
        if sent.creates is not None:
            self._create(sent, names[sent.creates])
        if sent.to is None or sent.to not in names:
            return
        tx.acts = list(read_calls(names, sent.sender, sent.to, sent.data))
        if not tx.acts:
            found = hex_of(sent.data[:4])
            raise Contradicted(f"call of {names[sent.to]}", tx.where, "a function of its interface", found)
        call = tx.call = tx.acts[0]
        wanted = WANTED.get((call.contract, call.function))
        if wanted is not None:
            tx.wanted.add(wanted)
        kind = CALLS.get((call.contract, call.function))
        if kind is not None:
            tx.orders = deque(orders_of(call.args["packed"], kind, self._scene.domain))
        if kind is not None or call.function in ("refund", "arbiterRefund"):
            self._begin_batch(call)

    def _begin_batch(self, call: Call) -> None:
        """A module acts: it has its roles now, and the ledger remembers it until the next."""
        tx, addresses = self._scene.tx, self._scene.addresses
        ledger, book = addresses["PointsLedger"], addresses["ClearingBook"]
        needed = [(ledger, "PointsLedger", _BEGINNINGS[call.contract])]
        if (call.contract, call.function) in _POSTINGS:
            needed.append((book, "ClearingBook", _POSTINGS[call.contract, call.function]))
        for target, contract, function in needed:
            asked = Call(call.target, target, contract, function, selector_of(contract, function), {})
            if not may_call(self.books, addresses, asked, tx.time):
                what = f"{call.contract} at {name_of(call.target)}"
                raise Contradicted(what, tx.where, f"a role that may call {contract}.{function}", "none")
        quarter = quarter_at(tx.time - GRACE_S)
        begun = quarter << 224 | tx.place[0] << 160 | int.from_bytes(call.target, "big")
        self.books.begun[call.contract] = begun

    def _create(self, sent: Sent, contract: str) -> None:
        """A contract of ours is created by the published code, for the others of ours."""
        tx, address = self._scene.tx, sent.creates
        args = read_creation(contract, sent.data)
        if args is None or address is None:
            raise Contradicted(f"creation of {contract}", tx.where, "the published code", "other code")
        known = self._scene.addresses
        expected: dict[str, object] = {
            "authority": known["AccessManager"],
            "authority_": known["AccessManager"],
            "ledger_": known["PointsLedger"],
            "book_": known["ClearingBook"],
            "succession_": known.get("Succession"),
            "salt": self._scene.domain.salt,
        }
        for name, value in args.items():
            if name in expected and value != expected[name]:
                raise Contradicted(f"{name} in the creation of {contract}", tx.where, expected[name], value)
        tx.constructed = dict(args)
        self.books.created[address] = contract
        if contract == "ClearingBook":
            self.books.clearing.maturity = args["maturity_"]

    def _end(self) -> None:
        """Check that the transaction left nothing unexplained."""
        tx = self._scene.tx
        self._succession.end_forwarding()
        self._lots.settle(len(tx.trace), tx.where)
        for expected, items in tx.leftovers():
            if items:
                raise Contradicted("unexplained change", tx.where, expected, f"{len(items)} without: {items[0]}")
        self._issuance.end_revocation()
        self._payments.end_payout()
        self._programmes.check_freezes()
        self._council.check_rules()
        self._positions.check_postings()
        self._check_acts()

    def _check_acts(self) -> None:
        """No restricted act that was made lacks its event."""
        tx, addresses = self._scene.tx, self._scene.addresses
        for call in tx.acts:
            has_event = call.function in WITH_EVENT and may_call(self.books, addresses, call, tx.time)
            waited = any(other.args == call.args and other.function == call.function for other in tx.acted)
            if has_event and not waited:
                raise Contradicted(f"{call.contract}.{call.function}", tx.where, "an event that says so", "none")
