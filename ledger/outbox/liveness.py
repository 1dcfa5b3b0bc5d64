"""Whether what was sent gets an outcome: the oldest transaction without one, watched beside the chain's final block.

A height that grows proves nothing: a network can make empty blocks for ever while our transactions wait, and a
projection that has reached the head of a chain that stands is up to date. So two ages are watched: how long the final
block has been the last one, and how long the oldest transaction has had no outcome. They count only while work waits,
for an idle chain may rest.

The watch goes by a clock that cannot be set, from when this process first saw what waits. `Waiting.ages` go by the wall
clock, for who looks once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ledger.outbox.rows import is_message_due
from ledger.outbox.states import OPEN_STATES, MessageState
from ledger.store.models.outbox import OutboxMessageRow, OutboxTransactionRow

STALL_S = 20.0
"""Seconds without an outcome after which work counts as stalled, where the settings say nothing else."""


class Stall(StrEnum):
    """Why work has no outcome."""

    CHAIN_STANDS = "chain_stands"
    NOT_INCLUDED = "not_included"
    NOT_SENT = "not_sent"


WHAT_TO_DO = {
    Stall.CHAIN_STANDS: (
        "see that enough validators run and reach each other (`tongdui network status`); "
        "restart those that stand, one at a time"
    ),
    Stall.NOT_INCLUDED: (
        "see the nodes' pools and their gas price, which must be 0 (`tongdui network status`), and whether blocks are "
        "empty or full; lower TONGDUI_GAS_IN_FLIGHT_MAX if filling a block takes longer than the block period"
    ),
    Stall.NOT_SENT: "see that a process with workers runs and holds the relayers' leases (its log names its trouble)",
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for an outcome, as the database has it. Times are Unix seconds of the installation's clock."""

    transactions: int
    gas: int
    """The gas limits of those transactions together."""
    oldest_id: int | None
    oldest_hash: bytes | None
    oldest_at: int | None
    """When the oldest transaction was signed."""
    queued: int
    """Messages that are due and in no transaction."""
    queued_id: int | None
    queued_at: int | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self.transactions == 0 and self.queued == 0

    def oldest_s(self, now: int) -> int:
        """Return for how long the oldest transaction, else the oldest message, has waited at Unix time ``now``."""
        since = self.oldest_at if self.oldest_at is not None else self.queued_at
        return 0 if since is None else max(0, now - since)


def read_waiting(session: Session, now: int, elsewhere: frozenset[str] = frozenset()) -> Waiting:
    """Return what waits. ``elsewhere``: kinds of messages that are left to another gateway."""
    row = OutboxTransactionRow
    count, gas, oldest_id = session.execute(
        select(func.count(), func.coalesce(func.sum(row.gas), 0), func.min(row.transaction_id)).where(
            row.state.in_(OPEN_STATES)
        )
    ).one()
    oldest = session.scalar(select(row).where(row.transaction_id == oldest_id))
    message = OutboxMessageRow
    queued, queued_id = session.execute(
        select(func.count(), func.min(message.message_id)).where(
            message.state == MessageState.QUEUED, is_message_due(now), message.kind.not_in(sorted(elsewhere))
        )
    ).one()
    first = session.scalar(select(message).where(message.message_id == queued_id))
    return Waiting(
        int(count),
        int(gas),
        oldest_id,
        None if oldest is None else oldest.hash,
        None if oldest is None else oldest.created_at,
        int(queued),
        queued_id,
        None if first is None else first.updated_at,
    )


@dataclass(frozen=True, slots=True)
class Liveness:
    """What the watch saw: ages in seconds of a clock that cannot be set."""

    waiting: Waiting
    final_height: int
    final_age_s: float
    """For how long this block has been the last final one, as far as this process saw."""
    oldest_age_s: float
    """For how long the oldest transaction has been without an outcome, as far as this process saw."""
    stall: Stall | None
    alarm: str | None
    """The stall in words, and what to do."""


def judge(
    waiting: Waiting, final_height: int, final_age_s: float, oldest_age_s: float, queued_age_s: float, stall_s: float
) -> Liveness:
    """Say whether work is stalled, and what to do then. Pure."""
    stall, alarm = None, None
    if waiting.transactions and oldest_age_s >= stall_s:
        stands = final_age_s >= stall_s
        stall = Stall.CHAIN_STANDS if stands else Stall.NOT_INCLUDED
        what = (
            f"the chain has stood at final block {final_height} for {final_age_s:.0f} s"
            if stands
            else f"blocks become final (the last is {final_height}) without our oldest transaction"
        )
        name = "" if waiting.oldest_hash is None else f" (the oldest is 0x{waiting.oldest_hash.hex()})"
        alarm = f"{what}; {waiting.transactions} transactions have waited up to {oldest_age_s:.0f} s{name}"
    elif waiting.queued and not waiting.transactions and queued_age_s >= stall_s:
        stall = Stall.NOT_SENT
        alarm = f"{waiting.queued} messages are queued and none has been signed for {queued_age_s:.0f} s"
    if stall is not None:
        alarm = f"{alarm}: {WHAT_TO_DO[stall]}"
    return Liveness(waiting, final_height, final_age_s, oldest_age_s, stall, alarm)


class LivenessWatch:
    """Remembers since when things have been as they are. Look at least every few seconds. Safe to share."""

    def __init__(self, stall_s: float = STALL_S, steady: Callable[[], float] = time.monotonic) -> None:
        self.stall_s = stall_s
        self._steady = steady
        self._lock = threading.Lock()
        self._since: dict[str, tuple[object, float]] = {}

    def look(self, final_height: int, waiting: Waiting) -> Liveness:
        """Take note of the final height and of what waits; return how long that has been so."""
        with self._lock:
            now_s = self._steady()
            oldest_s = self._age("oldest", waiting.oldest_id, now_s)
            queued_s = self._age("queued", None if waiting.transactions else waiting.queued_id, now_s)
            final_s = self._age("final", final_height, now_s)
            return judge(waiting, final_height, final_s, oldest_s, queued_s, self.stall_s)

    def _age(self, name: str, seen: object, now_s: float) -> float:
        if seen is None:
            self._since.pop(name, None)
            return 0.0
        known = self._since.get(name)
        if known is None or known[0] != seen:
            self._since[name] = (seen, now_s)
            return 0.0
        return now_s - known[1]
