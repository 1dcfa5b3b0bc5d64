"""What the city's budget makes available to each programme."""

from __future__ import annotations

from city import FINANCE

from .claims import Claims
from .state import Reverts

YEAR_FEN_MAX = 10**15


class Appropriations(Claims):
    """Fiscal years, funding, and what lapses."""

    def appropriated(self, programme: int) -> int:
        years = [year for (which, _), year in self.years.items() if which == programme]
        return sum(recorded - lapsed for recorded, lapsed, _ in years) - int(self.reclaimed[programme])

    def funding(self, programme: int) -> int:
        """Return what is available beyond what the programme paid and owes."""
        return self.appropriated(programme) - int(self.paid[programme] - self.positions[1 << 32 | programme])

    def debt(self, programme: int) -> int:
        return max(0, -self.positions[1 << 32 | programme])

    def left_of(self, programme: int, year: int) -> int:
        """Return what payments and reclaims, oldest year first, have left of a year."""
        consumed = self.paid[programme] + self.reclaimed[programme]
        older = [self.years[key] for key in self.years if key[0] == programme and key[1] < year]
        consumed = max(0, consumed - sum(recorded - lapsed for recorded, lapsed, _ in older))
        recorded, lapsed, _ = self.years[programme, year]
        return max(0, int(recorded - lapsed - consumed))

    def appropriate(self, caller: str, programme: int, year: int, fen: int, document: bytes, at: int) -> None:
        self.check_role(FINANCE, caller)
        recorded, lapsed, is_over = self.years[programme, year]
        if year == 0 or is_over or fen == 0 or recorded + fen > YEAR_FEN_MAX:
            raise Reverts("ClearingBookBadAppropriation", year, fen)
        if self.documents[programme, year, document]:
            raise Reverts("ClearingBookDocumentUsed", programme, year, document)
        listed = self.word["listed"] or ()
        if programme not in listed:
            if self.terms[programme] is None:
                raise Reverts("ClearingBookUnknownProgramme", programme)
            self.word["listed"] = (*listed, programme)
        self.documents[programme, year, document] = True
        self.years[programme, year] = (recorded + fen, lapsed, False)
        self.tell(
            "AppropriationRecorded",
            programme=programme,
            fiscalYear=year,
            fen=fen,
            documentHash=document,
            appropriatedFen=self.appropriated(programme),
        )

    def lapse(self, caller: str, programme: int, year: int, at: int) -> None:
        """Once a year: what is left, at most what neither merchants earned nor residents hold."""
        self.check_role(FINANCE, caller)
        recorded, lapsed, is_over = self.years[programme, year]
        fen = min(self.left_of(programme, year), max(0, self.funding(programme) - self.liability(programme)))
        if is_over or fen == 0:
            raise Reverts("ClearingBookNothingToLapse", programme, year)
        self.years[programme, year] = (recorded, lapsed + fen, True)
        left = self.appropriated(programme)
        self.tell("AppropriationLapsed", programme=programme, fiscalYear=year, fen=fen, appropriatedFen=left)
