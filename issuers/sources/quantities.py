"""Quantities as sources write them: plain numbers, numbers with their units, durations. Exact, and never a float."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from issuers.rules.refusals import FieldRefused, RefusalCode
from issuers.rules.units import MICRO, UNITS, Unit
from issuers.sources.mapping import QuantitySpec
from issuers.sources.texts import Getter, Values, plain, shape_of

_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{1,40})?|\.[0-9]{1,40})")
_LENGTH_MAX: Final = 80
_CLOCK = re.compile(r"([0-9]{1,6}):([0-5][0-9])(?::([0-5][0-9]))?")
_ISO = re.compile(r"PT(?=[0-9])(?:([0-9]{1,12}(?:\.[0-9]{1,9})?)H)?(?:([0-9]{1,12}(?:\.[0-9]{1,9})?)M)?"
                  r"(?:([0-9]{1,12}(?:\.[0-9]{1,9})?)S)?")  # fmt: skip
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)([^0-9.]{1,8})")
_HALF = ((re.compile(r"([0-9]+)个半(?=小时|钟头)"), r"\1.5"), (re.compile(r"([0-9]+)(小时|钟头)半$"), r"\1.5\2"),
         (re.compile(r"^半个?(?=小时|钟头)"), "0.5"))  # fmt: skip
_WORDS: Final[dict[str, dict[str, int]]] = {
    "time": {
        **dict.fromkeys(("小时", "个小时", "钟头", "个钟头", "时", "h", "hr", "hrs", "hour", "hours"), 3600),
        **dict.fromkeys(("分钟", "分", "min", "mins", "minute", "minutes", "m"), 60),
        **dict.fromkeys(("秒", "秒钟", "s", "sec", "secs", "second", "seconds"), 1),
    },
    "mass": {
        **dict.fromkeys(("吨", "t"), 1_000_000),
        **dict.fromkeys(("千克", "公斤", "kg"), 1000),
        "斤": 500,
        "两": 50,
        **dict.fromkeys(("克", "g"), 1),
    },
    "distance": {**dict.fromkeys(("公里", "千米", "km"), 1000), **dict.fromkeys(("米", "m"), 1)},
    "money": {**dict.fromkeys(("元", "圆", "块"), 100), "角": 10, "分": 1},
}
"""Words for units in a cell, in base units of their dimension."""
_BASES: Final = {"time": "second", "mass": "gram", "distance": "metre", "money": "fen"}
_MONEY_SIGNS: Final = "¥"


class Read(NamedTuple):
    """A quantity: millionths of the base unit, and the digits and unit that are kept as evidence."""

    micro: int
    digits: str
    unit: str


class Quantity:
    """Reads the quantity of some activities."""

    field = "quantity"

    def __init__(self, spec: QuantitySpec, get: Getter | None, unit_get: Callable[[Values], str | None] | None) -> None:
        """``get`` is None for the time between start and end, ``unit_get`` where the unit is the mapping's own."""
        self.activities = frozenset(spec.activities)
        self._spec = spec
        self._get = get
        self._suffix = spec.strip_suffix
        self._values = spec.values
        self._unit = spec.unit if isinstance(spec.unit, str) else None
        self._unit_get = unit_get
        self._maximum = Decimal(spec.maximum)
        forms, marks = spec.forms, (spec.thousands, spec.decimal_mark, spec.places)
        self._parse = lru_cache(maxsize=65_536)(lambda text, name: parse_quantity(text, name, forms, marks))

    def read(self, values: Values, started: int | None, ended: int | None) -> tuple[int, str, str, str]:
        """Return (micro base units, dimension, digits, unit). Raises FieldRefused."""
        spec = self._spec
        if self._get is None:
            if started is None or ended is None:
                raise FieldRefused(RefusalCode.MISSING_FIELD, "started_at" if started is None else "ended_at")
            return (ended - started) * MICRO, "time", str(ended - started), "second"
        name = self._unit if self._unit_get is None else self._unit_get(values)
        unit = UNITS.get(name or "")
        if unit is None or name is None:
            raise FieldRefused(RefusalCode.UNKNOWN_VALUE, "unit")
        text = self._get(values)
        if self._suffix:
            text = text.removesuffix(self._suffix).strip()
        text = self._values.get(text, text)
        if not text:
            raise FieldRefused(RefusalCode.MISSING_FIELD, "quantity")
        found = self._parse(text, name)
        if found is None:
            raise FieldRefused(RefusalCode.BAD_NUMBER, "quantity", shape=shape_of(text))
        if found.micro < 0:
            raise FieldRefused(RefusalCode.NEGATIVE_QUANTITY, "quantity")
        if found.micro > self._maximum * unit.factor * MICRO:
            raise FieldRefused(RefusalCode.QUANTITY_TOO_LARGE, "quantity", limit=spec.maximum)
        return found.micro, unit.dimension, found.digits, found.unit


def parse_quantity(text: str, name: str, forms: tuple[str, ...], marks: tuple[str | None, str, int]) -> Read | None:
    """Return a quantity in the first form that fits, or None. ``marks``: between thousands, before decimals, and how
    many decimals are kept."""
    if len(text) > _LENGTH_MAX:
        return None
    thousands, decimal_mark, places = marks
    text = plain(text)
    unit = UNITS[name]
    for form in forms:
        match form:
            case "number":
                found = decimal_of(text, thousands, decimal_mark)
                if found is not None:
                    return _read(found, name, unit.factor, places)
            case "words":
                total = _in_words(text.lower(), name, unit, thousands)
                if total is not None:
                    base = _BASES.get(unit.dimension, name)
                    return _read(total, base, UNITS[base].factor, places)
            case _:
                seconds = _by_clock(text, first=3600 if form == "h:mm" else 60) if unit.dimension == "time" else None
                if seconds is not None:
                    return _read(seconds, "second", 1, places)
    if unit.dimension == "time" and text.count(":") == 2:
        # Hours, minutes and seconds, as a workbook's duration cells are read: they can mean nothing else.
        seconds = _by_clock(text, first=3600)
        return None if seconds is None else _read(seconds, "second", 1, places)
    return None


def decimal_of(text: str, thousands: str | None = None, decimal_mark: str = ".") -> Decimal | None:
    """Return a plain decimal number, or None. Groups of thousands must be whole: 1,00 is no number."""
    if thousands is not None and thousands in text:
        whole, mark, rest = text.partition(decimal_mark)
        if re.fullmatch(rf"[+-]?[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+", whole) is None:
            return None
        text = whole.replace(thousands, "") + mark + rest
    if decimal_mark != ".":
        if "." in text:
            return None
        text = text.replace(decimal_mark, ".")
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def _read(exact: Decimal, unit: str, factor: int, places: int) -> Read:
    if -int(exact.as_tuple().exponent) > places:
        exact = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    digits = f"{exact:f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    # Floor: digits beyond a millionth of the base unit never earn anything.
    return Read(int((exact * factor * MICRO).to_integral_value(rounding="ROUND_FLOOR")), digits, unit)


def _by_clock(text: str, first: int) -> Decimal | None:
    """Return the seconds of 2:30 or 2:30:15; ``first``: seconds of the first of two parts."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    if found[3] is not None:
        return Decimal(int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]))
    return Decimal(int(found[1]) * first + int(found[2]) * first // 60)


def _in_words(text: str, name: str, unit: Unit, thousands: str | None) -> Decimal | None:
    """Return the base units of numbers with their units, largest first: 2小时30分, 1.5kg. Only the last has
    decimals."""
    words = _WORDS.get(unit.dimension) or {unit.zh: unit.factor, name: unit.factor}
    if unit.dimension == "time":
        iso = _ISO.fullmatch(text.upper())
        if iso is not None:
            return sum(
                (Decimal(part or 0) * of for part, of in zip(iso.groups(), (3600, 60, 1), strict=True)), Decimal(0)
            )
        for pattern, instead in _HALF:
            text = pattern.sub(instead, text)
    if unit.dimension == "money":
        text = text.removeprefix(_MONEY_SIGNS) + ("元" if text.startswith(_MONEY_SIGNS) and text[-1].isdigit() else "")
    if thousands is not None:
        text = re.sub(rf"(?<=[0-9]){re.escape(thousands)}(?=[0-9]{{3}}(?![0-9]))", "", text)
    text = "".join(text.split())
    total, last, at = Decimal(0), None, 0
    while at < len(text):
        part = _PART.match(text, at)
        factor = None if part is None else words.get(part[2])
        if part is None or factor is None or (last is not None and factor >= last):
            return None
        at = part.end()
        if "." in part[1] and at < len(text):
            return None
        last = factor
        total += Decimal(part[1]) * factor
    return total if last is not None else None
