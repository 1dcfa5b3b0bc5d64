"""What strangers may ask of the auditors' window: whose name they call it by, what they submit, how much they get.

The window has no tokens, so whatever passes here passes for anybody on the machine. A transaction that ran is journaled
and runs again at every start: burners of gas and carriers of bytes must not come in at all.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ledger.chain.errors import BadTransaction
from ledger.chain.transactions import decode_legacy
from ledger.standard.ids import Address

CALL_GAS_MAX = 16_000_000
"""As much as a transaction of ours may need; a reading call gets no more."""

_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """How much the window gives to all callers together."""

    answer_bytes_max: int = 16 * 1024 * 1024
    """Bytes of all answers to one request."""
    heavy_calls_max: int = 2
    """Calls at a time that read logs, run code or prove state."""
    call_timeout_s: float = 10.0
    submitted_gas_max: int = 64_000_000
    submitted_bytes_max: int = 512 * 1024
    submitted_per_s: float = 60.0
    """Seconds over which gas and bytes of submissions are counted."""


class NotTaken(Exception):
    """A submission that the window does not pass on; the message says why."""


def is_own_name(host: str | None) -> bool:
    """Return whether a Host header names this machine: a page elsewhere whose name was bent to it sends its own."""
    if host is None:
        return False
    name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
    return name.lower() in _NAMES and (port == "" or (port.isascii() and port.isdigit()))


class Submissions:
    """Decides which raw transactions go on: to our contracts, of bounded gas, so many of them a minute."""

    def __init__(
        self, targets: Collection[Address], limits: WindowLimits, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._targets = {bytes.fromhex(one[2:]) for one in targets}
        self._limits = limits
        self._steady = steady
        self._lock = threading.Lock()
        self._passed: deque[tuple[float, int, int]] = deque()

    def admit(self, raw: bytes) -> None:
        """Count a transaction against the quota. Raises NotTaken."""
        if not self._targets:
            raise NotTaken("this window only reads")
        try:
            transaction = decode_legacy(raw)
        except BadTransaction as error:
            raise NotTaken(str(error)) from error
        if transaction.to is None or bytes.fromhex(transaction.to[2:]) not in self._targets:
            raise NotTaken("only calls of the city's contracts are taken here")
        if transaction.gas > CALL_GAS_MAX:
            raise NotTaken(f"a transaction may ask for {CALL_GAS_MAX} gas here")
        with self._lock:
            now_s = self._steady()
            while self._passed and now_s - self._passed[0][0] >= self._limits.submitted_per_s:
                self._passed.popleft()
            gas = sum(one[1] for one in self._passed) + transaction.gas
            size = sum(one[2] for one in self._passed) + len(raw)
            if gas > self._limits.submitted_gas_max or size > self._limits.submitted_bytes_max:
                raise NotTaken("too much was submitted in the last minute: rate limit, try again later")
            self._passed.append((now_s, transaction.gas, len(raw)))
