"""An agency's signer as a process of its own, over a folder that the gateway does not know."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from issuers.rules.rulebook import RULEBOOKS
from ledger.custody.keystore import Keystore
from ledger.custody.master import load_master_key
from ledger.custody.signer import LocalSigner
from ledger.custody.web3signer import Web3SignerAddress
from ledger.deployment.file import Deployment
from tests import nursery
from tests.nursery import Child
from tongdui.cli import signer as commands
from tongdui.clock import let_time_run

ROOT = Path(__file__).resolve().parents[3]
RULES = RULEBOOKS / "volunteer-1.yaml"


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Agency:
    """The agency of the volunteers, programme 1."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: Child | None = None
    closed_with: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def found(cls, folder: Path, now: datetime) -> Agency:
        """Draw a key and write settings, as the command does; the agency lives at ``now``."""
        commands.init(folder, 1, [RULES], port=9000)
        let_time_run(folder, now)
        agency = cls(folder)
        agency.set(requires_known_records=False)  # a test that shows it exports sets it again
        return agency

    @property
    def key(self) -> LocalSigner:
        """The key, as only the agency can read it."""
        return Keystore(self.folder / "keys", load_master_key(self.folder / "master.key")).get("issuer-1")

    @property
    def address(self) -> Web3SignerAddress:
        """Where the gateway finds it."""
        return Web3SignerAddress(
            f"http://127.0.0.1:{self.port}",
            self.key.public_key,
            bearer_file=self.folder / "bearer",
            timeout_s=5.0,
            attempts_max=1,
        )

    def give(self, deployment: Deployment) -> None:
        """Hand the agency its own copy of the deployment file."""
        deployment.write(self.folder / "deployment.json")

    def set(self, **values: object) -> None:
        """Change settings; they hold from the next start."""
        path = self.folder / "signer.yaml"
        lines = [one for one in path.read_text().splitlines() if one.split(":")[0] not in values]
        path.write_text("\n".join([*lines, *(f"{k}: {orjson.dumps(v).decode()}" for k, v in values.items())]) + "\n")

    def start(self) -> None:
        """Start the process and wait until it serves."""
        command = ["signer", "serve", str(self.folder), "--json", "--port", str(self.port)]
        self.process = nursery.start("tongdui", command, stdout=subprocess.PIPE, stderr=2, env=os.environ)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, "the signer did not start"
        assert orjson.loads(said)["ok"]

    def kill(self) -> None:
        """End it as a power cut would."""
        while self.closed_with:
            self.closed_with.pop()()
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def journal(self, query: str) -> list[tuple[object, ...]]:
        """Read the journal as an inspector would."""
        copy = self.folder / "copy.db"
        for suffix in ("", "-wal"):
            if (self.folder / f"journal.db{suffix}").exists():
                shutil.copyfile(self.folder / f"journal.db{suffix}", Path(f"{copy}{suffix}"))
        database = sqlite3.connect(copy)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()
