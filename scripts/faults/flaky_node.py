"""A program that the embedded engine takes for Anvil: it is Anvil, behind a proxy that loses, delays and garbles."""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from ledger.chain.embedded.anvil import find_binary
from ledger.chain.embedded.processes import launch
from ledger.chain.rpc import RpcClient, RpcError
from scripts.faults.flaky_proxy import FlakyProxy

_START_S = 20.0


def main(seed: str, mishaps: float, late_s: float) -> None:
    """Start Anvil with the given arguments at a port of its own, relay to it from the port that was asked for, wait.

    Anvil dies with this process, and this process with Anvil.
    """
    arguments = sys.argv[1:]
    at = arguments.index("--port") + 1
    asked = int(arguments[at])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        arguments[at] = str(probe.getsockname()[1])
    os.environ.pop("TONGDUI_ANVIL", None)
    url = f"http://127.0.0.1:{arguments[at]}"
    process = launch([str(find_binary()), *arguments], env=dict(os.environ), cwd=Path.cwd(), log=Path("anvil-real.log"))
    deadline = time.monotonic() + _START_S
    with RpcClient(url, 5.0) as client:
        while True:
            try:
                client.call("eth_chainId")
                break
            except RpcError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(1)
                time.sleep(0.005)
    # Each life of the node has other mishaps, or the same request would fail again and again.
    proxy = FlakyProxy(url, f"{seed}/{os.getpid()}", mishaps, late_s, port=asked)
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    threading.Thread(target=lambda: ended.put(process.wait()), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: ended.put(0))
    code = ended.get()
    proxy.close()
    process.kill()
    sys.exit(code)
