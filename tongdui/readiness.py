"""Whether requests can be served: the database answers, the chain answers, the projection keeps up, workers run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ledger.errors import TongduiError
from ledger.gateway import Gateway, GatewayHealth
from ledger.store.database import Database
from ledger_api.ports import Check

LAG_BLOCKS_MAX = 100


def readiness_checks(database: Database, gateway: Gateway, needs_workers: bool) -> Callable[[], Sequence[Check]]:
    """Return the function that checks everything anew at each call."""

    def check() -> Sequence[Check]:
        checks = [_database(database)]
        try:
            health = gateway.health()
        except TongduiError as error:
            return [*checks, Check("chain", False, str(error))]
        return [*checks, *of_health(health, needs_workers)]

    return check


def of_health(health: GatewayHealth, needs_workers: bool) -> list[Check]:
    """Return what the gateway's health says. Pure."""
    lag = health.final_height - health.projected_height
    checks = [
        Check("chain", True, f"final block {health.final_height}"),
        Check("projection", lag <= LAG_BLOCKS_MAX, f"{lag} blocks behind"),
        Check("alarms", not health.alarms, "; ".join(health.alarms) or "none"),
    ]
    if needs_workers:
        detail = health.trouble or "no trouble"
        checks.append(Check("workers", health.is_running, detail if health.is_running else "they have stopped"))
    return checks


def _database(database: Database) -> Check:
    try:
        with database.read() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return Check("database", False, type(error).__name__)
    return Check("database", True, "answers")
