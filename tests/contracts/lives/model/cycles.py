"""Cycles and money: who has to pay how much by when, what goes into the treasury account, out of it, and past it."""

from __future__ import annotations

from city import ADMIN, FINANCE
from reference import largest_remainder

from .appropriations import Appropriations
from .claims import MATURITY
from .state import DAY, POOL, TREASURY, Reverts

OVERDUE_FEN = 1_000
LONG_AGO = 0


class Cycles(Appropriations):
    """Dues, payments, payouts."""

    def is_overdue(self, programme: int, at: int) -> bool:
        """Whether 10 yuan or more of what it still owes are past their date, and nobody waived that."""
        fen, older = self.dues[programme]
        late = older + (fen if at > self.word["due_by"] else 0)
        return min(late, self.debt(programme)) >= OVERDUE_FEN and at >= self.waived[programme]

    def open_cycle(self, at: int) -> None:
        if at <= self.word["due_by"]:
            raise Reverts("ClearingBookTooEarly", self.word["due_by"] + 1)
        listed = self.word["listed"] or ()
        debts = [self.debt(programme) for programme in listed]
        total = min(max(0, self.parts(None, at)[0] - self.pool()), sum(debts))
        if total == 0:
            raise Reverts("ClearingBookNothingDue")
        self.word["cycle"] += 1
        self.word["due_by"] = at + self.word["term"]
        cycle = self.word["cycle"]
        self.tell("CycleOpened", cycle=cycle, totalFen=total, dueBy=self.word["due_by"])
        for programme, share in zip(listed, largest_remainder(total, debts), strict=True):
            unpaid = sum(self.dues[programme])
            if share or unpaid:
                older = min(unpaid, share)
                self.dues[programme] = (share - older, older)
                self.tell("DueSet", cycle=cycle, programme=programme, fen=share - older, olderFen=older)

    # ------------------------------------------------------------------------------------------------------- payments

    def _use(self, reference: bytes) -> None:
        if reference == bytes(32) or self.references[reference]:
            raise Reverts("ClearingBookReferenceUsed", reference)
        self.references[reference] = True

    def fund(self, caller: str, programme: int, fen: int, reference: bytes, at: int) -> None:
        self.check_role(FINANCE, caller)
        self._use(reference)
        self._pay_in(programme, fen, reference)
        self.positions[POOL] -= fen

    def _pay_in(self, programme: int, fen: int, reference: bytes) -> None:
        debt = self.debt(programme)
        if not 0 < fen <= debt:
            raise Reverts("ClearingBookBadAmount", fen, debt)
        due, older = self.dues[programme]
        self.dues[programme] = (max(0, due - max(0, fen - older)), max(0, older - fen))
        self.paid[programme] += fen
        self.positions[1 << 32 | programme] += fen
        fields = {"programme": programme, "fen": fen, "paymentReference": reference}
        self.tell("Funded", **fields, paidFen=self.paid[programme])

    def payout(self, caller: str, packed: bytes, reference: bytes, at: int) -> None:
        """Pay (merchant 4 | fen 8)*, each at most what is payable and what is left in the pool."""
        self.check_role(FINANCE, caller)
        if not packed or len(packed) % 12:
            raise Reverts("ClearingBookBadPayouts", len(packed))
        self._use(reference)
        paid, pool = 0, self.pool()
        for place in range(0, len(packed), 12):
            merchant, fen = int.from_bytes(packed[place : place + 4]), int.from_bytes(packed[place + 4 : place + 12])
            paid += self._pay_out(merchant, min(fen, pool - paid), reference, at)
        if paid == 0:
            raise Reverts("ClearingBookBadAmount", 0, pool)
        self.positions[POOL] += paid

    def _pay_out(self, merchant: int, most: int, reference: bytes, at: int) -> int:
        fen = min(most, self.payable(merchant, at))
        if fen:
            if self.word["ceiling"]:
                self.paid_in_cycle[merchant, self.word["cycle"]] += fen
            self.take(merchant, fen, at // MATURITY - 2, at)
            self.word["paid_out"] += fen
            self.tell("PaidOut", merchant=merchant, fen=fen, paymentReference=reference)
        return fen

    def pay_directly(self, caller: str, programme: int, merchant: int, fen: int, reference: bytes, at: int) -> None:
        self.check_role(FINANCE, caller)
        self._use(reference)
        self._pay_in(programme, fen, reference)
        paid = self._pay_out(merchant, fen, reference, at)
        if paid != fen:
            raise Reverts("ClearingBookBadAmount", fen, paid)

    def reclaim(self, caller: str, programme: int, fen: int, reference: bytes, at: int) -> None:
        """Take back expired value that the programme owes."""
        self.check_role(FINANCE, caller)
        self._use(reference)
        most = min(self.debt(programme), max(0, self.positions[TREASURY]), self.appropriated(programme))
        if not 0 < fen <= most:
            raise Reverts("ClearingBookBadAmount", fen, most)
        self.reclaimed[programme] += fen
        self.positions[1 << 32 | programme] += fen
        self.positions[TREASURY] -= fen
        self.word["paid_out"] += fen
        fields = {"programme": programme, "fen": fen, "paymentReference": reference}
        self.tell("AppropriationReclaimed", **fields, appropriatedFen=self.appropriated(programme))

    # --------------------------------------------------------------------------------------------------- the council

    def set_waiver(self, caller: str, programme: int, until: int, at: int) -> None:
        self.check_role(ADMIN, caller)
        if until > at + 90 * DAY:
            raise Reverts("ClearingBookBadTerms")
        self.tell("WaiverSet", programme=programme, previousUntil=self.waived[programme], until=until)
        self.waived[programme] = until

    def set_terms(self, caller: str, term: int, ceiling: int, at: int) -> None:
        self.check_role(ADMIN, caller)
        if not DAY <= term <= 90 * DAY:
            raise Reverts("ClearingBookBadTerms")
        previous = [self.word["term"], self.word["ceiling"]]
        self.tell("ClearingTermsSet", previous=previous, current=[term, ceiling])
        self.word["term"], self.word["ceiling"] = term, ceiling
