"""``bench curve``: does a record cost more when there are more of them, or more people? Measured, kept and plotted.

Each size is a run of ``bench issue`` in a process of its own, so that memory is its own too. What was measured is kept
in a file, so that a curve can be measured in several sittings and plotted again at any time.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import TongduiError

_KINDS = (
    ("gateway", "网关 gateway", "#2868b0"),
    ("workers", "录入进程 intake workers", "#2c8a57"),
    ("postgresql", "PostgreSQL", "#8a4fb0"),
    ("node", "开发节点 development node", "#b9770e"),
)
"""Processes by name in the result, in both languages, with their colours; the node comes on top, apart."""
_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_PANEL_W, _PANEL_H, _LEFT, _TOP, _GAP, _FOOT = 460, 300, 64, 96, 56, 76
_RIGHT = 24
_TICKS = 5
_ROUND = 10 * _TICKS
"""The axis ends at a multiple of it, so that its ticks are whole tens."""


class RunFailed(TongduiError):
    """A run of the curve ended with an error; the message is the end of what it said."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run: how many records of how many residents, on which database."""

    records: int
    residents: int
    database: str


def points_of(
    sizes: Sequence[int], holders: Sequence[int], records: int, residents: int, databases: Sequence[str]
) -> list[Point]:
    """Return the runs of a curve, each once: ``sizes`` of records of ``residents``, and ``records`` of ``holders``."""
    wanted = [(size, residents) for size in sizes] + [(records, count) for count in holders]
    return list(dict.fromkeys(Point(*one, database) for database in databases for one in wanted))


def measure(
    wanted: Sequence[Point], file: Path, workers: Callable[[str], int], tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Run what ``file`` does not have yet, keep it there, and return all that it has. Raises RunFailed or OSError.

    ``workers``: how many intake processes, by database.
    """
    kept: list[dict[str, Any]] = orjson.loads(file.read_bytes()) if file.exists() else []
    for point in wanted:
        if point in [_point(one) for one in kept]:
            continue
        tell(f"{point.records:,} records of {point.residents:,} residents, {point.database}")
        kept.append(_run(point, workers(point.database)))
        kept.sort(key=lambda one: (one["database"], one["residents"], one["records"]))
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".part")
        temporary.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2) + b"\n")
        temporary.replace(file)
    return kept


def _point(result: dict[str, Any]) -> Point:
    return Point(result["asked"], result["residents"], result["database"])


def _run(point: Point, workers: int) -> dict[str, Any]:
    sizes = ["--records", str(point.records), "--residents", str(point.residents), "--workers", str(workers)]
    command = [sys.executable, "-m", "scripts", "bench", "issue", "--json", *sizes]
    ended = subprocess.run(
        [*command, "--database", point.database, "--naive-seconds", "0"], capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise RunFailed((ended.stderr or ended.stdout).strip()[-500:])
    result: dict[str, Any] = orjson.loads(ended.stdout.strip().rpartition("\n")[2])
    return result | {"asked": point.records}


def picture(results: Sequence[dict[str, Any]], sizes: Sequence[int], holders: Sequence[int]) -> str:
    """Return an SVG: processor time a record, by process, over records and over residents, a row a database.

    Above each bar stands what the run took in a second. ``sizes`` and ``holders`` choose what is shown.
    """
    rows = [name for name in _DATABASES if any(one["database"] == name for one in results)]
    dearest = max((sum(_costs(one).values()) for one in results), default=1.0)
    top = math.ceil(dearest * 1.15 / _ROUND) * _ROUND
    width = 2 * (_LEFT + _PANEL_W) + _GAP + _RIGHT
    height = _TOP + len(rows) * (_PANEL_H + _FOOT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(_LEFT, 28, "每条记录的处理器时间（微秒）· Processor time a record (µs)", size=18, weight="bold"),
        _text(_LEFT, 50, "柱上为每秒记录数 · above each bar: records a second", size=13),
        *_legend(),
    ]
    for place, database in enumerate(rows):
        y = _TOP + place * (_PANEL_H + _FOOT)
        mine = [one for one in results if one["database"] == database]
        by_size = sorted([one for one in mine if one["asked"] in sizes], key=lambda one: one["asked"])
        common = _commonest([one["residents"] for one in by_size])
        by_size = [one for one in by_size if one["residents"] == common]
        by_holder = [one for one in mine if one["residents"] in holders]
        fixed = _commonest([one["asked"] for one in by_holder])
        by_holder = sorted([one for one in by_holder if one["asked"] == fixed], key=lambda one: one["residents"])
        name = _DATABASES[database]
        parts += _panel(_LEFT, y, top, by_size, "asked", f"{name}: 记录数 records（{common:,} 居民 residents）")
        parts += _panel(
            2 * _LEFT + _PANEL_W + _GAP,
            y,
            top,
            by_holder,
            "residents",
            f"{name}: 居民数 residents（{fixed:,} 记录 records）",
        )
    return "\n".join([*parts, "</svg>", ""])


def _costs(result: dict[str, Any]) -> dict[str, float]:
    """Return microseconds of processor time a record, by kind of process."""
    return {kind: spent / result["records"] * 1e6 for kind, spent in result["cpu_s"].items()}


def _commonest(values: Sequence[int]) -> int:
    return max(values, key=lambda one: (values.count(one), one), default=0)


def _panel(x: float, y: float, top: float, results: Sequence[dict[str, Any]], by: str, title: str) -> Iterable[str]:
    yield _text(x, y - 8, title, size=13, weight="bold")
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        level = y + _PANEL_H - _PANEL_H * tick / _TICKS
        yield f'<line x1="{x}" y1="{level:.1f}" x2="{x + _PANEL_W}" y2="{level:.1f}" stroke="#ddd"/>'
        yield _text(x - 8, level + 4, f"{value:.0f}", size=11, anchor="end")
    slot = _PANEL_W / max(len(results), 1)
    for place, one in enumerate(results):
        middle, level = x + slot * (place + 0.5), y + _PANEL_H
        wide = min(slot * 0.5, 70)
        for kind, _, colour in _KINDS:
            tall = _costs(one).get(kind, 0.0) / top * _PANEL_H
            level -= tall
            yield (
                f'<rect x="{middle - wide / 2:.1f}" y="{level:.1f}" width="{wide:.1f}" height="{tall:.1f}" '
                f'fill="{colour}"/>'
            )
        yield _text(middle, level - 6, f"{one['records_per_s']:,.0f}/s", size=12, anchor="middle", weight="bold")
        yield _text(middle, y + _PANEL_H + 18, f"{one[by]:,}", size=12, anchor="middle")


def _legend() -> Iterable[str]:
    x = float(_LEFT)
    for _, label, colour in _KINDS:
        yield f'<rect x="{x:.0f}" y="60" width="12" height="12" fill="{colour}"/>'
        yield _text(x + 18, 71, label, size=12)
        x += 50 + 8.5 * len(label)


def _text(x: float, y: float, text: str, *, size: int, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="#222">{escape(text)}</text>'
    )
