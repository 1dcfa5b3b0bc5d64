"""A PostgreSQL server of the tests' own: Debian's programs, a folder under the test's, a socket and no port."""

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

from ledger.store.database import Database
from ledger.store.migrations import upgrade


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL server's programs, or None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


@dataclass(frozen=True)
class Server:
    """A running server. ``url`` is its first database's."""

    url: str
    _control: tuple[str, ...]
    _start: tuple[str, ...]

    def crash_and_restart(self) -> None:
        """End it as a power cut would, and start it again: it recovers from its log."""
        subprocess.run([*self._control, "-m", "immediate", "stop"], check=True, capture_output=True)
        subprocess.run([*self._control, *self._start], check=True, capture_output=True)


@contextmanager
def running(*, durable: bool = False) -> Iterator[Server]:
    """Run a server. ``durable`` keeps fsync on, for tests that crash it."""
    folder = programs()
    if folder is None:
        raise RuntimeError("no PostgreSQL server programs on this machine")
    # A socket's path may have 107 bytes, so not under pytest's long folders.
    with tempfile.TemporaryDirectory(prefix="tdpg") as name:
        root = Path(name)
        prefix = _as_postgres(root)
        data = root / "data"
        run = [*prefix, str(folder / "initdb"), "-D", str(data), "-A", "trust", "-U", "tongdui", "-E", "UTF8"]
        subprocess.run([*run, "--no-sync"], check=True, capture_output=True)
        options = f"-c listen_addresses='' -c unix_socket_directories={root}"
        if not durable:
            options += " -c fsync=off -c full_page_writes=off"
        control = (*prefix, str(folder / "pg_ctl"), "-D", str(data), "-w")
        start = ("-l", str(root / "log"), "-o", options, "start")
        subprocess.run([*control, *start], check=True, capture_output=True)
        try:
            yield Server(f"postgresql://tongdui@/postgres?host={root}", control, start)
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


@contextmanager
def server() -> Iterator[str]:
    """Run a server and yield the URL of its empty database."""
    with running() as one:
        yield one.url


@contextmanager
def fresh_database(url: str, name: str, *, is_empty: bool = False) -> Iterator[str]:
    """Create a database on a running server, yield its URL, and drop it. It has the newest tables, or none.

    All revisions are run once a server: to copy what they made takes a tenth of the time.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        template = "template1" if is_empty else _newest(connection, url)
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}'.encode())
        try:
            yield url.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _newest(connection: psycopg.Connection, url: str) -> str:
    """Return the name of the database that the others are copied from; make it if need be."""
    name = "newest"
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
        connection.execute(f"CREATE DATABASE {name}".encode())
        database = Database(url.replace("/postgres?", f"/{name}?"))
        upgrade(database)
        database.close()
    return name


def _as_postgres(root: Path) -> list[str]:
    """initdb refuses root, so root becomes somebody else for it."""
    if os.getuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(root, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
