"""Runs the command line as people do: a process of its own, killed without warning where a test says so."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests import nursery
from tests.eventually import eventually
from tests.nursery import Child
from tongdui.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
SIZE = ("--people", "240", "--records", "200")
DEMO_TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> dict[str, Any]:
        """The JSON object on the last line of standard output."""
        found = json.loads(self.out.rstrip("\n").rsplit("\n", 1)[-1])
        assert isinstance(found, dict)
        return found


CHECKOUT_COMMANDS = frozenset({"demo", "bench", "faults"})
"""What `python -m scripts` runs; a wheel has none of it."""


def environment() -> dict[str, str]:
    """Return an environment without settings of Tongdui's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}


def tongdui(*arguments: str, cwd: Path = ROOT, timeout_s: float = 120.0, **settings: str) -> Ended:
    """Run a command to its end, of the program or of the checkout; ``settings`` are added to its environment."""
    module = "scripts" if arguments[0] in CHECKOUT_COMMANDS else "tongdui"
    env = environment() | {"PYTHONPATH": str(ROOT)} | settings
    done = nursery.run(module, arguments, cwd=cwd, env=env, timeout=timeout_s)
    return Ended(done.returncode, done.stdout, done.stderr)


def tongdui_here(*arguments: str, **settings: str) -> Ended:
    """Run a command of the program to its end in this process, which saves the second that a process takes to start.

    For many small questions about what a command says; what may hang, die or be killed gets a process of its own. What
    a process would log to standard error is there too.
    """
    out, err = io.StringIO(), io.StringIO()
    log = logging.StreamHandler(err)
    log.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(log)
    try:
        with (
            patch.object(sys, "argv", ["tongdui", *arguments]),
            patch.dict(os.environ, environment() | settings, clear=True),
            patch("tongdui.cli.main.collect_rarely"),  # it lasts as long as the process, and this one runs other tests
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            main()
            code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        root.removeHandler(log)
    return Ended(code, out.getvalue(), err.getvalue())


def demo(state_dir: Path) -> Ended:
    """Play the demo at a small size."""
    return tongdui("demo", "--state-dir", str(state_dir), *SIZE, "--json", timeout_s=DEMO_TIMEOUT_S)


def start_demo(state_dir: Path) -> Child:
    """Start the demo without waiting for it."""
    arguments = ["demo", "--state-dir", str(state_dir), *SIZE, "--json"]
    return nursery.start("scripts", arguments, env=environment(), session=True)


def wait_until(process: Child, reached: Callable[[], bool], timeout_s: float = DEMO_TIMEOUT_S) -> bool:
    """Wait until something is so; return False if the process ended before."""
    # The moment is looked at first: what was reached before the process ended was reached.
    seen = eventually(
        lambda: "reached" if reached() else "ended" if process.poll() is not None else None,
        timeout_s=timeout_s,
        poll_s=0.005,
    )
    return seen == "reached"


def count(database: Path, query: str) -> int:
    """Return a number from a database that another process may be writing; 0 while the table is not there."""
    if not database.exists():
        return 0
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1)
    except sqlite3.OperationalError:
        return 0
    try:
        return int(connection.execute(query).fetchone()[0] or 0)
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def height(state_dir: Path) -> int:
    """Return how many blocks are final."""
    return count(state_dir / "chain" / "journal.sqlite3", "SELECT count(*) FROM block")


def kill(process: Child) -> None:
    """Kill the demo itself, without warning; its node is left an orphan."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def node_of(process: Child) -> int | None:
    """Return the process id of the demo's node."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)
            name = fields[0].split("(", 1)[1]
            parent = int(fields[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == process.pid and name.startswith("anvil"):
            return int(entry.name)
    return None


def balances(state_dir: Path) -> list[tuple[int, int]]:
    """Return all balances as sorted (token id, minor units): accounts are drawn anew in each installation."""
    with sqlite3.connect(f"file:{state_dir / 'books.db'}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT token_id, amount_minor FROM balances WHERE amount_minor > 0").fetchall()
    connection.close()
    return sorted((int(token), int(amount)) for token, amount in rows)


def figures(summary: dict[str, Any]) -> dict[str, Any]:
    """Return what of a summary must be equal in all runs: not the time it took, nor how blocks were cut."""
    kept = {name: value for name, value in summary.items() if name not in ("seconds", "page", "audit")}
    return kept | {"verdict": summary["audit"]["verdict"]}
