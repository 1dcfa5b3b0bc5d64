"""An intake worker: a process that takes files in beside the gateway, on the same database and without a chain.

Reading, hashing, sealing and rating are Python's work, so one process fills one core with them. Records, grants and
their order are the database's, so any number of processes may share it.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from issuers.service import IssuerService
from issuers.sources.mapping import FOLDER as MAPPINGS
from issuers.sources.mapping import Mapping as SourceMapping
from ledger.clock import ManualClock
from ledger.custody.custodian import Custodian
from ledger.custody.keyring import IdentityHasher, Keyring, SourceIdHasher
from ledger.custody.keystore import Keystore
from ledger.custody.master import Envelope, load_master_key
from ledger.custody.signer import IssuerSigner
from ledger.deployment.file import Deployment
from ledger.errors import TongduiError
from ledger.outbox.outbox import Outbox
from ledger.python_gc import collect_rarely
from ledger.residents.registry import ResidentRegistry
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from ledger.store.database import Database
from scripts.bench.records import SourceFile
from scripts.bench.stages import Stages


class WorkerFailed(TongduiError):
    """An intake worker ended with an error; the message is its traceback."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a worker did with its files."""

    statuses: dict[ProgrammeSlug, Counter[str]]
    """By programme."""
    seconds: dict[str, float]
    """By stage."""
    peak_rss_mib: float


class Worker:
    """One intake process. It is started once, and then takes in what it is given."""

    def __init__(self, state_dir: Path, database_url: str, now: datetime) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_run, args=(there, state_dir, database_url, now), daemon=True)
        self._process.start()
        there.close()

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid or 0

    def start(self, files: Sequence[SourceFile]) -> None:
        """Give the worker files; it begins at once."""
        self._here.send(list(files))

    def is_done(self) -> bool:
        """Return whether the worker has taken its files in, or has failed."""
        return self._here.poll()

    def result(self) -> Taken:
        """Wait until the worker has taken its files in. Raises WorkerFailed."""
        try:
            found = self._here.recv()
        except EOFError:
            raise WorkerFailed("an intake worker ended without a word") from None
        if isinstance(found, str):
            raise WorkerFailed(found)
        taken: Taken = found
        return taken

    def close(self) -> None:
        """End the worker."""
        self._here.close()
        self._process.join(10)
        self._process.kill()


def peak_rss_mib() -> float:
    """Return the most memory this process ever had in use.

    Linux's own high-water mark, where there is one: ``getrusage`` counts what a worker's parent had in use when it
    started the worker.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def mapping_of(file: SourceFile) -> SourceMapping | None:
    """Return the mapping of a file: the committed one; tickets come as a file of lines here, not over HTTP."""
    if file.programme != "culture":
        return None
    return SourceMapping.load(MAPPINGS / "culture-rest.yaml").model_copy(
        update={"format": "jsonl", "records": "", "rest": None}
    )


def watch_intake(service: IssuerService, stages: Stages) -> None:
    """Time the stages of the intake where they are called; no other caller needs access to these parts."""
    intake: Any = service._intake
    stages.watch(intake, "file", "read, map, validate, seal")
    for step in ("draft", "take"):
        stages.watch(intake._pipeline, step, "dedupe, rate, screen, grant, batch")


def _run(pipe: Connection, state_dir: Path, database_url: str, now: datetime) -> None:
    collect_rarely()
    try:
        database = Database(database_url)
        service = _open(state_dir, database, now)
        stages = Stages()
        watch_intake(service, stages)
        while True:
            try:
                files: list[SourceFile] = pipe.recv()
            except EOFError:
                break
            stages.reset()
            statuses = {
                one.programme: service.ingest_file(one.programme, one.path, mapping_of(one)).statuses for one in files
            }
            pipe.send(Taken(statuses, dict(stages.seconds), peak_rss_mib()))
        database.close()
    except Exception:  # noqa: BLE001  (told to the parent, which raises it)
        pipe.send(traceback.format_exc())


def _open(state_dir: Path, database: Database, now: datetime) -> IssuerService:
    clock = ManualClock(now)
    master = load_master_key(state_dir / "master.key")
    envelope = Envelope(master)
    keyring = Keyring(state_dir / "keys" / "keyring", envelope)
    registry = ResidentRegistry(Custodian(envelope), IdentityHasher(keyring), SourceIdHasher(keyring), clock)
    deployment = Deployment.read(state_dir / "deployment.json")
    keystore = Keystore(state_dir / "keys" / "store", master)
    signers: dict[ProgrammeId, IssuerSigner] = {
        one.id: keystore.get(f"issuers/{one.slug}") for one in deployment.programmes
    }
    return IssuerService(database, clock, registry, keyring, envelope, Outbox(clock), deployment, signers)
