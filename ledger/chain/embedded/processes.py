"""Child processes that never outlive us, and orphans that are recognised beyond doubt.

A pid alone identifies no process: it is reused. A pid with the process's start time does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

# The launcher binds the child to its parent's life (Linux: prctl PR_SET_PDEATHSIG, kept across exec), then becomes the
# program. A preexec_fn would run Python between fork and exec of a process with threads, which can deadlock.
_LAUNCHER = """
import ctypes, os, signal, sys
parent = int(sys.argv[1])
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process beyond doubt: its pid and when it started, in the words of the operating system."""

    pid: int
    started: str

    def is_running(self) -> bool:
        """Return True if this very process still runs (a zombie does not)."""
        return start_mark(self.pid) == self.started

    def kill(self, wait_s: float = 10.0) -> bool:
        """Kill it (SIGKILL) and wait until it is gone. Returns False if it was not there any more.

        Raises TimeoutError if it is still there after ``wait_s``.
        """
        if not self.is_running():
            return False
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        deadline = time.monotonic() + wait_s
        while self.is_running():
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} does not die")
            time.sleep(0.005)
        return True


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a running process, or None if there is none with this pid."""
    mark = start_mark(pid)
    return None if mark is None else ProcessIdentity(pid, mark)


def start_mark(pid: int) -> str | None:
    """Return a text that no other process with this pid shares, or None if no such process runs."""
    return _mark_from_proc(pid) if _HAS_PROC else _mark_from_ps(pid)


def _mark_from_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the second field is the name in brackets and may contain anything; state is 3rd, starttime is 22nd.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"


def _mark_from_ps(pid: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


_HAS_PROC = Path("/proc/self/stat").exists()


def write_identity(path: Path, identity: ProcessIdentity, **more: object) -> None:
    """Write a process's identity to a file, atomically."""
    document = {"pid": identity.pid, "started": identity.started, **more}
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(orjson.dumps(document))
    temporary.replace(path)


def read_identity(path: Path) -> ProcessIdentity | None:
    """Return the identity a file holds, or None if there is no file, or only half of one after a crash."""
    try:
        document = orjson.loads(path.read_bytes())
        return ProcessIdentity(int(document["pid"]), str(document["started"]))
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def launch(
    arguments: list[str], *, env: dict[str, str], cwd: Path, log: Path, launcher: Sequence[str] = ("-c", _LAUNCHER)
) -> subprocess.Popen[bytes]:
    """Start a program that dies with the calling thread's process; its output is appended to ``log``.

    ``launcher``: Python's arguments for what becomes the program; it is given our pid and ``arguments``.

    Warning: Linux sends the parent-death signal when the *thread* that launched ends. Launch from one that stays.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", *launcher, str(os.getpid()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            # A Ctrl-C in the terminal must reach the gateway first, which then stops the node in order.
            start_new_session=True,
        )
