"""A process that makes blocks until it is killed. What it reports, it was told is final.

Run as ``python -m tests.faults.engine.worker STATE SEED REPORT``; each line of the report is a block's number, hash and
transactions, written after `produce` returned.
"""

from __future__ import annotations

import os
import random
import sys
from datetime import timedelta
from pathlib import Path

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.embedded.snapshots import SnapshotPolicy
from ledger.clock import ManualClock
from tests.faults.engine.load import Load
from tests.integration.ledger.chain.kit import START, senders


def main(state: Path, seed: int, report: Path) -> None:
    """Open the engine, make a store of our own, and load it for ever."""
    rng = random.Random(seed)
    clock = ManualClock(START)
    descriptor = os.open(report, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    options = EmbeddedOptions(snapshots=SnapshotPolicy(first_s=0.2, growth=1.0))
    with EmbeddedEngine.open(state, clock, options) as engine:
        told = engine.final_height()
        [sender] = senders(engine, 1, rng)
        load = Load(engine, sender.store, rng)
        while True:
            clock.set(clock.now() + timedelta(seconds=rng.choice((0, 0, 1, 60, 86_400))))
            engine.submit(load.draw(rng.randint(1, 120)))
            engine.produce()
            for number in range(told + 1, engine.final_height() + 1):
                block = engine.rpc.call("eth_getBlockByNumber", [hex(number), False])
                line = " ".join([str(number), block["hash"], *block["transactions"]])
                os.write(descriptor, line.encode() + b"\n")
            told = engine.final_height()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
