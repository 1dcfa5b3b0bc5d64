"""Rules of appropriations and merchants: what finance records and takes back, whom the registrar knows."""

from __future__ import annotations

from ledger.audit.books.clearing import YearBook
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, hex_of
from ledger.proofs.events import Event
from ledger.standard.contract import YEAR_FEN_MAX
from ledger.standard.ids import TREASURY, MerchantId, ProgrammeId, programme_participant
from ledger.standard.value import MICROFEN_MINOR


class BudgetRules(Rules):
    """Events of ClearingBook about appropriations, merchants and the arbiter."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("ClearingBook", "AppropriationRecorded"): self._recorded,
            ("ClearingBook", "AppropriationLapsed"): self._lapsed,
            ("ClearingBook", "AppropriationReclaimed"): self._reclaimed,
            ("ClearingBook", "MerchantRegistered"): self._merchant_registered,
            ("ClearingBook", "ArbiterKeySet"): self._arbiter_key_set,
        }

    def _recorded(self, event: Event) -> None:
        programme, year, fen = ProgrammeId(event["programme"]), event["fiscalYear"], event["fen"]
        document, where = event["documentHash"], event.log.where
        terms = {"programme": programme, "fiscalYear": year, "fen": fen, "documentHash": document}
        self.act(event, "recordAppropriation", **terms)
        self.programme(programme, where)
        clearing = self.books.clearing
        budget = clearing.budgets[programme]
        if (year, document) in budget.documents:
            raise Contradicted(f"document of an appropriation of {year}", where, "once", hex_of(document))
        recorded = budget.years.get(year, YearBook())
        if not year or not fen or recorded.is_lapsed or recorded.recorded + fen > YEAR_FEN_MAX:
            raise Contradicted(f"appropriation of {year}", where, "a year that has not lapsed", f"{fen} fen")
        if not budget.years:
            clearing.programmes.append(programme)
        budget.documents.add((year, document))
        budget.years[year] = recorded
        recorded.recorded += fen
        budget.appropriated += fen
        self.same("appropriated in all", event, budget.appropriated, event["appropriatedFen"])

    def _lapsed(self, event: Event) -> None:
        """What is left of a year lapses, as far as it is free: neither earned by merchants nor held by residents."""
        programme, year, fen = ProgrammeId(event["programme"]), event["fiscalYear"], event["fen"]
        self.act(event, "lapse", programme=programme, fiscalYear=year)
        clearing, where = self.books.clearing, event.log.where
        budget, book = clearing.budgets[programme], self.programme(programme, where)
        liability = -(-book.supply * book.par // MICROFEN_MINOR)
        expected = min(budget.left(year), max(0, clearing.funding(programme) - liability))
        recorded = budget.years.get(year, YearBook())
        if recorded.is_lapsed or not expected:
            raise Contradicted(f"lapse of {year}", where, "a year of which something is left, once", f"{fen} fen")
        self.same(f"lapse of {year}", event, expected, fen)
        recorded.lapsed, recorded.is_lapsed = fen, True
        budget.appropriated -= fen
        self.same("appropriated in all", event, budget.appropriated, event["appropriatedFen"])

    def _reclaimed(self, event: Event) -> None:
        programme, fen, reference = ProgrammeId(event["programme"]), event["fen"], event["paymentReference"]
        self.act(event, "reclaim", programme=programme, fen=fen, paymentReference=reference)
        clearing, where = self.books.clearing, event.log.where
        if reference in clearing.references or reference == bytes(32):
            raise Contradicted("payment reference", where, "used once", hex_of(reference))
        clearing.references.add(reference)
        budget = clearing.budgets[programme]
        most = min(clearing.debt(programme), max(0, clearing.positions[TREASURY]), budget.appropriated)
        if not 0 < fen <= most:
            raise Contradicted(f"reclaim from programme {programme}", where, f"1 to {most} fen", fen)
        budget.reclaimed += fen
        budget.appropriated -= fen
        self.same("appropriated in all", event, budget.appropriated, event["appropriatedFen"])
        self.tx.due[programme_participant(programme)] += fen
        self.tx.due[TREASURY] -= fen

    def _merchant_registered(self, event: Event) -> None:
        merchant, key, scope = MerchantId(event["id"]), event["key"], event["scope"]
        act = self.act(event, "registerMerchant", id=merchant, key=key, scope=scope)
        book = self.books.clearing.merchants[merchant]
        before = (book.key, book.scope.to_bytes(32, "big"))
        self.same(f"former merchant {merchant}", event, before, (event["previousKey"], event["previousScope"]))
        if merchant == 0:
            raise Contradicted("merchant", event.log.where, "an id", 0)
        book.key, book.scope = key, int.from_bytes(scope, "big")
        book.by_registrar = book.by_registrar or act.consumed

    def _arbiter_key_set(self, event: Event) -> None:
        self.act(event, "setArbiterKey", key=event["key"])
        self.same("former arbiter's key", event, self.books.clearing.arbiter_key, event["previousKey"])
        self.books.clearing.arbiter_key = event["key"]
