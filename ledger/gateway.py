"""The gateway's engine room, without HTTP: sender, blocks and indexer, step by step or in threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from ledger.blocks.verified import VerifiedBlocks
from ledger.chain.engine import Engine
from ledger.chain.errors import ClockJumped, EngineStopped
from ledger.chain.rpc import RpcError
from ledger.chain.transactions import DigestSigner
from ledger.clock import Clock
from ledger.deployment.artifacts import event_topic
from ledger.deployment.file import Deployment
from ledger.errors import InvariantViolation, TongduiError, Unavailable
from ledger.indexer.check import ProjectionCheck, check_projection
from ledger.indexer.errors import InconsistentAnswer
from ledger.indexer.indexer import Indexer, IndexerLimits, contracts_of
from ledger.orders.desk import OrderDesk
from ledger.outbox.liveness import STALL_S, Liveness, LivenessWatch, Stall
from ledger.outbox.outbox import Outbox
from ledger.outbox.routes import Routes
from ledger.outbox.sender import Sender, SenderLimits
from ledger.standard.ids import address_bytes
from ledger.store.database import Database

_LOG = logging.getLogger(__name__)
_DELAY_MAX_S = 5.0
_SHORT_BLOCK_S = 0.05
_PAUSE_MAX_S = 0.25
_PAUSE_PER_PASS = 2.0
"""How long the sender lets work gather after a pass that moved something, in times of how long that pass took, at most
`_PAUSE_MAX_S`. A pass costs the same dozen statements and questions for one order as for a hundred: while many come,
each is shared by more of them, and who stores orders has the machine for the greater part of the time."""
WITNESSES = {
    "PointsLedger": ("BatchMinted", "BatchVoided", "Revoked"),
    "Exchange": ("Exchanged", "Rejected"),
    "Redemption": ("Redeemed", "Held", "Captured", "Released", "Refunded", "Rejected"),
}
"""The events of which each call from the outbox emits at least one: see `ledger.outbox.receipts`."""

_PAUSE_PER_BLOCK = 2.0
"""How long the loops let work gather after blocks that were not short, in times of how long those took to make. What a
block costs beside its transactions grows with the state, so under load it is fewer and fuller ones that carry more."""


class GatewayStuck(Unavailable):
    """Work remains, and nothing has moved for a long time."""

    def __init__(self, unsettled: int, waited_s: float, alarms: Sequence[str]) -> None:
        self.unsettled = unsettled
        self.waited_s = waited_s
        self.alarms = tuple(alarms)
        because = f": {'; '.join(alarms)}" if alarms else ""
        super().__init__(f"{unsettled} messages have had no outcome for {waited_s:.0f} s{because}")


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step of the whole did."""

    signed: int
    settled: int
    blocks_made: int
    blocks_indexed: int
    logs: int

    @property
    def is_idle(self) -> bool:
        """Whether nothing moved."""
        return not (self.moves_work or self.blocks_indexed)

    @property
    def moves_work(self) -> bool:
        """Whether more happened than that blocks without events of ours were read."""
        return bool(self.signed or self.settled or self.blocks_made or self.logs)

    def plus(self, other: StepReport) -> StepReport:
        """Return the sums of two reports."""
        return StepReport(
            self.signed + other.signed,
            self.settled + other.settled,
            self.blocks_made + other.blocks_made,
            self.blocks_indexed + other.blocks_indexed,
            self.logs + other.logs,
        )


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """How the loops fare. ``alarms`` need a person; ``trouble`` is what is being tried again."""

    is_running: bool
    final_height: int
    projected_height: int
    alarms: tuple[str, ...]
    trouble: str | None
    liveness: Liveness
    """Whether what was sent gets an outcome. Its alarm is not among ``alarms``: it ends by itself."""


class Gateway:
    """Everything between the outbox and the projections, wired for one deployment.

    ``owner`` names this process in the relayers' leases (see ``Sender``); by default its first relayer does, for a
    gateway has relayers of its own. ``offices``: see ``Sender``. Use either ``step``/``run_until_idle`` or
    ``start``/``stop``, not both at once.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        deployment: Deployment,
        relayers: Sequence[DigestSigner],
        clock: Clock,
        *,
        owner: str | None = None,
        offices: Mapping[str, DigestSigner] | None = None,
        sender_limits: SenderLimits | None = None,
        indexer_limits: IndexerLimits | None = None,
        stall_s: float = STALL_S,
        steady: Callable[[], float] = time.monotonic,
        poll_s: float = 0.05,
    ) -> None:
        self.database = database
        self.engine = engine
        self.deployment = deployment
        self.outbox = Outbox(clock)
        self.desk = OrderDesk(deployment.domain(), self.outbox, clock)
        self._addresses = {name: contract.address for name, contract in deployment.contracts.items()}
        routes = Routes.of(
            address_bytes(deployment.address("Exchange")), address_bytes(deployment.address("Redemption"))
        )
        blocks = None if engine.is_own else VerifiedBlocks()
        self.sender = Sender(
            database,
            engine,
            relayers,
            routes,
            clock,
            owner=owner or relayers[0].address,
            limits=sender_limits,
            offices=offices,
            blocks=blocks,
            witnesses=[deployment.address(name) for name in WITNESSES],
            topics=["0x" + event_topic(name, event).hex() for name, events in WITNESSES.items() for event in events],
        )
        self.indexer = Indexer(
            database,
            engine,
            contracts_of(self._addresses, deployment.replaced),
            salt=bytes.fromhex(deployment.salt[2:]),
            first_block=deployment.block,
            limits=indexer_limits,
            blocks=blocks,
        )
        self._watch = LivenessWatch(stall_s, steady)
        self._stalled: Stall | None = None
        self._poll_s = poll_s
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._grown = threading.Event()
        self._threads: list[threading.Thread] = []
        self._alarm: str | None = None
        self._troubles: dict[str, str] = {}
        self._next_block_s = 0.0
        self._next_pass_s = 0.0

    def step(self) -> StepReport:
        """Send, make blocks, settle and project once. Raises what the parts raise."""
        signed, settled, blocks_made = self._send()
        indexed = self.indexer.step()
        return StepReport(signed, settled, blocks_made, indexed.blocks, indexed.logs)

    def run_until_idle(self, *, timeout_s: float = 120.0, steady: Callable[[], float] = time.monotonic) -> StepReport:
        """Step until nothing is queued or under way and all final blocks up to then are projected; returns the sums.

        What waits (for funding, for a pause to end) is not awaited. ``timeout_s`` is counted anew whenever something
        moves. A new block that has nothing of ours is no movement: a network may make those for ever. Raises
        GatewayStuck, and what the parts raise except for what passes.
        """
        sums = StepReport(0, 0, 0, 0, 0)
        moved_s = steady()
        target = None
        while True:
            trouble = None
            try:
                report = self.step()
                if target is None or report.settled or report.blocks_made:
                    target = self.engine.final_height()
            except (RpcError, InconsistentAnswer) as error:
                if isinstance(error, RpcError) and not error.is_retryable:
                    raise
                trouble = str(error)
                report = StepReport(0, 0, 0, 0, 0)
            sums = sums.plus(report)
            is_behind = trouble is not None or target is None or self.indexer.cursor().block_number < target
            if report.moves_work or (report.blocks_indexed and is_behind):
                moved_s = steady()
                continue
            unsettled = self.sender.unsettled()
            if unsettled == 0 and trouble is None and not is_behind:
                return sums
            if steady() - moved_s > timeout_s:
                raise GatewayStuck(unsettled, timeout_s, [*self.sender.alarms, *([trouble] if trouble else [])])
            if report.is_idle:
                time.sleep(self._poll_s)

    def start(self) -> None:
        """Run the loops in threads until ``stop``. A broken invariant ends them and becomes an alarm."""
        if self._threads:
            return
        self._stopping.clear()
        self._alarm = None
        self._threads = [
            threading.Thread(target=self._loop, args=(self._send_once, self._wake), name="sender", daemon=True),
            threading.Thread(target=self._loop, args=(self._index_once, self._grown), name="indexer", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Let the loops finish their step and end. What is under way is taken up by the next start, or at once by
        another gateway: the relayers' leases are given up."""
        self._stopping.set()
        self._wake.set()
        self._grown.set()
        threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(timeout_s)
        if not threads or any(thread.is_alive() for thread in threads):
            return  # A loop that hangs may still send: its leases end by time.
        try:
            self.sender.give_up_leases()
        except (TongduiError, SQLAlchemyError, psycopg.Error, OSError) as error:
            _LOG.warning("the relayers' leases end by time: %s", error)

    def wake(self) -> None:
        """Tell the sender that something was enqueued, so that it need not be found by polling."""
        self._wake.set()

    @property
    def alarm(self) -> str | None:
        """Why a loop ended although it was not stopped, or None while all of them run."""
        return self._alarm

    def health(self) -> GatewayHealth:
        """Return how the loops fare."""
        alarms = (*self.sender.alarms, *([self._alarm] if self._alarm else []))
        liveness = self.look()
        return GatewayHealth(
            is_running=bool(self._threads) and all(thread.is_alive() for thread in self._threads),
            final_height=liveness.final_height,
            projected_height=self.indexer.projected_height(),
            alarms=alarms,
            trouble="; ".join([*self._troubles.values(), *self.engine.troubles]) or None,
            liveness=liveness,
        )

    def look(self) -> Liveness:
        """Look whether what was sent gets an outcome; to be called every few seconds. Logs when that changes.

        Raises RpcError, and what the database raises.
        """
        liveness = self._watch.look(self.engine.final_height(), self.sender.waiting())
        if liveness.stall is not self._stalled:
            if liveness.stall is None:
                _LOG.warning("what waited moves again, at final block %d", liveness.final_height)
            else:
                _LOG.critical("%s", liveness.alarm)
            self._stalled = liveness.stall
        return liveness

    def check_projection(self, *, balances_max: int = 1_000) -> ProjectionCheck:
        """Compare the projection with the chain; see ``ledger.indexer.check``."""
        return check_projection(self.database, self.engine, self._addresses, balances_max=balances_max)

    def _send(self) -> tuple[int, int, int]:
        return self._send_and(self.engine.produce)

    def _send_and(self, produce: Callable[[], int]) -> tuple[int, int, int]:
        report = self.sender.step()
        blocks = produce()
        settled = report.settled + (self.sender.settle() if blocks else 0)
        return report.signed, settled, blocks

    def _produce_in_time(self) -> int:
        """Make blocks, unless the last ones took long and that was a moment ago."""
        began = time.monotonic()
        if began < self._next_block_s:
            return 0
        blocks = self.engine.produce()
        took = time.monotonic() - began
        if took > _SHORT_BLOCK_S:
            self._next_block_s = began + took * (1 + _PAUSE_PER_BLOCK)
        return blocks

    def _send_once(self) -> bool:
        self._stopping.wait(max(0.0, self._next_pass_s - time.monotonic()))
        began = time.monotonic()
        signed, settled, blocks = self._send_and(self._produce_in_time)
        moved = bool(signed or settled or blocks)
        if blocks or settled:
            self._grown.set()
        if moved:
            ended = time.monotonic()
            self._next_pass_s = ended + min((ended - began) * _PAUSE_PER_PASS, _PAUSE_MAX_S)
        return moved

    def _index_once(self) -> bool:
        return not self.indexer.step().is_idle

    def _loop(self, once: Callable[[], bool], wake: threading.Event) -> None:
        delay_s = self._poll_s
        while not self._stopping.is_set():
            try:
                moved = once()
                self._troubles.pop(threading.current_thread().name, None)
                delay_s = self._poll_s
            except (InvariantViolation, ClockJumped, EngineStopped) as error:
                _LOG.critical("stopped: %s", error)
                self._alarm = str(error)
                return
            except (TongduiError, SQLAlchemyError, psycopg.Error, OSError) as error:
                # Node or database is away, or answers nonsense, or the disk is full: nothing is lost. It is tried
                # again, less and less often.
                _LOG.warning("tried again in %.1f s: %s", delay_s, error)
                self._troubles[threading.current_thread().name] = str(error)
                moved = False
                delay_s = min(delay_s * 2, _DELAY_MAX_S)
            except Exception as error:  # noqa: BLE001  # a thread that dies unheard is worse than one that says why
                _LOG.critical("stopped by a defect", exc_info=error)
                self._alarm = f"{type(error).__name__}: {error}"
                return
            if not moved:
                wake.wait(delay_s)
                wake.clear()
