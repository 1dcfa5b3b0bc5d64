"""AccessManager and Council: who may do what, what waits, and who agreed to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from ledger.audit.books.points import Account

ADMIN = 0
PUBLIC = 2**64 - 1

Delay = int
"""OpenZeppelin's `Time.Delay`: effect 48 | value before 32 | value after 32."""


def delay_at(delay: Delay, time: int) -> int:
    """Return the seconds that a delay amounts to at a Unix time."""
    effect, before, after = delay >> 64, delay >> 32 & 0xFFFFFFFF, delay & 0xFFFFFFFF
    return after if effect <= time else before


def delay_updated(delay: Delay, seconds: int, setback_min: int, time: int) -> tuple[Delay, int]:
    """Return (delay, when it takes effect) with another value: a shorter one waits for the difference too."""
    before = delay_at(delay, time)
    effect = time + max(setback_min, before - seconds if before > seconds else 0)
    return effect << 64 | before << 32 | seconds, effect


@dataclass(slots=True)
class Member:
    """Since when an account has a role, and how long its acts wait."""

    since: int
    delay: Delay


@dataclass(frozen=True, slots=True)
class Operation:
    """A scheduled call."""

    caller: Account
    target: Account
    data: bytes


@dataclass(slots=True)
class AccessBook:
    """AccessManager."""

    members: dict[tuple[int, Account], Member] = field(default_factory=dict)
    admins: dict[int, int] = field(default_factory=dict)
    guardians: dict[int, int] = field(default_factory=dict)
    grant_delays: dict[int, Delay] = field(default_factory=dict)
    function_roles: dict[tuple[Account, bytes], int] = field(default_factory=dict)
    closed: dict[Account, bool] = field(default_factory=dict)
    target_delays: dict[Account, Delay] = field(default_factory=dict)
    schedules: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """(time from which it may be executed, 0 when it was executed or cancelled; nonce)."""
    operations: dict[bytes, Operation] = field(default_factory=dict)
    ever: defaultdict[int, set[Account]] = field(default_factory=lambda: defaultdict(set))
    """Everybody who ever had a role."""

    def role_of(self, account: Account, role: int, time: int) -> tuple[bool, int]:
        """Return (whether an account has a role, how long its acts wait)."""
        if role == PUBLIC:
            return True, 0
        member = self.members.get((role, account))
        if member is None:
            return False, 0
        return member.since <= time, delay_at(member.delay, time)


@dataclass(slots=True)
class Proposal:
    """A proposed call. ``approvals`` says in which joining each member approved."""

    target: Account
    data: bytes
    executed: bool = False
    needed: int = 0
    executable_from: int = 0
    approvals: dict[Account, int] = field(default_factory=dict)


@dataclass(slots=True)
class CouncilBook:
    """Council."""

    threshold: int = 0
    delay: int = 0
    members: list[Account] = field(default_factory=list)
    """In the order of storage."""
    joinings: dict[Account, int] = field(default_factory=dict)
    """0 for who left."""
    last_joining: int = 0
    proposals: dict[bytes, Proposal] = field(default_factory=dict)

    def approvals(self, proposal: Proposal) -> int:
        """How many members approve: who approved as the member that it is now."""
        return sum(proposal.approvals.get(member) == self.joinings[member] for member in self.members)
