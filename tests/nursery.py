"""Processes of the program that are there at once: forked from one that has imported everything already.

To import the program takes a second or two of a processor, and the tests start some hundred processes of it. Each is a
real process: it has its own number, environment and folder, reads its own command line, and can be killed. Whatever a
test wants to know about starting itself (imports, signals while it starts) it starts with ``subprocess``.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
ORDER_BYTES = 1 << 17
IMPORTED_EARLY = (
    "tongdui.cli.main",
    "tongdui.serve",
    "tongdui.work",
    "ledger.audit.auditor",
    "scripts.commands",
    "scripts.demo.run",
    "eth_account",
)


class NurseryGone(Exception):
    """The process from which all others are forked has ended."""


class Child:
    """A running process, spoken to as ``subprocess.Popen`` is."""

    def __init__(self, pid: int, channel: int, stdout: TextIO | None) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._channel = channel

    def poll(self) -> int | None:
        """Return how the process ended, as ``subprocess`` says it; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return how the process ended. Raises TimeoutExpired."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended since, as Popen has it
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._channel], [], [], timeout)[0]:
            said = os.read(self._channel, 64)
            os.close(self._channel)
            if not said:
                raise NurseryGone
            self.returncode = os.waitstatus_to_exitcode(int(said))
        return self.returncode


def start(
    module: str,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path = ROOT,
    stdout: int | None = None,
    stderr: int | None = None,
    session: bool = False,
) -> Child:
    """Start ``python -m module arguments``.

    ``stdout`` and ``stderr`` are open files' numbers, or ``subprocess.PIPE`` for standard output; nothing is kept where
    they are None. A ``session`` of its own receives no signals that were sent to the tests.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.ExitStack() as stack, Path(os.devnull).open("r+b") as nothing, ours, theirs:
        out, reader = stdout, None
        if stdout == subprocess.PIPE:
            read, out = os.pipe()
            stack.callback(os.close, out)
            reader = os.fdopen(read, encoding="utf-8")
        null = nothing.fileno()
        files = [null, null if out is None else out, null if stderr is None else stderr, theirs.fileno()]
        order = {"module": module, "arguments": list(arguments), "env": dict(env), "cwd": str(cwd), "session": session}
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
        _nursery().sendmsg([json.dumps(order).encode()], rights)
        pid = ours.recv(64)
        if not pid:
            raise NurseryGone
        return Child(int(pid), ours.detach(), reader)


def run(
    module: str, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path = ROOT, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m module arguments`` to its end. Raises TimeoutExpired, and kills it then."""
    with TemporaryFile() as out, TemporaryFile() as err:
        child = start(module, arguments, env=env, cwd=cwd, stdout=out.fileno(), stderr=err.fileno())
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([module, *arguments], code, out.read().decode(), err.read().decode())


@cache
def _nursery() -> socket.socket:
    """Return the way to this process's nursery, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    number = theirs.fileno()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.nursery", str(number)], cwd=ROOT, pass_fds=[number], stdin=subprocess.DEVNULL
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait(30)

    atexit.register(end)
    return ours


# What follows runs in the nursery itself.


def _serve(orders: socket.socket) -> tuple[str, list[str]]:
    """Fork a process for each order, until no more can come; return in that process alone what it is to run."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    channels: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([orders, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            for pid, status in _ended():
                channel = channels.pop(pid)
                with contextlib.suppress(BrokenPipeError):
                    os.write(channel, str(status).encode())
                os.close(channel)
        if orders in ready:
            message, files, _, _ = socket.recv_fds(orders, ORDER_BYTES, 4)
            if not message:
                sys.exit()
            pid = os.fork()
            if pid == 0:
                orders.close()
                for other in (wake_read, wake_write, *channels.values()):
                    os.close(other)
                return _become(json.loads(message), files)
            channels[pid] = files.pop()
            os.write(channels[pid], str(pid).encode())
            for file in files:
                os.close(file)


def _ended() -> Iterator[tuple[int, int]]:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found


def _become(order: dict[str, object], files: list[int]) -> tuple[str, list[str]]:
    """Make this process what was ordered: its files, folder, environment and command line."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if order["session"]:
        os.setsid()
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.chdir(str(order["cwd"]))
    env, arguments = order["env"], order["arguments"]
    assert isinstance(env, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.path[:1] = [str(order["cwd"]), *filter(None, str(env.get("PYTHONPATH", "")).split(os.pathsep))]
    return str(order["module"]), arguments


def _main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        for name in IMPORTED_EARLY:
            importlib.import_module(name)
        gc.freeze()
        module, arguments = _serve(orders)
    gc.unfreeze()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
