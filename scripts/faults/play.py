"""The load under which things break: a small city's records, exchanges, redemptions, revocations; resumable anywhere.

It is played with the gateway's own loops running. Whoever kills it starts it again over the same state directory, and
it goes on where it was; what happened once does not happen again. ``python -m scripts.faults.play STATE_DIR`` is the
process that is killed.
"""

from __future__ import annotations

import argparse
import csv
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import time as day_time
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from issuers.samples.generate import Samples, generate
from issuers.samples.people import population
from ledger.clock import ManualClock
from ledger.errors import InvariantViolation, TongduiError
from ledger.standard.quarters import CITY_TZ
from ledger_api.bootstrap import City, open_city
from ledger_api.settings import Settings
from scripts.console import Output
from scripts.demo import acts
from scripts.demo import stage as days
from scripts.demo.intake import IntakeDesk
from scripts.demo.stage import Stage

_LOG = logging.getLogger(__name__)
_PATIENCE_S = 60.0
_PAUSE_S = 0.02
_AGAIN_S = 0.2
_ATTEMPTS_MAX = 200
_FALSE = 5
"""How many declarations prove false."""
TRY_AGAIN = 75
"""Exit code of a process that only needs to be started again (EX_TEMPFAIL of sysexits.h)."""
DONE = "done"
"""Written into the state directory once everything has come to rest."""


@dataclass(frozen=True, slots=True)
class Town:
    """How big the city is; the same figures give the same records and the same wishes."""

    people: int
    records: int
    seed: int


class NotQuiet(TongduiError):
    """The city does not come to rest."""


@dataclass(slots=True)
class LiveStage(Stage):
    """A stage whose gateway runs by itself: to settle is to wait."""

    def settle(self) -> None:
        """Wait until nothing is under way. Raises InvariantViolation for an alarm, NotQuiet."""
        while True:
            self._wait()
            if not self.city.upkeep():
                return

    def _wait(self) -> None:
        gateway = self.city.gateway
        gateway.wake()
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            health = gateway.health()
            if health.alarms:
                raise InvariantViolation("; ".join(health.alarms))
            if gateway.sender.unsettled() == 0 and health.projected_height >= self.city.engine.final_height():
                return
            time.sleep(_PAUSE_S)
        raise NotQuiet(f"nothing has come to rest for {_PATIENCE_S:.0f} s: {gateway.health()}")


def settings_of(state_dir: Path, database_url: str | None) -> Settings:
    """Return the settings of a city under faults; nothing of the environment's is used."""
    return Settings(
        state_dir=state_dir,
        database_url=None if database_url is None else SecretStr(database_url),
        workers=False,
        rpc_url=None,
        deployment_file=None,
        master_key_file=None,
        oidc_issuer=None,
        oidc_jwks_url=None,
    )


def first_morning() -> ManualClock:
    """Return the clock with which the play begins."""
    return ManualClock(datetime.combine(days.FIRST_DAY, day_time(8), CITY_TZ))


def play(state_dir: Path, database_url: str | None, town: Town) -> None:
    """Play everything to its end, from where an earlier life left it."""
    samples = _samples(state_dir, town)
    with Output(as_json=True).bars() as bars:
        clock = first_morning()
        with open_city(settings_of(state_dir, database_url), clock) as city:
            city.gateway.start()
            try:
                _insist(LiveStage(city, clock, samples, bars))
            finally:
                city.gateway.stop()
    (state_dir / DONE).touch()


def _insist(stage: Stage) -> None:
    """Play again from the beginning whenever the database went away in the middle: every step knows if it is done."""
    for _ in range(_ATTEMPTS_MAX):
        try:
            _acts(stage)
        except (SQLAlchemyError, psycopg.Error) as error:
            _LOG.warning("played again: %s", error)
            time.sleep(_AGAIN_S)
        else:
            return
    raise NotQuiet(f"the database went away {_ATTEMPTS_MAX} times")


def _acts(stage: Stage) -> None:
    city = stage.city
    acts.register(stage, {programme.slug: programme.id for programme in city.deployment.programmes})
    IntakeDesk(stage, city.issuers).deliver()
    acts.exchange_crowd(stage)
    acts.spend_crowd(stage)
    _revoke(stage, city)


def _revoke(stage: Stage, city: City) -> None:
    """Revoke the car-free days that proved false."""
    stage.at(days.TRUTH_DAY, 9)
    service = city.issuers
    service.revoke_false("traffic", _false_declarations(stage.samples.traffic_drop), "inspector", "the camera saw it")
    moved = True
    while moved:
        moved = service.work()
        stage.settle()
        service.settle()


def _false_declarations(drop: Path) -> list[str]:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the process that is killed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.faults.play")
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("--database-url")
    parser.add_argument("--people", type=int, required=True)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    try:
        play(options.state_dir, options.database_url, Town(options.people, options.records, options.seed))
    except (SQLAlchemyError, psycopg.Error) as error:
        # The database went away while the city was being opened or closed: whoever watches over us starts us again.
        _LOG.warning("ended, to be started again: %s", error)
        return TRY_AGAIN
    return 0


if __name__ == "__main__":
    sys.exit(main())
