"""One trial: the workload in processes of its own, the faults injected into it, and its outcome."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from issuers.samples.people import population
from ledger.audit.auditor import audit
from ledger.chain.embedded.anvil import BINARY_VARIABLE
from ledger.chain.embedded.blocktime import TOLERANCE_S
from ledger.chain.embedded.processes import read_identity
from ledger.chain.embedded.proxy import Proxy
from ledger.errors import ConfigurationError, TongduiError
from scripts.bench import postgres
from scripts.faults import plan as kinds
from scripts.faults.clocks import put_wrong
from scripts.faults.disk import Disk, small_disk
from scripts.faults.end_state import EndState, end_state_of
from scripts.faults.flaky_proxy import FlakyProxy
from scripts.faults.network import Network
from scripts.faults.plan import Injection, Plan
from scripts.faults.workload import DONE, OPEN, STOPPED, TRY_AGAIN, Place, Town, command, opened
from tongdui.bootstrap import City

_TRIAL_MAX_S = 900.0
"""Far more than a round takes on a busy machine: slow is not stuck."""
_LOOK_S = 0.01
_LATER_S = 0.1
_OPENING = threading.Lock()
"""Rounds are examined in threads, and Alembic keeps the migration that it is at in a global."""
_LIVES_MAX = 60
_RESTART_TRIES = 100
_LOG_TAIL = 3_000
_DISK_BYTES = 128 << 20
_NETWORK_TIMEOUT_S = 1.0
_NODE_TIMEOUT_S = 4.0
_SEEN_WITHIN_S = 120.0
"""How soon a clock that was set must have stopped the processes that go by it."""


class TrialFailed(TongduiError):
    """A round did not come to its end: what broke did not heal. The message has the last words of the process."""


@dataclass(frozen=True, slots=True)
class Morning:
    """A city before the workload: its folder, and (PostgreSQL) the name of the database to copy."""

    folder: Path
    database: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round came to; ``verdict`` is why its audit failed, or None."""

    end_state: EndState
    verdict: str | None


class Trial:
    """One run under injected faults."""

    def __init__(
        self, name: str, root: Path, plan: Plan, town: Town, morning: Morning, server: postgres.Server | None, seed: str
    ) -> None:
        self.plan = plan
        self.struck: Counter[str] = Counter()
        self.blows: list[str] = []
        self.met: Counter[str] = Counter()
        """Mishaps and false answers that really happened."""
        self.lives = 0
        self.seconds = 0.0
        self.log = root / f"{name}.log"
        self._name = name
        self._seed = seed
        self._root = root
        self._town = town
        self._morning = morning
        self._server = server if plan.on_postgres else None
        self._stack = ExitStack()
        self._disk: Disk | None = None
        self._line: FlakyProxy | None = None
        self._network: Network | None = None
        self._open: list[tuple[float, Injection]] = []
        self._later: list[Injection] = []
        self._clock_wrong: tuple[float, float] | None = None
        self._clock_off_s = 0.0
        """By how much the clock is wrong without anybody's having to notice."""
        self._processes: dict[str, _Life] = {}
        self.place = Place(root / name / "city")

    def run(self) -> Outcome:
        """Run to the end under all faults and return the outcome. Raises TrialFailed."""
        began = time.monotonic()
        self._set_up()
        try:
            self._processes[kinds.GATEWAY] = _Life(command(self.place, self._town), self._environment(), self.log)
            if self.plan.has_worker:
                line = command(self.place, self._town, is_worker=True)
                self._processes[kinds.WORKER] = _Life(line, self._environment(), self.log)
            self._live()
        finally:
            for life in self._processes.values():
                life.kill()
            self._undo(float("inf"))
            if self._line is not None:
                self.met.update(self._line.met)
            self.seconds = time.monotonic() - began
        where = self.place if self._network is None else replace(self.place, rpc_url=self._network.url)
        return examine(replace(where, rpc_timeout_s=None), self._town)

    def keep(self, folder: Path) -> None:
        """Leave the round's state, its log and its database's content in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.place.state_dir, folder / "city", dirs_exist_ok=True)
        if self.log.exists():
            shutil.copy(self.log, folder / "log")
        if self._server is not None and self.place.database_url is not None:
            dump = shutil.which("pg_dump")
            if dump is not None:
                with (folder / "database.sql").open("wb") as file:
                    subprocess.run([dump, self.place.database_url], stdout=file, stderr=subprocess.DEVNULL, check=False)

    def clear(self) -> None:
        """Throw everything of the round away."""
        self._stack.close()
        shutil.rmtree(self._root / self._name, ignore_errors=True)
        if self._server is not None:
            self._server.drop(self._name)

    # Setting up -------------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        plan = self.plan
        self._disk = self._stack.enter_context(small_disk(self._root / self._name, _DISK_BYTES))
        url = None
        if self._server is not None:
            template = None if plan.from_nothing else self._morning.database
            url = self._server.create(self._name, template)
        self.place = replace(self.place, database_url=url)
        if not plan.from_nothing:
            shutil.copytree(self._morning.folder, self.place.state_dir)
        if plan.on_network:
            self._network = Network(self._morning.folder / "chain", self._root / f"{self._name}-network")
            self._stack.callback(shutil.rmtree, self._root / f"{self._name}-network", ignore_errors=True)
            self._stack.callback(self._network.close)
            late_s = 1.5 * _NETWORK_TIMEOUT_S
            self._line = FlakyProxy(
                self._network.url, self._seed, plan.mishaps, late_s, false_answers=plan.false_answers
            )
            self._stack.callback(self._line.close)
            self.place = replace(self.place, rpc_url=self._line.url, rpc_timeout_s=_NETWORK_TIMEOUT_S)
        elif plan.mishaps:
            self.place = replace(self.place, rpc_timeout_s=_NODE_TIMEOUT_S)

    def _environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
        if not self.plan.on_network and self.plan.mishaps:
            env[BINARY_VARIABLE] = str(self._flaky_node())
        return env

    def _flaky_node(self) -> Path:
        """Write the program that the gateway takes for Anvil: Anvil behind a flaky proxy."""
        path = self._root / self._name / "anvil-behind-a-flaky-proxy"
        arguments = f"{self._seed!r}, {self.plan.mishaps!r}, {1.2 * _NODE_TIMEOUT_S!r}"
        text = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(_SOURCE)!r})\n"
        text += f"from scripts.faults.flaky_node import main\nmain({arguments})\n"
        path.write_text(text)
        path.chmod(0o700)
        return path

    # Living -----------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        began = time.monotonic()
        injections = list(self.plan.injections)
        player = self._processes[kinds.GATEWAY]
        while not (self.place.state_dir / DONE).exists() or player.is_alive:
            now = time.monotonic() - began
            self._undo(now)
            for life in self._processes.values():
                self._tend(life)
            self._watch_clock(now)
            if now > _TRIAL_MAX_S:
                raise TrialFailed(f"{self._name} takes longer than {_TRIAL_MAX_S:.0f} s: {self._last_words()}")
            injections += self._later
            self._later.clear()
            due = min(injections, key=lambda injection: injection.at_s, default=None)
            if due is not None and now >= due.at_s:
                injections.remove(due)
                self._inject(due, now)
            else:
                time.sleep(_LOOK_S)

    def _tend(self, life: _Life) -> None:
        """Start a process again that has ended before the workload has."""
        if life.is_alive or (self.place.state_dir / DONE).exists():
            return
        if self._clock_wrong is not None and self._is_disk_full():
            return  # the clock is set by a file on that disk; the person who sees the alarm makes room first
        self.lives += 1
        code = life.code
        if self._clock_wrong is not None and code in (STOPPED, -signal.SIGKILL):
            # Killed before it saw the jump, a process that is started again has nothing to compare the time with: no
            # software can tell. The operator sets the clock right first.
            self._set_clock_right()
        elif code == STOPPED and self.plan.false_answers:
            self.struck["stopped by a lie"] += 1
        elif code not in (0, TRY_AGAIN, -signal.SIGKILL):
            raise TrialFailed(f"{self._name} ended with {code}: {self._last_words()}")
        if self.lives > _LIVES_MAX:
            raise TrialFailed(f"{self._name} was started {_LIVES_MAX} times: {self._last_words()}")
        life.start()

    def _watch_clock(self, now: float) -> None:
        if self._clock_wrong is not None and now - self._clock_wrong[0] > _SEEN_WITHIN_S:
            raise TrialFailed(f"{self._name}: the clock was set by {self._clock_wrong[1]:+.0f} s and nobody stopped")

    def _set_clock_right(self) -> None:
        """What the operator does: the clock first, then all processes that go by it."""
        put_wrong(self.place.state_dir, 0)
        self._clock_wrong, self._clock_off_s = None, 0.0
        for life in self._processes.values():
            life.kill()

    # Striking ---------------------------------------------------------------------------------------------------

    def _inject(self, injection: Injection, now: float) -> None:
        if self._hits(injection, now):
            self.struck[injection.what] += 1
            self.blows.append(f"{injection.words()} at {now:.1f} s")
        elif injection.what in (kinds.CLOCK, kinds.NODE):
            # What could not be hit, for it was not there yet or again, is hit as soon as it is.
            self._later.append(replace(injection, at_s=now + _LATER_S))

    def _hits(self, injection: Injection, now: float) -> bool:
        """Do it, and return whether it hit."""
        match injection.what:
            case kinds.GATEWAY | kinds.WORKER:
                self._processes[injection.what].kill()
                return True
            case kinds.NODE:
                node = read_identity(self.place.state_dir / "chain" / "anvil" / "anvil.json")
                return node is not None and node.kill()
            case kinds.DATABASE if self._server is not None:
                self._server.kill()
                restart(self._server)
                return True
            case kinds.LINE if self._line is not None:
                self._line.cut()
                self._open.append((now + injection.lasts_s, injection))
                return True
            case kinds.DISK if self._disk is not None and not self._is_disk_full():
                self._disk.fill(self._processes[kinds.GATEWAY].pid, int(injection.amount))
                self._open.append((now + injection.lasts_s, injection))
                return True
            case kinds.CLOCK if not self._is_disk_full() and self._clock_wrong is None and self._knows_the_time():
                put_wrong(self.place.state_dir, injection.amount)
                # From 18 s behind to 17 s before the time is a jump too, though each alone would be tolerated.
                if abs(injection.amount - self._clock_off_s) > TOLERANCE_S:
                    self._clock_wrong = (now, injection.amount)
                self._clock_off_s = injection.amount
                return True
        return False

    def _knows_the_time(self) -> bool:
        """Whether the workload has read its clock: a clock that is set before that cannot be found wrong."""
        try:
            return (self.place.state_dir / OPEN).read_text() == str(self._processes[kinds.GATEWAY].pid)
        except FileNotFoundError:
            return False

    def _is_disk_full(self) -> bool:
        return any(one.what == kinds.DISK for _, one in self._open)

    def _undo(self, now: float) -> None:
        """End what lasts no longer."""
        for end, injection in list(self._open):
            if now >= end:
                self._open.remove((end, injection))
                if injection.what == kinds.LINE and self._line is not None:
                    self._line.restore()
                if injection.what == kinds.DISK and self._disk is not None:
                    self._disk.free()

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-_LOG_TAIL:].strip() if self.log.exists() else "(nothing)"


_SOURCE = Path(__file__).resolve().parents[2]


class _Life:
    """A process that is started again whenever it ends."""

    def __init__(self, line: list[str], env: dict[str, str], log: Path) -> None:
        self._line = line
        self._env = env
        self._log = log
        self._process = self._begin()
        self._was_killed = False

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended; killed counts as killed, even if it had ended by itself a moment before."""
        return -signal.SIGKILL if self._was_killed else self._process.returncode

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        self._process = self._begin()
        self._was_killed = False

    def kill(self) -> None:
        self._was_killed = True
        self._process.kill()
        self._process.wait()

    def _begin(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._line, env=self._env, cwd=_SOURCE, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


def restart(server: postgres.Server) -> None:
    """Start the server again; its orphans need a moment to notice that they are. Raises RoundFailed."""
    for _ in range(_RESTART_TRIES):
        try:
            server.restart()
        except ConfigurationError:
            time.sleep(0.1)
        else:
            return
    raise TrialFailed("PostgreSQL does not start again")


def examine(place: Place, town: Town) -> Outcome:
    """Return what a city came to, and whether its audit passes. An embedded chain is replayed from its journal."""
    with ExitStack() as stack:
        with _OPENING:
            city, _clock = stack.enter_context(opened(place))
        city.run_until_idle()
        verdict = _verdict(city, place)
        return Outcome(end_state_of(city, population(town.seed, town.people)), verdict)


def _verdict(city: City, place: Place) -> str | None:
    check: Any = city.gateway.check_projection()
    if check.differences:
        return f"the projection differs from the chain: {check.differences[0]}"
    leaves = [place.state_dir / "leaves"]
    if place.rpc_url is not None:
        report = audit(place.rpc_url, city.deployment, None, None, leaves)
    else:
        with Proxy(city.engine) as window:
            report = audit(window.url, city.deployment, None, None, leaves)
    return None if report.ok else str(report.contradiction)
