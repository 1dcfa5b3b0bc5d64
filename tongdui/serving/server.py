"""The HTTP server of one process, with a clean end on SIGTERM and SIGINT."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket
from typing import Any

import uvicorn

from ledger_api.http.connections import ConnectionLimits, bounded, proxy_networks
from tongdui.serving.errors import CannotListen
from tongdui.settings import Settings

STOP_WITHIN_S = 10


def http_config(app: Any, settings: Settings) -> uvicorn.Config:
    """Return how the API is served: bounded connections, and addresses in headers from declared proxies alone.

    Raises ConfigurationError.
    """
    limits = ConnectionLimits(proxies=proxy_networks(settings.proxies))
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded(limits),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        limit_concurrency=1_000,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
    )


class Server(uvicorn.Server):
    """A server that says where it listens: port 0 takes a free one."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[str], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve until a signal ends it. Raises CannotListen where uvicorn would end the process."""
        try:
            super().run(sockets)
        except SystemExit as error:
            raise CannotListen(self.config.host, self.config.port) from error

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; uvicorn would raise them again and end the process with the city still open."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start as uvicorn does, then say where."""
        await super().startup(sockets)  # type: ignore[arg-type]
        for server in self.servers:
            for one in server.sockets:
                host, port = one.getsockname()[:2]
                self._on_listening(f"http://{host}:{port}")
                return
