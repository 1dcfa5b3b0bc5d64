"""A city on a Clique network at the wall clock: its processes, the records it is fed with, and what came of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import func, select

from ledger.deployment.file import FILE_NAME
from ledger.errors import TongduiError
from ledger.residents.registry import NewResident
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.projection import EntryRow
from tongdui.bootstrap import open_city
from tongdui.network import processes
from tongdui.network.plan import Member, NetworkPlan
from tongdui.offline import open_books
from tongdui.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
GREEN = ProgrammeId(2)
PEOPLE = 40
LINE_MINOR = 2_000
"""Points of a record, two kilograms of paper, in minor units."""

_DROP = "environmental"
_LOOK_S = 0.2
_PUBLISHED_S = 20.0


class TownFailed(TongduiError):
    """Something did not come about in time."""


@dataclass(slots=True)
class Gateway:
    """A running ``tongdui serve`` or ``work``."""

    process: subprocess.Popen[str]
    url: str | None

    def ready(self) -> tuple[bool, str]:
        """Return (whether it says ready, what its checks say)."""
        if self.url is None:
            return False, "it has no API"
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=30).json()
        except httpx.HTTPError as error:
            return False, str(error)
        said = "; ".join(f"{one['name']}: {one['detail']}" for one in answer["checks"] if not one["ok"])
        return bool(answer["ready"]), said

    def end(self, by: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait."""
        if self.process.poll() is None:
            self.process.send_signal(by)
            self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()


@dataclass(slots=True)
class Town:
    """A city, its network and its database."""

    folder: Path
    plan: NetworkPlan
    database_url: str | None
    stack: ExitStack
    dropped: int = 0
    gateways: list[Gateway] = field(default_factory=list)

    @property
    def state_dir(self) -> Path:
        """Where the city keeps its files."""
        return self.folder / "city"

    @property
    def network_dir(self) -> Path:
        """Where the network keeps its nodes."""
        return self.folder / "network"

    @property
    def answering(self) -> Member:
        """The node that seals nothing."""
        return self.plan.member("rpc")

    def settings(self, urls: Sequence[str] = ()) -> Settings:
        """Return the city's settings, with these nodes."""
        return Settings(
            _env_file=None,
            state_dir=self.state_dir,
            workers=False,
            rpc_url=",".join(urls or [self.answering.url]),
            finality=self.plan.finality,
            database_url=None if self.database_url is None else SecretStr(self.database_url),
        )

    def found(self) -> None:
        """Deploy the city and register its people."""
        with open_city(self.settings()):
            pass
        with open_books(self.settings()) as books, books.database.transaction() as session:
            made = books.registry.register_many(session, [NewResident(f"99{n:016d}") for n in range(PEOPLE)])
            claims = [(one.resident.resident_id, GREEN, f"zd_{n:08x}") for n, one in enumerate(made)]
            books.registry.link_many(session, claims)

    def gateway(self, urls: Sequence[str] = (), *, has_api: bool = True) -> Gateway:
        """Start a gateway and wait until it is ready to work. Raises TownFailed."""
        line = ["serve", "--port", "0"] if has_api else ["work"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")} | {
            "TONGDUI_RPC_URL": ",".join(urls or [self.answering.url]),
            "TONGDUI_FINALITY": self.plan.finality,
            "TONGDUI_RPC_TIMEOUT_S": "5",
            "TONGDUI_RATE_PER_MINUTE": "100000",
        }
        if self.database_url is not None:
            env["TONGDUI_DATABASE_URL"] = self.database_url
        with (self.folder / "gateways.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tongdui", *line, "--state-dir", str(self.state_dir), "--json"],
                cwd=ROOT,
                env=env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None  # noqa: S101  (a pipe was asked for)
        said = process.stdout.readline()
        if not said.startswith('{"ok":true'):
            raise TownFailed(f"a gateway did not start: {(self.folder / 'gateways.log').read_text()[-1_000:]}")
        made = Gateway(process, json.loads(said).get("url"))
        self.gateways.append(made)
        self.stack.callback(made.end)
        return made

    def end_gateways(self) -> None:
        """End all gateways."""
        while self.gateways:
            self.gateways.pop().end()

    def drop(self, count: int) -> None:
        """Give the city so many new records, as the agency does."""
        folder = self.state_dir / "drop" / _DROP
        folder.mkdir(parents=True, exist_ok=True)
        start = datetime.now(CITY_TZ).replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=30)
        draft = folder / f".records-{self.dropped}.part"
        with draft.open("w", encoding="utf-8") as file:
            for number in range(self.dropped, self.dropped + count):
                record = {
                    "id": f"REC-{number:06d}",
                    "user_id": f"zd_{number % PEOPLE:08x}",
                    "item": "RECYCLE-PAPER",
                    "started_at": (start + timedelta(days=number // PEOPLE)).strftime("%Y-%m-%d %H:%M:%S"),
                    "quantity": "2",
                    "unit": "kg",
                }
                file.write(json.dumps(record) + "\n")
        draft.rename(folder / f"records-{self.dropped}.jsonl")
        self.dropped += count

    def minted(self) -> tuple[int, int]:
        """Return (mints, minor units) as the projection has them."""
        database = Database(self.database_url or f"sqlite:///{self.state_dir}/books.db")
        try:
            with database.read() as session:
                query = select(func.count(), func.coalesce(func.sum(EntryRow.delta_minor), 0))
                count, minor = session.execute(query.where(EntryRow.kind == "mint", EntryRow.side == 0)).one()
                return int(count), int(minor)
        finally:
            database.close()

    def settled(self, timeout_s: float = 120.0) -> None:
        """Wait until all that was dropped has been minted. Raises TownFailed."""
        self.until(lambda: self.minted()[1] >= self.dropped * LINE_MINOR, "all records are minted", timeout_s)

    def until(self, is_so: Callable[[], bool], what: str, timeout_s: float) -> float:
        """Wait until something is so; return the seconds it took. Raises TownFailed."""
        began = time.monotonic()
        while not is_so():
            if time.monotonic() - began > timeout_s:
                raise TownFailed(f"not within {timeout_s:.0f} s: {what}; {self.minted()} of {self.dropped} records")
            time.sleep(_LOOK_S)
        return time.monotonic() - began

    def audit(self) -> str | None:
        """Return why an audit of the network's own node fails, or None: PASS.

        A batch's leaves are published a moment after it is final: an audit that misses something is made again for a
        while, one that found a contradiction is not.
        """
        began = time.monotonic()
        while (found := self._audit())["verdict"] == "INCOMPLETE" and time.monotonic() - began < _PUBLISHED_S:
            time.sleep(_LOOK_S)
        if found["verdict"] == "PASS":
            return None
        return str(found.get("contradiction") or found.get("skipped") or found)

    def _audit(self) -> dict[str, Any]:
        line = ["audit", "--rpc", self.answering.url, "--deployment", str(self.state_dir / FILE_NAME)]
        leaves = self.state_dir / "leaves"
        line += ["--leaves", str(leaves)] if leaves.is_dir() else []
        ended = subprocess.run(
            [sys.executable, "-m", "tongdui", *line, "--json"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if not ended.stdout.strip():
            return {"verdict": "none", "contradiction": ended.stderr[-500:]}
        found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return {"verdict": "none"} | found

    def start_node(self, member: Member) -> None:
        """Start a node and wait until it answers."""
        processes.start(self.network_dir, self.plan, member)
        processes.ready(self.network_dir, self.plan, member)
