"""A copy of the chain in which one balance is overwritten, for the auditor to find.

The copy is a journal of its own in a folder of its own, replayed into a node of its own: the real chain is not touched.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from ledger.audit.auditor import audit
from ledger.audit.cells import locate
from ledger.audit.report import AuditReport
from ledger.chain.embedded.engine import EmbeddedEngine
from ledger.clock import Clock
from ledger.deployment.file import Deployment
from ledger.proofs.layout import Layout
from ledger.standard.contract import LANE_BITS
from ledger.standard.ids import Address, address_bytes

JOURNAL = "journal.sqlite3"


@dataclass(frozen=True, slots=True)
class Forged:
    """What was overwritten, and what the auditor said; amounts in minor units."""

    report: AuditReport
    before: int
    after: int


def forge_and_audit(
    chain: Path, folder: Path, deployment: Deployment, clock: Clock, account: Address, token: int, gift: int
) -> Forged:
    """Copy the chain's journal to ``folder``, give ``account`` ``gift`` minor units of a lot there, and audit."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    with sqlite3.connect(chain / JOURNAL) as source, sqlite3.connect(folder / JOURNAL) as target:
        source.backup(target)
    source.close()
    target.close()
    try:
        with EmbeddedEngine.open(folder, clock) as engine:
            key, shift = locate(token)
            slot = f"0x{Layout.load('PointsLedger').at('_lanes', key, address_bytes(account)):064x}"
            ledger = deployment.address("PointsLedger")
            word = int(engine.rpc.call("eth_getStorageAt", [ledger, slot, "latest"]), 16)
            before = word >> shift & (1 << LANE_BITS) - 1
            engine.rpc.call("anvil_setStorageAt", [ledger, slot, f"0x{word + (gift << shift):064x}"])
            return Forged(audit(engine.url, deployment), before, before + gift)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
