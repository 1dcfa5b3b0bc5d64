"""What a trial does, chosen from its seed alone: the same seed injects the same faults at the same moments."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ledger.standard.civil_time import DAY_S

GATEWAY, WORKER, NODE, DATABASE = "gateway", "worker", "node", "database"
"""Killed without warning."""
LINE = "line"
"""The connection to the node is cut for a while."""
DISK = "disk"
"""The state folder's disk is full for a while."""
CLOCK = "clock"
"""The wall clock is set, forward or back."""
_INJECTIONS_MAX = 4
_FROM_NOTHING_EVERY = 10


@dataclass(frozen=True, slots=True)
class Injection:
    """One thing that happens at a moment, in seconds from the round's beginning."""

    at_s: float
    what: str
    lasts_s: float = 0.0
    """How long the line is cut or the disk full."""
    amount: float = 0.0
    """Bytes left on the disk; seconds by which the clock is set."""

    def words(self) -> str:
        """Return the fault in words."""
        if self.what == CLOCK:
            return f"clock {self.amount:+.0f} s"
        return f"{self.what} for {self.lasts_s:.1f} s" if self.lasts_s else self.what


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a trial runs, how bad its connection to the node is, and which faults are injected."""

    on_postgres: bool
    on_network: bool
    from_nothing: bool
    """Without the prepared state: contracts are deployed and residents registered under faults too."""
    mishaps: float
    """Share of the requests to the node that meet a mishap of the connection; 0: there is no proxy."""
    false_answers: float
    """Share of the answers that are well formed and wrong."""
    injections: tuple[Injection, ...]

    @property
    def has_worker(self) -> bool:
        """Whether a second gateway works on the same database."""
        return self.on_postgres and self.on_network

    def words(self) -> str:
        """Return where it runs, in words."""
        place = f"{'PostgreSQL' if self.on_postgres else 'SQLite'}, {'network' if self.on_network else 'embedded'}"
        bad = [f"{rate:.1%} {what}" for what, rate in (("mishaps", self.mishaps), ("lies", self.false_answers)) if rate]
        return ", ".join([place, *(["from nothing"] if self.from_nothing else []), *bad])


def draw(seed: int, number: int, length_s: float, *, has_postgres: bool) -> Plan:
    """Choose trial ``number``. ``length_s``: about how long an undisturbed run takes; faults come before its end.

    Places take turns, so that ten rounds see each; every tenth round begins from nothing.
    """
    rng = random.Random(f"{seed}/{number}")
    on_postgres = has_postgres and number % 4 in (0, 2)
    on_network = number % 4 in (2, 3)
    from_nothing = number % _FROM_NOTHING_EVERY == 1 and not on_network
    mishaps, false_answers = _line(rng, on_network=on_network)
    kinds = [GATEWAY, DISK, CLOCK]
    kinds += [LINE, LINE] if on_network else [NODE]
    kinds += [WORKER] if on_network and on_postgres else []
    kinds += [DATABASE] if on_postgres else []
    length_s *= 1.6 if from_nothing else 1.0
    moments = sorted(rng.uniform(0.1, 0.95) * length_s for _ in range(rng.randint(1, _INJECTIONS_MAX)))
    injections = tuple(_inject(rng, round(moment, 2), rng.choice(kinds)) for moment in moments)
    return Plan(on_postgres, on_network, from_nothing, mishaps, false_answers, injections)


def _line(rng: random.Random, *, on_network: bool) -> tuple[float, float]:
    """Return (mishaps, false answers). The embedded node is ours and local: its connection may break, no more."""
    if not on_network:
        return rng.choice([0.0, 0.0, 0.004]), 0.0
    return rng.choice([(0.0, 0.0), (0.06, 0.0), (0.0, 0.05), (0.04, 0.03)])


def _inject(rng: random.Random, at_s: float, what: str) -> Injection:
    if what == LINE:
        return Injection(at_s, what, lasts_s=round(rng.uniform(0.1, 1.5), 2))
    if what == DISK:
        return Injection(at_s, what, lasts_s=round(rng.uniform(0.2, 1.5), 2), amount=rng.choice([0, 0, 16, 200]) * 1024)
    if what == CLOCK:
        far = rng.choice([rng.uniform(1, 20), rng.uniform(40, 7_200), rng.uniform(7_200, 3 * DAY_S)])
        return Injection(at_s, what, amount=round(far * rng.choice([-1, 1]), 1))
    return Injection(at_s, what)


NOTHING = Plan(on_postgres=False, on_network=False, from_nothing=False, mishaps=0.0, false_answers=0.0, injections=())
"""An undisturbed run."""
