"""What each debtor of a cycle has to pay, computed by the auditor's own hand."""

from __future__ import annotations

from collections.abc import Sequence


def split(total: int, debts: Sequence[int]) -> list[int]:
    """Split ``total`` over debts by largest remainder; ties go to the earlier. The debts sum to at least ``total``."""
    owed = sum(debts)
    shares = [total * debt // owed for debt in debts]
    by_remainder = sorted(range(len(debts)), key=lambda index: (-(total * debts[index] % owed), index))
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares
