"""Netting: the positions of a city become what each debtor has to pay, and a list of who pays whom. Pure.

What is owed to merchants in all, less what lies in the pool, is split over the debtors in proportion to what they owe,
by largest remainder (ties: the programme named earlier), as ``ClearingBook.openCycle`` splits a cycle's total. Who pays
whom follows from a published formula, for everybody alike: merchants by id are filled from the pool, then from debtors
in their order, so at most debtors + merchants - 1 payments are made. Programmes with a credit carry it forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ledger.errors import InvariantViolation
from ledger.standard.ids import POOL, MerchantId, ProgrammeId, is_merchant, is_programme

K = TypeVar("K", bound=int)


class PositionsUnbalanced(InvariantViolation):
    """The positions do not add up to 0."""

    def __init__(self, total_fen: int) -> None:
        self.total_fen = total_fen
        super().__init__(f"the positions add up to {total_fen} fen instead of 0")


@dataclass(frozen=True, slots=True)
class Payment:
    """What one programme's agency pays one merchant, in fen."""

    programme: ProgrammeId
    merchant: MerchantId
    fen: int


@dataclass(frozen=True, slots=True)
class Open:
    """What would be settled, in fen: what programmes owe, what merchants are owed, and what lies in the pool."""

    owed: Mapping[int, int]
    claims: Mapping[int, int]
    pool_fen: int

    @property
    def due_fen(self) -> int:
        """What debtors have to pay in all."""
        return max(0, sum(self.claims.values()) - self.pool_fen)


def open_sums(positions: Mapping[int, int]) -> Open:
    """Return what is open by positions of all participants. Raises PositionsUnbalanced."""
    if total := sum(positions.values()):
        raise PositionsUnbalanced(total)
    owed = {who & 0xFFFFFFFF: -fen for who, fen in positions.items() if is_programme(who) and fen < 0}
    claims = {who & 0xFFFFFFFF: fen for who, fen in positions.items() if is_merchant(who) and fen > 0}
    return Open(owed, claims, -positions.get(POOL, 0))


def net(positions: Mapping[int, int]) -> list[Payment]:
    """Return who would pay whom if all claims were paid now. Raises PositionsUnbalanced."""
    sums = open_sums(positions)
    shares = split_by_largest_remainder(sums.due_fen, dict(sorted(sums.owed.items())))
    return _fill(shares, _less(sorted(sums.claims.items()), sums.pool_fen))


def split_by_largest_remainder(total: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Split ``total`` in proportion to positive ``weights``; what is left by flooring goes one by one to the largest
    remainders, ties to the key that comes first. Nobody gets more than one above the exact share."""
    whole = sum(weights.values())
    if total == 0 or whole == 0:
        return dict.fromkeys(weights, 0)
    shares = {key: total * weight // whole for key, weight in weights.items()}
    left = total - sum(shares.values())
    by_remainder = sorted(weights, key=lambda key: -(total * weights[key] % whole))
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares


def _less(claims: Iterable[tuple[int, int]], fen: int) -> list[tuple[int, int]]:
    """Return the claims without the first ``fen`` of them, which the pool pays."""
    rest = []
    for merchant, claim in claims:
        paid = min(claim, fen)
        fen -= paid
        rest.append((merchant, claim - paid))
    return rest


def _fill(shares: Mapping[int, int], claims: Iterable[tuple[int, int]]) -> list[Payment]:
    payments = []
    debtors = [[programme, fen] for programme, fen in shares.items() if fen]
    for merchant, claim in claims:
        left = claim
        while left:
            programme, available = debtors[0]
            part = min(left, available)
            payments.append(Payment(ProgrammeId(programme), MerchantId(merchant), part))
            left -= part
            debtors[0][1] -= part
            if debtors[0][1] == 0:
                debtors.pop(0)
    return payments
