"""The finance bureau: appropriations, cycles, money; a silent bureau, and one whose key was stolen."""

from __future__ import annotations

from city import DAY
from reference import quarter_of

from lives.life import Life, move


class FinanceMoves(Life):
    """What the bureau books, and what anyone may do about clearing."""

    def _bureau(self) -> object:
        return self.city.finance if not self.chance(20) else self.random.choice((self.city.operator, self.city.desk))

    def _reference(self) -> bytes:
        """A new reference; now and then a used one, or none."""
        if self.past.references and self.chance(10):
            return self.random.choice(self.past.references)
        self.past.references.append(self.random.randbytes(32))
        return self.past.references[-1] if not self.chance(40) else bytes(32)

    def _debtor(self) -> int:
        owing = [p for p in sorted(self.model.terms) if self.model.debt(p)]
        return int(self.random.choice(owing)) if owing and not self.chance(10) else self.programme()

    def _fen_up_to(self, most: int) -> int:
        random = self.random
        if most > 0 and not self.chance(10):
            return random.choice((most, most, random.randint(1, most)))
        return random.choice((0, 1, most + 1, 2**95))

    @move(1.5)
    def appropriate(self) -> None:
        random = self.random
        programme = self.programme() if not self.chance(30) else 97
        year = 2000 + (quarter_of(self.time) - 1) // 4 + random.choice((0, 0, 0, 1, -1))
        fen = random.randrange(1, 60_000) if not self.chance(15) else random.choice((0, 10**15 + 1, 2**96))
        document = (
            random.choice(self.past.documents) if self.past.documents and self.chance(6) else random.randbytes(32)
        )
        self.past.documents.append(document)
        args = (programme, year if not self.chance(40) else 0, fen, document)
        self.does(self._bureau(), self.city.book, "recordAppropriation", args, self.model.appropriate)

    @move(0.7)
    def lapse(self) -> None:
        years = sorted(self.model.years) if not self.chance(10) else [(1, 2099)]
        args = self.random.choice(years)
        self.does(self._bureau(), self.city.book, "lapse", args, self.model.lapse)

    @move(2)
    def anyone_opens_a_cycle(self) -> None:
        if sum(self.model.parts(None, self.time)) <= self.model.pool() and not self.chance(8):
            return
        if self.chance(2):
            self.to_time(self.model.word["due_by"] + self.random.choice((-1, 0, 0, 1)))
        self.perform(self.act(self.anyone(), self.city.book, "openCycle", (), self.model.open_cycle))

    @move()
    def fund(self) -> None:
        """Not often: overdue programmes are to be met."""
        programme = self._debtor()
        fen = self._fen_up_to(self.model.debt(programme))
        args = (programme, fen, self._reference())
        self.does(self._bureau(), self.city.book, "fund", args, self.model.fund)

    @move(2)
    def pay_out(self) -> None:
        if not self.model.pool() and not self.chance(6):
            return
        random = self.random
        merchants = sorted(self.model.shops)
        parts = []
        for _ in range(random.choice((1, 2, 3, 4))):
            merchant = random.choice(merchants) if merchants and not self.chance(15) else random.choice((0, 77))
            fen = random.choice((2**64 - 1, self._fen_up_to(self.model.payable(merchant, self.time))))
            parts.append(merchant.to_bytes(4, "big") + min(fen, 2**64 - 1).to_bytes(8, "big"))
        packed = b"".join(parts)
        if self.chance(30):
            packed = random.choice((b"", packed[:-1]))
        args = (packed, self._reference())
        self.does(self._bureau(), self.city.book, "payout", args, self.model.payout)

    @move()
    def pay_directly(self) -> None:
        programme, merchant = self._debtor(), self.random.choice((*sorted(self.model.shops), 1))
        most = min(self.model.debt(programme), self.model.payable(merchant, self.time))
        args = (programme, merchant, self._fen_up_to(most), self._reference())
        self.does(self._bureau(), self.city.book, "payDirectly", args, self.model.pay_directly)

    @move()
    def reclaim(self) -> None:
        if not self.model.positions[4 << 32] and not self.chance(8):
            return
        programme = self._debtor()
        treasury = self.model.positions[4 << 32]
        most = min(self.model.debt(programme), treasury, self.model.appropriated(programme))
        args = (programme, self._fen_up_to(most), self._reference())
        self.does(self._bureau(), self.city.book, "reclaim", args, self.model.reclaim)

    @move(0.6)
    def a_silent_bureau(self) -> None:
        """Nothing is funded over a whole cycle and its date."""
        self.anyone_opens_a_cycle()
        self.to_time(self.model.word["due_by"] + self.random.choice((0, 1, 3 * DAY)))

    @move(0.3)
    def a_stolen_bureau_s_key(self) -> None:
        """Appropriates without end, funds without money, pays all out: within what is owed and has matured."""
        bureau, book = self.city.finance, self.city.book
        for programme in self.random.sample(sorted(self.model.terms), 3):
            args = (programme, max(1, self.model.debt(programme)), self.random.randbytes(32))
            self.does(bureau, book, "fund", args, self.model.fund)
        everybody = b"".join(m.to_bytes(4, "big") + b"\xff" * 8 for m in sorted(self.model.shops))
        self.does(bureau, book, "payout", (everybody * 2, self.random.randbytes(32)), self.model.payout)
