"""What a workbook's number format makes of a cell: a date, a time of day, a duration, digits with leading zeros.

A workbook stores all of them as numbers, and only the format tells them apart. Source: ECMA-376 part 1, 18.8.30
(built-in formats, those of Chinese editions among them) and 18.17.4 (date systems).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import Final

from ledger.standard.civil_time import DAY_S


class Kind(IntEnum):
    """What a number format shows. Values from ``ZEROS`` on pad to ``value − ZEROS`` digits."""

    PLAIN = 0
    DATE = 1
    MOMENT = 2
    TIME = 3
    ELAPSED = 4
    PERCENT = 5
    SCALED = 6
    ZEROS = 100


EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001  # civil time of the sheet; the zone is set by the mapping
DAYS_1904: Final = 1_462
"""Days between the two date systems."""
_FIRST_SOUND_DAY: Final = 61
"""Earlier serials of the 1900 system count a 29 February 1900 that never was."""
_LAST_DAY: Final = 2_958_465
_BUILT_IN: Final[dict[int, Kind]] = {
    **dict.fromkeys((14, 15, 16, 17, 27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), Kind.DATE),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 55, 56), Kind.TIME),
    22: Kind.MOMENT,
    **dict.fromkeys((45, 46, 47), Kind.ELAPSED),
    **dict.fromkeys((9, 10), Kind.PERCENT),
}
_CHINESE_OR_DATE: Final = frozenset({50, 51, 52, 53, 54, 57, 58})
_LITERAL = re.compile(r'"[^"]*"|\\.|!.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE | re.DOTALL)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_ZEROS = re.compile(r"0{2,40}")
_SCALED = re.compile(r"[0#?],+(?![,0#?])")
"""Commas behind the digits: each shows the number as a thousandth."""
_PIECE = re.compile(r'"([^"]*)"|[\\!](.)|\[[^\]]*\]|(0)|([-+/ ():])', re.DOTALL)
_WHOLE = re.compile(r"[0-9]{1,40}")
_HALVES = re.compile(r"AM/PM|A/P|上午/下午", re.IGNORECASE)


def kind_of(number: int, code: str | None) -> int | str:
    """Return what a format shows, by its number and (where it is the workbook's own) its code: a kind, or the pattern
    of what is put around digits (``"ZY"000000``), a NUL for each."""
    if code is None:
        return _BUILT_IN.get(number, Kind.PLAIN)
    first = code.split(";", 1)[0] if '"' not in code else code
    if _ZEROS.fullmatch(first):
        return Kind.ZEROS + len(first)
    pattern = _pattern(first)
    if pattern is not None:
        return pattern
    bare = _HALVES.sub("h", _LITERAL.sub("", code)).split(";", 1)[0].lower()
    if _ELAPSED.search(bare):
        return Kind.ELAPSED
    if "%" in bare:
        return Kind.PERCENT
    if _SCALED.search(bare):
        return Kind.SCALED
    if "general" in bare or "0" in bare or "#" in bare or "@" in bare:
        # Fractions of a second (ss.000) are the one place of digits in a time.
        if not re.search(r"s\.0+", bare):
            return Kind.PLAIN
        bare = re.sub(r"s\.0+", "s", bare)
    has_time = "h" in bare or "s" in bare
    has_date = "y" in bare or "d" in bare or "e" in bare or ("m" in bare and not has_time)
    if has_date and has_time:
        return Kind.MOMENT
    if has_date:
        return Kind.DATE
    if "h" in bare:
        return Kind.TIME
    return Kind.ELAPSED if has_time else Kind.PLAIN


def _pattern(code: str) -> str | None:
    """Return the pattern of a format that puts marks around digits of a fixed number, or None: it is none."""
    parts: list[str] = []
    at = 0
    while at < len(code):
        found = _PIECE.match(code, at)
        if found is None:
            return None
        parts.append("\0" if found[3] else found[1] or found[2] or found[4] or "")
        at = found.end()
    pattern = "".join(parts)
    return pattern if pattern.count("\0") > 1 and pattern.strip("\0") else None


def _patterned(text: str, pattern: str) -> str:
    """Return whole digits within a pattern, as a spreadsheet shows them; anything else as it is."""
    if _WHOLE.fullmatch(text) is None:
        return text
    first = pattern.index("\0")
    digits = iter(text.zfill(pattern.count("\0"))[::-1])
    tail = "".join(next(digits) if letter == "\0" else letter for letter in reversed(pattern[first + 1 :]))
    return pattern[:first] + "".join(digits)[::-1] + tail[::-1]


def shown(text: str, kind: int | str, *, is_1904: bool) -> str:
    """Return a number's text as its format means it: ``2026-03-13``, ``2026-03-13T15:05:00``, ``15:05:00``,
    ``36:30:00`` (a duration), ``0123``, ``ZY0123``, ``50%``. What the format cannot mean stays the number.

    A number of which the sheet shows a thousandth is given as a division: which of the two is meant, nobody can say.
    """
    if isinstance(kind, str):
        return _patterned(text, kind)
    if kind > Kind.ZEROS:
        return text.zfill(kind - Kind.ZEROS) if text.isdigit() else text
    try:
        exact = Decimal(text)
        seconds = int((exact * DAY_S).to_integral_value(rounding="ROUND_HALF_UP"))
    except (InvalidOperation, ValueError, OverflowError):
        return text
    if kind == Kind.PERCENT:
        percent = f"{exact * 100:f}"
        return (percent.rstrip("0").rstrip(".") if "." in percent else percent) + "%"
    if kind == Kind.SCALED:
        return text + "÷1000"
    if not 0 <= exact <= _LAST_DAY:
        return text
    if kind == Kind.ELAPSED or (kind == Kind.TIME and seconds < DAY_S):
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    days, rest = divmod(seconds, DAY_S)
    if is_1904:
        days += DAYS_1904
    if days < _FIRST_SOUND_DAY:
        return text
    moment = EPOCH + timedelta(days=days, seconds=rest)
    return moment.isoformat() if rest or kind == Kind.MOMENT else date.isoformat(moment)


def in_1900_system(text: str) -> str:
    """Return a day's number of the 1904 system as one of the 1900 system, for columns that are read as times."""
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return text
    return f"{exact + DAYS_1904:f}" if 1 <= exact <= _LAST_DAY else text
