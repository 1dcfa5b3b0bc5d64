"""Copies of the embedded chain: one in which a balance is overwritten, for the auditor to find, and one a year later.

A copy is a journal of its own in a folder of its own, replayed into a node of its own: the real chain is not touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.audit.auditor import audit
from ledger.audit.cells import locate
from ledger.audit.report import AuditReport
from ledger.chain.embedded.engine import EmbeddedEngine
from ledger.chain.embedded.journal import JOURNAL
from ledger.chain.transactions import sign_legacy
from ledger.clearing.book import BookReader
from ledger.clock import Clock, ManualClock
from ledger.deployment.artifacts import call_data
from ledger.deployment.file import Deployment
from ledger.proofs.layout import Layout
from ledger.standard.contract import GRACE_S, LANE_BITS
from ledger.standard.ids import Address, address_bytes, split_token_id
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import quarter_end_timestamp
from ledger.standard.signatures import SigningKey
from scripts.demo.environment import DemoStepFailed


@dataclass(frozen=True, slots=True)
class Forged:
    """What was overwritten, and what the auditor said; amounts in minor units."""

    report: AuditReport
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Expired:
    """What became of the lot; amounts in fen."""

    report: AuditReport
    treasury_fen: int
    day: str


def forge_and_audit(
    chain: Path, deployment: Deployment, clock: Clock, account: Address, token: int, gift: int
) -> Forged:
    """Give ``account`` ``gift`` minor units of a lot in a copy, and audit it."""
    with _copy(chain, clock) as engine:
        key, shift = locate(token)
        slot = f"0x{Layout.load('PointsLedger').at('_lanes', key, address_bytes(account)):064x}"
        ledger = deployment.address("PointsLedger")
        word = int(engine.rpc.call("eth_getStorageAt", [ledger, slot, "latest"]), 16)
        before = word >> shift & (1 << LANE_BITS) - 1
        engine.rpc.call("anvil_setStorageAt", [ledger, slot, f"0x{word + (gift << shift):064x}"])
        return Forged(audit(engine.url, deployment), before, before + gift)


def expire_and_audit(chain: Path, leaves: Path, deployment: Deployment, account: Address, token: int) -> Expired:
    """Sweep ``account``'s lot in a copy on the first day on which it is dead, and audit it.

    Anyone may sweep. Raises DemoStepFailed if nothing reached the treasury.
    """
    dead_at = quarter_end_timestamp(split_token_id(token)[1]) + GRACE_S
    moment = datetime.fromtimestamp(dead_at, UTC) + timedelta(hours=1)
    with _copy(chain, ManualClock(moment)) as engine:
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


@contextmanager
def _copy(chain: Path, clock: Clock) -> Iterator[EmbeddedEngine]:
    with TemporaryDirectory(prefix="tongdui-copy-", dir=chain.parent) as name:
        folder = Path(name)
        with closing(sqlite3.connect(chain / JOURNAL)) as source, closing(sqlite3.connect(folder / JOURNAL)) as target:
            source.backup(target)
        with EmbeddedEngine.open(folder, clock) as engine:
            yield engine
