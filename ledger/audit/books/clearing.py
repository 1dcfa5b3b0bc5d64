"""Positions, claims by age, budgets, cycles and payments, in fen."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from ledger.audit.books.points import NOBODY, Account, LotPart
from ledger.standard.contract import OVERDUE_FEN_MIN
from ledger.standard.ids import MerchantId, OrderId, ProgrammeId


@dataclass(slots=True)
class Ages:
    """A claim by age, as a word of storage keeps it: ``period`` is when it was last written."""

    matured: int = 0
    younger: int = 0
    youngest: int = 0
    period: int = 0

    @property
    def total(self) -> int:
        """The whole claim."""
        return self.matured + self.younger + self.youngest

    def at(self, period: int) -> Ages:
        """Return the claim as it stands in a period that is not before its own."""
        passed = period - self.period
        if passed == 0:
            return Ages(self.matured, self.younger, self.youngest, period)
        if passed == 1:
            return Ages(self.matured + self.younger, self.youngest, 0, period)
        return Ages(self.total, 0, 0, period)

    def earned_by(self, period: int) -> int:
        """What was earned in ``period`` or before, of a claim that `at` has brought to the present."""
        fen = self.matured
        if period + 1 >= self.period:
            fen += self.younger
        if period >= self.period:
            fen += self.youngest
        return fen

    def draw(self, fen: int, period: int) -> tuple[int, int, int]:
        """Return (matured, younger, youngest) to take for ``fen`` earned in ``period`` or before, youngest first."""
        youngest = min(fen, self.youngest) if period >= self.period else 0
        younger = min(fen - youngest, self.younger) if period + 1 >= self.period else 0
        return fen - youngest - younger, younger, youngest

    def take(self, matured: int, younger: int = 0, youngest: int = 0) -> None:
        """Take parts off."""
        self.matured -= matured
        self.younger -= younger
        self.youngest -= youngest


@dataclass(slots=True)
class MerchantBook:
    """A merchant: its key and scope, its claim, what is locked of it, and what it was paid in ``cycle``."""

    key: Account = NOBODY
    scope: int = 0
    ages: Ages = field(default_factory=Ages)
    locked: int = 0
    paid: int = 0
    cycle: int = 0
    by_registrar: bool = False
    """Whether its key was ever set after the city was handed over."""


@dataclass(slots=True)
class Budget:
    """What is available to a programme, and what of it was paid and taken back."""

    appropriated: int = 0
    paid: int = 0
    reclaimed: int = 0
    years: dict[int, YearBook] = field(default_factory=dict)
    documents: set[tuple[int, bytes]] = field(default_factory=set)
    """(fiscal year, hash)."""

    def left(self, fiscal_year: int) -> int:
        """What is left of a year: payments and what was taken back consume the oldest year first."""
        consumed = self.paid + self.reclaimed
        for year in sorted(self.years):
            fen = self.years[year].recorded - self.years[year].lapsed
            if year == fiscal_year:
                return max(0, fen - consumed)
            consumed = max(0, consumed - fen)
        return 0


@dataclass(slots=True)
class YearBook:
    """One fiscal year's appropriations to one programme."""

    recorded: int = 0
    lapsed: int = 0
    is_lapsed: bool = False


@dataclass(slots=True)
class DueBook:
    """What a programme has to pay."""

    fen: int = 0
    older: int = 0
    waived_until: int = 0


@dataclass(slots=True)
class LockBook:
    """What is locked for a disputed order; ``until`` stays when the lock is over."""

    merchant: MerchantId
    fen: int
    until: int


@dataclass(slots=True)
class ClearingBooks:
    """The clearing book."""

    maturity: int = 0
    positions: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """By participant, merchants' whole claims among them."""
    merchants: defaultdict[MerchantId, MerchantBook] = field(default_factory=lambda: defaultdict(MerchantBook))
    total_ages: Ages = field(default_factory=Ages)
    total_locked: int = 0
    budgets: defaultdict[ProgrammeId, Budget] = field(default_factory=lambda: defaultdict(Budget))
    programmes: list[ProgrammeId] = field(default_factory=list)
    """In the order of their first appropriation."""
    dues: defaultdict[ProgrammeId, DueBook] = field(default_factory=lambda: defaultdict(DueBook))
    cycle: int = 0
    due_by: int = 0
    payment_term: int = 0
    payout_ceiling: int = 0
    references: set[bytes] = field(default_factory=set)
    locks: dict[OrderId, LockBook] = field(default_factory=dict)
    receipt_roots: dict[int, bytes] = field(default_factory=dict)
    kept: dict[OrderId, tuple[LotPart, ...]] = field(default_factory=dict)
    """Of refunded orders, the prefix that they keep."""
    arbiter_key: Account = NOBODY

    def period(self, time: int) -> int:
        """The period that holds a Unix time."""
        return time // self.maturity

    def debt(self, programme: ProgrammeId) -> int:
        """What a programme owes."""
        return max(0, -self.positions[1 << 32 | programme])

    def funding(self, programme: ProgrammeId) -> int:
        """What is available to a programme beyond what it paid and owes."""
        budget = self.budgets[programme]
        return budget.appropriated - budget.paid + self.positions[1 << 32 | programme]

    def is_overdue(self, programme: ProgrammeId, time: int) -> bool:
        """Whether the programme must not mint for a debt whose date has passed."""
        due = self.dues[programme]
        fen = due.older + (due.fen if time > self.due_by else 0)
        return min(fen, self.debt(programme)) >= OVERDUE_FEN_MIN and time >= due.waived_until

    def credit(self, merchant: MerchantId, fen: int, time: int) -> None:
        """Add to a merchant's youngest claim."""
        period = self.period(time)
        book = self.merchants[merchant]
        book.ages, self.total_ages = book.ages.at(period), self.total_ages.at(period)
        book.ages.youngest += fen
        self.total_ages.youngest += fen

    def debit(self, merchant: MerchantId, parts: tuple[int, int, int], time: int) -> None:
        """Take parts off a merchant's claim and off the sums."""
        period = self.period(time)
        book = self.merchants[merchant]
        book.ages, self.total_ages = book.ages.at(period), self.total_ages.at(period)
        book.ages.take(*parts)
        self.total_ages.take(*parts)

    def lock(self, order: OrderId, merchant: MerchantId, fen: int, until: int) -> None:
        """Lock part of a merchant's claim for an order."""
        self.locks[order] = LockBook(merchant, fen, until)
        self.merchants[merchant].locked += fen
        self.total_locked += fen

    def payable(self, merchant: MerchantId, time: int) -> int:
        """What a payout may take: matured, not locked, within what is left of the cycle's ceiling."""
        book = self.merchants[merchant]
        fen = max(0, book.ages.at(self.period(time)).matured - book.locked)
        if self.payout_ceiling:
            fen = min(fen, max(0, self.payout_ceiling - (book.paid if book.cycle == self.cycle else 0)))
        return fen
