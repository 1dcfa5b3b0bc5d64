"""All the books, at the point of the chain that the replay has reached."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from ledger.audit.books.access import AccessBook, CouncilBook
from ledger.audit.books.clearing import ClearingBooks
from ledger.audit.books.modules import ExchangeBook, ModuleBook, SuccessionBook
from ledger.audit.books.points import NOBODY, Account, Batch, Hold, PaidOrder, ProgrammeBook
from ledger.standard.contract import LINE_MAX
from ledger.standard.ids import OrderId, ProgrammeId


@dataclass(slots=True)
class Books:
    """Begin with empty books; ``ledger`` is the PointsLedger's address, which is also where escrow lies."""

    ledger: Account
    programmes: dict[ProgrammeId, ProgrammeBook] = field(default_factory=dict)
    balances: defaultdict[tuple[Account, int], int] = field(default_factory=lambda: defaultdict(int))
    supply: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    redeemed: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Of each lot, what was redeemed and not restored since."""
    issuer_keys: dict[tuple[ProgrammeId, Account], int] = field(default_factory=dict)
    """Unix time from which each may sign; 0: no longer."""
    batches: dict[tuple[ProgrammeId, int], Batch] = field(default_factory=dict)
    void_batches: set[tuple[ProgrammeId, int]] = field(default_factory=set)
    revoked_totals: dict[tuple[ProgrammeId, int, int], int] = field(default_factory=dict)
    """By programme, batch and index of the grant."""
    owed: defaultdict[tuple[Account, int], int] = field(default_factory=lambda: defaultdict(int))
    orders: set[OrderId] = field(default_factory=set)
    """Every exchange, redemption and hold that ever took effect."""
    holds: dict[OrderId, Hold] = field(default_factory=dict)
    """The open ones."""
    hold_ids: set[OrderId] = field(default_factory=set)
    paid_orders: dict[OrderId, PaidOrder] = field(default_factory=dict)
    successors: dict[Account, Account] = field(default_factory=dict)
    predecessors: defaultdict[Account, int] = field(default_factory=lambda: defaultdict(int))
    """How many accounts stand before each in its longest line."""
    rebirths: dict[Account, tuple[int, int]] = field(default_factory=dict)
    """(quarter, fen)."""
    rebirth_cap: int = 0
    allowances: dict[tuple[Account, Account, int], int] = field(default_factory=dict)
    operators: dict[tuple[Account, Account], bool] = field(default_factory=dict)
    nonces: dict[tuple[Account, int], tuple[int, int]] = field(default_factory=dict)
    """(base, window) by holder and key of the word; see `nonces.NonceState`."""
    begun: dict[str, int] = field(default_factory=dict)
    """By "Exchange" and "Redemption": expiry quarter << 224 | block << 160 | module that began the last batch."""
    clearing: ClearingBooks = field(default_factory=ClearingBooks)
    access: AccessBook = field(default_factory=AccessBook)
    council: CouncilBook = field(default_factory=CouncilBook)
    exchanges: defaultdict[Account, ExchangeBook] = field(default_factory=lambda: defaultdict(ExchangeBook))
    redemptions: defaultdict[Account, ModuleBook] = field(default_factory=lambda: defaultdict(ModuleBook))
    """By the module's address, replaced ones too."""
    successions: dict[Account, SuccessionBook] = field(default_factory=dict)
    authorities: dict[Account, Account] = field(default_factory=dict)
    """The AccessManager that each contract obeys."""
    created: dict[Account, str] = field(default_factory=dict)
    """Contracts of ours whose creation was seen, by address."""
    contracts: dict[tuple[Account, ...], str] = field(default_factory=dict)
    """Accounts of which one acted without a key's signature, so that its own code must have; and where first."""
    unseen: dict[str, str] = field(default_factory=dict)
    """What a relaying contract hid, and where first."""
    rejections: int = 0
    exchanged_fen: int = 0
    redeemed_fen: int = 0
    refunded_fen: int = 0
    events: int = 0
    transactions: int = 0

    def current_account(self, account: Account) -> Account:
        """Follow successors to the end of the line."""
        for _ in range(LINE_MAX):
            following = self.successors.get(account)
            if following is None:
                return account
            account = following
        return account

    def module(self, contract: str, address: Account) -> ModuleBook:
        """The book of a module by its address."""
        return self.exchanges[address] if contract == "Exchange" else self.redemptions[address]

    def is_retired(self, account: Account) -> bool:
        """Whether an account has a successor."""
        return self.successors.get(account, NOBODY) != NOBODY
