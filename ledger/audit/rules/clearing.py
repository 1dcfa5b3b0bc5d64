"""Rules of ClearingBook and Settlement: positions, appropriations, cycles and payments."""

from __future__ import annotations

from ledger.audit.books import NOBODY
from ledger.audit.netting import lines_of
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, hex_of, name_of, participant_name
from ledger.proofs.events import Event
from ledger.standard.ids import MerchantId, merchant_participant, programme_participant

_MERCHANT_KIND = 2


class ClearingRules(Rules):
    """Events of ClearingBook and Settlement."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Settlement", "CycleClosed"): self._cycle_closed,
            ("Settlement", "Settled"): self._settled,
            ("Settlement", "FinanceKeySet"): self._finance_key_set,
            ("ClearingBook", "Locked"): self._locked,
            ("ClearingBook", "Paid"): self._paid,
            ("ClearingBook", "PaidChanged"): self._paid_changed,
            ("ClearingBook", "DisputedChanged"): self._disputed_changed,
            ("ClearingBook", "PositionChanged"): self._position_changed,
            ("ClearingBook", "AppropriationRecorded"): self._appropriation_recorded,
            ("ClearingBook", "AppropriationLapsed"): self._appropriation_lapsed,
            ("ClearingBook", "MerchantRegistered"): self._merchant_registered,
        }

    def check_postings(self) -> None:
        """At a transaction's end positions moved by what the orders moved, and what is bound stays covered."""
        for participant in self.tx.due.keys() | self.tx.posted.keys():
            due, posted = self.tx.due[participant], self.tx.posted[participant]
            if due != posted:
                name = participant_name(participant)
                raise Contradicted(name, self.tx.where, f"{due:+d} fen by the orders", f"{posted:+d} fen")
            if participant >> 32 == _MERCHANT_KIND:
                bound = self.books.locked[participant] + self.books.disputed[MerchantId(participant & 0xFFFFFFFF)]
                if self.books.positions[participant] < bound:
                    found = f"{self.books.positions[participant]} fen"
                    raise Contradicted(participant_name(participant), self.tx.where, f">= {bound} fen", found)

    def _cycle_closed(self, event: Event) -> None:
        """Who pays whom follows from the books; the locks that come next must be exactly that."""
        books = self.books
        claims = {merchant: books.free_fen(merchant) for merchant in books.merchants}
        debts = {programme: books.owed_fen(programme) for programme in books.programmes}
        lines = lines_of(claims, debts)
        expected = (len(books.cycles) + 1, len(lines), sum(fen for _, _, fen in lines))
        found = (event["cycle"], event["lines"], event["fen"])
        if expected != found:
            raise Contradicted("cycle (number, lines, fen)", event.log.where, expected, found)
        books.cycles.append(list(lines))
        self.tx.locks += lines

    def _locked(self, event: Event) -> None:
        line = (event["programme"], event["merchant"], event["fen"])
        expected = self.tx.locks.pop(0) if self.tx.locks else None
        if line != expected:
            raise Contradicted("line of a cycle (programme, merchant, fen)", event.log.where, expected, line)
        self.books.locked[programme_participant(line[0])] += line[2]
        self.books.locked[merchant_participant(line[1])] += line[2]

    def _settled(self, event: Event) -> None:
        line = (event["programme"], event["merchant"], event["fen"])
        cycle, reference = event["cycle"], (event["programme"], event["paymentReference"])
        unpaid = self.books.cycles[cycle - 1] if 1 <= cycle <= len(self.books.cycles) else []
        if line not in unpaid:
            raise Contradicted(f"payment in cycle {cycle}", event.log.where, "an unpaid line", line)
        if reference in self.books.references:
            raise Contradicted("payment reference", event.log.where, "used once", hex_of(event["paymentReference"]))
        key, _ = self.books.merchants[line[1]]
        if event["signer"] not in (key, self.books.finance_key) or event["signer"] == NOBODY:
            raise Contradicted("who confirms a payment", event.log.where, "payee or finance", name_of(event["signer"]))
        unpaid.remove(line)
        self.books.references.add(reference)
        self.tx.payments.append(line)
        self.tx.due[programme_participant(line[0])] += line[2]
        self.tx.due[merchant_participant(line[1])] -= line[2]

    def _paid(self, event: Event) -> None:
        line = (event["programme"], event["merchant"], event["fen"])
        expected = self.tx.payments.pop(0) if self.tx.payments else None
        if line != expected:
            raise Contradicted("payment (programme, merchant, fen)", event.log.where, expected, line)
        self.books.locked[programme_participant(line[0])] -= line[2]
        self.books.locked[merchant_participant(line[1])] -= line[2]
        self.books.paid[line[0]] += line[2]
        self.tx.paid.append(line[0])

    def _finance_key_set(self, event: Event) -> None:
        self.books.finance_key = event["key"]

    def _disputed_changed(self, event: Event) -> None:
        merchant, fen = event["merchant"], event["disputedFen"]
        if self.tx.disputed:
            expected = self.tx.disputed.pop(0)
            if (merchant, fen) != expected:
                raise Contradicted("disputed fen (merchant, fen)", event.log.where, expected, (merchant, fen))
        elif self.tx.freed is None:
            self.tx.freed = (merchant, self.books.disputed[merchant] - fen)
        else:
            raise Contradicted("disputed fen", event.log.where, "a refund of what was freed", "freed again")
        self.books.disputed[merchant] = fen

    def _position_changed(self, event: Event) -> None:
        participant = event["participant"]
        position = self.books.positions[participant] + event["delta"]
        if position != event["position"]:
            what = participant_name(participant)
            raise Contradicted(what, event.log.where, f"{position} fen", f"{event['position']} fen")
        self.books.positions[participant] = position
        self.tx.posted[participant] += event["delta"]

    def _appropriation_recorded(self, event: Event) -> None:
        identifier, fen = event["programme"], event["fen"]
        recorded, lapsed = self.books.fiscal_years[identifier, event["fiscalYear"]]
        self.books.fiscal_years[identifier, event["fiscalYear"]] = (recorded + fen, lapsed)
        self.books.appropriated[identifier] += fen

    def _appropriation_lapsed(self, event: Event) -> None:
        identifier, fen = event["programme"], event["fen"]
        recorded, lapsed = self.books.fiscal_years[identifier, event["fiscalYear"]]
        if lapsed + fen > recorded:
            what = f"lapse of programme {identifier}"
            raise Contradicted(what, event.log.where, f"<= {recorded - lapsed} fen", f"{fen} fen")
        self.books.fiscal_years[identifier, event["fiscalYear"]] = (recorded, lapsed + fen)
        self.books.appropriated[identifier] -= fen

    def _paid_changed(self, event: Event) -> None:
        programme = self.tx.paid.pop(0) if self.tx.paid else None
        expected = None if programme is None else (programme, self.books.paid[programme])
        if (event["programme"], event["paid"]) != expected:
            found = (event["programme"], event["paid"])
            raise Contradicted("paid (programme, fen in all)", event.log.where, expected, found)

    def _merchant_registered(self, event: Event) -> None:
        self.books.merchants[event["id"]] = (event["key"], event["scope"])
