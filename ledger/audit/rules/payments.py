"""Rules of cycles and payments: what is due, what debtors paid, what merchants were paid."""

from __future__ import annotations

from collections import deque

from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, hex_of
from ledger.audit.shares import split
from ledger.proofs.events import Event
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import PAYMENT_TERM_MAX_S, PAYMENT_TERM_MIN_S
from ledger.standard.ids import POOL, MerchantId, ProgrammeId, merchant_participant, programme_participant
from ledger.standard.packed import unpack_payouts

_WAIVER_MAX_S = 90 * DAY_S


class PaymentRules(Rules):
    """Events of ClearingBook about cycles and money."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("ClearingBook", "CycleOpened"): self._cycle_opened,
            ("ClearingBook", "DueSet"): self._due_set,
            ("ClearingBook", "Funded"): self._funded,
            ("ClearingBook", "PaidOut"): self._paid_out,
            ("ClearingBook", "WaiverSet"): self._waiver_set,
            ("ClearingBook", "ClearingTermsSet"): self._terms_set,
        }

    def _cycle_opened(self, event: Event) -> None:
        clearing, time = self.books.clearing, self.tx.time
        if time <= clearing.due_by:
            raise Contradicted("opening of a cycle", event.log.where, f"after {clearing.due_by}", time)
        debts = [clearing.debt(programme) for programme in clearing.programmes]
        matured = clearing.total_ages.at(clearing.period(time)).matured
        total = min(max(0, matured - max(0, -clearing.positions[POOL])), sum(debts))
        if total == 0:
            raise Contradicted("opening of a cycle", event.log.where, "something that is owed", "nothing")
        clearing.cycle += 1
        clearing.due_by = time + clearing.payment_term
        expected = (clearing.cycle, total, clearing.due_by)
        self.same("cycle (number, fen, date)", event, expected, (event["cycle"], event["totalFen"], event["dueBy"]))
        for programme, share in zip(clearing.programmes, split(total, debts), strict=True):
            due = clearing.dues[programme]
            unpaid = due.fen + due.older
            if share == 0 and unpaid == 0:
                continue
            older = min(unpaid, share)
            due.fen, due.older = share - older, older
            self.tx.dues.append((clearing.cycle, programme, due.fen, due.older))

    def _due_set(self, event: Event) -> None:
        expected = self.tx.dues.popleft() if self.tx.dues else None
        found = (event["cycle"], event["programme"], event["fen"], event["olderFen"])
        self.same("what is due (cycle, programme, fen, older fen)", event, expected, found)

    def _funded(self, event: Event) -> None:
        """What a debtor paid, into the treasury account or past it to a merchant."""
        programme, fen, reference = ProgrammeId(event["programme"]), event["fen"], event["paymentReference"]
        clearing = self.books.clearing
        terms = {"programme": programme, "fen": fen, "paymentReference": reference}
        directly = any(call.function == "payDirectly" for call in self.tx.acts)
        self.act(event, "payDirectly" if directly else "fund", **terms)
        self._use_reference(reference, event)
        debt = clearing.debt(programme)
        if not 0 < fen <= debt:
            raise Contradicted(f"payment of programme {programme}", event.log.where, f"1 to {debt} fen", fen)
        due, budget = clearing.dues[programme], clearing.budgets[programme]
        from_older = min(fen, due.older)
        due.older -= from_older
        due.fen = max(0, due.fen - (fen - from_older))
        budget.paid += fen
        self.same("paid in all", event, budget.paid, event["paidFen"])
        self.tx.due[programme_participant(programme)] += fen
        if not directly:
            self.tx.due[POOL] -= fen

    def _paid_out(self, event: Event) -> None:
        merchant, fen, reference = MerchantId(event["merchant"]), event["fen"], event["paymentReference"]
        clearing, where = self.books.clearing, event.log.where
        direct = next((call for call in self.tx.acted if call.function == "payDirectly"), None)
        if direct is not None and direct.args["paymentReference"] == reference:
            self.tx.acted.remove(direct)
            wanted = (direct.args["merchantId"], direct.args["fen"])
            self.same("direct payment (merchant, fen)", event, wanted, (merchant, fen))
        else:
            self._check_payout(event, merchant, fen, reference)
            self.tx.due[POOL] += fen
        payable = clearing.payable(merchant, self.tx.time)
        if not 0 < fen <= payable:
            raise Contradicted(
                f"payout to merchant {merchant}", where, f"<= {payable} fen, matured and not locked", fen
            )
        if clearing.payout_ceiling:
            book = clearing.merchants[merchant]
            book.paid = fen + (book.paid if book.cycle == clearing.cycle else 0)
            book.cycle = clearing.cycle
        clearing.debit(merchant, (fen, 0, 0), self.tx.time)
        self.tx.due[merchant_participant(merchant)] -= fen

    def _check_payout(self, event: Event, merchant: MerchantId, fen: int, reference: bytes) -> None:
        """The payment is the next of the packed ones that pays anything: at most what is asked for and the pool has."""
        if self.tx.payouts is None:
            self.act(event, "payout", paymentReference=reference)
            self._use_reference(reference, event)
            packed = self.tx.acted[-1].args["packed"]
            pool = max(0, -self.books.clearing.positions[POOL])
            self.tx.payouts = (reference, pool, deque(unpack_payouts(packed)))
        first, pool, waiting = self.tx.payouts
        clearing = self.books.clearing
        while waiting:
            to, asked = waiting.popleft()
            most = min(asked, pool, clearing.payable(to, self.tx.time))
            if most:
                self.same("payout (merchant, fen, reference)", event, (to, most, first), (merchant, fen, reference))
                self.tx.payouts = (first, pool - most, waiting)
                return
        raise Contradicted("payout", event.log.where, "one that was asked for", f"{fen} fen to merchant {merchant}")

    def end_payout(self) -> None:
        """Nobody who could have been paid was passed over."""
        if self.tx.payouts is None:
            return
        _, pool, waiting = self.tx.payouts
        for to, asked in waiting:
            most = min(asked, pool, self.books.clearing.payable(to, self.tx.time))
            if most:
                raise Contradicted("payout", self.tx.where, f"{most} fen to merchant {to}", "none")

    def _use_reference(self, reference: bytes, event: Event) -> None:
        if reference in self.books.clearing.references or reference == bytes(32):
            raise Contradicted("payment reference", event.log.where, "used once", hex_of(reference))
        self.books.clearing.references.add(reference)

    def _waiver_set(self, event: Event) -> None:
        programme, until = ProgrammeId(event["programme"]), event["until"]
        self.act(event, "setWaiver", programme=programme, until=until)
        due = self.books.clearing.dues[programme]
        self.same("former waiver", event, due.waived_until, event["previousUntil"])
        if until > self.tx.time + _WAIVER_MAX_S:
            raise Contradicted("waiver", event.log.where, "at most 90 days", until)
        due.waived_until = until

    def _terms_set(self, event: Event) -> None:
        clearing = self.books.clearing
        term, ceiling = event["current"]
        if self.tx.creates == event.log.address:
            self.same("first terms", event, self.tx.constructed["terms_"], (term, ceiling))
        else:
            self.act(event, "setTerms", newTerms=(term, ceiling))
        before = (clearing.payment_term, clearing.payout_ceiling)
        self.same("former terms", event, before, tuple(event["previous"]))
        if not PAYMENT_TERM_MIN_S <= term <= PAYMENT_TERM_MAX_S:
            raise Contradicted("payment term", event.log.where, "1 to 90 days", term)
        clearing.payment_term, clearing.payout_ceiling = term, ceiling
