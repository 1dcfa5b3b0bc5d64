"""Later, on a copy of the chain: a lot has expired, anyone sweeps it, and its value goes to the treasury."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.audit.auditor import audit
from ledger.audit.report import AuditReport
from ledger.chain.embedded.engine import EmbeddedEngine
from ledger.chain.transactions import sign_legacy
from ledger.clearing.book import BookReader
from ledger.clock import ManualClock
from ledger.deployment.artifacts import call_data
from ledger.deployment.file import Deployment
from ledger.standard.contract import GRACE_S
from ledger.standard.ids import Address, split_token_id
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import quarter_end_timestamp
from ledger.standard.signatures import SigningKey
from scripts.demo.environment import DemoStepFailed

JOURNAL = "journal.sqlite3"


@dataclass(frozen=True, slots=True)
class Expired:
    """What became of the lot; amounts in fen."""

    report: AuditReport
    treasury_fen: int
    day: str


def expire_and_audit(chain: Path, leaves: Path, deployment: Deployment, account: Address, token: int) -> Expired:
    """Copy the chain's journal, sweep ``account``'s lot on the first day on which it is dead, and audit the copy.

    Raises DemoStepFailed if nothing reached the treasury.
    """
    dead_at = quarter_end_timestamp(split_token_id(token)[1]) + GRACE_S
    moment = datetime.fromtimestamp(dead_at, UTC) + timedelta(hours=1)
    with TemporaryDirectory(prefix="tongdui-year-later-", dir=chain.parent) as name:
        folder = Path(name)
        with closing(sqlite3.connect(chain / JOURNAL)) as source, closing(sqlite3.connect(folder / JOURNAL)) as target:
            source.backup(target)
        with EmbeddedEngine.open(folder, ManualClock(moment)) as engine:
            key = SigningKey(keccak256(b"anyone"))
            data = call_data("PointsLedger", "sweep", [account, [token]])
            raw, _ = sign_legacy(key, engine.chain_id, 0, deployment.address("PointsLedger"), data, 1_000_000)
            engine.submit([raw])
            engine.produce()
            book = BookReader(engine.rpc, deployment.address("ClearingBook"), engine.final_height())
            treasury_fen = book.standing().treasury_fen
            if not treasury_fen:
                raise DemoStepFailed("a year later", "nothing of the expired lot reached the treasury")
            return Expired(audit(engine.url, deployment, leaf_files=[leaves]), treasury_fen, moment.date().isoformat())
