"""What a column holds, judged by its name and its values: times, numbers with units, identifiers, codes, words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from issuers.sources.profiles import shape
from issuers.sources.times import parse_time
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.identifiers import normalise

_MOST: Final = 0.8
_FORMATS: Final = (
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y年%m月%d日 %H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y年%m月%d日",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
)
_TIMELY: Final = re.compile(r"时间|日期|时刻|time|date|_at$|at$|^ts|stamp", re.IGNORECASE)
"""Names of columns that may hold seconds since 1970."""
_HOUR: Final = re.compile(r"[0-9]\s*[:时点]")
_CLOCK: Final = re.compile(
    r"(上午|下午|凌晨|中午|晚上|AM|PM)?\s*[0-2]?[0-9]\s*[:时点]\s*([0-5]?[0-9])?(:[0-5][0-9]|分)?\s*(AM|PM)?",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]+)?")
_THOUSANDS: Final = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_WITH_SUFFIX: Final = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)\s*([^0-9\s.,:+-][^0-9]*)")
_DURATION: Final = re.compile(r"([0-9]+(\.[0-9]+)?\s*(小时|时|分钟|分|秒|h|min|m|s)\s*){2,}")


class Kind(StrEnum):
    """What the values of a column are."""

    EMPTY = "empty"
    TIME = "time"
    DATE = "date"
    CLOCK = "clock"
    """A time of day, whose date stands in another column."""
    NUMBER = "number"
    DURATION = "duration"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column, judged."""

    name: str
    kind: Kind
    filled: int
    rows: int
    distinct: int
    formats: tuple[str, ...] = ()
    """Of a time or date: those that its values have, the commonest first."""
    suffix: str = ""
    """What stands behind its numbers."""
    thousands: bool = False
    has_months_and_days_mixed: bool = False
    """Whether its dates could be read day first or month first."""
    common: tuple[tuple[str, int], ...] = ()
    """Its values by count, the commonest first; few, for a column of codes."""
    forms: tuple[str, ...] = ()
    """Shapes of its values, the commonest first."""
    lengths: tuple[int, int] = (0, 0)

    @property
    def is_unique(self) -> bool:
        """Whether nearly every row has a value of its own."""
        return self.filled > 0 and self.filled >= self.rows * _MOST and self.distinct >= self.filled * _MOST

    @property
    def is_code(self) -> bool:
        """Whether few values come again and again."""
        return 0 < self.distinct <= max(12, self.filled // 20) and self.distinct < max(self.filled, 2)

    @property
    def is_optional(self) -> bool:
        """Whether more rows leave it empty than by a slip."""
        return self.filled < self.rows * 0.95


def judge(name: str, values: Sequence[str], rows: int) -> Column:
    """Return what a column holds. ``values``: without its empty cells."""
    counts = Counter(values)
    common = tuple(counts.most_common(60))
    forms = tuple(form for form, _ in Counter(shape(value) for value in values).most_common(3))
    lengths = (min(map(len, values)), max(map(len, values))) if values else (0, 0)

    def column(kind: Kind, **more: object) -> Column:
        return Column(name, kind, len(values), rows, len(counts), common=common, forms=forms, lengths=lengths, **more)  # type: ignore[arg-type]

    if not values:
        return column(Kind.EMPTY)
    formats = _formats(values, is_timely=_TIMELY.search(name) is not None)
    if formats:
        has_clock = any("%H" in one or "unix" in one for one in formats) or any(_HOUR.search(value) for value in values)
        mixed = any(one.startswith("%d") for one in formats)
        kind = Kind.TIME if has_clock else Kind.DATE
        return column(kind, formats=formats, has_months_and_days_mixed=mixed)
    plain = [unicodedata.normalize("NFKC", value).strip() for value in values]
    if sum(1 for one in plain if _CLOCK.fullmatch(one)) >= len(plain) * _MOST and _TIMELY.search(name):
        return column(Kind.CLOCK)
    if sum(1 for one in plain if _NUMBER.fullmatch(one)) >= len(plain) * _MOST:
        return column(Kind.NUMBER)
    if sum(1 for one in plain if _NUMBER.fullmatch(one) or _THOUSANDS.fullmatch(one)) >= len(plain) * _MOST:
        return column(Kind.NUMBER, thousands=True)
    if sum(1 for one in plain if _DURATION.fullmatch(one)) * 2 >= len(plain):
        return column(Kind.DURATION)
    suffixes = Counter(found[2].strip() for one in plain if (found := _WITH_SUFFIX.fullmatch(one)))
    bare = sum(1 for one in plain if _NUMBER.fullmatch(one))
    if suffixes and suffixes.most_common(1)[0][1] + bare >= len(plain) * _MOST:
        return column(Kind.NUMBER, suffix=suffixes.most_common(1)[0][0])
    return column(Kind.TEXT)


def _formats(values: Sequence[str], *, is_timely: bool) -> tuple[str, ...]:
    """Return the time formats that most values have; none for a column that holds something else."""
    found: Counter[str] = Counter()
    forms = ("iso", *_FORMATS, "zh", *(("unix-ms", "unix") if is_timely else ()))
    for value in values:
        form = next((one for one in forms if _is_time(value, one)), None)
        if form is not None:
            found[form] += 1
    if found.total() < len(values) * _MOST:
        return ()
    return tuple(form for form, count in found.most_common() if count * 100 >= len(values))


def _is_time(value: str, form: str) -> bool:
    if form in ("unix", "unix-ms"):
        return value.isdigit() and _is_lately(parse_time(value, form, CITY_TZ))
    if form == "%Y%m%d":
        return len(value) == 8 and value.isdigit() and _is_lately(parse_time(value, form, CITY_TZ))
    return any(mark in value for mark in "-/年.") and parse_time(value, form, CITY_TZ) is not None


def _is_lately(stamp: int | None) -> bool:
    """Return whether a number that could be a time means one of these decades."""
    return stamp is not None and 946_684_800 <= stamp < 2_524_608_000  # 2000 to 2050


def pattern_of(values: Sequence[str]) -> str:
    """Return a loose pattern that all identifiers of a column match, in the form in which they are compared."""
    formed = [normalise(value, keep_case=True) for value in values]
    letters = set("".join(formed))
    parts = [
        span
        for span, has in (
            ("A-Z", any("A" <= one <= "Z" for one in letters)),
            ("a-z", any("a" <= one <= "z" for one in letters)),
            ("0-9", any("0" <= one <= "9" for one in letters)),
        )
        if has
    ]
    marks = sorted(one for one in letters if not (one.isascii() and one.isalnum()))
    if any(one.isalnum() for one in marks) or len(marks) > 6 or not letters:
        return ""
    escaped = "".join("\\" + one if one in r"\]^-" else one for one in marks)
    low, high = min(map(len, formed)), max(map(len, formed))
    return f"[{''.join(parts)}{escaped}]" + (f"{{{low}}}" if low == high else f"{{{low},{high}}}")
