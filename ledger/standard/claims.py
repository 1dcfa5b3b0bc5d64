"""A merchant's claim by age: what was earned in one period matures when the next one ends.

Source: the clearing book's library ``Claims``. Time is cut into periods of ``maturity`` seconds, counted from 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger.standard.errors import OutOfRange


def period_at(timestamp: int, maturity_s: int) -> int:
    """Return the number of the period in which a Unix time lies."""
    return timestamp // maturity_s


def matures_at(earned_at: int, maturity_s: int) -> int:
    """Return the Unix time from which what is earned at a Unix time can be paid out."""
    return (period_at(earned_at, maturity_s) + 2) * maturity_s


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim in fen, as of ``period``."""

    matured_fen: int = 0
    younger_fen: int = 0
    """Earned in the period before."""
    youngest_fen: int = 0
    """Earned in this period."""
    period: int = 0

    @property
    def total_fen(self) -> int:
        """All of it: the merchant's position."""
        return self.matured_fen + self.younger_fen + self.youngest_fen

    def at(self, period: int) -> Claim:
        """Return the claim in a period that is not before its own. Raises OutOfRange."""
        passed = period - self.period
        if passed < 0:
            raise OutOfRange("period", period, f"{self.period} and later")
        if passed == 0:
            return self
        if passed == 1:
            return Claim(self.matured_fen + self.younger_fen, self.youngest_fen, 0, period)
        return Claim(self.total_fen, 0, 0, period)

    def earned(self, fen: int) -> Claim:
        """Return the claim after something was earned in its period."""
        return replace(self, youngest_fen=self.youngest_fen + fen)

    def paid_out(self, fen: int) -> Claim:
        """Return the claim after a payout, which takes matured value. Raises OutOfRange where there is less."""
        if fen > self.matured_fen:
            raise OutOfRange("payout", fen, f"at most {self.matured_fen}")
        return replace(self, matured_fen=self.matured_fen - fen)

    def earned_by_fen(self, earned_in: int) -> int:
        """Return what of it was earned in a period or before: the most that a refund of an order of then may take."""
        fen = self.matured_fen
        if earned_in + 1 >= self.period:
            fen += self.younger_fen
        if earned_in >= self.period:
            fen += self.youngest_fen
        return fen

    def refunded(self, fen: int, earned_in: int) -> Claim:
        """Return the claim after a refund of an order of period ``earned_in``: the youngest of what was earned by then
        goes first. Raises OutOfRange where that is less."""
        if fen > self.earned_by_fen(earned_in):
            raise OutOfRange("refund", fen, f"at most {self.earned_by_fen(earned_in)}")
        youngest = min(fen, self.youngest_fen) if earned_in >= self.period else 0
        younger = min(fen - youngest, self.younger_fen) if earned_in + 1 >= self.period else 0
        return replace(
            self,
            matured_fen=self.matured_fen - (fen - youngest - younger),
            younger_fen=self.younger_fen - younger,
            youngest_fen=self.youngest_fen - youngest,
        )
