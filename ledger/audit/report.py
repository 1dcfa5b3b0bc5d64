"""What an audit says: PASS, FAIL with the first contradiction, or INCOMPLETE; and the figures it computed by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ledger.errors import TongduiError
from ledger.standard.ids import MerchantId, ProgrammeSlug

PASS = "PASS"  # noqa: S105  # a verdict, not a password
FAIL = "FAIL"
INCOMPLETE = "INCOMPLETE"
"""No contradiction was found, but not everything could be looked at: ``skipped`` says what."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two things that cannot both be true: which rule, where it broke, what it demands and what is there."""

    what: str
    where: str
    expected: str
    found: str


class Contradicted(TongduiError):
    """Raised inside an audit at the first contradiction; callers of `audit` never see it."""

    def __init__(self, what: str, where: str, expected: object, found: object) -> None:
        self.contradiction = Contradiction(what, where, str(expected), str(found))
        super().__init__(f"{what} at {where}: expected {expected}, found {found}")


@dataclass(slots=True)
class ProgrammeFigures:
    """One programme's flows in minor units.

    minted + exchanged_in + refunded - exchanged_out - redeemed - revoked - expired = outstanding, escrow included.
    ``revoked`` was burned, at once or when it was collected; ``revoked_shortfall`` is owed still.
    """

    minted: int = 0
    exchanged_in: int = 0
    exchanged_out: int = 0
    redeemed: int = 0
    refunded: int = 0
    revoked: int = 0
    revoked_shortfall: int = 0
    expired: int = 0
    outstanding: int = 0
    escrowed: int = 0
    grants: int = 0
    batches: int = 0
    position_fen: int = 0
    appropriated_fen: int = 0
    paid_fen: int = 0

    def balance(self) -> int:
        """What the flows leave outstanding."""
        incoming = self.minted + self.exchanged_in + self.refunded
        return incoming - self.exchanged_out - self.redeemed - self.revoked - self.expired

    def to_json(self) -> dict[str, str | int]:
        """Amounts as strings, counts as numbers."""
        counts = {"grants": self.grants, "batches": self.batches}
        amounts = {
            name: str(getattr(self, name))
            for name in (
                "minted",
                "exchanged_in",
                "exchanged_out",
                "redeemed",
                "refunded",
                "revoked",
                "revoked_shortfall",
                "expired",
                "outstanding",
                "escrowed",
                "position_fen",
                "appropriated_fen",
                "paid_fen",
            )
        }
        return {**amounts, **counts}


@dataclass(slots=True)
class AuditReport:
    """The result of an audit at one block. Amounts are minor units or fen; positions by merchant id."""

    verdict: str
    contradiction: Contradiction | None
    chain_id: int
    block_first: int
    block: int
    block_hash: str
    blocks: int = 0
    events: int = 0
    accounts: int = 0
    batches: int = 0
    orders: int = 0
    rejected: int = 0
    programmes: dict[ProgrammeSlug, ProgrammeFigures] = field(default_factory=dict)
    merchants: dict[MerchantId, int] = field(default_factory=dict)
    exchanged_fen: int = 0
    redeemed_fen: int = 0
    refunded_fen: int = 0
    positions_sum_fen: int = 0
    pool_fen: int = 0
    treasury_fen: int = 0
    leaves: int = 0
    batches_without_leaves: int = 0
    checks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Checks that could not be made, each in words."""

    @property
    def ok(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict == PASS

    def to_json(self) -> dict[str, Any]:
        """Return the report for machines: amounts are strings, the positions' sum and counts are numbers."""
        found = self.contradiction
        return {
            "verdict": self.verdict,
            "contradiction": None
            if found is None
            else {"what": found.what, "where": found.where, "expected": found.expected, "found": found.found},
            "chain_id": self.chain_id,
            "block_first": self.block_first,
            "block": self.block,
            "block_hash": self.block_hash,
            "blocks": self.blocks,
            "events": self.events,
            "accounts": self.accounts,
            "batches": self.batches,
            "orders": self.orders,
            "rejected": self.rejected,
            "programmes": {slug: figures.to_json() for slug, figures in self.programmes.items()},
            "merchants": {str(merchant): str(fen) for merchant, fen in sorted(self.merchants.items())},
            "exchanged_fen": str(self.exchanged_fen),
            "redeemed_fen": str(self.redeemed_fen),
            "refunded_fen": str(self.refunded_fen),
            "positions_sum_fen": self.positions_sum_fen,
            "pool_fen": str(self.pool_fen),
            "treasury_fen": str(self.treasury_fen),
            "leaves": self.leaves,
            "batches_without_leaves": self.batches_without_leaves,
            "checks": self.checks,
            "notes": self.notes,
            "skipped": self.skipped,
        }
