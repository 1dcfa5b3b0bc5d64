"""A PostgreSQL server for one run: the machine's own programs, a folder of its own, a socket and no port.

The settings are the server's defaults, so a commit is on disk when it says so; only the shared memory is larger, and
more of the log's files are kept to be used again.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ledger.errors import ConfigurationError

_ACCOUNTS = ("postgres", "nobody")
_LOG_TAIL = 500


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL server's programs, or None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``url`` is its first database's."""

    url: str
    _data: Path
    _control: tuple[str, ...]
    _start: tuple[str, ...]

    @property
    def pid(self) -> int:
        """The postmaster's process id; the server's other processes are its children."""
        return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])

    def kill(self) -> None:
        """Kill the server without warning: the postmaster by SIGKILL, whose children then end by themselves."""
        os.kill(self.pid, 9)

    def restart(self) -> None:
        """Start the server that was killed; it recovers from its log.

        Raises ConfigurationError if it does not come up.
        """
        _run([*self._control, *self._start])

    def create(self, name: str, template: str | None = None) -> str:
        """Create a database, empty or as a copy of one that is not in use, and return its URL."""
        copied = "" if template is None else f' TEMPLATE "{template}"'
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"{copied}'.encode())
        return self.url.replace("/postgres?", f"/{name}?")

    def fill_log(self, files: int) -> None:
        """Make the log's files ahead, 16 MiB each. A server that has run for a while uses its old ones again."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for _ in range(files):
                connection.execute("SELECT pg_logical_emit_message(false, 'fill', ''), pg_switch_wal()")
            connection.execute("CHECKPOINT")

    def drop(self, name: str) -> None:
        """Drop a database, even if somebody is connected to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@contextmanager
def running() -> Iterator[Server]:
    """Run a server while the block runs. Raises ConfigurationError where there is none on this machine."""
    folder = programs()
    if folder is None:
        raise ConfigurationError("there are no PostgreSQL server programs here (on Debian: apt-get install postgresql)")
    # A socket's path may have 107 bytes, so this is not under some long folder of the caller's.
    with tempfile.TemporaryDirectory(prefix="tdpg") as name:
        root = Path(name)
        prefix = _not_as_root(root)
        data = root / "data"
        _run([*prefix, str(folder / "initdb"), "-D", str(data), "-A", "trust", "-U", "tongdui", "-E", "UTF8"])
        options = f"-c listen_addresses='' -c unix_socket_directories={root} -c shared_buffers=256MB"
        options += " -c min_wal_size=2GB -c max_wal_size=4GB -c wal_compression=on"
        control = (*prefix, str(folder / "pg_ctl"), "-D", str(data), "-w")
        start = ("-l", str(root / "log"), "-o", options, "start")
        _run([*control, *start])
        try:
            yield Server(f"postgresql://tongdui@/postgres?host={root}", data, control, start)
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)


def _run(command: list[str]) -> None:
    # Not a pipe: the server would keep it open after pg_ctl has ended.
    with tempfile.TemporaryFile() as said:
        ended = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        said.seek(0)
        text = said.read().decode(errors="replace")[-_LOG_TAIL:].strip()
    if ended.returncode != 0:
        raise ConfigurationError(f"PostgreSQL: {Path(command[-1]).name} ended with {ended.returncode}: {text}")


def _not_as_root(root: Path) -> list[str]:
    """The server refuses to be root, so root becomes somebody else for it."""
    if os.getuid() != 0:
        return []
    for account in _ACCOUNTS:
        try:
            user = pwd.getpwnam(account)
        except KeyError:
            continue
        os.chown(root, user.pw_uid, user.pw_gid)
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    raise ConfigurationError("PostgreSQL does not run as root, and there is no other account here")
