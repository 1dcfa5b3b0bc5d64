"""A snapshot makes a start shorter and never another: one that is damaged or forged is thrown away."""

from __future__ import annotations

import gzip
import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.embedded.journal import Journal
from ledger.chain.embedded.replay import ReplayProgress
from ledger.chain.embedded.snapshots import SnapshotPolicy
from tests.integration.ledger.chain.kit import Sender, chain_hashes, manual_clock, senders, succeeded

ALWAYS = EmbeddedOptions(snapshots=SnapshotPolicy(first_s=0.0, growth=0.0))


def started(folder: Path) -> tuple[EmbeddedEngine, list[ReplayProgress]]:
    """Open without taking snapshots; what was replayed says whether one was used."""
    progress: list[ReplayProgress] = []
    return EmbeddedEngine.open(folder, manual_clock(), progress=progress.append), progress


@pytest.fixture
def rng() -> random.Random:
    return random.Random(21)


@pytest.fixture
def folder(tmp_path: Path, rng: random.Random) -> Path:
    """A folder with a chain of six blocks and a snapshot at the fourth."""
    with EmbeddedEngine.open(tmp_path, manual_clock(), ALWAYS) as engine:
        accounts = senders(engine, 4, rng)
        fill(engine, accounts, rng, 3)
        engine._options = EmbeddedOptions()
        fill(engine, accounts, rng, 2)
        (tmp_path / "hashes").write_bytes(orjson.dumps(chain_hashes(engine)))
        sent = [tx.hex() for account in accounts for tx in account.sent]
        (tmp_path / "sent").write_bytes(orjson.dumps(sent))
    return tmp_path


def fill(engine: EmbeddedEngine, accounts: list[Sender], rng: random.Random, blocks: int) -> None:
    for _ in range(blocks):
        engine.submit([rng.choice(accounts).sign(rng.randint(1, 5), rng) for _ in range(40)])
        assert engine.produce() == 1


def check(engine: EmbeddedEngine, folder: Path) -> None:
    assert chain_hashes(engine) == orjson.loads((folder / "hashes").read_bytes())
    assert all(succeeded(engine, [bytes.fromhex(tx) for tx in orjson.loads((folder / "sent").read_bytes())]))


def test_a_start_replays_only_what_came_after(folder: Path, rng: random.Random) -> None:
    engine, progress = started(folder)
    assert progress[-1].transactions_done == 80, "blocks 5 and 6"
    check(engine, folder)
    logs = engine.rpc.call("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}])
    assert len(logs) == 200
    fill(engine, senders(engine, 3, rng), rng, 2)
    hashes = chain_hashes(engine)
    engine.close()
    (folder / "snapshot.gz").unlink()
    engine, progress = started(folder)
    assert progress[-1].transactions_done > 200, "everything, from the beginning"
    assert chain_hashes(engine) == hashes
    engine.close()


def test_a_snapshot_of_the_last_block_is_used_too(tmp_path: Path, rng: random.Random) -> None:
    """It is proven by a block that is made and taken back; what follows is as on a chain without snapshots."""
    hashes = []
    for options in (ALWAYS, EmbeddedOptions()):
        folder = tmp_path / str(len(hashes))
        load = random.Random(33)
        fixed = replace(options, chain_id=77)
        with EmbeddedEngine.open(folder, manual_clock(), fixed) as engine:
            accounts = senders(engine, 4, load)
            fill(engine, accounts, load, 3)
        progress: list[ReplayProgress] = []
        with EmbeddedEngine.open(folder, manual_clock(), fixed, progress=progress.append) as engine:
            assert (progress == []) == (options is ALWAYS)
            fill(engine, accounts, load, 2)
            hashes.append(chain_hashes(engine))
    assert hashes[0] == hashes[1]


def truncate(body: bytes) -> bytes:
    return body[: len(body) // 2]


def forge_storage(body: bytes) -> bytes:
    state = orjson.loads(gzip.decompress(body))
    stored = next(account["storage"] for account in state["accounts"].values() if account["storage"])
    stored[next(iter(stored))] = "0x" + "99".rjust(64, "0")
    return gzip.compress(orjson.dumps(state))


def forge_balance(body: bytes) -> bytes:
    state = orjson.loads(gzip.decompress(body))
    state["accounts"]["0x" + "77" * 20] = {"nonce": 0, "balance": "0x5", "code": "0x", "storage": {}}
    return gzip.compress(orjson.dumps(state))


@pytest.mark.parametrize("damage", [truncate, lambda _body: b"", forge_storage, forge_balance])
@pytest.mark.parametrize("noted", [False, True])
def test_a_snapshot_that_is_not_the_chains_is_thrown_away(
    folder: Path, damage: Callable[[bytes], bytes], noted: bool
) -> None:
    """Even one whose digest was noted in the journal too: its state does not give the journaled state root."""
    path = folder / "snapshot.gz"
    forged = damage(path.read_bytes())
    path.write_bytes(forged)
    if noted:
        journal = Journal(folder / "journal.sqlite3")
        note = journal.snapshot_note()
        assert note is not None
        journal.note_snapshot(replace(note, sha256=hashlib.sha256(forged).digest()))
        journal.close()
    engine, progress = started(folder)
    assert progress[-1].transactions_done > 200, "everything was replayed"
    check(engine, folder)
    assert engine.rpc.call("eth_getBalance", ["0x" + "77" * 20, "latest"]) == "0x0"
    engine.close()


def test_snapshots_are_taken_when_they_pay() -> None:
    policy = SnapshotPolicy(first_s=60.0, growth=10.0)
    assert not policy.is_due(59.0, 0.0)
    assert policy.is_due(61.0, 0.0)
    assert not policy.is_due(61.0, 7.0)
    assert policy.is_due(71.0, 7.0)
