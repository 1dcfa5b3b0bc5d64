"""Times and dates as sources write them: ISO 8601, Chinese, strptime's forms, seconds and days by number.

A form that can mean two moments is refused (上午12:05 is midnight to a spreadsheet and noon to a person).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from issuers.rules.refusals import FieldRefused, RefusalCode
from issuers.sources.mapping import FieldSpec, Mapping
from issuers.sources.readers.cell_formats import EPOCH
from issuers.sources.texts import Values, cell_getters, plain, shape_of
from ledger.standard.civil_time import CITY_TZ, DAY_S

_LENGTH_MAX: Final = 60
_YEARS: Final = range(1990, 2201)
_DAY_END = re.compile(r"(?<![0-9:])24:00(:00(\.0+)?)?(?![0-9:])")
_MIDNIGHT = re.compile(r"[ T]0?0:00(:00(\.0+)?)?$")
_NO_DATE = re.compile(r"^(1899-12-3[01]|1900-01-0[01])[ T]")
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")
_CHINESE = re.compile(
    r"(?P<year>\d{4})\s*(?:年\s*(?P<month>\d{1,2})\s*月\s*(?P<day>\d{1,2})\s*[日号]?"
    r"|(?P<mark>[./-])\s*(?P<month2>\d{1,2})\s*(?P=mark)\s*(?P<day2>\d{1,2}))"
    r"(?:\s*\(?(?:星期|周|礼拜)[一二三四五六日天]\)?)?"
    r"(?:[\sT,]*(?P<half>上午|下午|早上|早晨|清晨|凌晨|中午|傍晚|晚上|夜间|AM|PM)?\s*"
    r"(?P<hour>\d{1,2})\s*[:时点]\s*(?:(?P<minute>\d{1,2}|半)\s*(?:[:分]\s*(?:(?P<second>\d{1,2})\s*秒?)?)?)?"
    r"\s*(?P<half2>AM|PM)?)?",
    re.IGNORECASE | re.ASCII,
)
_MORNING: Final = {hour: hour for hour in range(12)}
_EVENING: Final = {hour: hour + 12 for hour in range(5, 12)} | {hour: hour for hour in range(17, 24)}
_HALVES: Final[dict[str, dict[int, int]]] = {
    "am": {12: 0} | {hour: hour for hour in range(12)},
    "pm": {12: 12} | {hour: hour + 12 for hour in range(1, 12)} | {hour: hour for hour in range(13, 24)},
    **dict.fromkeys(("上午", "早上", "早晨", "清晨"), _MORNING),
    "凌晨": {12: 0} | {hour: hour for hour in range(7)},
    "中午": {11: 11, 12: 12, 1: 13, 2: 14, 13: 13, 14: 14},
    "下午": {12: 12} | {hour: hour + 12 for hour in range(1, 12)} | {hour: hour for hour in range(13, 24)},
    "傍晚": {hour: hour + 12 for hour in range(4, 9)} | {hour: hour for hour in range(16, 21)},
    **dict.fromkeys(("晚上", "夜间"), _EVENING),
}
"""Of each half of a day, which hour of the clock means which of the day's 24."""


def zone_of(name: str) -> tzinfo:
    """Return a zone. The People's Republic has kept UTC+8 without daylight saving since 1991: a fixed offset is several
    times faster."""
    return CITY_TZ if name in ("Asia/Shanghai", "Asia/Chongqing", "PRC") else ZoneInfo(name)


def time_reader(
    name: str, spec: FieldSpec, mapping: Mapping, positions: dict[str, int], zone: tzinfo
) -> Callable[[Values], int | None]:
    """Return the function that reads a field's Unix seconds, or None where an optional one is empty. It raises
    FieldRefused."""
    formats = spec.formats or ("iso",)
    if mapping.format == "xlsx" and "iso" not in formats:
        formats = (*formats, "iso")  # how the reader writes a cell that is a date
    optional = spec.optional
    get = _joined(spec, mapping, positions)

    @lru_cache(maxsize=16_384)
    def parse(text: str) -> int:
        if len(text) <= _LENGTH_MAX:
            for attempt in dict.fromkeys((text, plain(text))):
                for form in formats:
                    stamp = parse_time(attempt, form, zone)
                    if stamp is not None:
                        return stamp
        raise FieldRefused(RefusalCode.BAD_DATE, name, shape=shape_of(text))

    def read(values: Values) -> int | None:
        text = get(values)
        if not text:
            if optional:
                return None
            raise FieldRefused(RefusalCode.MISSING_FIELD, name)
        return parse(text)

    return read


def _joined(spec: FieldSpec, mapping: Mapping, positions: dict[str, int]) -> Callable[[Values], str]:
    """Return the function that reads a time's text: one column, or the date and the time of day, parted by ``|``."""
    if spec.constant is not None:
        constant = spec.constant
        return lambda _values: constant
    cells = cell_getters(spec, mapping, positions)
    if len(cells) == 1:
        return cells[0]

    def join(values: Values) -> str:
        parts = [cell(values) for cell in cells]
        if not all(parts):
            return ""
        if len(parts) == 2:
            parts = [_MIDNIGHT.sub("", parts[0]), _NO_DATE.sub("", parts[1])]
        return "|".join(parts)

    return join


def parse_time(text: str, form: str, zone: tzinfo) -> int | None:
    """Return the Unix seconds of a text in one form, or None if it is not in it."""
    try:
        civil_time = _civil(text, form)
        if civil_time is None:
            return None
        if civil_time.tzinfo is None:
            civil_time = civil_time.replace(tzinfo=zone)
        return int(civil_time.timestamp()) if civil_time.year in _YEARS else None
    except (ValueError, OverflowError, OSError):
        return None


def _civil(text: str, form: str) -> datetime | None:
    match form:
        case "unix":
            return _since_1970(text, r"[0-9]{9,11}(\.[0-9]{1,9})?", 1)
        case "unix-ms":
            return _since_1970(text, r"[0-9]{12,14}(\.0+)?", 1000)
        case "excel":
            parts = text.split("|")
            if all(_NUMBER.fullmatch(part) for part in parts):
                seconds = (sum(map(Decimal, parts), Decimal(0)) * DAY_S).to_integral_value(rounding="ROUND_HALF_UP")
                return EPOCH + timedelta(days=0, seconds=int(seconds)) if seconds >= 1000 * DAY_S else None
            return datetime.fromisoformat(text.replace("|", "T"))  # a cell that the reader knew to be a date
    if "|" not in form:
        text = text.replace("|", " ")
    early = _DAY_END.sub(lambda found: found[0].replace("24", "00", 1), text)
    found = _in_form(early, form)
    return found if found is None or early == text else found + timedelta(days=1)


def _since_1970(text: str, pattern: str, parts: int) -> datetime | None:
    if re.fullmatch(pattern, text) is None:
        return None
    return datetime.fromtimestamp(int(Decimal(text) // parts), UTC)


def _in_form(text: str, form: str) -> datetime | None:
    if form == "iso":
        return datetime.fromisoformat(text)
    if form == "zh":
        return _chinese(text)
    return datetime.strptime(text, form)  # noqa: DTZ007  # the mapping's zone is set by the caller


def _chinese(text: str) -> datetime | None:
    found = _CHINESE.fullmatch(text)
    if found is None:
        return None
    day = date(int(found["year"]), int(found["month"] or found["month2"]), int(found["day"] or found["day2"]))
    if found["hour"] is None:
        return datetime.combine(day, time())
    hour: int | None = int(found["hour"])
    half = found["half"] or found["half2"]
    if half is not None:
        if found["half"] and found["half2"]:
            return None
        hour = _HALVES[half.lower()].get(int(found["hour"]))
    minute = 30 if found["minute"] == "半" else int(found["minute"] or 0)
    second = int(found["second"] or 0)
    if hour is None or (hour == 24 and (minute or second)):
        return None
    if hour == 24:
        return datetime.combine(day, time()) + timedelta(days=1)
    return datetime.combine(day, time(hour, minute, second))
