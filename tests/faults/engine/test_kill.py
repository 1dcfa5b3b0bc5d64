"""kill -9 of the process that makes blocks, and of the node, at random moments under load.

After it: every block and transaction that was reported final is there with the same hash, and nothing is there twice.
Rounds and seed come from the environment (ROUNDS, SEED); a failure prints its seed.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.embedded.processes import identify, read_identity
from ledger.clock import ManualClock
from tests import nursery
from tests.eventually import eventually
from tests.faults.engine.load import Load
from tests.integration.ledger.chain.kit import START, chain_hashes, senders

ROOT = Path(__file__).resolve().parents[3]
ROUNDS = int(os.environ.get("ROUNDS", "4"))
SEED = int(os.environ.get("SEED", "1"))


def read_report(report: Path) -> list[tuple[int, str, list[str]]]:
    """Return (number, hash, transactions) of the blocks that were reported; a line that was cut off was not."""
    if not report.exists():
        return []
    blocks = []
    for line in report.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            number, block_hash, *transactions = line.split()
            blocks.append((int(number), block_hash, transactions))
    return blocks


def test_killing_the_process_that_makes_blocks(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    state, report = tmp_path / "state", tmp_path / "report"
    for round_number in range(ROUNDS):
        seed = rng.randrange(2**32)
        print(f"round {round_number}: SEED={SEED}, worker seed {seed}")
        arguments = [str(state), str(seed), str(report)]
        worker = nursery.start("tests.faults.engine.worker", arguments, env=os.environ, stdout=1, stderr=2)
        before = len(read_report(report))
        if rng.random() < 0.75:  # else it dies while it starts and replays
            eventually(lambda: len(read_report(report)), lambda blocks, seen=before: blocks > seen, poll_s=0.005)
            time.sleep(rng.random() * 0.8)
        else:
            time.sleep(rng.random() * 1.2)
        node = read_identity(state / "anvil" / "anvil.json")
        worker.kill()
        worker.wait()
        eventually(lambda node=node: node is None or not node.is_running(), timeout_s=5, poll_s=0.005)
        check_nothing_is_lost(state, report)
    assert len(read_report(report)) > ROUNDS / 2


def check_nothing_is_lost(state: Path, report: Path) -> None:
    reported = read_report(report)
    with EmbeddedEngine.open(state, ManualClock(START)) as engine:
        hashes = chain_hashes(engine)
        assert len(hashes) > max((number for number, _, _ in reported), default=0)
        for number, block_hash, transactions in reported:
            assert hashes[number] == block_hash, f"block {number}"
            assert engine.rpc.call("eth_getBlockByNumber", [hex(number), False])["transactions"] == transactions
        every = [
            tx
            for number in range(len(hashes))
            for tx in engine.rpc.call("eth_getBlockByNumber", [hex(number), False])["transactions"]
        ]
        assert len(set(every)) == len(every), "no transaction is in two blocks"


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_losing_the_node_under_load(tmp_path: Path, way: str) -> None:
    """The node is killed, or stops answering, while blocks are made and read; the callers notice nothing but time."""
    rng = random.Random(SEED)
    clock = ManualClock(START)
    options = EmbeddedOptions(node_timeout_s=1.0) if way == "stop" else EmbeddedOptions()
    with EmbeddedEngine.open(tmp_path, clock, options) as engine:
        [sender] = senders(engine, 1, rng)
        load = Load(engine, sender.store, rng)
        trouble = threading.Thread(target=make_trouble, args=(engine, way, random.Random(SEED + 1)))
        readings: list[str] = []
        stop = threading.Event()
        reader = threading.Thread(target=read_along, args=(engine, stop, readings))
        trouble.start()
        reader.start()
        try:
            while trouble.is_alive():
                clock.set(clock.now() + timedelta(seconds=rng.randint(0, 100)))
                engine.submit(load.draw(rng.randint(1, 60)))
                engine.produce()
        finally:
            trouble.join()
            stop.set()
            reader.join()
        assert readings == []
        assert engine.restarts >= ROUNDS
        finish(engine, load)
        hashes, restarts = chain_hashes(engine), engine.restarts
    print(f"SEED={SEED}: {len(hashes)} blocks, {len(load.sent)} transactions, {restarts} nodes lost")
    with EmbeddedEngine.open(tmp_path, clock) as again:
        assert chain_hashes(again) == hashes


def make_trouble(engine: EmbeddedEngine, way: str, rng: random.Random) -> None:
    for _ in range(ROUNDS):
        time.sleep(0.1 + rng.random() * 0.6)
        identity = identify(engine.node_pid or 0)
        if identity is None:
            continue
        restarts = engine.restarts
        os.kill(identity.pid, signal.SIGKILL if way == "kill" else signal.SIGSTOP)
        eventually(lambda: engine.restarts, lambda count, before=restarts: count > before, timeout_s=60, poll_s=0.005)


def read_along(engine: EmbeddedEngine, stop: threading.Event, problems: list[str]) -> None:
    """Read what is final again and again: it is always there, and always the same."""
    known: dict[int, str] = {}
    rng = random.Random(SEED + 2)
    while not stop.is_set():
        final = engine.final_height()
        for number in {final, rng.randint(0, final)}:
            block = engine.rpc.call("eth_getBlockByNumber", [hex(number), False])
            if block is None:
                problems.append(f"final block {number} is not there")
            elif known.setdefault(number, block["hash"]) != block["hash"]:
                problems.append(f"block {number} changed")
        time.sleep(0.01)


def finish(engine: EmbeddedEngine, load: Load) -> None:
    """Hand in again whatever has no receipt, as the outbox does, until all of it has landed."""
    for _ in range(5):
        hashes = list(load.sent)
        receipts = engine.rpc.batch([("eth_getTransactionReceipt", ["0x" + tx.hex()]) for tx in hashes])
        missing = [tx for tx, receipt in zip(hashes, receipts, strict=True) if receipt is None]
        if not missing:
            return
        engine.submit([load.sent[tx] for tx in missing])
        engine.produce()
    pytest.fail(f"{len(missing)} transactions do not land")


def test_everything_that_a_chain_may_meet_replays(tmp_path: Path) -> None:
    for seed in range(SEED, SEED + ROUNDS):
        rng = random.Random(seed)
        clock = ManualClock(START)
        folder = tmp_path / str(seed)
        with EmbeddedEngine.open(folder, clock, EmbeddedOptions(block_gas_limit=20_000_000)) as engine:
            [sender] = senders(engine, 1, rng)
            load = Load(engine, sender.store, rng)
            for _ in range(15):
                clock.set(clock.now() + timedelta(seconds=rng.randint(0, 10_000)))
                engine.submit(load.draw(rng.randint(1, 150)))
                if rng.random() < 0.5:
                    engine.rpc.call("eth_call", [{"to": sender.store, "data": "0x" + "77" * 32}, "latest"])
                    engine.rpc.call("eth_getBalance", ["0x" + rng.randbytes(20).hex(), "latest"])
                engine.produce()
            assert engine.restarts == 0, f"seed {seed}: a block could not be made again"
            hashes = chain_hashes(engine)
        with EmbeddedEngine.open(folder, clock) as again:
            assert chain_hashes(again) == hashes, f"seed {seed}"
