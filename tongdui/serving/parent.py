"""The process with the workers: it starts the API processes, replaces those that die, and ends them before itself."""

from __future__ import annotations

import logging
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ledger.clock import Clock
from ledger_api.http.shared_limit import shared_memory
from tongdui.bootstrap import City, open_city
from tongdui.ending import Ending, ending_by_signal
from tongdui.serving.door import door_of
from tongdui.serving.errors import ApiFailed
from tongdui.serving.plan import Plan, failure_in, settings_of
from tongdui.serving.sockets import HAS_OWN_SOCKETS, reserve
from tongdui.settings import Settings

_LOG = logging.getLogger(__name__)

_CHILD = "tongdui.serving.child"
_LOOK_S = 0.1
_STOP_S = 15.0
"""A server gives its requests ten seconds; one that takes longer is killed."""
_AGAIN_FIRST_S, _AGAIN_MAX_S = 0.2, 30.0
_LIVED_S = 60.0
"""A process that lived so long is replaced at once when it dies."""
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def serve_in_processes(
    settings: Settings, clock: Clock | None, count: int, on_ready: Callable[[City, str], None] | None
) -> None:
    """Open the city with its workers, and serve it from ``count`` API processes until a signal ends it.

    Raises CannotListen, ApiFailed, and what `open_city` raises.
    """
    with ending_by_signal() as ending, ExitStack() as stack:
        held = stack.enter_context(reserve(settings.host, settings.port))
        city = stack.enter_context(open_city(settings, clock))
        door = stack.enter_context(door_of(city)) if settings.workers else None
        limit = shared_memory()
        stack.callback(os.close, limit)
        port = held.getsockname()[1]
        plan = Plan(
            settings_of(settings, door if settings.rpc_url is None else None),
            port,
            None if HAS_OWN_SOCKETS else held.fileno(),
            limit,
            door,
        )
        metrics = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tongdui-metrics-")))
        fleet = Fleet(plan, count, metrics)
        stack.callback(fleet.stop)
        ending.is_opening = False
        if not fleet.start(ending):
            return
        if on_ready is not None:
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            on_ready(city, f"http://{host}:{port}")
        while not ending.event.wait(_LOOK_S):
            fleet.look()


@dataclass(slots=True)
class _Seat:
    """A place for one process, and when its last one was started."""

    process: subprocess.Popen[str] | None = None
    started_s: float = 0.0
    again_s: float = _AGAIN_FIRST_S
    due_s: float = 0.0


class Fleet:
    """The API processes."""

    def __init__(self, plan: Plan, count: int, metrics: Path) -> None:
        self._plan = plan
        self._seats = [_Seat() for _ in range(count)]
        self._metrics = metrics

    def start(self, ending: Ending) -> bool:
        """Start all of them and wait until each listens; return False if the end was asked for meanwhile.

        Raises ApiFailed.
        """
        with selectors.DefaultSelector() as waiting:
            for seat in self._seats:
                process = self._begin(seat)
                waiting.register(_stdout(process), selectors.EVENT_READ, process)
            while waiting.get_map():
                if ending.event.is_set():
                    return False
                for key, _ in waiting.select(_LOOK_S):
                    waiting.unregister(key.fileobj)
                    failure = failure_in(_stdout(key.data).readline())
                    if failure is not None:
                        raise ApiFailed(failure)
        return True

    def look(self) -> None:
        """Replace processes that have died, those that die again and again less and less often."""
        now = time.monotonic()
        for seat in self._seats:
            if seat.process is not None and seat.process.poll() is not None:
                _LOG.error("API process %d ended (%d); another is started", seat.process.pid, seat.process.returncode)
                _close_pipes(seat.process)
                has_lived = now - seat.started_s > _LIVED_S
                seat.again_s = _AGAIN_FIRST_S if has_lived else min(2 * seat.again_s, _AGAIN_MAX_S)
                seat.process, seat.due_s = None, now + seat.again_s
            if seat.process is None and now >= seat.due_s:
                self._begin(seat)

    def stop(self) -> None:
        """Let all of them answer what they have taken on, and end; kill what does not."""
        alive = [seat.process for seat in self._seats if seat.process is not None]
        for process in alive:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + _STOP_S
        for process in alive:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                _LOG.error("API process %d does not end and is killed", process.pid)
                process.kill()
                process.wait()
            _close_pipes(process)

    def _begin(self, seat: _Seat) -> subprocess.Popen[str]:
        descriptors = [self._plan.limit, *([] if self._plan.listening is None else [self._plan.listening])]
        process = subprocess.Popen(
            [sys.executable, "-m", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=descriptors,
            env={**os.environ, METRICS_VARIABLE: str(self._metrics)},
            start_new_session=True,  # Ctrl-C is this process's to hear
        )
        seat.process, seat.started_s = process, time.monotonic()
        try:
            if process.stdin is not None:
                process.stdin.write(self._plan.line())
                process.stdin.flush()
        except BrokenPipeError:
            _LOG.debug("API process %d ended at once", process.pid)
        return process


def _stdout(process: subprocess.Popen[str]) -> IO[str]:
    if process.stdout is None:
        raise ApiFailed("it has no pipes")
    return process.stdout


def _close_pipes(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
