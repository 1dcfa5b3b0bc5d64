"""How commands speak: people read standard output, progress goes to standard error, machines read the last line.

Exit codes, the same for every command:

0  done, and what was asked is so
1  done, and the answer is no: the audit found a contradiction, the receipt does not hold, a file has refused records
2  the command line is wrong
3  a file, setting or environment is missing or wrong; nothing was changed
4  a node, database or server cannot be reached, or is in use by another process; try again
5  a rule that must always hold is broken: stop and look
6  nothing speaks against it, but not everything could be checked: the audit is incomplete
130  interrupted; run the same command again to go on
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from ledger.errors import ConfigurationError, InvariantViolation, TongduiError, Unavailable


class ExitCode(IntEnum):
    """What a command's exit code means."""

    OK = 0
    NO = 1
    USAGE = 2
    CONFIGURATION = 3
    UNAVAILABLE = 4
    BROKEN = 5
    INCOMPLETE = 6
    INTERRUPTED = 130


class UsageError(ConfigurationError):
    """What was typed cannot be done; the message says what to type instead."""


class FileProblem(ConfigurationError):
    """The operating system refuses a file or folder: permission, a full disk, a file where a folder should be."""

    def __init__(self, error: OSError) -> None:
        self.path = error.filename
        where = f" {error.filename}" if error.filename else ""
        super().__init__(f"the system refuses{where}: {error.strerror or error}")


def exit_code(error: TongduiError) -> ExitCode:
    """Return the exit code of an expected failure."""
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    if isinstance(error, Unavailable):
        return ExitCode.UNAVAILABLE
    if isinstance(error, InvariantViolation):
        return ExitCode.BROKEN
    return ExitCode.CONFIGURATION


class Output:
    """One command's voice. With ``as_json`` standard output has exactly one line: the result."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.people = Console(stderr=as_json, highlight=False)
        self.progress_console = Console(stderr=True, highlight=False)

    def say(self, text: str, *, style: str | None = None) -> None:
        """Tell people something; square brackets are text, not markup."""
        self.people.print(escape(text), style=style, soft_wrap=True)

    def table(self, title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Show a table: the first column to the left, the others to the right."""
        table = Table(
            title=title,
            title_justify="left",
            header_style="bold",
            box=SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        for place, column in enumerate(columns):
            table.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*(escape(str(cell)) for cell in row))
        self.people.print(table)

    def listing(self, title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Show a table of texts: every column to the left."""
        table = Table(
            title=title,
            title_justify="left",
            header_style="bold",
            box=SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(escape(str(cell)) for cell in row))
        self.people.print(table)

    def result(self, value: Mapping[str, Any]) -> None:
        """Give machines the result, on one line at the end."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)

    @contextmanager
    def bars(self) -> Iterator[Bars]:
        """Show progress bars on standard error while the block runs; nothing where no terminal is attached."""
        progress = Progress(
            TextColumn("{task.description}", table_column=Column(width=36, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=18),
            MofNCompleteColumn(table_column=Column(min_width=11, no_wrap=True, justify="right")),
            TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
            console=self.progress_console,
            disable=not self.progress_console.is_terminal,
        )
        with progress:
            yield Bars(progress, self)


class Bars:
    """Named progress bars. Where standard error is no terminal each finished stage is one plain line."""

    def __init__(self, progress: Progress, output: Output) -> None:
        self._progress = progress
        self._output = output
        self._tasks: dict[str, TaskID] = {}

    def set(self, name: str, done: int, total: int, detail: str = "") -> None:
        """Show that ``done`` of ``total`` steps of a stage are done, and what it is at."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=max(total, 1))
        text = f"{name}: {detail}" if detail else name
        self._progress.update(self._tasks[name], description=escape(text), completed=done, total=max(total, 1))

    def done(self, name: str, detail: str = "") -> None:
        """Finish a stage."""
        text = f"{name}: {detail}" if detail else name
        if self._progress.disable:
            self._output.progress_console.print(escape(text), soft_wrap=True)
            return
        if name not in self._tasks:
            self.set(name, 1, 1)
        [task] = [task for task in self._progress.tasks if task.id == self._tasks[name]]
        self._progress.update(self._tasks[name], description=escape(text), completed=task.total)

    def hook(self, name: str) -> Callable[[str, int, int], None]:
        """Return a (stage, done, total) listener that draws under ``name``."""

        def listen(stage: str, done: int, total: int) -> None:
            self.set(name, done, total, stage)

        return listen


def failure(error: TongduiError, *, as_json: bool) -> ExitCode:
    """Tell what went wrong in one line, on standard error, and to machines on standard output; return the exit code."""
    code = exit_code(error)
    text = " ".join(str(error).split())
    Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {escape(text)}", soft_wrap=True)
    if as_json:
        found = {"ok": False, "error": {"type": type(error).__name__, "message": text, "exit_code": int(code)}}
        print(json.dumps(found, ensure_ascii=False, separators=(",", ":")), flush=True)
    return code
