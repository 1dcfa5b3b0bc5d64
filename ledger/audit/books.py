"""What the books must say: the state that the auditor builds from events, with nothing decided in it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from ledger.audit.report import ProgrammeFigures
from ledger.standard.contract import DisputeState, ProgrammeState
from ledger.standard.ids import ZERO_ACCOUNT, AccountBytes, MerchantId, OrderId, ProgrammeId

Account = AccountBytes
"""20 bytes; account 0 is where mints come from and burns go to."""

LotPart = tuple[int, int]
"""(token id, amount in minor units)."""

NOBODY: Account = ZERO_ACCOUNT


@dataclass(slots=True)
class ProgrammeBook:
    """A programme; ``par`` in micro-fen a point, amounts in minor units and fen."""

    par: int
    flags: int
    spend_scope: bytes
    state: int = ProgrammeState.ACTIVE
    spendable_until: int = 0
    rulebook_version: int = 0
    rulebook_hash: bytes = bytes(32)
    supply: int = 0
    figures: ProgrammeFigures = field(default_factory=ProgrammeFigures)


@dataclass(slots=True)
class Batch:
    """A landed batch; ``grants`` are the transfers it made, packed as the issuer signed them."""

    root: bytes
    quarter: int
    count: int
    amount: int
    grants: bytes
    block: int


@dataclass(slots=True)
class Hold:
    """Lots in escrow; merchant and time limit come with `Held`, right after `HoldOpened`."""

    holder: Account
    lots: tuple[LotPart, ...]
    merchant: MerchantId | None = None
    capture_by: int = 0


@dataclass(slots=True)
class PaidOrder:
    """A redemption that landed; ``lots`` are those it still keeps after refunds."""

    holder: Account
    merchant: MerchantId
    paid: tuple[LotPart, ...]
    lots: tuple[LotPart, ...]
    time: int
    refunded: bool = False


@dataclass(slots=True)
class Dispute:
    """A disputed order; states as on chain."""

    merchant: MerchantId
    opened_at: int
    locked_fen: int
    state: int = DisputeState.OPEN


@dataclass(slots=True)
class Migration:
    """What a desk asked for; ``terms`` is the hash that the ledger keeps, 0 once it is cancelled."""

    successor: Account
    terms: bytes
    executable_from: int
    approved: bool = False


@dataclass(slots=True)
class Books:
    """All of it, at the point of the chain that the replay has reached."""

    ledger: Account
    programmes: dict[ProgrammeId, ProgrammeBook] = field(default_factory=dict)
    balances: defaultdict[tuple[Account, int], int] = field(default_factory=lambda: defaultdict(int))
    supply: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    issuer_keys: dict[tuple[ProgrammeId, Account], bool] = field(default_factory=dict)
    batches: dict[tuple[ProgrammeId, int], Batch] = field(default_factory=dict)
    void_batches: set[tuple[ProgrammeId, int]] = field(default_factory=set)
    revoked_totals: defaultdict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    orders: set[OrderId] = field(default_factory=set)
    """Every exchange, redemption and hold that ever took effect."""
    holds: dict[bytes, Hold] = field(default_factory=dict)
    """The open ones."""
    hold_ids: set[bytes] = field(default_factory=set)
    paid_orders: dict[OrderId, PaidOrder] = field(default_factory=dict)
    successors: dict[Account, Account] = field(default_factory=dict)
    migrations: dict[Account, Migration | None] = field(default_factory=dict)
    """By holder; None where events leave open whether the ledger still keeps it."""
    paused_until: dict[str, int] = field(default_factory=dict)
    """By module."""
    reborn: set[Account] = field(default_factory=set)
    allowances: set[tuple[Account, Account, int]] = field(default_factory=set)
    operators: dict[tuple[Account, Account], bool] = field(default_factory=dict)
    nonces: dict[tuple[Account, int], tuple[int, int]] = field(default_factory=dict)
    """(base, window) by holder and key of the word; see `orders.NonceState`."""
    contract_holders: set[Account] = field(default_factory=set)
    """Holders whose orders no key signed, so that their own contract must have."""
    unseen_orders: int = 0
    """Orders that a relaying contract passed on, so that only their outcome is known."""
    unseen_rejections: int = 0
    rejections: int = 0
    rebirth_cap_fen: int = 0
    positions: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    appropriated: defaultdict[ProgrammeId, int] = field(default_factory=lambda: defaultdict(int))
    paid: defaultdict[ProgrammeId, int] = field(default_factory=lambda: defaultdict(int))
    fiscal_years: defaultdict[tuple[ProgrammeId, int], tuple[int, int]] = field(
        default_factory=lambda: defaultdict(lambda: (0, 0))
    )
    """(recorded, lapsed) fen by (programme, fiscal year)."""
    merchants: dict[MerchantId, tuple[Account, bytes]] = field(default_factory=dict)
    receipt_roots: dict[int, bytes] = field(default_factory=dict)
    locked: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Fen listed for payment and not paid yet, by participant."""
    disputed: defaultdict[MerchantId, int] = field(default_factory=lambda: defaultdict(int))
    """Fen of each merchant that disputes lock."""
    disputes: dict[bytes, Dispute] = field(default_factory=dict)
    cycles: list[list[tuple[ProgrammeId, MerchantId, int]]] = field(default_factory=list)
    """Unpaid lines (programme, merchant, fen) of each cycle."""
    references: set[tuple[int, bytes]] = field(default_factory=set)
    finance_key: Account = NOBODY
    authorities: dict[str, Account] = field(default_factory=dict)
    """The AccessManager that each contract obeys."""
    roles: defaultdict[int, set[Account]] = field(default_factory=lambda: defaultdict(set))
    function_roles: dict[tuple[Account, bytes], int] = field(default_factory=dict)
    exchanged_fen: int = 0
    redeemed_fen: int = 0
    refunded_fen: int = 0
    events: int = 0

    def free_fen(self, merchant: MerchantId) -> int:
        """What of a merchant's value is neither listed for payment nor disputed."""
        participant = 2 << 32 | merchant
        return max(0, self.positions[participant] - self.locked[participant] - self.disputed[merchant])

    def owed_fen(self, programme: ProgrammeId) -> int:
        """What a programme owes and has not been listed for."""
        participant = 1 << 32 | programme
        return max(0, -self.positions[participant] - self.locked[participant])

    def current_account(self, account: Account) -> Account:
        """Follow successors to the end, as far as the ledger does."""
        for _ in range(16):
            following = self.successors.get(account)
            if following is None:
                break
            account = following
        return account
