"""The embedded engine: Anvil as a child without automine, blocks made and journaled by us.

The order that makes `kill -9` harmless: a block is mined, then journaled durably, then it counts as final. A start
replays the journal from the fixed genesis and compares every hash. A node that died, was killed, answered late or got
ahead of the journal is thrown away and replaced by a replay, in the middle of a call too; what waited in its pool is
submitted again.

Measured traps of Anvil 1.7.1, and what is done about them here:

- Automine stalls or loses accepted transactions under a flood: ``--no-mining``, we mine.
- A JSON-RPC batch runs in order only up to its 63rd call, for the server polls all calls of a batch at once and Tokio's
  budget makes the rest yield (`crates/anvil/server/src/handler.rs`, foundry-rs/foundry@07deb41): batches of 32, and if
  a replay differs, once more one by one.
- A transaction for another chain is accepted into the pool and silently dropped when a block is made: it is refused
  here.
- A transaction that is tried for a block but left out of it (the gas was used up, or it had become invalid) still
  changes the state root, for its sender's account is created empty. Such a block cannot be made again from its
  transactions. So no more gas waits in the pool than a block has, a full pool becomes a block at once, and a block that
  left something out is thrown away with the node.
- Every block keeps its state; without ``--prune-history`` 160 blocks over 200k slots take 2 GB.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import filelock

from ledger.chain.embedded import door
from ledger.chain.embedded.anvil import AnvilNode, NodeSettings, kill_orphan
from ledger.chain.embedded.blocktime import ClockReading, check_clock, next_block_time, steady_now
from ledger.chain.embedded.journal import JOURNAL, Genesis, Head, Journal, JournaledBlock
from ledger.chain.embedded.pool import ORDERED_BATCH, LeftOut, Waiting, fitting, hash_of, outcome_of, send
from ledger.chain.embedded.replay import NodeChoices, ReplayProgress, replayed_node
from ledger.chain.embedded.second import SecondDiffers, SecondNode
from ledger.chain.embedded.snapshots import SnapshotPolicy, Snapshots
from ledger.chain.engine import SubmitOutcome
from ledger.chain.errors import (
    BadTransaction,
    ClockJumped,
    EngineBusy,
    EngineClosed,
    EngineStopped,
    GenesisMismatch,
    UnexpectedBlock,
)
from ledger.chain.rpc import HealingRpcClient, RpcClient, RpcError, RpcReason
from ledger.chain.transactions import peek
from ledger.clock import Clock, SystemClock
from ledger.errors import InvariantViolation, TongduiError
from ledger.standard.keccak import keccak256

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

_ATTEMPTS = 3
_LEFT_OUT_MAX = 10_000
_READER_TIMEOUT_S = 60.0
# Chain ids of installations: above those that public chains use, below 2^31 for every tool's sake.
_CHAIN_ID_FIRST = 1_000_000_000
_CHAIN_ID_SPAN = 1_000_000_000


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """What may differ between installations or runs; the first two are fixed by the first start."""

    chain_id: int | None = None
    """None: generated at the first start."""
    genesis_timestamp: int | None = None
    """Unix seconds; None: the clock's time at the first start."""
    block_gas_limit: int = 1_000_000_000
    history_states: int = 32
    """Past blocks whose state can still be read."""
    binary: Path | None = None
    """The anvil binary; None: found by `anvil.find_binary`."""
    node_timeout_s: float = 120.0
    """A node that takes longer for a call is replaced."""
    clock_tolerance_s: float = 30.0
    snapshots: SnapshotPolicy = field(default_factory=SnapshotPolicy)
    """When to write down the node's state, so that a start is shorter."""
    isolate: bool | None = None
    """Give the node a network of its own, so that no other process reaches it; None: where the system lets us."""
    second_node: bool | None = None
    """Make each block on a second node as well before it counts; None: where the first one is not isolated."""
    watch_clock: bool | None = None
    """Stop when the clock jumps; None: only if it is the system's clock."""


class EmbeddedEngine:
    """One chain on this machine. Open with `open`; safe to share between threads. See `engine.Engine`."""

    def __init__(
        self,
        state_dir: Path,
        clock: Clock,
        options: EmbeddedOptions,
        journal: Journal,
        lock: filelock.BaseFileLock,
        *,
        draw: Callable[[int], int],
        steady: Callable[[], float],
        progress: Callable[[ReplayProgress], None] | None,
    ) -> None:
        self._node_dir = state_dir / "anvil"
        self._clock = clock
        self._options = options
        self._journal = journal
        self._snapshots = Snapshots(state_dir, journal)
        self._snapshot_cost_s = 0.0
        self._replay_s = 0.0
        self._file_lock = lock
        self._draw = draw
        self._steady = steady
        self._progress = progress
        self._lock = threading.RLock()
        self._closed = False
        self._alarm: str | None = None
        self._beyond_repair = False
        self._node: AnvilNode | None = None
        self._second: SecondNode | None = None
        self._client: RpcClient | None = None
        self._pending: dict[bytes, Waiting] = {}
        self._left_out: deque[bytes] = deque(maxlen=_LEFT_OUT_MAX)
        self._final = 0
        self.is_isolated = door.is_available() if options.isolate is None else options.isolate
        """Whether no other process of this machine reaches the node."""
        if options.second_node if options.second_node is not None else not self.is_isolated:
            self._second = SecondNode(state_dir / "anvil-second")
        self._watch = isinstance(clock, SystemClock) if options.watch_clock is None else options.watch_clock
        self._last_reading: ClockReading | None = None
        self._restarts = 0
        self._rpc = HealingRpcClient("http://127.0.0.1:9", _READER_TIMEOUT_S, self._heal)

    @classmethod
    def open(
        cls,
        state_dir: Path,
        clock: Clock,
        options: EmbeddedOptions | None = None,
        *,
        draw: Callable[[int], int] = secrets.randbelow,
        steady: Callable[[], float] = steady_now,
        progress: Callable[[ReplayProgress], None] | None = None,
    ) -> EmbeddedEngine:
        """Take the folder's lock, start a node and replay the journal into it.

        ``draw(n)`` returns a random integer below n (for a new chain id). ``steady`` is a clock that cannot be set, in
        seconds. Raises EngineBusy if another process has the lock, GenesisMismatch if the folder holds another chain
        than ``options`` ask for, ReplayMismatch or JournalCorrupt if what was final cannot be made again,
        NodeBinaryMissing or NodeStartFailed if there is no node, `RpcError` if it fails again and again.
        """
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock_path = state_dir / "engine.lock"
        lock = filelock.FileLock(lock_path, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise EngineBusy(lock_path) from error
        engine: EmbeddedEngine | None = None
        try:
            journal = Journal(state_dir / JOURNAL)
            engine = cls(
                state_dir,
                clock,
                options or EmbeddedOptions(),
                journal,
                lock,
                draw=draw,
                steady=steady,
                progress=progress,
            )
            engine._start()
        except BaseException:
            if engine is not None:
                engine.close()
            lock.release()
            raise
        return engine

    @property
    def is_own(self) -> bool:
        """Yes: the node is our child."""
        return True

    @property
    def troubles(self) -> tuple[str, ...]:
        """None: a node that died is replaced."""
        return ()

    @property
    def rpc(self) -> RpcClient:
        """The client for readers. It follows the node when that is replaced, and waits while a replay is under way."""
        return self._rpc

    @property
    def url(self) -> str:
        """The node's address now; for this machine only, and another one after a restart of the node."""
        return self._rpc.url

    @property
    def chain_id(self) -> int:
        """The installation's own chain id."""
        return self._genesis.settings.chain_id

    @property
    def genesis(self) -> Genesis:
        """What the chain began with."""
        return self._genesis

    @property
    def journal(self) -> Journal:
        """The journal, to read."""
        return self._journal

    @property
    def node_pid(self) -> int | None:
        """The node's process id, or None while there is none."""
        node = self._node
        return None if node is None else node.pid

    @property
    def restarts(self) -> int:
        """How often the node was replaced since `open`."""
        return self._restarts

    @property
    def pending_count(self) -> int:
        """How many submitted transactions wait for a block."""
        return len(self._pending)

    def submit(self, raw: Sequence[bytes]) -> list[SubmitOutcome]:
        """Put transactions into the pool, in order; see `engine.Engine.submit`.

        A pool that holds a block's worth of gas is made into a block at once, so this may do what `produce` does, and
        raise what it raises. What waits for an earlier nonce is dropped when there is no room otherwise.
        """
        outcomes: list[SubmitOutcome | None] = []
        accepted: list[Waiting] = []
        for transaction in raw:
            tx_hash = keccak256(transaction)
            try:
                accepted.append(Waiting(tx_hash, transaction, self._examine(tx_hash, transaction)))
                outcomes.append(None)
            except BadTransaction as error:
                outcomes.append(SubmitOutcome(tx_hash, RpcReason.INVALID_TRANSACTION, error.reason))
        with self._lock:
            self._require_usable()
            answers: list[SubmitOutcome] = []
            # What was answered stays answered when a node dies in the middle: it may be in a block by now.
            self._with_node(lambda client: self._fill_pool(client, accepted, answers))
        rest = iter(answers)
        return [outcome or next(rest) for outcome in outcomes]

    def produce(self) -> int:
        """Make blocks until nothing that can be mined waits; each is journaled before the next. Returns their number.

        Raises ClockJumped, after which the engine has stopped; JournalWriteFailed (the block never happened, its
        transactions wait again); or RpcError if the node cannot be revived.
        """
        with self._lock:
            self._require_usable()
            before = self._journal.head().number
            self._with_node(self._drain)
            made = self._journal.head().number - before
            if made:
                self._consider_snapshot()
            return made

    def final_height(self) -> int:
        """Return the number of the last journaled block. Never waits."""
        return self._final

    def block_time(self) -> int:
        """Return the Unix seconds the next block would carry now."""
        return next_block_time(self._journal.head().timestamp, self._clock.timestamp())

    def close(self) -> None:
        """Kill the node and release the folder. What waits in the pool is forgotten: it is with its submitters."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._drop_node()
            self._rpc.close()
            self._journal.close()
            self._file_lock.release()

    def __enter__(self) -> EmbeddedEngine:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # Start and restart ------------------------------------------------------------------------------------------

    def _start(self) -> None:
        genesis = self._journal.genesis()
        if genesis is None:
            genesis = self._begin()
        else:
            _check_asked("chain_id", genesis.settings.chain_id, self._options.chain_id)
            _check_asked("genesis_timestamp", genesis.settings.genesis_timestamp, self._options.genesis_timestamp)
        self._genesis = genesis
        self._final = self._journal.head().number
        if not self.is_isolated:
            _LOG.warning(
                "this system gives the node no network of its own: every process of this machine can change its state; "
                "%s",
                "nothing looks" if self._second is None else "each block is made on a second node before it counts",
            )
        with self._lock:
            self._with_node(lambda _client: None)
        self._restarts = 0

    def _begin(self) -> Genesis:
        """Generate the parameters of a new chain and journal them with the genesis block's hash, as the node has it."""
        options = self._options
        settings = NodeSettings(
            chain_id=options.chain_id or _CHAIN_ID_FIRST + self._draw(_CHAIN_ID_SPAN),
            genesis_timestamp=options.genesis_timestamp or self._clock.timestamp(),
            block_gas_limit=options.block_gas_limit,
        )
        node = AnvilNode.start(settings, self._node_dir, options.binary, is_isolated=self.is_isolated)
        try:
            with RpcClient(node.url) as client:
                genesis = Genesis(settings, hash_of(client.call("eth_getBlockByNumber", ["0x0", False])["hash"]))
        finally:
            node.kill()
        self._journal.begin(genesis)
        return genesis

    def _revive(self) -> None:
        """Replace the node by a new one that has replayed the journal and holds what was pending."""
        self._drop_node()
        at_head = replayed_node(
            self._choices(self._node_dir), self._journal, self._snapshots, not_at=self._rpc.url, progress=self._progress
        )
        node = at_head.node
        self._node, self._client, self._replay_s = node, at_head.client, at_head.replay_s
        if self._second is not None:
            self._second.start(self._choices(self._second.folder), self._journal, self._snapshots)
        self._final = self._journal.head().number  # a write that was said to have failed may have come through
        self._restarts += 1
        waiting = list(self._pending.values())
        answers = send(at_head.client, [transaction.raw for transaction in waiting])
        self._pending = {
            transaction.tx_hash: transaction
            for transaction, answer in zip(waiting, answers, strict=True)
            if outcome_of(transaction.tx_hash, answer).in_pool
        }
        # Readers learn the new address only now: during the replay the node would show them a past as the present.
        self._rpc.move_to(node.url)

    def _choices(self, folder: Path) -> NodeChoices:
        settings = replace(self._genesis.settings, history_states=self._options.history_states)
        return NodeChoices(
            settings, folder, self._options.binary, self._options.node_timeout_s, is_isolated=self.is_isolated
        )

    def _drop_node(self) -> None:
        """Throw the node away, and all it knows."""
        if self._second is not None:
            self._second.drop()
        if self._client is not None:
            self._client.close()
        if self._node is not None:
            self._node.kill()
        self._client = self._node = None
        kill_orphan(self._node_dir)

    def _heal(self, url: str) -> bool:
        """Called by readers who could not reach ``url``; True if there is a node at the present address again."""
        with self._lock:
            if self._closed or self._beyond_repair:
                return False
            if url != self._rpc.url:
                return True
            try:
                # A node that dies closes its connections before it is gone: only an answer says that it lives.
                self._with_node(lambda client: client.call("eth_chainId"))
            except TongduiError:
                _LOG.exception("the node could not be revived")
                return False
            return True

    def _with_node(self, act: Callable[[RpcClient], T]) -> T:
        """Run ``act`` with a living node that is no further than the journal; a node that fails is replaced."""
        failure: RpcError | None = None
        for _ in range(_ATTEMPTS):
            try:
                if self._node is None or self._client is None or not self._node.is_alive():
                    _LOG.info("starting a node and replaying up to %d blocks", self._journal.head().number)
                    self._revive()
                return act(self._require_client())
            except RpcError as error:
                # Whatever it was, nobody knows any more what this node has mined. The journal does.
                _LOG.warning("the node is replaced: %s", error)
                failure = error
                self._drop_node()
            except (LeftOut, SecondDiffers) as error:
                _LOG.error("a block could not be made again and is thrown away: %s", error)
                failure = RpcError(RpcReason.NODE_INTERNAL, str(error))
                self._drop_node()
            except ClockJumped as error:
                self._alarm = str(error)  # no block was made: readers may go on with this node
                raise
            except InvariantViolation as error:
                self._alarm = str(error)
                self._beyond_repair = not isinstance(error, UnexpectedBlock)
                self._drop_node()
                raise
            except BaseException:
                self._drop_node()
                raise
        raise failure or RpcError(RpcReason.UNREACHABLE, "the node cannot be revived")

    def _require_usable(self) -> None:
        if self._closed:
            raise EngineClosed
        if self._alarm is not None:
            raise EngineStopped(self._alarm)

    def _require_client(self) -> RpcClient:
        if self._client is None:
            raise EngineClosed
        return self._client

    # Blocks -----------------------------------------------------------------------------------------------------

    def _fill_pool(self, client: RpcClient, wanted: Sequence[Waiting], answers: list[SubmitOutcome]) -> None:
        """Send what has no answer yet, in order, and make a block whenever the pool holds one's worth of gas."""
        limit = self._genesis.settings.block_gas_limit
        while len(answers) < len(wanted):
            free = limit - sum(transaction.gas for transaction in self._pending.values())
            part = fitting(wanted[len(answers) : len(answers) + ORDERED_BATCH], free)
            if not part and wanted[len(answers)].gas > limit:
                part = [wanted[len(answers)]]  # the node refuses it, in its own words
            if not part:
                if self._ready(client) > 0:
                    self._drain(client)
                else:
                    self._evict(client, wanted[len(answers)].gas - free)
                continue
            for transaction, answer in zip(part, send(client, [each.raw for each in part]), strict=True):
                outcome = outcome_of(transaction.tx_hash, answer)
                answers.append(outcome)
                if outcome.in_pool:
                    self._pending[transaction.tx_hash] = transaction

    def _evict(self, client: RpcClient, gas: int) -> None:
        """Drop transactions that wait for an earlier nonce, oldest first, until so much gas is free.

        Otherwise anybody could stop the chain by filling the pool with what can never be mined.
        """
        kept = list(self._pending.values())
        while kept and gas > 0:
            gas -= kept.pop(0).gas
        # anvil_dropTransaction does not find what is queued; dropping all does.
        client.call("anvil_dropAllTransactions")
        self._pending = {transaction.tx_hash: transaction for transaction in kept}
        send(client, [transaction.raw for transaction in kept])

    def _drain(self, client: RpcClient) -> None:
        while ready := self._ready(client):
            self._make_block(client, ready)
        if self._pending:
            self._forget_dropped(client)

    def _ready(self, client: RpcClient) -> int:
        """Return how many transactions of the pool the next block would try."""
        return int(client.call("txpool_status")["pending"], 16)

    def _make_block(self, client: RpcClient, ready: int) -> None:
        """Mine one block, journal it, and only then count it as final."""
        began = time.monotonic()
        head = self._journal.head()
        timestamp = self._next_timestamp(head)
        client.call("evm_mine", [{"timestamp": timestamp}])
        number = head.number + 1
        mined = client.call("eth_getBlockByNumber", [hex(number), False])
        block = self._accept(head, timestamp, mined)
        if len(block.transactions) != ready:
            self._condemn(client, {hash_of(tx_hash) for tx_hash in mined["transactions"]})
            raise LeftOut(ready - len(block.transactions))
        if self._second is not None:
            self._second.make(block)
        self._journal.append(block)
        self._final = number
        for tx_hash in mined["transactions"]:
            self._pending.pop(hash_of(tx_hash), None)
        self._replay_s += time.monotonic() - began

    def _consider_snapshot(self) -> None:
        """Take a snapshot if a replay would take long by now; the pool is empty of what can be mined."""
        node = self._node
        if node is None or not self._options.snapshots.is_due(self._replay_s, self._snapshot_cost_s):
            return
        began = time.monotonic()
        taken = self._snapshots.take(node.url)
        self._snapshot_cost_s = time.monotonic() - began
        self._replay_s = 0.0
        _LOG.info("snapshot at block %d: %s, %.1f s", self._final, taken, self._snapshot_cost_s)

    def _condemn(self, client: RpcClient, mined: set[bytes]) -> None:
        """Forget, and never take again, what was tried for a block and left out: neither mined nor waiting its turn."""
        queued = {
            hash_of(transaction["hash"])
            for by_nonce in client.call("txpool_content")["queued"].values()
            for transaction in by_nonce.values()
        }
        for tx_hash in [known for known in self._pending if known not in mined and known not in queued]:
            del self._pending[tx_hash]
            self._left_out.append(tx_hash)

    def _accept(self, head: Head, timestamp: int, mined: Any) -> JournaledBlock:
        number = head.number + 1
        if mined is None:
            raise UnexpectedBlock(number, "it is not there")
        if hash_of(mined["parentHash"]) != head.block_hash:
            raise UnexpectedBlock(number, f"its parent is {mined['parentHash']}, the head is 0x{head.block_hash.hex()}")
        if int(mined["timestamp"], 16) != timestamp:
            raise UnexpectedBlock(number, f"its time is {int(mined['timestamp'], 16)}, asked for was {timestamp}")
        raws = []
        for tx_hash in mined["transactions"]:
            waiting = self._pending.get(hash_of(tx_hash))
            if waiting is None:  # not through `submit`; only somebody who found our port could have sent it
                raise UnexpectedBlock(number, f"nobody submitted its transaction {tx_hash}")
            raws.append(waiting.raw)
        return JournaledBlock(number, timestamp, hash_of(mined["hash"]), head.block_hash, tuple(raws))

    def _next_timestamp(self, head: Head) -> int:
        now = self._clock.now().timestamp()
        if self._watch:
            reading = ClockReading(now, self._steady())
            if self._last_reading is not None:
                check_clock(self._last_reading, reading, self._options.clock_tolerance_s)
            self._last_reading = reading
        return next_block_time(head.timestamp, int(now))

    def _forget_dropped(self, client: RpcClient) -> None:
        """Forget transactions that the node dropped; those that wait for an earlier nonce stay."""
        hashes = list(self._pending)
        answers = client.batch([("eth_getTransactionByHash", ["0x" + tx_hash.hex()]) for tx_hash in hashes])
        for tx_hash, answer in zip(hashes, answers, strict=True):
            if answer is None:
                del self._pending[tx_hash]

    def _examine(self, tx_hash: bytes, raw: bytes) -> int:
        """Return a transaction's gas limit. Raises BadTransaction for what the pool would take and no block hold."""
        chain_id, gas = peek(raw)
        if chain_id != self.chain_id:
            raise BadTransaction(f"it is signed for chain {chain_id}, this is {self.chain_id}")
        if tx_hash in self._left_out:
            raise BadTransaction("it was left out of a block before")
        return gas


def _check_asked(field: str, journaled: int, asked: int | None) -> None:
    if asked is not None and asked != journaled:
        raise GenesisMismatch(field, journaled, asked)
