"""Rules of Redemption: redeem, hold, capture and release, and the receipts of each call."""

from __future__ import annotations

from ledger.audit.books import NOBODY, Account, Hold, LotPart, PaidOrder
from ledger.audit.orders import SignedOrder, prefix_of
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, hex_of
from ledger.audit.rules.outcomes import OutcomeRules
from ledger.audit.transaction import Effect, Move
from ledger.proofs.events import Event
from ledger.standard.contract import HOLD_MAX_S, ORDER_FEN_MIN, ProgrammeFlag, Verdict
from ledger.standard.evidence import MerkleTree, payer_of, receipt_leaf
from ledger.standard.ids import merchant_participant, programme_of, programme_participant, to_address
from ledger.standard.packed import OrderCall, pack_prefix
from ledger.standard.quarters import quarter_at
from ledger.standard.typed_data import Lot, lots_hash
from ledger.standard.value import MICROFEN_MINOR, basket_debits_down

_WITH_NONCE = (OrderCall.REDEEM, OrderCall.HOLD)


class RedemptionRules(OutcomeRules):
    """Events of Redemption about orders."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Redemption", "Redeemed"): self._redeemed,
            ("Redemption", "Captured"): self._captured,
            ("Redemption", "RedemptionBatch"): self._redemption_batch,
            ("Redemption", "Held"): self._held,
            ("Redemption", "Released"): self._released,
            ("Redemption", "Rejected"): self._rejected,
        }

    def debits(self, lots: tuple[LotPart, ...]) -> list[int]:
        """What each programme of a basket bears, in fen."""
        programmes = self.books.programmes
        return basket_debits_down([(programmes[programme_of(token)].par, amount) for token, amount in lots])

    # ----------------------------------------------------------------------------------------------- outcomes

    def _redeemed(self, event: Event) -> None:
        self.check_running(event)
        signed = self.next_order(event, OrderCall.REDEEM)
        where = event.log.where
        self._check_outcome(signed, event)
        effects: list[Effect] = []
        for token, amount in signed.lots:
            effects.append(self.apply(Move(event.log.address, signed.holder, NOBODY, token, amount), where))
            self.books.redeemed[token] += amount
        self.explain(event, effects)
        self._pay(signed, signed.lots, event)

    def _captured(self, event: Event) -> None:
        signed = self.next_order(event, OrderCall.CAPTURE)
        self._check_outcome(signed, event)
        if signed.kept == (0, 0):
            raise Contradicted(
                f"capture {hex_of(signed.id)}", event.log.where, "a release of a whole hold", "a capture"
            )
        self.explain(event, self._close(signed, event.log.address, event.log.where))
        lots = prefix_of(signed.lots, signed.kept)
        self.same(f"kept prefix of {hex_of(signed.id)}", event, pack_prefix(len(lots), lots[-1][1]), event["kept"])
        self._pay(signed, lots, event)

    def _check_outcome(self, signed: SignedOrder, event: Event) -> None:
        """An order was carried out: it passes every check, and whoever had to sign it did."""
        verdict = self._verdict(signed)
        if signed.call in _WITH_NONCE:
            self.check_accepted(signed, verdict, event)
        elif verdict is not Verdict.ACCEPTED:
            what = f"order {hex_of(signed.id)}"
            raise Contradicted(what, event.log.where, f"rejected as {verdict.name}", event.name)
        elif not self._is_closable_by_key(signed):
            self.is_contract(event.log.where, *self._closers(signed))

    def _pay(self, signed: SignedOrder, lots: tuple[LotPart, ...], event: Event) -> None:
        merchant, debits = signed.merchant, self.debits(lots)
        fen = sum(debits)
        paid = lots_hash([Lot(token, amount) for token, amount in lots])
        found = tuple(event[member] for member in ("merchant", "fen", "lotsHash"))
        self.same(f"order {hex_of(signed.id)} (merchant, fen, lots hash)", event, (merchant, fen, paid), found)
        for (token, amount), part in zip(lots, debits, strict=True):
            self.tx.due[programme_participant(programme_of(token))] -= part
            self.books.programmes[programme_of(token)].figures.redeemed += amount
        self.tx.due[merchant_participant(merchant)] += fen
        self.books.clearing.credit(merchant, fen, self.tx.time)
        self.books.redeemed_fen += fen
        self.books.paid_orders[signed.id] = PaidOrder(signed.holder, merchant, lots, lots, fen, self.tx.time)
        payer = payer_of(to_address(signed.holder), signed.id)
        self.tx.receipts.append(receipt_leaf(signed.id, payer, merchant, paid, fen, self.tx.time))

    def _held(self, event: Event) -> None:
        self.check_running(event)
        signed = self.next_order(event, OrderCall.HOLD)
        where = event.log.where
        self.check_accepted(signed, self._verdict(signed), event)
        module, ledger = event.log.address, self.books.ledger
        moves = [self.apply(Move(module, signed.holder, ledger, token, amount), where) for token, amount in signed.lots]
        self.explain(event, moves)
        expected = (signed.merchant, signed.capture_by, signed.is_cancellable)
        found = tuple(event[member] for member in ("merchant", "captureBy", "cancellable"))
        self.same(f"hold {hex_of(signed.id)}", event, expected, found)
        self.books.holds[signed.id] = Hold(signed.holder, signed.lots, signed.merchant, signed.capture_by)
        self.books.hold_ids.add(signed.id)

    def _released(self, event: Event) -> None:
        signed = self.next_order(event, OrderCall.CAPTURE, OrderCall.RELEASE)
        if signed.kept != (0, 0):
            raise Contradicted(f"hold {hex_of(signed.id)}", event.log.where, "a capture of something", "a release")
        self._check_outcome(signed, event)
        self.explain(event, self._close(signed, event.log.address, event.log.where))
        self.same(f"merchant of hold {hex_of(signed.id)}", event, signed.merchant, event["merchant"])

    def _close(self, signed: SignedOrder, module: Account, where: str) -> list[Effect]:
        """Burn the kept prefix of a hold, give back the rest, collect what its receiver owes of it."""
        del self.books.holds[signed.id]
        kept = prefix_of(signed.lots, signed.kept)
        receiver = signed.holder if kept == signed.lots else self.books.current_account(signed.holder)
        ledger, effects = self.books.ledger, list[Effect]()
        for index, (token, amount) in enumerate(signed.lots):
            captured = kept[index][1] if index < len(kept) else 0
            if captured:
                effects.append(self.apply(Move(module, ledger, NOBODY, token, captured), where))
                self.books.redeemed[token] += captured
            if captured != amount:
                effects.append(self.apply(Move(module, ledger, receiver, token, amount - captured), where))
                effects += self.collect(receiver, token, module, where)
        return effects

    def _redemption_batch(self, event: Event) -> None:
        receipts, self.tx.receipts = self.tx.receipts, []
        expected = MerkleTree(receipts, sort_leaves=False).root if receipts else b""
        roots = self.books.clearing.receipt_roots
        wanted = (len(roots) + 1, len(receipts), expected)
        self.same(
            "redemption batch (number, receipts, root)", event, wanted, (event["batch"], event["count"], event["root"])
        )
        roots[event["batch"]] = event["root"]

    def _rejected(self, event: Event) -> None:
        signed = self.next_order(event)
        if signed.call in _WITH_NONCE:
            self.check_running(event)
        verdict = Verdict.MALFORMED if signed.order is None else self._verdict(signed)
        if signed.call not in _WITH_NONCE and verdict in (Verdict.ACCEPTED, Verdict.NO_VALUE, Verdict.NOT_HELD):
            verdict = self._closing_rejection(signed, verdict, event)
        self.check_rejected(signed, verdict, event)

    def _closing_rejection(self, signed: SignedOrder, verdict: Verdict, event: Event) -> Verdict:
        """A signature that is no key's is bad, unless it is a contract's."""
        if self._is_closable_by_key(signed):
            return verdict
        if event["code"] == Verdict.BAD_SIGNATURE:
            return Verdict.BAD_SIGNATURE
        self.is_contract(event.log.where, *self._closers(signed))
        return verdict

    # ----------------------------------------------------------------------------------------------- verdicts

    def _verdict(self, signed: SignedOrder) -> Verdict:
        """The first check that an order fails, of those after the signature's."""
        if signed.call in _WITH_NONCE:
            if not self.is_nonce_free(signed):
                return Verdict.NONCE_SPENT
            verdict = self._terms(signed)
            return self.funds(signed, signed.lots) if verdict is Verdict.ACCEPTED else verdict
        if signed.call is OrderCall.CAPTURE:
            if self.tx.time > signed.capture_by:
                return Verdict.EXPIRED
            if self._merchant_key(signed) == NOBODY:
                return Verdict.BAD_SIGNATURE
            if signed.kept[0] and self._value(prefix_of(signed.lots, signed.kept)) == 0:
                return Verdict.NO_VALUE
        elif self.tx.time <= signed.capture_by and not self._may_be_closed(signed):
            return Verdict.BAD_SIGNATURE
        return Verdict.ACCEPTED if signed.id in self.books.holds else Verdict.NOT_HELD

    def _may_be_closed(self, signed: SignedOrder) -> bool:
        """Whether anybody's signature could release a hold before its time."""
        return signed.is_cancellable or self._merchant_key(signed) != NOBODY

    def _is_closable_by_key(self, signed: SignedOrder) -> bool:
        """Whether a key's signature, or the time, allows a capture or a release."""
        if signed.signer is not None and signed.signer == self._merchant_key(signed):
            return True
        if signed.call is OrderCall.CAPTURE:
            return False
        return self.tx.time > signed.capture_by or (signed.is_cancellable and signed.signer == signed.holder)

    def _closers(self, signed: SignedOrder) -> tuple[Account, ...]:
        """Who may have agreed to a capture or a release."""
        both = signed.call is OrderCall.RELEASE and signed.is_cancellable
        return (self._merchant_key(signed), signed.holder) if both else (self._merchant_key(signed),)

    def _merchant_key(self, signed: SignedOrder) -> Account:
        merchant = self.books.clearing.merchants.get(signed.merchant)
        return NOBODY if merchant is None else merchant.key

    def _terms(self, signed: SignedOrder) -> Verdict:
        time, merchant = self.tx.time, self.books.clearing.merchants.get(signed.merchant)
        if signed.order is None or time > signed.order.deadline:
            return Verdict.EXPIRED
        if merchant is None or merchant.key == NOBODY:
            return Verdict.UNKNOWN_MERCHANT
        for token, _ in signed.lots:
            programme = self.books.programmes.get(programme_of(token))
            if programme is None:
                return Verdict.UNKNOWN_PROGRAMME
            if not programme.flags & ProgrammeFlag.REDEEMABLE or not programme.is_open(time):
                return Verdict.FORBIDDEN
            if programme.spend_scope and not programme.spend_scope & merchant.scope:
                return Verdict.OUT_OF_SCOPE
        if self._value(signed.lots) < ORDER_FEN_MIN:
            return Verdict.NO_VALUE
        if signed.call is OrderCall.HOLD and not self._is_in_time(signed):
            return Verdict.BAD_CAPTURE_TIME
        return Verdict.ACCEPTED

    def _is_in_time(self, signed: SignedOrder) -> bool:
        """A hold ends soon enough, and before each of its lots does: by the promised day, not by the late clock."""
        capture_by = signed.capture_by
        if not self.tx.time <= capture_by <= self.tx.time + HOLD_MAX_S:
            return False
        quarter = quarter_at(capture_by)
        for token, _ in signed.lots:
            until = self.books.programmes[programme_of(token)].spendable_until
            if token & 0xFFFFFFFF < quarter or (until and capture_by >= until):
                return False
        return True

    def _value(self, lots: tuple[LotPart, ...]) -> int:
        """Fen that lots are worth; those of no programme are worth nothing."""
        programmes = self.books.programmes
        known = [
            (programmes[programme_of(token)].par, part) for token, part in lots if programme_of(token) in programmes
        ]
        return sum(par * part for par, part in known) // MICROFEN_MINOR
