"""The running check of what must always hold, and its last report for the public endpoint.

It compares the projection with the chain (supplies, positions, funding, a changing sample of balances) and the sums
within the projection. The independent audit does far more; this one runs all the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ledger.chain.answers import member, quantity
from ledger.gateway import Gateway
from ledger.indexer.check import ProjectionCheck
from ledger_api.ports import Check, InvariantReport

REFRESH_S = 60.0
BALANCES_MAX = 200
_GET_BLOCK = "eth_getBlockByNumber"


class InvariantWatch:
    """Checks when asked for the first time, then once a minute while the workers run."""

    def __init__(self, gateway: Gateway, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._gateway = gateway
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._taking_turns = threading.Lock()
        self._report: InvariantReport | None = None
        self._checked_at = float("-inf")
        self._alarms: list[str] = []

    def report(self) -> InvariantReport:
        """Return the last report, made now where there is none."""
        return self._report or self.refresh()

    def current(self) -> InvariantReport:
        """Return a report that is at most a minute old, for a process whose workers run elsewhere. Raises RpcError."""
        with self._taking_turns:
            self.refresh_if_due()
        return self.report()

    def refresh(self) -> InvariantReport:
        """Check now. Raises RpcError where the chain does not answer."""
        with self._lock:
            result = self._gateway.check_projection(balances_max=BALANCES_MAX)
            checks = (*checks_of(result), *(Check("alarm", False, text) for text in self._alarms))
            self._report = InvariantReport(result.block_number, self._time_of(result.block_number), checks)
            self._checked_at = self._monotonic()
            return self._report

    def _time_of(self, block_number: int) -> int:
        """Return a block's own time: what was compared is the state at that block, however long ago that was."""
        block = self._gateway.engine.rpc.call(_GET_BLOCK, [hex(block_number), False])
        return quantity(member(block, "timestamp", _GET_BLOCK), _GET_BLOCK)

    def refresh_if_due(self) -> None:
        """Check if the last report is a minute old."""
        if self._monotonic() - self._checked_at >= REFRESH_S:
            self.refresh()

    @property
    def alarms(self) -> tuple[str, ...]:
        """What stopped, and why; each of them needs a person."""
        return tuple(self._alarms)

    def alarm(self, text: str) -> None:
        """Remember that something stopped for a broken invariant; every report says so from now on."""
        self._alarms.append(text)
        self._report = None


_GROUPS = (
    ("supply", "Each lot's supply and balances: projection = chain, and balances with escrow sum to the supply"),
    ("position", "Positions: projection = chain, and their sum is 0"),
    ("funding", "Appropriations and payments: projection = chain"),
    ("balance", "Balances (a sample): projection = chain"),
)
_BEGINNINGS = {
    "supply of": "supply",
    "sum of balances": "supply",
    "position of": "position",
    "sum of positions": "position",
    "appropriated of": "funding",
    "paid of": "funding",
    "balance of": "balance",
}


def checks_of(result: ProjectionCheck) -> list[Check]:
    """Return one check for each kind of rule, naming the first contradictions. Pure."""
    wrong: dict[str, list[str]] = {}
    for difference in result.differences:
        group = next((name for start, name in _BEGINNINGS.items() if difference.what.startswith(start)), "supply")
        text = f"{difference.what}: projected {difference.projected}, on chain {difference.on_chain}"
        wrong.setdefault(group, []).append(text)
    return [
        Check(name, name not in wrong, "; ".join(wrong.get(name, [])[:3]) or f"{rule}: {result.compared} compared")
        for name, rule in _GROUPS
    ]
