"""The door between the process with the workers and its API processes: a Unix socket in a folder of this user's own.

Behind it they read the embedded chain up to its final height, and ask how the workers fare.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger.chain.embedded.proxy import Proxy
from ledger.chain.embedded.window import WindowLimits
from ledger.chain.rpc import RpcClient, RpcError
from tongdui.bootstrap import City
from tongdui.readiness import WorkersBeside

WORKERS = "tongdui_workers"
_PATH_MAX = 100
"""A socket's address has 108 bytes on Linux, 104 elsewhere."""
_LIMITS = WindowLimits(answer_bytes_max=256 * 1024 * 1024, heavy_calls_max=16, call_timeout_s=60.0)
_ASK_TIMEOUT_S = 5.0


@contextmanager
def door_of(city: City) -> Iterator[str]:
    """Open the door, and yield its address for `RpcClient`."""

    def workers() -> dict[str, Any]:
        health = city.gateway.health()
        return {"is_running": health.is_running, "alarms": list(health.alarms), "trouble": health.trouble}

    with _folder(city.settings.state_dir) as folder:
        proxy = Proxy(city.engine, limits=_LIMITS, socket_path=folder / "door", own={WORKERS: workers})
        try:
            yield proxy.url
        finally:
            proxy.close()


@contextmanager
def workers_behind(url: str) -> Iterator[Callable[[], WorkersBeside]]:
    """Yield a function that asks how the workers behind a door fare; who does not answer does not run."""
    with RpcClient(url, _ASK_TIMEOUT_S) as rpc:

        def ask() -> WorkersBeside:
            try:
                said = rpc.call(WORKERS)
            except RpcError as error:
                return WorkersBeside(False, (), f"their process does not answer: {error}")
            return WorkersBeside(bool(said["is_running"]), tuple(said["alarms"]), said["trouble"])

        yield ask


@contextmanager
def _folder(state_dir: Path) -> Iterator[Path]:
    own = state_dir.absolute() / "run"
    if len(str(own / "door")) <= _PATH_MAX:
        own.mkdir(mode=0o700, exist_ok=True)
        yield own
        return
    with tempfile.TemporaryDirectory(prefix="tongdui-") as other:
        yield Path(other)
