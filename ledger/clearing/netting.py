"""Netting: a cycle's positions become a short list of payments. Pure, and the same list for whoever computes it.

Only merchants receive money; programmes with a credit carry it forward. The merchants' total is split once over the
debtors in proportion to what they owe, by largest remainder (ties: the lower id); then merchants are filled by id from
debtors by id, so at most debtors + merchants - 1 payments are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.errors import InvariantViolation

_PROGRAMME_KIND = 1
_MERCHANT_KIND = 2


class PositionsUnbalanced(InvariantViolation):
    """The positions do not add up to 0."""

    def __init__(self, total_fen: int) -> None:
        self.total_fen = total_fen
        super().__init__(f"the positions add up to {total_fen} fen instead of 0")


class MerchantOwes(InvariantViolation):
    """A merchant's position is negative: more was refunded than it was ever owed."""

    def __init__(self, merchant: int, position_fen: int) -> None:
        self.merchant = merchant
        self.position_fen = position_fen
        super().__init__(f"merchant {merchant} has a position of {position_fen} fen")


@dataclass(frozen=True, slots=True)
class Payment:
    """What one programme's agency pays one merchant, in fen."""

    programme: int
    merchant: int
    fen: int


def net(positions: Mapping[int, int]) -> list[Payment]:
    """Return who pays whom, from positions in fen by participant id. Raises PositionsUnbalanced or MerchantOwes."""
    if total := sum(positions.values()):
        raise PositionsUnbalanced(total)
    debts = {p & 0xFFFFFFFF: -fen for p, fen in positions.items() if p >> 32 == _PROGRAMME_KIND and fen < 0}
    credits_fen: dict[int, int] = {}
    for participant, fen in positions.items():
        if participant >> 32 != _MERCHANT_KIND or fen == 0:
            continue
        if fen < 0:
            raise MerchantOwes(participant & 0xFFFFFFFF, fen)
        credits_fen[participant & 0xFFFFFFFF] = fen
    shares = split_by_largest_remainder(sum(credits_fen.values()), debts)
    return _fill(shares, credits_fen)


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
            payments.append(Payment(programme, merchant, part))
            left -= part
            debtors[0][1] -= part
            if debtors[0][1] == 0:
                debtors.pop(0)
    return payments
