"""Runs the workers alone: sender, indexer, upkeep, the issuers' rounds and the drop folders, without the HTTP API.

A city with a network has one or more of these processes beside its API processes (``tongdui serve`` with
``TONGDUI_WORKERS=false``); they share the database, the node and the state directory's keys. No web framework is
imported on this way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.clock import Clock
from ledger.errors import InvariantViolation
from tongdui.bootstrap import City, open_city
from tongdui.ending import ending_by_signal
from tongdui.logs import configure_logs
from tongdui.settings import Settings

_LOOK_S = 0.5


class WorkersStopped(InvariantViolation):
    """A worker ended with an alarm: a broken invariant, a clock that was set, or a defect."""

    def __init__(self, alarms: Sequence[str]) -> None:
        self.alarms = tuple(alarms)
        super().__init__(f"the workers have stopped: {'; '.join(alarms)}")


def work(settings: Settings, clock: Clock | None = None, *, on_ready: Callable[[City], None] | None = None) -> None:
    """Work until SIGTERM or SIGINT ends it, whatever ``settings.workers`` says.

    A signal that comes while the city still opens raises KeyboardInterrupt; what was opened is closed first.

    Args:
        settings: of the installation; see `Settings`.
        clock: the time; by default the machine's.
        on_ready: hears the open city once the workers run.

    Raises:
        WorkersStopped: a worker ended with an alarm. Nobody would see it here, so the process ends too.
        TongduiError: what `open_city` raises.
    """
    configure_logs(settings.log_level)
    with ending_by_signal() as ending, open_city(settings.model_copy(update={"workers": True}), clock) as city:
        ending.is_opening = False
        if on_ready is not None:
            on_ready(city)
        while not ending.event.wait(_LOOK_S):
            alarms = [*([city.gateway.alarm] if city.gateway.alarm else []), *city.invariants.alarms]
            if alarms:
                raise WorkersStopped(alarms)
