"""Runs the API and its workers: several API processes beside one with the workers, or all of it in one process."""

from __future__ import annotations

from collections.abc import Callable

from ledger.clock import Clock
from tongdui.bootstrap import City, open_city
from tongdui.logs import configure_logs
from tongdui.settings import Settings


def serve(
    settings: Settings, clock: Clock | None = None, *, on_ready: Callable[[City, str], None] | None = None
) -> None:
    """Serve until a signal ends it. ``on_ready`` hears the city and the URL once all processes listen.

    ``clock``: in several processes, the one of the state directory (`tongdui.clock`), which each of them opens anew.
    Raises CannotListen, ApiFailed, and what `open_city` raises.
    """
    configure_logs(settings.log_level)
    # The web framework is imported where it is needed: not in a process that only looks after others.
    if settings.processes > 1:
        from tongdui.serving.parent import serve_in_processes

        serve_in_processes(settings, clock, settings.processes, on_ready)
        return
    from ledger_api.app import create_app
    from tongdui.api import services_of
    from tongdui.serving.server import Server, http_config

    with open_city(settings, clock) as city:
        config = http_config(create_app(services_of(city)), settings)
        Server(config, lambda url: on_ready(city, url) if on_ready else None).run()
