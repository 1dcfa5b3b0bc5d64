"""``bench issue``: records from file to projection on a real engine, and the naive way beside it."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from datetime import time as day_time
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select

from issuers.intake.deliveries import Progress
from issuers.samples.deeds import TODAY
from issuers.samples.people import CULTURE, ENVIRONMENTAL, TRAFFIC, VOLUNTEER, source_id
from ledger.chain.embedded.engine import EmbeddedEngine
from ledger.clock import ManualClock, SystemClock
from ledger.deployment.city import CityConfig
from ledger.deployment.city import load as load_city
from ledger.errors import InvariantViolation
from ledger.residents.registry import NewResident
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from ledger.store.models.projection import BatchRow, EntryRow
from scripts.bench import postgres
from scripts.bench.naive import naive_per_s
from scripts.bench.processes import cpu_s, growth, own_cpu_s
from scripts.bench.records import SourceFile, write_files
from scripts.bench.stages import Stages
from scripts.bench.worker import Worker, mapping_of, peak_rss_mib, watch_intake
from tongdui.bootstrap import City, open_city
from tongdui.settings import Settings

SEED = 2026
_REGISTER_CHUNK = 5_000
_FUNDING_TIMES = 10_000
_PAUSE_S = 0.02
_LOOK_S = 0.1
_LOG_FILES_MAX = 100
"""1.6 GiB: about what is filled between two checkpoints."""
_RECORDS_A_LOG_FILE = 2_000
WARM_UP_MAX = 20_000
QUIET_S = 300.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured."""

    records: int
    residents: int
    database: str
    """``sqlite`` or ``postgresql``."""
    naive_s: float
    """How long the naive way is measured; 0: not at all."""
    seed: int = SEED
    workers: int = 0
    """Intake processes beside the gateway; 0: the gateway takes the files in itself."""
    rpc: str | None = None
    """Nodes of a network, with commas between them; None: the embedded engine. A network has the wall clock's time."""


Tell = Callable[[str], None]


def bench_issue(sizes: Sizes, folder: Path | None, tell: Tell) -> dict[str, Any]:
    """Measure and return the result. ``folder``: where state and files are kept; None: thrown away at the end.

    Raises InvariantViolation if a record was lost, doubled or judged otherwise than planted: a fast wrong run is none.
    """
    with work_folder(folder) as root, _database(sizes) as server:
        # Half of the naive way before and half after: machines are not equally fast all the time.
        before = _naive(root / "naive-before", sizes, tell)
        clock = ManualClock(datetime.combine(TODAY, day_time(9), CITY_TZ)) if sizes.rpc is None else SystemClock()
        settings = bench_settings(root / "city", server).model_copy(update={"rpc_url": sizes.rpc})
        with open_city(settings, clock, config=bench_city()) as city:
            measured = measure(city, sizes, root / "files", server, tell)
        after = _naive(root / "naive-after", sizes, tell)
    naive = None if before is None or after is None else (before + after) / 2
    rate = measured.records / measured.seconds
    stages = measured.stages.rounded()
    return {
        "records": measured.records,
        "records_per_s": round(rate, 1),
        "naive_per_s": None if naive is None else round(naive, 1),
        "ratio": None if naive is None else round(rate / naive, 1),
        "peak_rss_mib": round(sum(measured.rss_mib.values()), 1),
        "rss_mib": {kind: round(peak, 1) for kind, peak in measured.rss_mib.items()},
        "database": sizes.database,
        "limiting_stage": next(iter(stages)),
        "stages": stages,
        "cpu_s": measured.cpu_s,
        "cpu_us_per_record": round(sum(measured.cpu_s.values()) / measured.records * 1e6, 1),
        "seconds": round(measured.seconds, 2),
        "residents": sizes.residents,
        "workers": sizes.workers,
        "grants": measured.grants,
        "batches": measured.batches,
        "blocks": measured.blocks,
    }


def bench_city() -> CityConfig:
    """Return the demo's city with more money than any size of this benchmark can spend."""
    config = load_city()
    rich = tuple(replace(one, fen=one.fen * _FUNDING_TIMES) for one in config.appropriations)
    return replace(config, appropriations=rich)


def _naive(folder: Path, sizes: Sizes, tell: Tell) -> float | None:
    return naive_per_s(folder, bench_city(), sizes.naive_s / 2, sizes.seed, tell) if sizes.naive_s else None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the measured part came to."""

    records: int
    seconds: float
    stages: Stages
    rss_mib: dict[str, float]
    """Peak memory: of the gateway, and of all intake workers together."""
    cpu_s: dict[str, float]
    """Processor seconds by kind of process."""
    grants: int
    batches: int
    blocks: int


def measure(city: City, sizes: Sizes, folder: Path, server: postgres.Server | None, tell: Tell) -> Measured:
    """Register people, warm up, and take the measured records in. Raises InvariantViolation as `bench_issue` does."""
    tell(f"register {sizes.residents} residents and link their sources")
    _register(city, sizes.residents)
    warm = min(WARM_UP_MAX, max(1_000, sizes.records // 10))
    # The warm-up's deeds are later ones, so that its caps and days are not those of the measured files.
    warm_files = write_files(folder, sizes.seed, warm, sizes.residents, tag="WARM", first_day=100)
    files = write_files(folder, sizes.seed, sizes.records, sizes.residents, tag="MAIN")
    stages = Stages()
    _watch(city, stages)
    url = city.database.url.render_as_string(hide_password=False)
    workers = [Worker(city.settings.state_dir, url, city.clock.now()) for _ in range(sizes.workers)]
    try:
        return _timed(city, _Flow(city, workers, stages, server), warm_files, files, stages, tell)
    finally:
        for worker in workers:
            worker.close()


def _timed(
    city: City,
    flow: _Flow,
    warm_files: Sequence[SourceFile],
    files: Sequence[SourceFile],
    stages: Stages,
    tell: Tell,
) -> Measured:
    warm = sum(one.rows for one in warm_files)
    tell(f"warm up with {warm} records")
    flow.run(warm_files)
    stages.reset()
    before, blocks, used = _landed(city), city.engine.final_height(), flow.cpu_s()
    records = sum(one.rows for one in files)
    tell(f"take in {records} records")
    began = time.perf_counter()
    statuses = flow.run(files)
    seconds = time.perf_counter() - began
    cost = growth(used, flow.cpu_s())
    peak = {"gateway": peak_rss_mib(), "workers": flow.workers_rss_mib}
    after = _landed(city)
    _check(files, statuses, after[0] - before[0])
    made = city.engine.final_height() - blocks
    return Measured(records, seconds, stages, peak, cost, after[0] - before[0], after[1] - before[1], made)


class _Flow:
    """Takes files in while the gateway's own loops send, make blocks and project, as a served city does."""

    def __init__(
        self, city: City, workers: Sequence[Worker], stages: Stages, server: postgres.Server | None = None
    ) -> None:
        self._city = city
        self._server = server
        self._workers = workers
        self._stages = stages
        self._arrived = threading.Event()
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self.workers_rss_mib = 0.0

    def cpu_s(self) -> dict[str, float]:
        """Return the processor seconds used so far, by kind of process; kinds that are not counted are left out."""
        used: dict[str, float | None] = {"gateway": own_cpu_s()}
        if self._workers:
            each = [cpu_s(worker.pid) for worker in self._workers]
            used["workers"] = None if None in each else sum(one or 0.0 for one in each)
        engine = self._city.engine
        node = engine.node_pid if isinstance(engine, EmbeddedEngine) else None
        used["node"] = None if node is None else cpu_s(node)
        used["postgresql"] = None if self._server is None else cpu_s(self._server.pid)
        return {kind: spent for kind, spent in used.items() if spent is not None}

    def run(self, files: Sequence[SourceFile]) -> dict[ProgrammeSlug, Counter[str]]:
        """Return the statuses by file's programme once every grant is on chain and projected."""
        city = self._city
        self._ended.clear()
        issuing = threading.Thread(target=self._issue, name="issuers")
        city.gateway.start()
        issuing.start()
        try:
            statuses = self._beside(files) if self._workers else self._here(files)
        finally:
            self._ended.set()
            self._arrived.set()
            issuing.join()
        if self._failure is not None:
            raise self._failure
        self._wait()
        city.gateway.stop()
        return statuses

    def _here(self, files: Sequence[SourceFile]) -> dict[ProgrammeSlug, Counter[str]]:
        ingest = self._city.issuers.ingest_file
        return {
            one.programme: ingest(one.programme, one.path, mapping_of(one), self._progress).statuses for one in files
        }

    def _beside(self, files: Sequence[SourceFile]) -> dict[ProgrammeSlug, Counter[str]]:
        """Share the files among the workers, the longest first to the one that has least."""
        shares: list[list[SourceFile]] = [[] for _ in self._workers]
        for one in sorted(files, key=lambda file: -file.rows):
            min(shares, key=lambda share: sum(file.rows for file in share)).append(one)
        for worker, share in zip(self._workers, shares, strict=True):
            worker.start(share)
        while not all(worker.is_done() for worker in self._workers):
            self._arrived.set()
            time.sleep(_LOOK_S)
        taken = [worker.result() for worker in self._workers]
        for work in taken:
            self._stages.add(work.seconds)
        self.workers_rss_mib = sum(work.peak_rss_mib for work in taken)
        return {programme: statuses for work in taken for programme, statuses in work.statuses.items()}

    def _progress(self, _at: Progress) -> None:
        self._arrived.set()

    def _issue(self) -> None:
        """Batch what has come, full batches only as long as more is coming."""
        try:
            while True:
                is_last = self._ended.is_set()
                made = self._city.issuers.make_batches(flush=is_last)
                if made:
                    self._city.gateway.wake()
                self._city.issuers.settle()
                if is_last:
                    return
                if not made:
                    self._arrived.wait(1.0)
                    self._arrived.clear()
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that waits)
            self._failure = error

    def _wait(self) -> None:
        gateway = self._city.gateway
        until = time.monotonic() + QUIET_S
        while time.monotonic() < until:
            health = gateway.health()
            if health.alarms:
                raise InvariantViolation("; ".join(health.alarms))
            if gateway.sender.unsettled() == 0 and health.projected_height >= health.final_height:
                self._city.issuers.settle()
                if not self._city.issuers.unsettled():
                    return
            time.sleep(_PAUSE_S)
        raise InvariantViolation(f"it does not come to rest: {self._city.issuers.unsettled()}")


def _watch(city: City, stages: Stages) -> None:
    """Time the stages where they are called. Names of private parts, for no other caller needs access to them."""
    batcher: Any = city.issuers._batcher
    watch_intake(city.issuers, stages)
    stages.watch(batcher, "_prepare", "batch")
    stages.watch(batcher, "_sign_and_queue", "sign, outbox")
    stages.watch(batcher, "settle", "publish leaves")
    stages.watch(city.gateway.sender, "plan", "plan")
    stages.watch(city.gateway.sender, "settle", "settle")
    stages.watch(city.engine, "submit", "submit")
    stages.watch(city.engine, "produce", "make blocks")
    stages.watch(city.gateway.indexer, "step", "project")


def _register(city: City, residents: int) -> None:
    numbers: Mapping[ProgrammeSlug, ProgrammeId] = {one.slug: one.id for one in city.deployment.programmes}
    for start in range(0, residents, _REGISTER_CHUNK):
        people = range(start, min(start + _REGISTER_CHUNK, residents))
        with city.database.transaction() as session:
            made = city.registry.register_many(session, [NewResident(f"99{number:016d}") for number in people])
            city.registry.link_many(
                session,
                [
                    (one.resident.resident_id, numbers[slug], source_id(slug, number + 1))
                    for number, one in zip(people, made, strict=True)
                    for slug in (VOLUNTEER, ENVIRONMENTAL, TRAFFIC, CULTURE)
                ],
            )


def _landed(city: City) -> tuple[int, int]:
    """Return how many grants and batches the projection has."""
    with city.database.read() as session:
        grants = session.scalar(select(func.count()).select_from(EntryRow).where(EntryRow.kind == "mint"))
        batches = session.scalar(select(func.count()).select_from(BatchRow))
    return int(grants or 0), int(batches or 0)


def _check(files: Sequence[SourceFile], statuses: Mapping[ProgrammeSlug, Counter[str]], landed: int) -> None:
    """Compare with what was planted."""
    for one in files:
        found = {name: count for name, count in statuses[one.programme].items() if count}
        if found != dict(one.expected):
            raise InvariantViolation(f"{one.programme}: {found}, but {dict(one.expected)} were planted")
    accepted = sum(one.expected["accepted"] for one in files)
    if landed != accepted:
        raise InvariantViolation(f"{accepted} records were accepted, but {landed} grants are on chain")


def bench_settings(state_dir: Path, server: postgres.Server | None = None) -> Settings:
    """Return settings that no environment changes."""
    return Settings(
        state_dir=state_dir,
        database_url=None if server is None else SecretStr(server.create("bench")),
        workers=False,
        rpc_url=None,
        deployment_file=None,
        master_key_file=None,
        oidc_issuer=None,
        oidc_jwks_url=None,
    )


@contextmanager
def work_folder(folder: Path | None) -> Iterator[Path]:
    """Yield ``folder``, made if need be, or one that is thrown away at the end."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tongdui-bench-") as name:
        yield Path(name)


@contextmanager
def _database(sizes: Sizes) -> Iterator[postgres.Server | None]:
    with postgres.running() if sizes.database == "postgresql" else nullcontext() as server:
        if server is not None:
            server.fill_log(min(sizes.records // _RECORDS_A_LOG_FILE, _LOG_FILES_MAX))
        yield server
