"""Start and stop Anvil, the embedded engine's node: the native binary, a child on loopback without automine.

The npm wrapper is not used: killing it orphans the node. Anvil's ``anvil_*`` methods cannot be switched off, so the
node is for this process alone: it gets a network of its own where the system has one (`ledger.chain.embedded.door`).
Others go through `ledger.chain.embedded.proxy`.
"""

from __future__ import annotations

import os
import platform
import queue
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.embedded import door
from ledger.chain.embedded.processes import identify, launch, read_identity, write_identity
from ledger.chain.errors import NodeBinaryMissing, NodeStartFailed
from ledger.chain.rpc import UNIX_SOCKET, RpcClient, RpcError

BINARY_VARIABLE = "TONGDUI_ANVIL"
_IDENTITY_FILE = "anvil.json"
_LOG_FILE = "anvil.log"
_LOG_BYTES_MAX = 1_000_000
_START_TIMEOUT_S = 20.0
_PORT_ATTEMPTS = 5
_SOCKET = "door-"
_PORT_INSIDE = 8545


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What a chain of this node depends on: the same settings and transactions give the same block hashes."""

    chain_id: int
    genesis_timestamp: int
    """Unix seconds."""
    block_gas_limit: int = 1_000_000_000
    """A block rebuilds the whole state trie (0.27 s at 200k slots), so a block must be able to hold very much."""
    hardfork: str = "london"
    history_states: int = 32
    """How many past blocks keep their state for calls and proofs. Each costs about 75 bytes a slot in memory: without
    a limit 160 blocks over 200k slots take 2 GB (measured). It does not influence block hashes."""


def find_binary() -> Path:
    """Return the native anvil binary: from TONGDUI_ANVIL, the project's node_modules, or the PATH.

    Raises NodeBinaryMissing, which names the places.
    """
    named = os.environ.get(BINARY_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise NodeBinaryMissing([Path(named)])
        return Path(named)
    system = {"linux": "linux", "darwin": "darwin", "win32": "win32"}.get(sys.platform, sys.platform)
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    package = f"@foundry-rs/anvil-{system}-{machine}/bin/anvil" + (".exe" if system == "win32" else "")
    roots = [Path(__file__).resolve().parents[3], Path.cwd()]
    places = [root / "node_modules" / package for root in dict.fromkeys(roots)]
    for place in places:
        if place.is_file():
            return place
    on_path = shutil.which("anvil")
    # npm's wrapper is a script with a shebang line; only a native program may be our child.
    if on_path and Path(on_path).read_bytes()[:2] != b"#!":
        return Path(on_path)
    raise NodeBinaryMissing(places)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node listens: a port of loopback, or one of its own network with a socket in our folder as the door."""

    url: str
    port: int
    socket: str | None = None
    """Its name in the folder; None on loopback."""
    folder: Path | None = None
    descriptor: int | None = None

    @classmethod
    def on_loopback(cls, not_at: str) -> _Place:
        with socket.socket() as probe, socket.socket() as other:
            probe.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            ports = [probe.getsockname()[1], other.getsockname()[1]]
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        at = 1 if urls[0] == not_at else 0
        return cls(urls[at], ports[at])

    @classmethod
    def isolated(cls, folder: Path) -> _Place:
        for former in folder.glob(f"{_SOCKET}*"):
            former.unlink(missing_ok=True)
        name = _SOCKET + secrets.token_hex(8)
        # A socket's path has room for 107 bytes; by a descriptor of its folder any place can be reached.
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        return cls(f"{UNIX_SOCKET}/proc/self/fd/{descriptor}/{name}", _PORT_INSIDE, name, folder, descriptor)

    def close(self) -> None:
        """Forget the socket."""
        if self.folder is not None and self.socket is not None and self.descriptor is not None:
            (self.folder / self.socket).unlink(missing_ok=True)
            os.close(self.descriptor)


class AnvilNode:
    """One running Anvil. Create with `start`; it always dies with this process."""

    def __init__(self, process: subprocess.Popen[bytes], keeper: threading.Thread, folder: Path, place: _Place) -> None:
        self._process = process
        self._keeper = keeper
        self._folder = folder
        self._place = place

    @property
    def url(self) -> str:
        """The node's address, as `RpcClient` takes it."""
        return self._place.url

    @property
    def pid(self) -> int:
        """The node's process id."""
        return self._process.pid

    @classmethod
    def start(
        cls,
        settings: NodeSettings,
        folder: Path,
        binary: Path | None = None,
        *,
        not_at: str = "",
        is_isolated: bool = False,
    ) -> AnvilNode:
        """Start a node at its genesis, empty, and wait until it answers. ``folder`` keeps its log, home and identity.

        ``not_at`` is the address of the node before, which readers may still call: this one gets another.
        ``is_isolated``: in a network of its own, which the system must have (`door.is_available`).

        An orphan of an earlier run is killed first, never adopted: what it mined may not be journaled. Raises
        NodeBinaryMissing or NodeStartFailed.
        """
        binary = binary or find_binary()
        folder.mkdir(parents=True, exist_ok=True)
        kill_orphan(folder)
        failure = NodeStartFailed("no attempt was made", "")
        for _ in range(_PORT_ATTEMPTS):
            try:
                return cls._start_once(settings, folder, binary, not_at, is_isolated=is_isolated)
            except NodeStartFailed as error:  # most likely somebody took the port between our look and Anvil's bind
                failure = error
        raise failure

    @classmethod
    def _start_once(
        cls, settings: NodeSettings, folder: Path, binary: Path, not_at: str, *, is_isolated: bool
    ) -> AnvilNode:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        log = folder / _LOG_FILE
        if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        place = _Place.isolated(folder) if is_isolated else _Place.on_loopback(not_at)
        # Anvil writes old states and caches under HOME whatever its flags say; it gets one of its own.
        env = {"HOME": str(home), "TMPDIR": str(home), "PATH": os.defpath, "NO_COLOR": "1"}
        arguments = [str(binary), *_arguments(settings, place.port, home)]
        try:
            process, keeper = _launch_kept(place, arguments, env=env, cwd=folder, log=log)
        except NodeStartFailed:
            place.close()
            raise
        node = cls(process, keeper, folder, place)
        try:
            identity = identify(process.pid)
            if identity is not None:
                write_identity(folder / _IDENTITY_FILE, identity, at=place.url)
            node._wait_until_ready(settings, log)
        except BaseException:
            node.kill()
            raise
        return node

    def is_alive(self) -> bool:
        """Return True while the process runs, or has ended so shortly ago that it was not noticed yet."""
        # The keeper waits for the end. Popen.poll() would say None as long as another thread waits.
        return self._keeper.is_alive()

    def kill(self) -> None:
        """Kill the node (it keeps nothing worth a farewell) and wait for its end. Harmless when it is gone."""
        self._process.kill()
        self._keeper.join()
        place, self._place = self._place, _Place(self.url, self._place.port)
        place.close()
        (self._folder / _IDENTITY_FILE).unlink(missing_ok=True)

    def _wait_until_ready(self, settings: NodeSettings, log: Path) -> None:
        found = self._first_answer(log)
        # Somebody else's node may answer on a port that ours failed to bind.
        if found != (settings.chain_id, settings.genesis_timestamp) or not self.is_alive():
            raise NodeStartFailed(f"another node answers at {self.url}", _tail(log))

    def _first_answer(self, log: Path) -> tuple[int, int]:
        """Wait for the node and return (chain id, genesis timestamp) as it says them."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        with RpcClient(self.url, timeout_s=5.0) as client:
            while True:
                if not self.is_alive():
                    raise NodeStartFailed(f"it ended with code {self._process.returncode}", _tail(log))
                try:
                    chain_id, genesis = client.batch([("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False])])
                    return int(chain_id, 16), int(genesis["timestamp"], 16)
                except RpcError as error:  # the door is not there yet, or the port not open
                    if time.monotonic() > deadline:
                        raise NodeStartFailed(f"no answer in {_START_TIMEOUT_S:.0f} s: {error}", _tail(log)) from error
                    time.sleep(0.005)


def kill_orphan(folder: Path) -> bool:
    """Kill the node that an earlier run left behind in ``folder``; True if there was one."""
    path = folder / _IDENTITY_FILE
    identity = read_identity(path)
    killed = identity is not None and identity.kill()
    path.unlink(missing_ok=True)
    return killed


def _arguments(settings: NodeSettings, port: int, home: Path) -> list[str]:
    return [
        *("--host", "127.0.0.1"),
        *("--port", str(port)),
        *("--chain-id", str(settings.chain_id)),
        *("--timestamp", str(settings.genesis_timestamp)),
        *("--gas-limit", str(settings.block_gas_limit)),
        *("--hardfork", settings.hardfork),
        *("--accounts", "0"),
        *("--gas-price", "0"),
        *("--base-fee", "0"),
        "--no-priority-fee",
        *("--order", "fifo"),
        "--no-mining",
        *("--prune-history", str(settings.history_states)),
        *("--cache-path", str(home / "cache")),
        "--no-request-size-limit",
        # Without CORS headers no page in the operator's browser can read or write this node.
        "--no-cors",
        "--quiet",
    ]


def _launch_kept(
    place: _Place, arguments: list[str], *, env: dict[str, str], cwd: Path, log: Path
) -> tuple[subprocess.Popen[bytes], threading.Thread]:
    """Launch from a thread that lives as long as the child, for the parent-death signal follows the thread."""
    started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()

    def keep() -> None:
        try:
            if place.socket is None:
                process = launch(arguments, env=env, cwd=cwd, log=log)
            else:
                through = [place.socket, str(place.port), *arguments]
                process = launch(through, env=env, cwd=cwd, log=log, launcher=(door.__file__,))
        except OSError as error:
            started.put(error)
            return
        started.put(process)
        process.wait()

    keeper = threading.Thread(target=keep, name="anvil-keeper", daemon=True)
    keeper.start()
    outcome = started.get()
    if isinstance(outcome, OSError):
        raise NodeStartFailed(str(outcome), "") from outcome
    return outcome, keeper


def _tail(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-500:].strip()
    except FileNotFoundError:
        return ""
