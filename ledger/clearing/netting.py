"""Netting: a cycle's positions become a short list of payments. Pure, and the same list for everyone who computes it.

Only merchants receive money; programmes with a credit carry it forward. The merchants' total is split once over the
debtors in proportion to what they owe, by largest remainder (ties: the lower id); then merchants are filled by id from
debtors by id, so at most debtors + merchants - 1 payments are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.errors import InvariantViolation
from ledger.standard.ids import MerchantId, ProgrammeId

PROGRAMME_KIND = 1
MERCHANT_KIND = 2


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
    """What a cycle would settle, in fen: what each programme owes and each merchant may claim, beyond what is listed
    in earlier cycles or in dispute."""

    owed: Mapping[int, int]
    claims: Mapping[int, int]


def open_sums(
    positions: Mapping[int, int], locked: Mapping[int, int] | None = None, disputed: Mapping[int, int] | None = None
) -> Open:
    """Return what is open, as ClearingBook's ``owedFen`` and ``freeFen`` say it.

    ``positions`` and ``locked`` are by participant id, ``disputed`` by merchant. Raises PositionsUnbalanced.
    """
    if total := sum(positions.values()):
        raise PositionsUnbalanced(total)
    locked, disputed = locked or {}, disputed or {}
    owed: dict[int, int] = {}
    claims: dict[int, int] = {}
    for participant, fen in positions.items():
        kind, identifier = participant >> 32, participant & 0xFFFFFFFF
        if kind == PROGRAMME_KIND and (owes := -fen - locked.get(participant, 0)) > 0:
            owed[identifier] = owes
        elif kind == MERCHANT_KIND:
            free = fen - locked.get(participant, 0) - disputed.get(identifier, 0)
            if free > 0:
                claims[identifier] = free
    return Open(owed, claims)


def net(
    positions: Mapping[int, int], locked: Mapping[int, int] | None = None, disputed: Mapping[int, int] | None = None
) -> list[Payment]:
    """Return who pays whom to settle what is open: the lines of ``Settlement.closeCycle``, in its order.

    The arguments are those of ``open_sums``. Raises PositionsUnbalanced.
    """
    sums = open_sums(positions, locked, disputed)
    return _fill(split_by_largest_remainder(sum(sums.claims.values()), sums.owed), sums.claims)


def split_by_largest_remainder(total: int, weights: Mapping[int, int]) -> dict[int, int]:
    """Split ``total`` in proportion to positive ``weights``; what is left by flooring goes one by one to the largest
    remainders, ties to the lower key. Nobody gets more than one above the exact share."""
    whole = sum(weights.values())
    if total == 0 or whole == 0:
        return dict.fromkeys(weights, 0)
    shares = {key: total * weight // whole for key, weight in weights.items()}
    left = total - sum(shares.values())
    by_remainder = sorted(weights, key=lambda key: (-(total * weights[key] % whole), key))
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares


def _fill(shares: Mapping[int, int], credits_fen: Mapping[int, int]) -> list[Payment]:
    payments = []
    debtors = [[programme, fen] for programme, fen in sorted(shares.items()) if fen]
    for merchant, owed in sorted(credits_fen.items()):
        left = owed
        while left:
            programme, available = debtors[0]
            part = min(left, available)
            payments.append(Payment(ProgrammeId(programme), MerchantId(merchant), part))
            left -= part
            debtors[0][1] -= part
            if debtors[0][1] == 0:
                debtors.pop(0)
    return payments
