"""The state of a city's books in plain Python, and the facts that follow from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from reference import (
    LANE_MAX,
    MICROFEN_MINOR,
    RECEIPT_TYPES,
    ZERO,
    Domain,
    HoldOrder,
    Lot,
    Prefix,
    leaf_hash,
    lots_hash,
    programme_of,
    quarter_end,
    quarter_of,
    token_id,
)

TRANSFERABLE, EXCHANGE_IN, EXCHANGE_OUT, REDEEMABLE = 1, 2, 4, 8
ACTIVE, CLOSING, CLOSED = 1, 2, 3
DAY = 86_400
LANDED, VOID = 1, 2


class Reverts(Exception):
    """The call should revert with this error and these values, and change nothing."""

    def __init__(self, name: str, *values: Any) -> None:
        self.name = name
        self.values = values
        super().__init__(f"{name}{values}")


@dataclass
class Programme:
    par: int
    flags: int
    scope: int
    state: int = ACTIVE
    spendable_until: int = 0
    rulebook: int = 0


@dataclass
class Shop:
    """A merchant; key ZERO has retired."""

    key: str
    scope: int


@dataclass
class Wallet:
    """A contract wallet: whether it says yes to its owner's signatures, or to anything at all."""

    owner: str
    agrees: bool = True
    to_anything: bool = False


@dataclass
class Paid:
    """A redemption with a receipt."""

    order_id: bytes
    holder: str
    merchant: int
    lots: tuple[Lot, ...]
    fen: int
    time: int
    kept: Prefix
    batch: int = 0

    def receipt(self) -> tuple[Any, ...]:
        return (self.order_id, self.holder, self.merchant, lots_hash(self.lots), self.fen, self.time)

    def leaf(self) -> bytes:
        return leaf_hash(RECEIPT_TYPES, self.receipt())


@dataclass
class Dispute:
    """Where a dispute stands: 1 open, 2 contested, 3 decided, 4 closed."""

    state: int
    opened_at: int
    merchant: int
    locked: int


@dataclass
class Line:
    """A line of a cycle."""

    programme: int
    merchant: int
    fen: int
    settled: bool = False


@dataclass
class Migration:
    """What a desk asked for."""

    new: str
    lots: tuple[int, ...]
    executable_from: int
    approved: bool = False


@dataclass
class Brake:
    """A module's pause."""

    until: int = 0
    next_from: int = 0


def _counts() -> Any:
    return defaultdict(int)


@dataclass
class Book:
    """All that the contracts remember. An act changes it as the call should, or raises `Reverts` before any change."""

    domain: Domain
    ledger: str
    """The ledger's address, whose own balances are the escrow."""
    programmes: dict[int, Programme]
    issuers: dict[int, set[str]]
    shops: dict[int, Shop]
    wallets: dict[str, Wallet]

    signers: dict[tuple[bytes, bytes], str] = field(default_factory=dict)
    """(digest, signature): who made it. What is not in here nobody signed."""
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Events of the act under way, but for Transfer and PositionChanged, which are added up instead."""

    balances: dict[tuple[str, int], int] = field(default_factory=_counts)
    supplies: dict[int, int] = field(default_factory=_counts)
    """Kept apart from the balances, so that their sum can be held against it."""
    nonces: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    batches: dict[tuple[int, int], bytes | int] = field(default_factory=dict)
    """(programme, number): the evidence root of a landed batch, or VOID."""
    revoked: dict[bytes, int] = field(default_factory=_counts)
    holds: dict[bytes, HoldOrder] = field(default_factory=dict)
    successor: dict[str, str] = field(default_factory=dict)
    migrations: dict[str, Migration] = field(default_factory=dict)
    allowances: dict[tuple[str, str, int], int] = field(default_factory=_counts)
    operators: set[tuple[str, str]] = field(default_factory=set)
    reborn: dict[str, tuple[int, int]] = field(default_factory=dict)
    """holder: (quarter, fen reborn in it)"""
    rebirth_cap_fen: int = 0

    brakes: dict[str, Brake] = field(default_factory=lambda: defaultdict(Brake))
    resident_cap_fen: int = 0
    inflow_caps: dict[int, int] = field(default_factory=_counts)
    outflow: dict[tuple[str, int], int] = field(default_factory=_counts)
    inflow: dict[tuple[int, int], int] = field(default_factory=_counts)
    """(holder or programme, day): fen, counted where there is a cap only."""

    positions: dict[int, int] = field(default_factory=_counts)
    locked: dict[int, int] = field(default_factory=_counts)
    """Both by participant of the clearing book."""
    disputed: dict[int, int] = field(default_factory=_counts)
    years: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """(programme, fiscal year): fen recorded, and fen lapsed"""
    paid: dict[int, int] = field(default_factory=_counts)
    roots: dict[int, bytes] = field(default_factory=dict)
    last_batch: int = 0
    kept: dict[bytes, Prefix] = field(default_factory=dict)
    last_refund: dict[int, int] = field(default_factory=dict)
    """programme: minor units that the last refund gave back"""
    disputes: dict[bytes, Dispute] = field(default_factory=dict)
    finance_key: str = ZERO
    cycles: list[list[Line]] = field(default_factory=list)
    references: set[tuple[int, bytes]] = field(default_factory=set)

    value_in: int = 0
    """Micro-fen times minor units that were minted, less what was revoked or swept."""

    # ------------------------------------------------------------------------------------------------------ facts

    def tell(self, event: str, **values: Any) -> None:
        self.told.append((event, values))

    def par(self, lot: int) -> int:
        return self.programmes[programme_of(lot)].par

    def pars(self) -> dict[int, int]:
        return {programme: terms.par for programme, terms in self.programmes.items()}

    def supply(self, programme: int) -> int:
        return sum(amount for lot, amount in self.supplies.items() if programme_of(lot) == programme)

    def room(self, lot: int) -> int:
        """No lot's supply is more than 48 bits hold."""
        return LANE_MAX - self.supplies[lot]

    def is_spendable(self, programme: int, at: int) -> bool:
        terms = self.programmes.get(programme)
        return terms is None or terms.spendable_until == 0 or at < terms.spendable_until

    def is_dead(self, lot: int, at: int) -> bool:
        quarter = lot & 0xFFFFFFFF
        return (quarter != 0 and at >= quarter_end(quarter)) or not self.is_spendable(programme_of(lot), at)

    def current(self, holder: str) -> str:
        """Follow successors, sixteen steps at most."""
        for _ in range(16):
            if holder not in self.successor:
                break
            holder = self.successor[holder]
        return holder

    def is_signed(self, account: str, digest: bytes, signature: bytes) -> bool:
        """Whether the account signed the digest, or is a wallet that says so."""
        signer = self.signers.get((digest, signature))
        if account == ZERO:
            return False
        wallet = self.wallets.get(account)
        if wallet is not None and wallet.agrees:
            return wallet.to_anything or signer == wallet.owner
        return signer == account

    def digest(self, primary: str, **message: Any) -> bytes:
        return _digest(self.domain, primary, tuple(message.items()))

    def id_of(self, order: Any) -> bytes:
        """Return the digest of an order."""
        return _digest(self.domain, type(order).__name__, tuple(order.__dict__.items()))

    def check_running(self, module: str, at: int) -> None:
        if at < self.brakes[module].until:
            raise Reverts("PausableIsPaused", self.brakes[module].until)

    # ----------------------------------------------------------------------------------------------------- points

    def move(self, lot: int, amount: int, source: str | None, target: str | None) -> None:
        """Move points; None mints or burns."""
        if source is None:
            self.supplies[lot] += amount
        else:
            self.balances[source, lot] -= amount
        if target is None:
            self.supplies[lot] -= amount
        else:
            self.balances[target, lot] += amount

    def give_back(self, receiver: str, lot: int, amount: int, at: int, source: str | None) -> None:
        """In the lot itself, or reborn in the current quarter's where it died, within cap and room."""
        quarter, programme = lot & 0xFFFFFFFF, programme_of(lot)
        now = quarter_of(at)
        alive_again = token_id(programme, now)
        moved = 0
        if amount and quarter and at >= quarter_end(quarter) and not self.is_dead(alive_again, at):
            used = self.reborn.get(receiver, (now, 0))
            spent = used[1] if used[0] == now else 0
            left = max(0, self.rebirth_cap_fen - spent)
            moved = min(amount, left * MICROFEN_MINOR // self.par(lot), self.room(alive_again))
            self.reborn[receiver] = (now, spent - (-moved * self.par(lot) // MICROFEN_MINOR))
        if moved:
            self.tell("LotReborn", holder=receiver, deadId=lot, id=alive_again, amount=moved)
            if source is not None:
                self.move(lot, moved, source, None)
            self.move(alive_again, moved, None, receiver)
        if amount != moved:
            if source is None and amount - moved > self.room(lot):
                raise Reverts("PointsLedgerLotFull", lot, self.supplies[lot] + amount - moved)
            self.move(lot, amount - moved, source, receiver)

    def place_of(self, account: str, lot: int) -> tuple[str, int]:
        """Return the word that holds the account's nonce for a lot: one a programme and year."""
        return account, (lot >> 32 << 32) | ((lot & 0xFFFFFFFF) + 3) >> 2

    def spend_nonce(self, holder: str, lot: int, nonce: int) -> bool:
        word = self.place_of(holder, lot)
        base, window = self.nonces.get(word, (0, 0))
        if not base <= nonce < base + 64:
            return False
        if nonce >= base + 32:
            slide = nonce - base - 31
            base, window = base + slide, window >> slide
        if window >> (nonce - base) & 1:
            return False
        self.nonces[word] = (base, window | 1 << (nonce - base))
        return True

    # ---------------------------------------------------------------------------------------------------- the book

    @staticmethod
    def of_programme(programme: int) -> int:
        return 1 << 32 | programme

    @staticmethod
    def of_merchant(merchant: int) -> int:
        return 2 << 32 | merchant

    def free(self, merchant: int) -> int:
        participant = self.of_merchant(merchant)
        return max(0, self.positions[participant] - self.locked[participant] - self.disputed[merchant])

    def owed(self, programme: int) -> int:
        participant = self.of_programme(programme)
        return max(0, -self.positions[participant] - self.locked[participant])

    def appropriated(self, programme: int) -> int:
        return sum(recorded - lapsed for (which, _), (recorded, lapsed) in self.years.items() if which == programme)

    def funding(self, programme: int) -> int:
        return self.appropriated(programme) - self.paid[programme] + self.positions[self.of_programme(programme)]

    def left_of(self, programme: int, year: int) -> int:
        """Return what payments, oldest year first, have left of a year."""
        unmatched = self.paid[programme]
        for (which, fiscal), (recorded, lapsed) in sorted(self.years.items()):
            if which != programme or fiscal > year:
                continue
            fen = recorded - lapsed
            if fiscal == year:
                return max(0, fen - unmatched)
            unmatched = max(0, unmatched - fen)
        return 0

    def value_out(self) -> int:
        """Return what there is: points at their par, what merchants own, and what they were paid."""
        points = sum(amount * self.par(lot) for lot, amount in self.supplies.items())
        owned = sum(fen for participant, fen in self.positions.items() if participant >> 32 == 2)
        return points + (owned + sum(self.paid.values())) * MICROFEN_MINOR


@cache
def _digest(domain: Domain, primary: str, message: Sequence[tuple[str, Any]]) -> bytes:
    return domain.digest(primary, **dict(message))
