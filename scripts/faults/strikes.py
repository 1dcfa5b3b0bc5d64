"""Rounds of the play in which processes are killed without warning, at moments that a seed draws."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from issuers.samples.people import population
from ledger.audit.auditor import audit
from ledger.chain.processes import read_identity
from ledger.chain.proxy import Proxy
from ledger.errors import ConfigurationError, TongduiError
from ledger_api.bootstrap import City, open_city
from scripts.bench import postgres
from scripts.faults.play import DONE, TRY_AGAIN, Town, first_morning, play, settings_of
from scripts.faults.truth import Damage, Truth, damage, truth_of

GATEWAY, NODE, DATABASE = "gateway", "node", "database"
_STRIKES_MAX = 4
_ROUND_MAX_S = 240.0
_LOOK_S = 0.01
_LIVES_MAX = 40
_RESTART_TRIES = 50
_LOG_TAIL = 2_000

Tell = Callable[[str], None]


class RoundFailed(TongduiError):
    """A round did not come to its end: what broke did not heal. The message has the last words of the process."""


@dataclass(frozen=True, slots=True)
class Result:
    """What all rounds together came to."""

    rounds: int
    lost: int
    duplicated: int
    unexplained: int
    audit_failures: int
    strikes: dict[str, int]
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or left unexplained, and every audit passed."""
        return not (self.lost or self.duplicated or self.unexplained or self.audit_failures)


def run(rounds: int, seed: int, town: Town, tell: Tell, *, keep: Path | None = None) -> Result:
    """Play once undisturbed and then ``rounds`` times under strikes; compare each time.

    Every other round runs on PostgreSQL where its programs are installed. ``keep``: where the state of a round that
    was damaged is left; None: nowhere. Raises RoundFailed, or what the undisturbed play raises.
    """
    began = time.monotonic()
    total: Counter[str] = Counter()
    strikes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="tongdui-faults-") as name, _server(rounds) as server:
        root = Path(name)
        play(root / "undisturbed", None, town)
        undisturbed, verdict = _examine(root / "undisturbed", None, town)
        if verdict is not None or not damage(undisturbed, undisturbed).is_none:
            raise RoundFailed(f"the undisturbed play is not sound: {verdict}")
        length_s = time.monotonic() - began
        tell(f"undisturbed: {undisturbed.minted.total()} grants, {undisturbed.orders.total()} orders, {length_s:.1f} s")
        for number in range(1, rounds + 1):
            rng = random.Random(f"{seed}/{number}")
            used = server if number % 2 == 0 else None
            one = _Round(root / f"round-{number}", used, f"round{number}", town, rng, length_s)
            try:
                found, verdict = one.play()
            finally:
                strikes.update(one.struck)
            hurt = damage(undisturbed, found)
            _tell_round(tell, number, one, hurt, verdict)
            total.update(lost=hurt.lost, duplicated=hurt.duplicated, unexplained=hurt.unexplained)
            total["audit_failures"] += verdict is not None
            if keep is not None and (verdict is not None or not hurt.is_none):
                shutil.copytree(one.state_dir, keep / f"seed-{seed}-round-{number}", dirs_exist_ok=True)
            one.clear()
    return Result(
        rounds,
        total["lost"],
        total["duplicated"],
        total["unexplained"],
        total["audit_failures"],
        dict(sorted(strikes.items())),
        time.monotonic() - began,
    )


def _tell_round(tell: Tell, number: int, one: _Round, hurt: Damage, verdict: str | None) -> None:
    database = "SQLite" if one.server is None else "PostgreSQL"
    blows = ", ".join(f"{what} at {at:.1f} s" for what, at in one.blows) or "nothing was hit"
    state = "as undisturbed" if hurt.is_none else f"{hurt.lost} lost, {hurt.duplicated} twice, {hurt.unexplained} else"
    tell(f"round {number} ({database}): {blows}; {state}, audit {verdict or 'PASS'}, {one.seconds:.1f} s")


class _Round:
    """One play under strikes."""

    def __init__(
        self,
        state_dir: Path,
        server: postgres.Server | None,
        name: str,
        town: Town,
        rng: random.Random,
        length_s: float,
    ) -> None:
        self.state_dir = state_dir
        self.server = server
        self.struck: Counter[str] = Counter()
        self.blows: list[tuple[str, float]] = []
        self.seconds = 0.0
        self._name = name
        self._url = None if server is None else server.create(name)
        self._town = town
        targets = [GATEWAY, GATEWAY, NODE] + ([DATABASE] if server is not None else [])
        times = sorted(rng.uniform(0.5, length_s * 0.9) for _ in range(rng.randint(1, _STRIKES_MAX)))
        self._plan = [(moment, rng.choice(targets)) for moment in times]
        self._log = state_dir.with_suffix(".log")

    def play(self) -> tuple[Truth, str | None]:
        """Play to the end whatever happens, and say what it came to. Raises RoundFailed."""
        began = time.monotonic()
        plan = list(self._plan)
        lives = 0
        process = self._start()
        try:
            while not (self.state_dir / DONE).exists() or process.poll() is None:
                now = time.monotonic() - began
                if process.poll() is not None:
                    lives += 1
                    if process.returncode not in (0, TRY_AGAIN, -signal.SIGKILL) or lives > _LIVES_MAX:
                        raise RoundFailed(
                            f"{self.state_dir.name} ended with {process.returncode}: {self._last_words()}"
                        )
                    process = self._start()
                elif now > _ROUND_MAX_S:
                    raise RoundFailed(f"{self.state_dir.name} takes longer than {_ROUND_MAX_S} s: {self._last_words()}")
                elif plan and now >= plan[0][0]:
                    self._strike(plan.pop(0)[1], process, now)
                else:
                    time.sleep(_LOOK_S)
        finally:
            process.kill()
            process.wait()
        self.seconds = time.monotonic() - began
        return _examine(self.state_dir, self._url, self._town)

    def clear(self) -> None:
        """Throw the round's state away."""
        shutil.rmtree(self.state_dir, ignore_errors=True)
        if self.server is not None:
            self.server.drop(self._name)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "scripts.faults.play", str(self.state_dir)]
        command += ["--people", str(self._town.people), "--records", str(self._town.records)]
        command += ["--seed", str(self._town.seed)]
        if self._url is not None:
            command += ["--database-url", self._url]
        env = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
        with self._log.open("ab") as log:
            return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _strike(self, what: str, process: subprocess.Popen[bytes], now: float) -> None:
        """Kill something. A node or a server that is not there at that moment is spared."""
        if what == GATEWAY:
            process.kill()
            process.wait()
        elif what == NODE:
            node = read_identity(self.state_dir / "chain" / "anvil" / "anvil.json")
            if node is None or not node.kill():
                return
        elif self.server is not None:
            self.server.kill()
            _restart(self.server)
        self.struck[what] += 1
        self.blows.append((what, now))

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-_LOG_TAIL:].strip()


def _restart(server: postgres.Server) -> None:
    """Start the server again; its orphans need a moment to notice that they are."""
    for _ in range(_RESTART_TRIES):
        try:
            server.restart()
        except ConfigurationError:
            time.sleep(0.1)
        else:
            return
    raise RoundFailed("PostgreSQL does not start again")


def _examine(state_dir: Path, url: str | None, town: Town) -> tuple[Truth, str | None]:
    """Return what a city came to, and why its audit failed, or None. The chain is replayed from its journal for it."""
    with open_city(settings_of(state_dir, url), first_morning()) as city:
        city.run_until_idle()
        verdict = _verdict(city, state_dir)
        return truth_of(city, population(town.seed, town.people)), verdict


def _verdict(city: City, state_dir: Path) -> str | None:
    check: Any = city.gateway.check_projection()
    if check.differences:
        return f"the projection differs from the chain: {check.differences[0]}"
    with Proxy(city.engine) as window:
        report = audit(window.url, city.deployment, None, None, [state_dir / "leaves"])
    return None if report.ok else str(report.contradiction)


@contextmanager
def _server(rounds: int) -> Iterator[postgres.Server | None]:
    with postgres.running() if rounds > 1 and postgres.programs() is not None else nullcontext() as server:
        yield server
