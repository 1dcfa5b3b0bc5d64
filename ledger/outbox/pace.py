"""How much gas may be under way at once: a budget that follows the time to final. Pure.

A count of transactions is no bound: sixteen of a relayer may be 250 million gas. On a network whose validators need
longer to fill a block than the block period lasts, that much in the pools is a livelock: the empty block that is
proposed first wins each round (seen on QBFT with 541 million gas under way and a limit of 700 million a block).
So the budget begins small, doubles while outcomes come quickly and the budget was what held us back, and halves when
they come late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ledger.outbox.routes import GAS_MAX

GAS_IN_FLIGHT_MAX = 1_024_000_000
"""Gas under way where nobody says less: what four relayers with sixteen full calls each may have."""


NETWORK_GAS_MAX = 300_000_000
"""As `GAS_IN_FLIGHT_MAX`, for a network: some seconds of a validator's work."""

_QUICK = 0.75
_AIM_OF_STALL = 0.4


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """How the budget moves. By default it doesn't: the embedded engine makes its blocks of what is there."""

    gas_max: int = GAS_IN_FLIGHT_MAX
    gas_first: int = GAS_IN_FLIGHT_MAX
    aim_s: float = math.inf
    """Seconds to final that are still good. Three quarters of it are quick."""

    @classmethod
    def of_network(cls, gas_max: int, stall_s: float) -> PaceLimits:
        """Return the limits for a network, where work counts as stalled after ``stall_s``."""
        return cls(gas_max, min(gas_max, 4 * GAS_MAX), stall_s * _AIM_OF_STALL)


@dataclass(frozen=True, slots=True)
class Pace:
    """The budget now. Gas limits are counted, not gas used: what a block must have room for."""

    budget: int
    limits: PaceLimits

    @classmethod
    def start(cls, limits: PaceLimits) -> Pace:
        """Return the first budget."""
        return cls(min(limits.gas_first, limits.gas_max), limits)

    def room(self, gas_in_flight: int) -> int:
        """Return how much gas may be signed now; with nothing under way a call always fits."""
        return max(self.budget, GAS_MAX) - gas_in_flight

    def after(self, slowest_s: float, *, was_full: bool) -> Pace:
        """Return the pace after some transactions ended, the slowest ``slowest_s`` after it was first submitted.

        ``was_full``: the budget held something back since; else quick outcomes prove nothing.
        """
        if slowest_s > self.limits.aim_s:
            return self._of(self.budget // 2)
        if was_full and slowest_s <= self.limits.aim_s * _QUICK:
            return self._of(self.budget * 2)
        return self

    def while_waiting(self, oldest_s: float) -> Pace:
        """Return the pace while the oldest transaction has waited for ``oldest_s`` without an outcome."""
        return self._of(2 * GAS_MAX) if oldest_s > self.limits.aim_s else self

    def _of(self, budget: int) -> Pace:
        budget = max(GAS_MAX, min(budget, self.limits.gas_max))
        return self if budget == self.budget else Pace(budget, self.limits)
