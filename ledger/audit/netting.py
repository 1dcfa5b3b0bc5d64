"""What a cycle must list, computed from the books: the auditor's own hand, so that it need not trust anybody's."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.standard.ids import MerchantId, ProgrammeId

Line = tuple[ProgrammeId, MerchantId, int]
"""(programme, merchant, fen)"""


def lines_of(claims: Mapping[MerchantId, int], debts: Mapping[ProgrammeId, int]) -> list[Line]:
    """Return who pays whom, in order.

    ``claims`` is what each merchant may be paid, ``debts`` what each programme owes and is not listed for, in fen. The
    sum of the claims is split over the debts by largest remainder (ties: lower id); merchants are filled by id from
    programmes by id. Nothing is listed if nothing is claimed.
    """
    total, owed = sum(claims.values()), sum(debts.values())
    if not total or not owed:
        return []
    order = sorted(debts)
    shares = {programme: total * debts[programme] // owed for programme in order}
    by_remainder = sorted(order, key=lambda programme: (-(total * debts[programme] % owed), programme))
    for programme in by_remainder[: total - sum(shares.values())]:
        shares[programme] += 1
    lines: list[Line] = []
    payers = iter(order)
    payer = next(payers)
    for merchant in sorted(claims):
        left = claims[merchant]
        while left:
            fen = min(left, shares[payer])
            if fen:
                lines.append((payer, merchant, fen))
            shares[payer] -= fen
            left -= fen
            if left:
                payer = next(payers)
    return lines
