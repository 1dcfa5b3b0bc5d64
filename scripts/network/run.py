"""Runs the scenarios on one network, one after another on one city, with an audit after each, and counts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import TongduiError
from scripts.bench import postgres
from scripts.network.scenarios import SCENARIOS, Scenario
from scripts.network.town import LINE_MINOR, Town
from tongdui.network import processes
from tongdui.network.folder import NetworkChoices, make_trial

VALIDATORS = 4


@dataclass(slots=True)
class Found:
    """What all scenarios came to."""

    scenarios: list[str] = field(default_factory=list)
    lost: int = 0
    duplicated: int = 0
    unseen_stalls: int = 0
    audit_failures: int = 0
    failed: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, unseen or contradicted, and every scenario came to its end."""
        return not (self.lost or self.duplicated or self.unseen_stalls or self.audit_failures or self.failed)


def run(folder: Path, tell: Callable[[str], None], only: Sequence[str] = ()) -> Found:
    """Run the scenarios in ``folder``, which is emptied first; ``only``: those of these names."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = Found()
    with ExitStack() as stack:
        plan = make_trial(folder / "network", VALIDATORS, NetworkChoices())
        stack.callback(processes.down, folder / "network", plan)
        processes.up(folder / "network", plan)
        database = None
        if postgres.programs() is not None:
            database = stack.enter_context(postgres.running()).create("town")
        town = Town(folder, plan, database, stack.enter_context(ExitStack()))
        began = time.monotonic()
        town.found()
        tell(f"a city on {VALIDATORS} signers, chain {plan.chain_id}: {time.monotonic() - began:.0f} s")
        if only and "settles" not in only:
            town.gateway()
        pool = stack.enter_context(ThreadPoolExecutor())
        beside = []
        for scenario in SCENARIOS:
            if only and scenario.name not in only:
                continue
            if scenario.is_beside:
                beside.append(pool.submit(_play, scenario, town, found, tell))
                continue
            _play(scenario, town, found, tell)
            if found.failed:
                break  # what comes after would only show the same again
        for future in beside:
            future.result()
    return found


def _play(scenario: Scenario, town: Town, found: Found, tell: Callable[[str], None]) -> None:
    name, began = scenario.name, time.monotonic()
    found.scenarios.append(name)
    try:
        told = scenario.play(town)
        found.unseen_stalls += told.unseen_stall
        found.notes[name] = told.note
    except TongduiError as error:
        found.failed.append(name)
        found.notes[name] = str(error)
    if not scenario.is_beside:  # what is beside has a city and an audit of its own
        _count(town, found, name)
    found.seconds[name] = round(time.monotonic() - began, 1)
    tell(f"{name}: {found.seconds[name]:.0f} s {found.notes[name]}")


def _count(town: Town, found: Found, name: str) -> None:
    count, minor = town.minted()
    short = town.dropped * LINE_MINOR - minor
    found.lost = max(0, short // LINE_MINOR)
    found.duplicated = max(0, -(short // LINE_MINOR), count - town.dropped)
    contradiction = town.audit()
    if contradiction is not None:
        found.audit_failures += 1
        found.notes[name] = f"audit: {contradiction}"
