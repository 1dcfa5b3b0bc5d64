"""Processor seconds of the processes that a run is made of, as Linux counts them.

Wall-clock time says how fast a run was on a machine as busy as it was then; processor time says what it cost, and
hardly changes when others work beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_PROC = Path("/proc")
_PARENT, _TIMES = 1, slice(11, 13)
_TIMES_WITH_ENDED = slice(11, 15)


def own_cpu_s() -> float:
    """Return what this process has used, its ended children not counted."""
    times = os.times()
    return times.user + times.system


def cpu_s(pid: int) -> float | None:
    """Return what a process and all its children have used, ended ones too; None where it is unknown."""
    fields = _stat(pid)
    if fields is None:
        return None
    total = sum(map(int, fields[_TIMES_WITH_ENDED]))
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (child := _stat(int(entry.name))) and int(child[_PARENT]) == pid:
            total += sum(map(int, child[_TIMES]))
    return total / os.sysconf("SC_CLK_TCK")


def own_children(pid: int) -> list[int]:
    """Return the process ids of a process's children; none where they are unknown."""
    if not _PROC.exists():
        return []
    found = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    return [child for child in found if (fields := _stat(child)) and int(fields[_PARENT]) == pid]


def growth(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what each kind of process used between two readings."""
    return {kind: round(after[kind] - before.get(kind, 0.0), 2) for kind in after}


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The program's name stands in brackets and may hold anything: state, parent, … follow the last bracket.
    return text.rpartition(")")[2].split()
