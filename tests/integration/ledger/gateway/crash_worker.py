"""A gateway that kills itself with SIGKILL at a named moment: ``crash_worker STATE URL MOMENT WHICH``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger.indexer import projector
from ledger.outbox.outbox import Enqueued
from tests.integration.ledger.gateway.lab import GatewayLab, key, open_lab

BATCHES = 12
GRANTS = 5


def fill(lab: GatewayLab) -> None:
    """Enqueue the same batches in every life, as a pipeline that was not told how far it had come."""
    for number in range(1, BATCHES + 1):
        lab.enqueue_mint(1, [(key(f"holder {n}").address, 100 * number + n) for n in range(GRANTS)], number)


def order_once(lab: GatewayLab) -> None:
    """Place one exchange as soon as there are points, once over all lives."""
    alice = key("holder 0")
    marker = lab.state / "ordered"
    with lab.database.transaction() as session:
        if marker.exists() or not lab.gateway.desk.spendable(session, alice.address):
            return
        placed = lab.gateway.desk.place_exchange(session, alice, 1, 2, 100)
        again = lab.gateway.outbox.enqueue_order(session, "exchange", placed.orders[0].order_id, b"", None)
        if again is not Enqueued.EXISTS_WITH_DIFFERENT_PAYLOAD:
            raise RuntimeError(again)
    marker.touch()


def kill_at(owner: Any, name: str, which: int, *, before: bool) -> None:
    """Replace a method by one that ends this process, before or after its work, at its ``which``-th call."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == which:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if not before and calls == which:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, wrapped)


def arm(lab: GatewayLab, moment: str, which: int) -> None:
    """Choose where to die."""
    match moment:
        case "persisted":  # signed bytes are in SQL, no node has seen them
            kill_at(lab.gateway.sender, "broadcast", which, before=True)
        case "broadcast":  # the node has them, nobody wrote that down
            kill_at(lab.engine, "submit", which, before=False)
        case "mined":  # mined by the node, not journaled: it never happened
            kill_at(lab.engine.journal, "append", which, before=True)
        case "journaled":  # final, and nobody heard of it
            kill_at(lab.engine.journal, "append", which, before=False)
        case "settled":  # the outcome is written, the projection not
            kill_at(lab.gateway.sender, "_record_outcomes", which, before=False)
        case "projecting":  # in the middle of the projection's transaction
            kill_at(projector, "_add_balances", which, before=False)
        case _:
            raise SystemExit(f"no such moment: {moment}")


def main() -> None:
    """Live until the moment comes."""
    state, url, moment, which = sys.argv[1:]
    lab = open_lab(Path(state), url)
    fill(lab)
    arm(lab, moment, int(which))
    lab.gateway.run_until_idle()
    order_once(lab)
    lab.gateway.run_until_idle()
    lab.close()


if __name__ == "__main__":
    main()
