"""What one transaction has done so far: changes that wait for the event that explains them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.audit.books import NOBODY, Account
from ledger.audit.calls import Call
from ledger.audit.orders import SignedOrder
from ledger.standard.ids import MerchantId, OrderId, ProgrammeId


class Move(NamedTuple):
    """A Transfer of the ledger."""

    caller: Account
    sender: Account
    receiver: Account
    token: int
    amount: int


class Reborn(NamedTuple):
    """A LotReborn of the ledger; the mint comes right after it."""

    holder: Account
    dead: int
    token: int
    amount: int


class Collected(NamedTuple):
    """An OwedCollected of the ledger; the burn came right before it."""

    debtor: Account
    token: int
    account: Account
    amount: int


Effect = Move | Reborn | Collected

Place = tuple[int, int]
"""(block, transaction)"""


@dataclass(slots=True)
class Transaction:
    """Everything in here must be explained, and so be gone or balanced, when the transaction ends."""

    place: Place = (-1, -1)
    time: int = 0
    sender: Account = NOBODY
    to: Account | None = None
    call: Call | None = None
    """What it calls, if that is one of ours."""
    creates: Account | None = None
    """The contract of ours that it creates."""
    acts: list[Call] = field(default_factory=list)
    """Calls of restricted functions that are known to have been made."""
    acted: list[Call] = field(default_factory=list)
    """Those of them that had an event."""
    trace: list[Effect] = field(default_factory=list)
    """Effects on lots that no event has explained yet."""
    orders: deque[SignedOrder] = field(default_factory=deque)
    """Those that have had no outcome yet."""
    wanted: set[str] = field(default_factory=set)
    """Events that must come, for the call succeeded."""
    revocations: deque[tuple[int, int, int]] | None = None
    revoked: int = 0
    receipts: list[bytes] = field(default_factory=list)
    due: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Fen by participant that orders and payments move."""
    posted: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Fen by participant that the clearing book says moved."""
    postings: dict[int, int] = field(default_factory=dict)
    """How often each participant's position changed."""
    unlocked: list[tuple[OrderId, MerchantId, int]] = field(default_factory=list)
    """Locks that ended for a refund which must come next."""
    dues: deque[tuple[int, ProgrammeId, int, int]] = field(default_factory=deque)
    """DueSet events that must come next: (cycle, programme, fen, older fen)."""
    payouts: tuple[bytes, int, deque[tuple[MerchantId, int]]] | None = None
    """(reference, what the pool has left, packed payouts to come)."""
    queued: deque[tuple[bytes, int]] = field(default_factory=deque)
    succession: tuple[Account, Account] | None = None
    """Executed in the succession contract, and still to come in the ledger."""
    succeeded: tuple[Account, Account] | None = None
    """The forwarding that follows a successor."""
    council_changed: bool = False
    constructed: dict[str, Any] = field(default_factory=dict)
    """Constructor arguments of what is created."""

    @property
    def where(self) -> str:
        """The place in words."""
        return f"block {self.place[0]}, transaction {self.place[1]}"

    @property
    def is_direct(self) -> bool:
        """Whether it calls one of ours, so that its bytes say all that it does."""
        return self.call is not None

    def leftovers(self) -> list[tuple[str, Sequence[object]]]:
        """Return what waits for its event still, by what it is."""
        return [
            ("an outcome of every order", self.orders),
            ("the event of what was called", sorted(self.wanted)),
            ("a Revoked for each revocation", self.revocations or ()),
            ("a RedemptionBatch over the redemptions", self.receipts),
            ("a DueSet for each debtor of the cycle", self.dues),
            ("Queued, as enough members approved", self.queued),
            ("a refund after OrderUnlocked", self.unlocked),
            ("SuccessorSet after SuccessionExecuted", () if self.succession is None else (self.succession,)),
        ]
