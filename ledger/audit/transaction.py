"""What one transaction has done so far: changes that wait for the event that explains them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from ledger.audit.books import Account, Hold, LotPart
from ledger.audit.netting import Line
from ledger.audit.report import Contradicted
from ledger.standard.ids import ProgrammeId

Move = tuple[Account, Account, int, int]
"""(from, to, token id, amount)."""


@dataclass(slots=True)
class Transaction:
    """Everything in here must be explained, and so be gone or balanced, when the transaction ends."""

    place: tuple[int, int] = (-1, -1)
    where: str = ""
    time: int = 0
    moves: list[Move] = field(default_factory=list)
    landed: dict[tuple[int, int], bytes] = field(default_factory=dict)
    reborn: list[tuple[Account, int, int, int]] = field(default_factory=list)
    opened: dict[bytes, Hold] = field(default_factory=dict)
    closed: dict[bytes, tuple[Hold, Account, int, int]] = field(default_factory=dict)
    captured: dict[bytes, tuple[Hold, tuple[LotPart, ...]]] = field(default_factory=dict)
    receipts: list[bytes] = field(default_factory=list)
    due: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Fen by participant that the orders move."""
    posted: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Fen by participant that the clearing book says moved."""
    locks: list[Line] = field(default_factory=list)
    payments: list[Line] = field(default_factory=list)
    paid: list[ProgrammeId] = field(default_factory=list)
    disputed: list[tuple[int, int]] = field(default_factory=list)
    """(merchant, disputed fen) that the next events must say."""
    freed: tuple[int, int] | None = None
    """(merchant, fen) freed for a refund that must come next."""

    def check_explained(self) -> None:
        """Raise Contradicted if something waits for its event still."""
        leftovers: list[tuple[str, object]] = [
            ("a landed batch without BatchMinted", self.landed),
            ("a reborn lot without its transfers", self.reborn),
            ("a hold opened without Held", self.opened),
            ("a hold closed without Captured or Released", self.closed),
            ("a capture without Redeemed", self.captured),
            ("redemptions without RedemptionBatch", self.receipts),
            ("a cycle whose lines are not locked", self.locks),
            ("a settlement without Paid", self.payments),
            ("a payment without PaidChanged", self.paid),
            ("a dispute without DisputedChanged", self.disputed),
            ("disputed value freed without a refund", self.freed),
        ]
        for what, items in leftovers:
            if items:
                raise Contradicted("unexplained change", self.where, "every change explained by its event", what)
