"""The benchmark: one file of recycling records, from the first byte read to the last balance projected."""

from __future__ import annotations

import json
import random
import resource
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select

from issuers.intake import Progress
from ledger.clock import ManualClock
from ledger.errors import InvariantViolation
from ledger.residents.registry import NewResident
from ledger.standard.quarters import CITY_TZ
from ledger.store.models.projection import BalanceRow
from ledger_api.bootstrap import City, open_city
from ledger_api.settings import Settings
from scripts.console import Bars

PROGRAMME = "environmental"
NOW = datetime(2026, 9, 1, 9, tzinfo=CITY_TZ)
DAYS = 150
WARM_UP = 1_000
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured. ``stages`` are seconds; ``limiting_stage`` took longest."""

    records: int
    residents: int
    records_per_s: float
    database: str
    peak_rss_mib: int
    stages: dict[str, float]

    @property
    def limiting_stage(self) -> str:
        """The stage that took longest."""
        return max(self.stages, key=lambda name: self.stages[name])

    def to_json(self) -> dict[str, Any]:
        """Return the result for machines."""
        return {
            "ok": True,
            "records": self.records,
            "residents": self.residents,
            "records_per_s": round(self.records_per_s, 1),
            "database": self.database,
            "peak_rss_mib": self.peak_rss_mib,
            "limiting_stage": self.limiting_stage,
            "stages": {name: round(seconds, 3) for name, seconds in self.stages.items()},
        }


def measure(folder: Path, records: int, residents: int, database_url: str | None, bars: Bars) -> Measured:
    """Measure in ``folder``. Raises InvariantViolation if what was minted is not what was granted."""
    url = None if database_url is None else SecretStr(database_url)
    settings = Settings(state_dir=folder, workers=False, rpc_url=None, database_url=url, deployment_file=None)
    with open_city(settings, ManualClock(NOW), progress=bars.hook("chain")) as city:
        _register(city, residents, bars)
        _ingest(city, _write(folder / "warm-up.jsonl", WARM_UP, residents, 0), bars)
        city.work_until_idle()
        before = _balances(city)
        file = _write(folder / "records.jsonl", records, residents, WARM_UP)
        stages: dict[str, float] = {}
        started = moment = time.perf_counter()
        granted = _ingest(city, file, bars)
        moment = _lap(stages, "read, map, rate, grant", moment)
        city.issuers.make_batches()
        moment = _lap(stages, "batch and sign", moment)
        city.run_until_idle(timeout_s=600)
        moment = _lap(stages, "send, mine, project", moment)
        city.work_until_idle()
        moment = _lap(stages, "settle", moment)
        minted = _balances(city) - before
        if minted != granted:
            raise InvariantViolation(f"{granted} minor units were granted, but {minted} are in wallets")
        name = "sqlite" if city.database.is_sqlite else "postgresql"
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Measured(records, residents, records / (moment - started), name, rss, stages)


def _lap(stages: dict[str, float], name: str, since: float) -> float:
    now = time.perf_counter()
    stages[name] = now - since
    return now


def _source_id(number: int) -> str:
    return f"zd_{number * 2654435761 % 2**32:08x}"


def _register(city: City, residents: int, bars: Bars) -> None:
    programme = city.deployment.programme(PROGRAMME).id
    for start in range(0, residents, _CHUNK):
        numbers = range(start, min(start + _CHUNK, residents))
        with city.database.transaction() as session:
            known = city.registry.register_many(session, [NewResident(f"bench-{number}") for number in numbers])
            claims = [
                (one.resident.resident_id, int(programme), _source_id(number + 1))
                for number, one in zip(numbers, known, strict=True)
            ]
            city.registry.link_many(session, claims)
        bars.set("residents", numbers.stop, residents)


def _write(path: Path, count: int, residents: int, first: int) -> Path:
    """Write records of different days and people, so that none meets a cap."""
    rng = random.Random(first)
    people = list(range(residents))
    rng.shuffle(people)
    with path.open("w", encoding="utf-8") as file:
        for number in range(first, first + count):
            day = NOW - timedelta(days=1 + number // residents % DAYS, seconds=number % 30_000)
            record = {
                "id": f"ZD{number:09d}",
                "user_id": _source_id(people[number % residents] + 1),
                "item": "RECYCLE-PAPER",
                "quantity": f"{rng.randint(2, 60) / 20:.2f}",
                "unit": "kg",
                "started_at": day.isoformat(),
            }
            file.write(json.dumps(record) + "\n")
    return path


def _ingest(city: City, file: Path, bars: Bars) -> int:
    def progress(at: Progress) -> None:
        bars.set(at.name, int((at.fraction or 0) * 100), 100)

    report = city.issuers.ingest_file(PROGRAMME, file, progress=progress)
    if report.refusals:
        raise InvariantViolation(f"the benchmark's own records were refused: {dict(report.refusals)}")
    return report.granted_minor


def _balances(city: City) -> int:
    with city.database.read() as session:
        return int(session.scalar(select(func.sum(BalanceRow.amount_minor))) or 0)
