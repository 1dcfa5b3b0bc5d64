"""Programmes, batches, holds and paid orders."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.audit.report import ProgrammeFigures
from ledger.standard.contract import ProgrammeState
from ledger.standard.ids import ZERO_ACCOUNT, AccountBytes, MerchantId

Account = AccountBytes
"""20 bytes; account 0 is where mints come from and burns go to."""

LotPart = tuple[int, int]
"""(token id, amount in minor units)."""

NOBODY: Account = ZERO_ACCOUNT


@dataclass(slots=True)
class ProgrammeBook:
    """A programme; ``par`` in micro-fen a point, amounts in minor units and fen, times in Unix seconds."""

    par: int
    flags: int
    spend_scope: int
    name: str
    symbol: str
    state: int = ProgrammeState.ACTIVE
    spendable_until: int = 0
    frozen_until: int = 0
    freezable_from: int = 0
    rulebook_version: int = 0
    rulebook_hash: bytes = bytes(32)
    supply: int = 0
    swept: int = 0
    mint_ceiling_fen: int = 0
    revoke_ceiling_fen: int = 0
    counted_day: int = 0
    minted_fen: int = 0
    revoked_fen: int = 0
    by_council: bool = False
    """Whether it was opened after the city was handed over, so that the deployment file need not know it."""
    figures: ProgrammeFigures = field(default_factory=ProgrammeFigures)

    def is_open(self, time: int) -> bool:
        """Whether new orders may take the programme's points."""
        return time >= self.frozen_until and not self.is_over(time)

    def is_over(self, time: int) -> bool:
        """Whether the time in which its points can be spent is over."""
        return self.spendable_until != 0 and time >= self.spendable_until


@dataclass(slots=True)
class Batch:
    """A landed batch; ``grants`` are packed as the issuer signed them, ``word`` is what the ledger keeps."""

    root: bytes
    quarter: int
    count: int
    amount: int
    grants: bytes
    word: bytes


@dataclass(frozen=True, slots=True)
class Hold:
    """Lots in escrow."""

    holder: Account
    lots: tuple[LotPart, ...]
    merchant: MerchantId
    capture_by: int


@dataclass(slots=True)
class PaidOrder:
    """A redemption that landed; ``kept`` are the lots that it still keeps after refunds."""

    holder: Account
    merchant: MerchantId
    lots: tuple[LotPart, ...]
    kept: tuple[LotPart, ...]
    fen: int
    time: int
    refunded: bool = False
