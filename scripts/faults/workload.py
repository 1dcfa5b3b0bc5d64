"""The load under which things break: a small city's records, exchanges, redemptions, revocations; resumable anywhere.

It runs with the gateway's own loops. The process that kills it starts it again over the same state directory, and
it goes on where it was; what happened once does not happen again. ``python -m scripts.faults.workload STATE_DIR`` is
the process that is killed; with ``--worker`` it is a second gateway beside it, which only sends and issues.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from datetime import time as day_time
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from issuers.errors import SourceUnavailable
from issuers.samples.generate import Samples, generate
from issuers.samples.people import TRAFFIC, population
from issuers.states import BatchState, GrantState, RevocationState
from ledger.chain.errors import ChainError, ClockJumped, EngineStopped
from ledger.errors import InvariantViolation, TongduiError
from ledger.gateway import GatewayHealth
from ledger.indexer.errors import InconsistentAnswer
from ledger.outbox.states import OPEN_STATES, MessageState
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from ledger.store.database import DatabaseUnavailable
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceGrantRow, IssuanceRevocationRow
from ledger.store.models.outbox import OutboxMessageRow, OutboxTransactionRow
from scripts.demo import environment as days
from scripts.demo import scenario
from scripts.demo.environment import Environment
from scripts.demo.intake import IntakeDesk
from scripts.faults import counter
from scripts.faults.clocks import FILE as CLOCK_FILE
from scripts.faults.clocks import TownClock
from tongdui.bootstrap import City, open_city
from tongdui.cli.console import Output
from tongdui.settings import Settings

_LOG = logging.getLogger(__name__)
_PATIENCE_S = 240.0
_PAUSE_S = 0.02
_AGAIN_S = 0.2
_ATTEMPTS_MAX = 400
_FALSE = 5
"""How many declarations prove false."""
TRY_AGAIN = 75
"""Exit code of a process that only needs to be started again (EX_TEMPFAIL of sysexits.h)."""
STOPPED = 76
"""Exit code of a process that stopped with an alarm: a person has to look before it is started again."""
OPEN = "open"
"""Has the id of the process that has opened the city, and so knows what the time is."""
DONE = "done"
"""Written into the state directory once everything has come to rest."""

PASSING = (
    SQLAlchemyError,
    psycopg.Error,
    OSError,
    ChainError,
    DatabaseUnavailable,
    InconsistentAnswer,
    SourceUnavailable,
)
"""What passes by itself: database, node or disk are away. Not a jump of the clock, though it is a ChainError too."""


@dataclass(frozen=True, slots=True)
class Town:
    """How big the city is; the same figures give the same records and the same wishes."""

    people: int
    records: int
    seed: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a city's life is kept: its folder, its database (None: SQLite), its network (None: the embedded chain)."""

    state_dir: Path
    database_url: str | None = None
    rpc_url: str | None = None
    rpc_timeout_s: float | None = None


class NotQuiet(TongduiError):
    """The city does not come to rest."""


@dataclass(slots=True)
class LiveEnvironment(Environment):
    """An environment whose gateway and issuers work by themselves: to settle is to wait."""

    def settle(self) -> None:
        """Wait until nothing is under way. Raises InvariantViolation for an alarm, NotQuiet."""
        while True:
            self._wait(lambda: 0)
            if not self.city.upkeep():
                return

    def work(self) -> None:
        """Wait until the issuers have nothing left to do, and until that has settled."""
        while True:
            self._wait(self._unissued)
            if not self.city.upkeep():
                return

    def _wait(self, more: Callable[[], int]) -> None:
        gateway = self.city.gateway
        gateway.wake()
        until = time.monotonic() + _PATIENCE_S
        trouble: object = None
        while time.monotonic() < until:
            try:
                health = gateway.health()
                self._heed(health)
                trouble = health
                if health.projected_height >= health.final_height and self._unsettled() + more() == 0:
                    return
            except PASSING as error:
                _raise_alarm(error)
                trouble = error
            time.sleep(_PAUSE_S)
        raise NotQuiet(f"nothing has come to rest for {_PATIENCE_S:.0f} s: {trouble}")

    def _heed(self, health: GatewayHealth) -> None:
        """Raise what stopped the gateway. What a node refuses is tried again, and is only told."""
        stopped = set(health.alarms) - set(self.city.gateway.sender.alarms)
        if stopped:
            raise InvariantViolation("; ".join(sorted(stopped)))

    def _unsettled(self) -> int:
        """Return how much is under way, by all senders."""
        with self.city.database.read() as session:
            queued = (
                select(func.count()).select_from(OutboxMessageRow).where(OutboxMessageRow.state == MessageState.QUEUED)
            )
            sent = select(func.count()).where(OutboxTransactionRow.state.in_(OPEN_STATES))
            return int(session.scalar(queued) or 0) + int(session.scalar(sent) or 0)

    def _unissued(self) -> int:
        with self.city.database.read() as session:
            ready = select(func.count()).where(IssuanceGrantRow.state == GrantState.READY)
            batches = select(func.count()).where(IssuanceBatchRow.state.in_((BatchState.PREPARED, BatchState.QUEUED)))
            revocations = select(func.count()).where(
                IssuanceRevocationRow.state.in_((RevocationState.WANTED, RevocationState.QUEUED))
            )
            return sum(int(session.scalar(one) or 0) for one in (ready, batches, revocations))


def settings_of(place: Place) -> Settings:
    """Return the settings of a city under faults; nothing of the environment's is used."""
    return Settings(
        state_dir=place.state_dir,
        database_url=None if place.database_url is None else SecretStr(place.database_url),
        workers=False,
        rpc_url=place.rpc_url,
        rpc_timeout_s=place.rpc_timeout_s,
        deployment_file=None,
        master_key_file=None,
        oidc_issuer=None,
        oidc_jwks_url=None,
        outgoing_networks=["127.0.0.0/8"],  # the theatres' API is on this machine
    )


def first_morning(state_dir: Path) -> TownClock:
    """Return the clock with which the workload begins."""
    return TownClock(datetime.combine(days.FIRST_DAY, day_time(8), CITY_TZ), state_dir / CLOCK_FILE)


@contextmanager
def opened(place: Place) -> Iterator[tuple[City, TownClock]]:
    """Open the city at its first morning."""
    clock = first_morning(place.state_dir)
    with open_city(settings_of(place), clock, steady=clock.steady) as city:
        yield city, clock


def prepare(place: Place, town: Town) -> None:
    """Found the city and register everybody, so that a run need not begin with it."""
    samples = _samples(place.state_dir, town)
    with Output(as_json=True).bars() as bars, opened(place) as (city, clock):
        scenario.register(Environment(city, clock, samples, bars), _numbers(city))
        city.run_until_idle()


def workload(place: Place, town: Town) -> None:
    """Run everything to its end, from where an earlier process left it."""
    samples = _samples(place.state_dir, town)
    with Output(as_json=True).bars() as bars, opened(place) as (city, clock), _at_work(city) as alarms:
        (place.state_dir / OPEN).write_text(str(os.getpid()))
        _insist(LiveEnvironment(city, clock, samples, bars), alarms)
    (place.state_dir / DONE).touch()


def help_out(place: Place) -> None:
    """Send and issue beside the workload, until it has ended."""
    with opened(place) as (city, _clock), _at_work(city) as alarms:
        while not (place.state_dir / DONE).exists():
            try:
                stopped = set(city.gateway.health().alarms) - set(city.gateway.sender.alarms)
            except PASSING as error:
                # The loops try again by themselves; a watcher must not end them for it.
                _raise_alarm(error)
                stopped = set()
            if alarms or stopped:
                raise InvariantViolation("; ".join([*alarms, *stopped]))
            time.sleep(5 * _PAUSE_S)


@contextmanager
def _at_work(city: City) -> Iterator[list[str]]:
    """Run the gateway's loops, and the issuers' beside them; yields the alarms that ended the issuers'."""
    stopping = threading.Event()
    alarms: list[str] = []

    def issue() -> None:
        while not stopping.is_set():
            try:
                moved = city.issuers.work()
            except (ClockJumped, EngineStopped, InvariantViolation) as error:
                alarms.append(str(error))
                return
            except PASSING as error:
                _LOG.warning("issuers: tried again: %s", error)
                moved = False
            except Exception as error:
                _LOG.exception("the issuers' thread ended")
                alarms.append(f"{type(error).__name__}: {error}")
                raise
            if moved:
                city.gateway.wake()
            else:
                stopping.wait(2 * _PAUSE_S)

    issuers = threading.Thread(target=issue, name="issuers", daemon=True)
    city.gateway.start()
    issuers.start()
    try:
        yield alarms
    finally:
        stopping.set()
        issuers.join(30.0)
        city.gateway.stop()


def _insist(env: LiveEnvironment, alarms: Sequence[str]) -> None:
    """Run again from the beginning whenever something went away in the middle: every step knows if it is done."""
    for _ in range(_ATTEMPTS_MAX):
        try:
            _scenario(env)
        except PASSING as error:
            _raise_alarm(error)
            if alarms:
                raise InvariantViolation("; ".join(alarms)) from error
            _LOG.warning("run again: %s", error)
            time.sleep(_AGAIN_S)
        else:
            return
    raise NotQuiet(f"something went away {_ATTEMPTS_MAX} times")


def _raise_alarm(error: BaseException) -> None:
    if isinstance(error, ClockJumped | EngineStopped):
        raise error


def _numbers(city: City) -> dict[ProgrammeSlug, ProgrammeId]:
    return {programme.slug: programme.id for programme in city.deployment.programmes}


def _scenario(env: LiveEnvironment) -> None:
    city = env.city
    scenario.register(env, _numbers(city))
    IntakeDesk(env, city.issuers).deliver()
    scenario.exchange_crowd(env)
    scenario.spend_crowd(env)
    counter.act(env)
    env.at(days.REVOCATION_DAY, 9)
    city.issuers.revoke_false(TRAFFIC, _false_declarations(env.samples.traffic_drop), "inspector", "seen by a camera")
    env.work()


def _false_declarations(drop: Path) -> list[str]:
    """Return the numbers of the car-free days that proved false."""
    numbers = set()
    for path in sorted(one for one in drop.rglob("*.csv") if one.is_file()):
        with path.open(encoding="utf-8-sig", newline="") as file:
            numbers |= {row["申报编号"] for row in csv.DictReader(file) if row["行为类型"] == "无车日"}
    return sorted(numbers)[:_FALSE]


def _samples(state_dir: Path, town: Town) -> Samples:
    """Write the source files once, whole or not at all."""
    folder = state_dir / "samples"
    if not folder.is_dir():
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = state_dir / "samples.draft"
        shutil.rmtree(draft, ignore_errors=True)
        generate(draft, town.seed, town.people, town.records)
        draft.rename(folder)
    return Samples(folder, population(town.seed, town.people), {})


def command(place: Place, town: Town, *, is_worker: bool = False) -> list[str]:
    """Return the command line of a process of the workload."""
    line = [sys.executable, "-m", "scripts.faults.workload", str(place.state_dir)]
    line += ["--people", str(town.people), "--records", str(town.records), "--seed", str(town.seed)]
    if place.database_url is not None:
        line += ["--database-url", place.database_url]
    if place.rpc_url is not None:
        line += ["--rpc-url", place.rpc_url]
    if place.rpc_timeout_s is not None:
        line += ["--rpc-timeout", str(place.rpc_timeout_s)]
    return [*line, "--worker"] if is_worker else line


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the process that is killed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.faults.workload")
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("--database-url")
    parser.add_argument("--rpc-url")
    parser.add_argument("--rpc-timeout", type=float)
    parser.add_argument("--people", type=int, required=True)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--worker", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    place = Place(options.state_dir, options.database_url, options.rpc_url, options.rpc_timeout)
    try:
        if options.worker:
            help_out(place)
        else:
            workload(place, Town(options.people, options.records, options.seed))
    except (ClockJumped, EngineStopped, InvariantViolation) as error:
        _LOG.critical("stopped with an alarm: %s", error)
        return STOPPED
    except PASSING as error:
        # Something went away while the city was being opened or closed: the supervisor starts us again.
        _LOG.warning("ended, to be started again: %s", error)
        return TRY_AGAIN
    return 0


if __name__ == "__main__":
    sys.exit(main())
