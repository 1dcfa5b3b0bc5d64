"""The embedded engine with a real Anvil and a real journal: what is final stays, whatever is taken away."""

from __future__ import annotations

import random
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.embedded.journal import Journal
from ledger.chain.embedded.processes import identify, write_identity
from ledger.chain.embedded.replay import ReplayProgress
from ledger.chain.errors import (
    ClockJumped,
    EngineBusy,
    EngineClosed,
    EngineStopped,
    GenesisMismatch,
    JournalWriteFailed,
    NodeBinaryMissing,
    ReplayMismatch,
    UnexpectedBlock,
)
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.chain.transactions import sign_legacy
from ledger.clock import SystemClock
from ledger.standard.signatures import SigningKey
from tests.integration.ledger.chain.kit import (
    START,
    START_TIMESTAMP,
    chain_hashes,
    manual_clock,
    senders,
    succeeded,
)


@pytest.fixture
def rng() -> random.Random:
    return random.Random(7)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    with EmbeddedEngine.open(tmp_path / "state", manual_clock()) as engine:
        yield engine


def reopen(engine: EmbeddedEngine, tmp_path: Path, options: EmbeddedOptions | None = None) -> EmbeddedEngine:
    engine.close()
    return EmbeddedEngine.open(tmp_path / "state", manual_clock(), options)


def is_running(pid: int | None) -> bool:
    return pid is not None and identify(pid) is not None


def test_a_new_chain_draws_its_id_and_begins_at_the_clocks_time(tmp_path: Path) -> None:
    ids = iter([5, 6])
    for name in ("a", "b"):
        with EmbeddedEngine.open(tmp_path / name, manual_clock(), draw=lambda _n: next(ids)) as engine:
            assert engine.chain_id in (1_000_000_005, 1_000_000_006)
            assert engine.final_height() == 0
            block = engine.rpc.call("eth_getBlockByNumber", ["latest", False])
            assert int(block["timestamp"], 16) == START_TIMESTAMP
            assert engine.produce() == 0


def test_a_block_is_made_of_what_waits_and_is_final_at_once(engine: EmbeddedEngine, rng: random.Random) -> None:
    [sender] = senders(engine, 1, rng)
    outcomes = engine.submit([sender.sign(3, rng) for _ in range(5)])
    assert [outcome.tx_hash for outcome in outcomes] == sender.sent
    assert all(outcome.in_pool for outcome in outcomes)
    assert succeeded(engine, sender.sent) == [False] * 5
    assert engine.produce() == 1
    assert succeeded(engine, sender.sent) == [True] * 5
    assert engine.final_height() == 2
    assert engine.pending_count == 0


def test_block_time_follows_the_clock_and_never_goes_back(tmp_path: Path, rng: random.Random) -> None:
    clock = manual_clock()
    with EmbeddedEngine.open(tmp_path, clock) as engine:
        [sender] = senders(engine, 1, rng)
        times = []
        for moment in (START + timedelta(seconds=50), START + timedelta(seconds=50), START, START + timedelta(days=9)):
            clock.set(moment)
            engine.submit([sender.sign(1, rng)])
            engine.produce()
            times.append(int(engine.rpc.call("eth_getBlockByNumber", ["latest", False])["timestamp"], 16))
        offsets = [time - START_TIMESTAMP for time in times]
        assert offsets == [50, 50, 50, 9 * 86_400]


def test_a_restart_gives_the_same_chain(engine: EmbeddedEngine, tmp_path: Path, rng: random.Random) -> None:
    accounts = senders(engine, 8, rng)
    for _ in range(10):
        engine.submit([rng.choice(accounts).sign(rng.randint(1, 9), rng) for _ in range(rng.randint(1, 150))])
        engine.produce()
    hashes, head = chain_hashes(engine), engine.journal.head()
    storage = engine.rpc.call("eth_getProof", [accounts[0].store, [], "latest"])["storageHash"]
    seen: list[ReplayProgress] = []
    engine.close()
    with EmbeddedEngine.open(tmp_path / "state", manual_clock(), progress=seen.append) as again:
        assert chain_hashes(again) == hashes
        assert again.journal.head() == head
        assert again.rpc.call("eth_getProof", [accounts[0].store, [], "latest"])["storageHash"] == storage
        assert all(succeeded(again, [tx for account in accounts for tx in account.sent]))
        again.submit([accounts[0].sign(1, rng)])
        assert again.produce() == 1
    assert seen[-1].blocks_done == seen[-1].blocks_total == head.number


def test_a_batch_over_the_nodes_ordered_length_replays(
    engine: EmbeddedEngine, tmp_path: Path, rng: random.Random
) -> None:
    """Anvil runs a JSON-RPC batch of more than 63 calls out of order; blocks of thousands must replay all the same."""
    accounts = senders(engine, 50, rng)
    engine.submit([rng.choice(accounts).sign(1, rng) for _ in range(1_000)])
    assert engine.produce() == 1
    hashes = chain_hashes(engine)
    with reopen(engine, tmp_path) as again:
        assert chain_hashes(again) == hashes


def test_only_one_holder_of_a_folder(engine: EmbeddedEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineBusy, match=r"engine\.lock"):
        EmbeddedEngine.open(tmp_path / "state", manual_clock())
    with reopen(engine, tmp_path) as again:
        assert again.final_height() == 0


def test_a_closed_engine_says_so(engine: EmbeddedEngine) -> None:
    pid = engine.node_pid
    assert is_running(pid)
    engine.close()
    engine.close()
    assert not is_running(pid)
    for act in (engine.produce, lambda: engine.submit([]), lambda: engine.rpc.call("eth_chainId")):
        with pytest.raises((EngineClosed, RpcError)):
            act()


def test_a_reader_does_not_notice_that_the_node_died(engine: EmbeddedEngine, rng: random.Random) -> None:
    [sender] = senders(engine, 1, rng)
    engine.submit([sender.sign(2, rng) for _ in range(100)])
    engine.produce()
    hashes, url = chain_hashes(engine), engine.url
    kill_node(engine)
    assert chain_hashes(engine) == hashes
    assert engine.restarts == 1
    assert engine.url != url


def test_many_readers_share_one_revival(engine: EmbeddedEngine, rng: random.Random) -> None:
    [sender] = senders(engine, 1, rng)
    engine.submit([sender.sign(1, rng) for _ in range(300)])
    engine.produce()
    kill_node(engine)
    heights: list[int] = []
    threads = [
        threading.Thread(target=lambda: heights.append(int(engine.rpc.call("eth_blockNumber"), 16))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heights == [2] * 8
    assert engine.restarts == 1


def kill_node(engine: EmbeddedEngine) -> None:
    identity = identify(engine.node_pid or 0)
    assert identity is not None
    assert identity.kill()


def test_what_waited_in_a_dead_nodes_pool_is_mined_by_the_next(engine: EmbeddedEngine, rng: random.Random) -> None:
    accounts = senders(engine, 3, rng)
    engine.submit([rng.choice(accounts).sign(1, rng) for _ in range(50)])
    kill_node(engine)
    assert engine.produce() == 1
    assert all(succeeded(engine, [tx for account in accounts for tx in account.sent]))
    kill_node(engine)
    assert engine.submit([accounts[0].sign(1, rng)])[0].reason is None
    assert engine.produce() == 1


def test_a_full_disk_means_that_the_block_never_happened(
    engine: EmbeddedEngine, tmp_path: Path, rng: random.Random
) -> None:
    """A limit on file size makes SQLite's write fail as a full disk does."""
    [sender] = senders(engine, 1, rng)
    hashes = chain_hashes(engine)
    engine.submit([sender.sign(100, rng, gas=10_000_000) for _ in range(100)])
    largest = max(path.stat().st_size for path in (tmp_path / "state").glob("journal*"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 10_000, before[1]))
    try:
        with pytest.raises(JournalWriteFailed):
            engine.produce()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert engine.final_height() == 1
    assert chain_hashes(engine) == hashes, "the mined block is gone with the node that had it"
    assert engine.rpc.call("eth_blockNumber") == "0x1"
    assert engine.produce() == 1, "its transactions waited"
    assert all(succeeded(engine, sender.sent))


def test_a_transaction_that_no_block_could_hold_is_refused(engine: EmbeddedEngine, rng: random.Random) -> None:
    [sender] = senders(engine, 1, rng)
    other_chain, _ = sign_legacy(sender.key, engine.chain_id + 1, sender.nonce, sender.store, b"", 100_000)
    spent, _ = sign_legacy(sender.key, engine.chain_id, 0, sender.store, b"", 100_000)
    huge, _ = sign_legacy(sender.key, engine.chain_id, sender.nonce, sender.store, b"", 2_000_000_000)
    poor, _ = sign_legacy(sender.key, engine.chain_id, sender.nonce, sender.store, b"", 20_000)
    good = sender.sign(1, rng)
    reasons = [outcome.reason for outcome in engine.submit([other_chain, b"\x02", spent, huge, poor, good, good])]
    assert reasons == [
        RpcReason.INVALID_TRANSACTION,
        RpcReason.INVALID_TRANSACTION,
        RpcReason.NONCE_TOO_LOW,
        RpcReason.GAS_TOO_HIGH,
        RpcReason.GAS_TOO_LOW,
        None,
        RpcReason.ALREADY_KNOWN,
    ]
    assert engine.produce() == 1
    assert succeeded(engine, sender.sent) == [True]


def test_a_gap_waits_until_it_is_filled(engine: EmbeddedEngine, rng: random.Random) -> None:
    [sender] = senders(engine, 1, rng)
    first, second, third = (sender.sign(1, rng) for _ in range(3))
    assert engine.submit([second, third])[0].in_pool
    assert engine.produce() == 0
    assert engine.pending_count == 2
    kill_node(engine)
    engine.submit([first])
    assert engine.produce() == 1
    assert succeeded(engine, sender.sent) == [True] * 3
    assert engine.pending_count == 0


def test_what_does_not_fit_one_block_fills_several(tmp_path: Path, rng: random.Random) -> None:
    """The node would leave out what does not fit, and its block could then not be made again: see the next test."""
    with EmbeddedEngine.open(tmp_path, manual_clock(), EmbeddedOptions(block_gas_limit=5_000_000)) as engine:
        accounts = senders(engine, 9, rng)
        outcomes = engine.submit([rng.choice(accounts).sign(20, rng, gas=1_000_000) for _ in range(32)])
        assert all(outcome.in_pool for outcome in outcomes)
        assert engine.final_height() == 7, "a full pool becomes a block at once"
        assert engine.produce() == 1
        assert all(succeeded(engine, [tx for account in accounts for tx in account.sent]))
        hashes = chain_hashes(engine)
        engine.close()
        with EmbeddedEngine.open(tmp_path, manual_clock()) as again:
            assert chain_hashes(again) == hashes


def test_a_block_that_left_something_out_is_made_anew(
    engine: EmbeddedEngine, tmp_path: Path, rng: random.Random
) -> None:
    """A transaction that is tried and left out changes the state root, so that block would never replay."""
    accounts = senders(engine, 2, rng)
    stray, _ = sign_legacy(SigningKey(rng.randbytes(32)), engine.chain_id + 1, 0, accounts[0].store, b"", 100_000)
    engine.submit([accounts[0].sign(1, rng), accounts[1].sign(1, rng)])
    with RpcClient(engine.url) as intruder:
        intruder.call("eth_sendRawTransaction", ["0x" + stray.hex()])
    assert engine.produce() == 1
    assert engine.restarts == 1
    assert succeeded(engine, accounts[0].sent + accounts[1].sent) == [True, True]
    hashes = chain_hashes(engine)
    with reopen(engine, tmp_path) as again:
        assert chain_hashes(again) == hashes


def test_transactions_that_wait_for_a_nonce_cannot_stop_the_chain(tmp_path: Path, rng: random.Random) -> None:
    with EmbeddedEngine.open(tmp_path, manual_clock(), EmbeddedOptions(block_gas_limit=5_000_000)) as engine:
        early, late = senders(engine, 2, rng)
        missing = late.sign(1, rng, gas=1_000_000)
        waiting = [late.sign(1, rng, gas=1_000_000) for _ in range(7)]
        assert all(outcome.in_pool for outcome in engine.submit(waiting))
        assert engine.pending_count == 5, "the first two made room for the last two"
        assert engine.submit([early.sign(1, rng, gas=2_000_000)])[0].in_pool
        assert engine.produce() == 1
        assert succeeded(engine, early.sent) == [True]
        engine.submit([missing, *waiting])
        engine.produce()
        assert all(succeeded(engine, late.sent)), "whoever hands them in again has lost nothing"
        hashes = chain_hashes(engine)
        engine.close()
        with EmbeddedEngine.open(tmp_path, manual_clock()) as again:
            assert chain_hashes(again) == hashes


@pytest.mark.parametrize("jump_s", [3_600.0, -3_600.0])
def test_a_clock_that_jumps_stops_the_blocks_and_not_the_reading(
    tmp_path: Path, rng: random.Random, jump_s: float
) -> None:
    clock, steady = manual_clock(), [100.0]
    options = EmbeddedOptions(watch_clock=True)
    with EmbeddedEngine.open(tmp_path, clock, options, steady=lambda: steady[0]) as engine:
        [sender] = senders(engine, 1, rng)
        clock.set(START + timedelta(seconds=60))
        steady[0] += 60.0
        engine.submit([sender.sign(1, rng)])
        assert engine.produce() == 1
        clock.set(START + timedelta(seconds=60 + jump_s))
        engine.submit([sender.sign(1, rng)])
        with pytest.raises(ClockJumped):
            engine.produce()
        clock.set(START + timedelta(seconds=60))
        for act in (engine.produce, lambda: engine.submit([sender.sign(1, rng)])):
            with pytest.raises(EngineStopped, match="jumped"):
                act()
        assert len(chain_hashes(engine)) == 3
        kill_node(engine)
        assert len(chain_hashes(engine)) == 3
    with EmbeddedEngine.open(tmp_path, clock, options, steady=lambda: steady[0]) as again:
        again.submit([sender.sign(1, rng)])


def test_the_machines_clock_is_watched_by_default(tmp_path: Path, rng: random.Random) -> None:
    steady = [0.0]
    with EmbeddedEngine.open(tmp_path, SystemClock(), steady=lambda: steady[0]) as engine:
        [sender] = senders(engine, 1, rng)
        steady[0] += 1_000.0  # as if the wall clock had been set back by a quarter of an hour
        engine.submit([sender.sign(1, rng)])
        with pytest.raises(ClockJumped):
            engine.produce()


def test_a_manual_clock_may_jump(engine: EmbeddedEngine, rng: random.Random) -> None:
    """The demo moves its clock by days; only the machine's clock is watched."""
    test_clock = engine._clock
    [sender] = senders(engine, 1, rng)
    test_clock.set(START + timedelta(days=90))  # type: ignore[attr-defined]
    engine.submit([sender.sign(1, rng)])
    assert engine.produce() == 1


def rewrite_journal(state: Path, change: Callable[[Journal], None]) -> None:
    """Write a journal anew that is consistent in itself but not the chain's."""
    old = Journal(state / "journal.sqlite3")
    new = Journal(state / "new.sqlite3")
    genesis = old.genesis()
    assert genesis is not None
    new.begin(genesis)
    blocks = list(old.blocks())
    for block in blocks[:-1]:
        new.append(block)
    new.append(replace(blocks[-1], block_hash=b"\xee" * 32))
    change(new)
    old.close()
    new.close()
    for path in state.glob("journal.sqlite3*"):
        path.unlink()
    (state / "new.sqlite3").rename(state / "journal.sqlite3")


def test_a_journal_that_replays_to_other_blocks_refuses_to_start(
    engine: EmbeddedEngine, tmp_path: Path, rng: random.Random
) -> None:
    [sender] = senders(engine, 1, rng)
    engine.submit([sender.sign(1, rng)])
    engine.produce()
    true_hash = engine.journal.head().block_hash.hex()
    engine.close()
    rewrite_journal(tmp_path / "state", lambda _journal: None)
    for _ in range(2):
        with pytest.raises(ReplayMismatch, match="refuses to start") as caught:
            EmbeddedEngine.open(tmp_path / "state", manual_clock())
        assert (caught.value.block_number, caught.value.replayed) == (2, true_hash)
    assert not (tmp_path / "state" / "anvil" / "anvil.json").exists(), "no node stays behind"


def test_another_chain_than_the_folders_is_refused(engine: EmbeddedEngine, tmp_path: Path) -> None:
    chain_id = engine.chain_id
    with pytest.raises(GenesisMismatch, match="chain_id"):
        reopen(engine, tmp_path, EmbeddedOptions(chain_id=chain_id + 1))
    with pytest.raises(GenesisMismatch, match="genesis_timestamp"):
        reopen(engine, tmp_path, EmbeddedOptions(genesis_timestamp=5))
    with reopen(engine, tmp_path, EmbeddedOptions(chain_id=chain_id, genesis_timestamp=START_TIMESTAMP)) as again:
        assert again.chain_id == chain_id


def test_an_orphan_is_killed_and_a_stranger_with_its_pid_is_not(engine: EmbeddedEngine, tmp_path: Path) -> None:
    engine.close()
    identity_file = tmp_path / "state" / "anvil" / "anvil.json"
    orphan, stranger = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    try:
        orphan_identity, stranger_identity = identify(orphan.pid), identify(stranger.pid)
        assert orphan_identity is not None
        assert stranger_identity is not None
        write_identity(identity_file, replace(stranger_identity, started="some other time"))
        with reopen(engine, tmp_path):
            assert stranger.poll() is None
        write_identity(identity_file, orphan_identity)
        # Somebody must reap it, or it stays a zombie; that is init's business for a real orphan.
        reaper = threading.Thread(target=orphan.wait)
        reaper.start()
        with reopen(engine, tmp_path):
            reaper.join(timeout=5)
            assert orphan.poll() is not None
    finally:
        for process in (orphan, stranger):
            process.kill()
            process.wait()


def test_old_states_are_forgotten_and_said_to_be(tmp_path: Path, rng: random.Random) -> None:
    with EmbeddedEngine.open(tmp_path, manual_clock(), EmbeddedOptions(history_states=4)) as engine:
        [sender] = senders(engine, 1, rng)
        for _ in range(10):
            engine.submit([sender.sign(1, rng)])
            engine.produce()
        engine.rpc.call("eth_getBalance", [sender.key.address, hex(engine.final_height() - 2)])
        with pytest.raises(RpcError) as caught:
            engine.rpc.call("eth_getBalance", [sender.key.address, "0x2"])
        assert caught.value.reason is RpcReason.BLOCK_UNAVAILABLE
        assert engine.rpc.call("eth_getBlockByNumber", ["0x2", False])["number"] == "0x2"
        assert all(succeeded(engine, sender.sent))


def test_a_transaction_that_bypassed_the_engine_raises_an_alarm(
    engine: EmbeddedEngine, tmp_path: Path, rng: random.Random
) -> None:
    [sender] = senders(engine, 1, rng)
    with RpcClient(engine.url) as intruder:
        intruder.call("eth_sendRawTransaction", ["0x" + sender.sign(1, rng).hex()])
    with pytest.raises(UnexpectedBlock, match="nobody submitted"):
        engine.produce()
    with pytest.raises(EngineStopped):
        engine.produce()
    assert engine.final_height() == 1
    assert len(chain_hashes(engine)) == 2, "the reading goes on without that block"
    with reopen(engine, tmp_path) as again:
        assert again.final_height() == 1


def test_a_missing_binary_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_ANVIL", str(tmp_path / "nothing"))
    with pytest.raises(NodeBinaryMissing, match="nothing"):
        EmbeddedEngine.open(tmp_path / "state", manual_clock())
    monkeypatch.delenv("TONGDUI_ANVIL")
    with EmbeddedEngine.open(tmp_path / "state", manual_clock()) as engine:
        assert engine.final_height() == 0
