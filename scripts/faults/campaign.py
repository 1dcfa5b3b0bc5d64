"""Many trials, several at a time, each compared with an undisturbed run of the same workload."""

from __future__ import annotations

import queue
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import TongduiError
from scripts.bench import postgres
from scripts.faults.end_state import Damage, EndState, damage
from scripts.faults.plan import NOTHING, Plan, draw
from scripts.faults.trial import Morning, Trial, TrialFailed
from scripts.faults.workload import Place, Town, prepare

_TEMPLATE = "morning"

Tell = Callable[[str], None]
OnRound = Callable[[int, int], None]
"""Hears (rounds done, rounds in all)."""


@dataclass(frozen=True, slots=True)
class Result:
    """What all rounds together came to."""

    rounds: int
    lost: int
    duplicated: int
    unexplained: int
    audit_failures: int
    failed_rounds: tuple[int, ...]
    """Rounds that were damaged, or that did not come to their end."""
    injections: dict[str, int]
    mishaps: int
    """How often a connection or a node misbehaved."""
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or left unexplained, and every audit passed."""
        return not (self.lost or self.duplicated or self.unexplained or self.audit_failures or self.failed_rounds)


@dataclass(frozen=True, slots=True)
class Ended:
    """One round as it ended. ``trouble``: why it did not come to its end, or None."""

    number: int
    hurt: Damage
    verdict: str | None
    trouble: str | None
    struck: Counter[str]
    mishaps: int

    @property
    def is_clean(self) -> bool:
        """Whether everything was as it must be."""
        return self.hurt.is_none and self.verdict is None and self.trouble is None


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where one trial runs at a time: a PostgreSQL server of its own, if there is one, and its prepared city."""

    server: postgres.Server | None
    on_postgres: Morning | None


@dataclass(frozen=True, slots=True)
class _Trials:
    """What every round needs."""

    root: Path
    town: Town
    seed: int
    on_sqlite: Morning
    undisturbed: EndState
    length_s: float
    keep: Path
    tell: Tell

    def run(self, number: int, slot: _Slot) -> Ended:
        """Run one trial and compare it."""
        plan = draw(self.seed, number, self.length_s, has_postgres=slot.server is not None)
        morning = slot.on_postgres if plan.on_postgres and slot.on_postgres is not None else self.on_sqlite
        name = f"round{number}"
        one = Trial(name, self.root, plan, self.town, morning, slot.server, f"{self.seed}/{number}")
        hurt, verdict, trouble = Damage(0, 0, 0), None, None
        try:
            outcome = one.run()
            hurt, verdict = damage(self.undisturbed, outcome.end_state), outcome.verdict
        except (TrialFailed, TongduiError) as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001  (a defect is a finding like any other: the other rounds go on)
            trouble = f"{type(error).__name__}: {error}"
        ended = Ended(number, hurt, verdict, trouble, one.struck, one.met.total())
        if not ended.is_clean:
            self._keep(one, ended)
        one.clear()
        self._tell(one, plan, ended)
        return ended

    def _keep(self, one: Trial, ended: Ended) -> None:
        folder = self.keep / f"seed-{self.seed}-round-{ended.number}"
        try:
            one.keep(folder)
        except (OSError, TongduiError) as error:
            self.tell(f"round {ended.number}: its state could not be kept: {error}")

    def _tell(self, one: Trial, plan: Plan, ended: Ended) -> None:
        hurt = ended.hurt
        state = (
            "as undisturbed" if hurt.is_none else f"{hurt.lost} lost, {hurt.duplicated} twice, {hurt.unexplained} else"
        )
        blows = "; ".join(one.blows) or "nothing was hit"
        more = f", {ended.mishaps} mishaps" if ended.mishaps else ""
        self.tell(
            f"round {ended.number} ({plan.words()}): {blows}{more}; {state},"
            f" audit {ended.verdict or 'PASS' if ended.trouble is None else 'not reached'}, {one.seconds:.1f} s"
        )
        for line in [*hurt.details, *([ended.trouble] if ended.trouble else [])]:
            self.tell(f"  {line}")
        if not ended.is_clean:
            folder = self.keep / f"seed-{self.seed}-round-{ended.number}"
            self.tell(
                f"  its state is in {folder}; once more: make test-faults SEED={self.seed} ROUNDS=1"
                f" FIRST={ended.number}"
            )


def run(
    rounds: int,
    seed: int,
    town: Town,
    tell: Tell,
    *,
    keep: Path,
    first: int = 1,
    jobs: int = 1,
    on_round: OnRound = lambda _done, _all: None,
) -> Result:
    """Run the workload once undisturbed and then ``rounds`` times under faults, ``jobs`` at a time; compare each.

    Rounds are numbered from ``first``; its number and the seed say all that happens in a round. Where PostgreSQL is
    installed every other round runs on it. ``keep``: where the state of a round that was damaged is left. Raises
    TrialFailed if even the undisturbed run is not sound, or what that raises.
    """
    began = time.monotonic()
    ended: list[Ended] = []
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tongdui-faults-")))
        on_sqlite = Morning(root / "morning", None)
        prepare(Place(on_sqlite.folder), town)
        slots = [_slot(stack, root, town, number) for number in range(min(jobs, rounds))]
        undisturbed, length_s = _undisturbed(root, town, on_sqlite, tell)
        all_trials = _Trials(root, town, seed, on_sqlite, undisturbed, length_s, keep, tell)
        free: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        for slot in slots:
            free.put(slot)

        def one(number: int) -> Ended:
            slot = free.get()
            try:
                return all_trials.run(number, slot)
            finally:
                free.put(slot)

        pool = ThreadPoolExecutor(len(slots))
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        for future in as_completed([pool.submit(one, number) for number in range(first, first + rounds)]):
            ended.append(future.result())
            on_round(len(ended), rounds)
    return _sum(ended, time.monotonic() - began)


def _slot(stack: ExitStack, root: Path, town: Town, number: int) -> _Slot:
    if postgres.programs() is None:
        return _Slot(None, None)
    server = stack.enter_context(postgres.running())
    folder = root / f"morning-{number}"
    prepare(Place(folder, server.create(_TEMPLATE)), town)
    return _Slot(server, Morning(folder, _TEMPLATE))


def _undisturbed(root: Path, town: Town, morning: Morning, tell: Tell) -> tuple[EndState, float]:
    """Run in a process of its own without faults; return its end state and its length. Raises TrialFailed."""
    one = Trial("undisturbed", root, NOTHING, town, morning, None, "")
    outcome = one.run()
    one.clear()
    end_state = outcome.end_state
    sound = damage(end_state, end_state)
    if outcome.verdict is not None or not sound.is_none:
        raise TrialFailed(f"the undisturbed run is not sound: {outcome.verdict or sound.details}")
    tell(
        f"undisturbed: {end_state.minted.total()} grants, {end_state.orders.total()} orders,"
        f" {end_state.revoked.total()} revocations, {one.seconds:.1f} s"
    )
    return end_state, one.seconds


def _sum(ended: list[Ended], seconds: float) -> Result:
    injections: Counter[str] = Counter()
    for one in ended:
        injections.update(one.struck)
    return Result(
        rounds=len(ended),
        lost=sum(one.hurt.lost for one in ended),
        duplicated=sum(one.hurt.duplicated for one in ended),
        # A round that did not come to its end explains nothing.
        unexplained=sum(one.hurt.unexplained + (one.trouble is not None) for one in ended),
        audit_failures=sum(one.verdict is not None for one in ended),
        failed_rounds=tuple(sorted(one.number for one in ended if not one.is_clean)),
        injections=dict(sorted(injections.items())),
        mishaps=sum(one.mishaps for one in ended),
        seconds=seconds,
    )
