"""One API process: ``python -m tongdui.serving.child``, started by `parent` with a `Plan` on standard input.

Standard input stays open for as long as the parent lives: its end is the end of this process too.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from socket import socket

from ledger.errors import TongduiError
from ledger_api.app import create_app
from ledger_api.http.shared_limit import SharedRateLimiter
from tongdui.api import Beside, services_of
from tongdui.bootstrap import open_city
from tongdui.clock import clock_of
from tongdui.logs import configure_logs
from tongdui.serving.door import workers_behind
from tongdui.serving.plan import Plan, failed_line, ready_line
from tongdui.serving.server import Server, http_config
from tongdui.serving.sockets import listening
from tongdui.settings import Settings


def main() -> int:
    """Serve until SIGTERM, or the parent's end; return the exit code."""
    line = sys.stdin.readline()
    if not line:
        return 0
    plan = Plan.read(line)
    settings = Settings(**plan.settings, _env_file=None)
    configure_logs(settings.log_level)
    try:
        serve(plan, settings, lambda: _say(ready_line()))
    except (TongduiError, OSError) as error:
        _say(failed_line(error))
        return 1
    return 0


def serve(plan: Plan, settings: Settings, on_ready: Callable[[], None]) -> None:
    """Open the city without its workers and answer HTTP."""
    with ExitStack() as stack:
        city = stack.enter_context(open_city(settings, clock_of(settings.state_dir)))
        workers = None if plan.workers is None else stack.enter_context(workers_behind(plan.workers))
        limiter = SharedRateLimiter(settings.rate_per_minute, plan.limit)
        app = create_app(services_of(city, Beside(limiter, workers)))
        server = Server(http_config(app, settings), lambda _url: on_ready())
        threading.Thread(target=_end_with_parent, args=(server,), name="parent", daemon=True).start()
        own = listening(settings.host, plan.port) if plan.listening is None else socket(fileno=plan.listening)
        server.run([own])


def _end_with_parent(server: Server) -> None:
    """Ask the server to end when standard input does."""
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    server.should_exit = True


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent has gone
        sys.stdout.write(line)
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
