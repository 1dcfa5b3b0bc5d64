"""Whether requests can be served: the database and the chain answer, projection and outcomes keep up, workers run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from issuers.intake.drop_folder import set_aside
from ledger.chain.answers import member, quantity
from ledger.clock import Clock
from ledger.errors import TongduiError
from ledger.gateway import Gateway, GatewayHealth
from ledger.outbox.liveness import Liveness, judge
from ledger.standard.ids import ProgrammeSlug
from ledger.store.database import Database
from ledger_api.ports import Check

LAG_BLOCKS_MAX = 100
_GET_BLOCK = "eth_getBlockByNumber"


def readiness_checks(
    database: Database,
    gateway: Gateway,
    needs_workers: bool,
    drops: Mapping[ProgrammeSlug, Path] | None = None,
    beside: Callable[[], WorkersBeside] | None = None,
) -> Callable[[], Sequence[Check]]:
    """Return the function that checks everything anew at each call. ``drops``: drop folders by name; ``beside`` asks
    the process beside this one that has the workers."""

    def check() -> Sequence[Check]:
        checks = [_database(database)]
        try:
            health = gateway.health()
        except TongduiError as error:
            return [*checks, Check("chain", False, str(error))]
        checks += of_health(health, needs_workers)
        if beside is not None:
            checks.append(of_beside(beside()))
        return [*checks, *of_drops(drops or {})]

    return check


@dataclass(frozen=True, slots=True)
class WorkersBeside:
    """How the workers fare that run in another process of this installation."""

    is_running: bool
    alarms: tuple[str, ...]
    trouble: str | None


def of_beside(workers: WorkersBeside) -> Check:
    """Return what the process with the workers says of them. Pure."""
    detail = "; ".join(workers.alarms) or workers.trouble or "no trouble"
    is_well = workers.is_running and not workers.alarms
    return Check("workers", is_well, detail if is_well or workers.alarms else f"they have stopped: {detail}")


def of_drops(folders: Mapping[ProgrammeSlug, Path]) -> list[Check]:
    """Return how many dropped files stand aside. That is their agencies' trouble: requests are served all the same."""
    if not folders:
        return []
    counts = {name: set_aside(folder) for name, folder in folders.items()}
    found = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return [Check("drops", True, f"files set aside: {found}" if found else "no file set aside")]


def of_health(health: GatewayHealth, needs_workers: bool) -> list[Check]:
    """Return what the gateway's health says. Pure."""
    lag = health.final_height - health.projected_height
    checks = [
        Check("chain", True, f"final block {health.final_height}"),
        Check("projection", lag <= LAG_BLOCKS_MAX, f"{lag} blocks behind"),
        Check("liveness", health.liveness.stall is None, health.liveness.alarm or _ages(health.liveness)),
        Check("alarms", not health.alarms, "; ".join(health.alarms) or "none"),
    ]
    if needs_workers:
        detail = health.trouble or "no trouble"
        checks.append(Check("workers", health.is_running, detail if health.is_running else "they have stopped"))
    return checks


@dataclass(frozen=True, slots=True)
class SingleLook:
    """What can be said without having watched, by the wall clock."""

    liveness: Liveness
    block_age_s: int


def look_once(gateway: Gateway, clock: Clock, stall_s: float) -> SingleLook:
    """Return the ages of the final block and of what waits. Raises RpcError."""
    height = gateway.engine.final_height()
    block = gateway.engine.rpc.call(_GET_BLOCK, [hex(height), False])
    made_at = quantity(member(block, "timestamp", _GET_BLOCK), _GET_BLOCK)
    waiting, now = gateway.sender.waiting(), clock.timestamp()
    block_age_s, oldest_s = max(0, now - made_at), waiting.oldest_s(now)
    return SingleLook(judge(waiting, height, block_age_s, oldest_s, oldest_s, stall_s), block_age_s)


def _ages(liveness: Liveness) -> str:
    waiting = liveness.waiting
    if waiting.is_empty:
        return f"nothing waits; block {liveness.final_height} has been the last for {liveness.final_age_s:.0f} s"
    sent = f"{waiting.transactions} transactions have waited up to {liveness.oldest_age_s:.0f} s"
    final = f"block {liveness.final_height} has been the last for {liveness.final_age_s:.0f} s"
    return f"{sent}, {waiting.queued} messages are queued; {final}"


def _database(database: Database) -> Check:
    try:
        with database.read() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return Check("database", False, type(error).__name__)
    return Check("database", True, "answers")
