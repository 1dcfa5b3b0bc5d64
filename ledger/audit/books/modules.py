"""What the modules and the succession contract keep for themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.audit.books.points import NOBODY, Account
from ledger.standard.contract import SuccessionState
from ledger.standard.ids import ProgrammeId

Flow = tuple[int, int]
"""(day in UTC+8, fen)."""


@dataclass(slots=True)
class ModuleBook:
    """Pauses of a module."""

    paused_until: int = 0
    next_pause_from: int = 0


@dataclass(slots=True)
class ExchangeBook(ModuleBook):
    """Caps, and what was counted against them."""

    resident_cap: int = 0
    inflow_caps: dict[ProgrammeId, int] = field(default_factory=dict)
    inflows: dict[ProgrammeId, Flow] = field(default_factory=dict)
    outflows: dict[Account, Flow] = field(default_factory=dict)


@dataclass(slots=True)
class SuccessionBook:
    """A request that a successor be set."""

    new_account: Account = NOBODY
    state: SuccessionState = SuccessionState.NONE
    since: int = 0
    desk: Account = NOBODY
