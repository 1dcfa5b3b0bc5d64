"""Mapping applied: rows of text become deeds, or faults that name field and reason. Pure; ``now`` is passed in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import orjson

from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault, FieldRefused, RefusalCode
from issuers.rules.units import MICRO, UNITS
from issuers.sources.mapping import FieldSpec, Mapping, QuantitySpec
from issuers.sources.readers.rows import RAW_KEPT_MAX, Row
from ledger.standard.civil_time import CITY_TZ, DAY_S, civil_day, day_text, moment_text
from ledger.standard.identifiers import normalise

Values = tuple[str | None, ...]
Getter = Callable[[Values], str | None]

_EXCEL_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001  # civil time of the sheet; the zone is set by the mapping
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,9})?")
_SPAN_TOLERANCE_S: Final = 60
"""Sources round credited time to the minute."""
RESERVED: Final = frozenset(
    {"record_id", "source_id", "activity", "started_at", "ended_at", "day", "revision", "device"}
)


class Normaliser:
    """A mapping made ready for millions of rows: closures over column positions instead of look-ups by name."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        positions = {column: at for at, column in enumerate(mapping.columns)}
        zone = _zone(mapping.time_zone)
        self._record_id = _identifier("record_id", mapping.fields["record_id"], positions)
        self._source_id = _identifier("source_id", mapping.fields["source_id"], positions)
        self._activity = _activity(mapping.fields["activity"], positions)
        self._times = {
            name: _time(name, mapping.fields[name], positions, zone)
            for name in ("started_at", "ended_at", "day")
            if name in mapping.fields
        }
        revision = mapping.fields.get("revision")
        self._revision = None if revision is None else _revision(revision, positions, zone)
        device = mapping.fields.get("device")
        self._device = None if device is None else _identifier("device", device, positions)
        self._extras = [
            (name, _extra(name, spec, positions, zone)) for name, spec in mapping.fields.items() if name not in RESERVED
        ]
        self._quantities = [_Quantity(spec, positions) for spec in mapping.quantity]

    def deed(self, row: Row, now: int) -> Deed | Fault:
        """Return the row's deed, or why it is refused. ``now`` in Unix seconds. The order of the checks is fixed:
        identifiers, activity, dates, quantity, further fields."""
        try:
            return self._deed(row, now)
        except FieldRefused as refused:
            text = "\t".join(["" if value is None else value for value in row.values])
            raw = text.encode("utf-8", "backslashreplace")[:RAW_KEPT_MAX]
            return Fault(row.number, row.line, refused.field, refused.code, refused.params, raw)

    def _deed(self, row: Row, now: int) -> Deed:
        values = row.values
        record_id = self._record_id(values)
        source_id = self._source_id(values)
        if record_id is None or source_id is None:
            raise FieldRefused(RefusalCode.MISSING_FIELD, "source_id" if record_id else "record_id")
        activity = self._activity(values)
        started, ended, day = self._moments(values, now)
        quantity = next((one for one in self._quantities if not one.activities or activity in one.activities), None)
        if quantity is None:
            raise FieldRefused(RefusalCode.UNKNOWN_ACTIVITY, "activity")
        micro, dimension, digits, unit = quantity.read(values, started, ended)
        if (
            dimension == "time"
            and started is not None
            and ended is not None
            and micro > (ended - started + _SPAN_TOLERANCE_S) * MICRO
        ):
            raise FieldRefused(RefusalCode.HOURS_EXCEED_SPAN, quantity.field)
        record = {
            "system": self.mapping.system,
            "record_id": record_id,
            "source_id": source_id,
            "activity": activity,
            "day": day_text(day),
            "quantity": digits,
            "unit": unit,
        }
        if started is not None:
            record["started_at"] = moment_text(started)
        if ended is not None:
            record["ended_at"] = moment_text(ended)
        revision = None
        if self._revision is not None:
            revision = self._revision(values)
            if revision is not None:
                record["revision"] = str(revision)
        device = None
        if self._device is not None:
            device = self._device(values)
            if device is not None:
                record["device"] = device
        for name, read in self._extras:
            value = read(values)
            if value is not None:
                record[name] = value
        return Deed(
            row.number,
            row.line,
            record_id,
            source_id,
            activity,
            day,
            started,
            ended,
            micro,
            dimension,
            revision,
            device,
            # Keys are ASCII and values text by construction, so this is RFC 8785 (see ledger.standard.evidence).
            orjson.dumps(record, option=orjson.OPT_SORT_KEYS),
            frozenset(record),
        )

    def _moments(self, values: Values, now: int) -> tuple[int | None, int | None, int]:
        times = self._times
        started = times["started_at"](values) if "started_at" in times else None
        ended = times["ended_at"](values) if "ended_at" in times else None
        if "day" in times:
            stamp = times["day"](values)
            if stamp is None and started is None:
                raise FieldRefused(RefusalCode.MISSING_FIELD, "day")
            day_stamp = started if stamp is None else stamp
        else:
            day_stamp = started
        if day_stamp is None:
            raise FieldRefused(RefusalCode.MISSING_FIELD, "started_at")
        day = civil_day(day_stamp)
        if day_stamp > now or (started is not None and started > now):
            raise FieldRefused(RefusalCode.FUTURE_DATE, "day" if started is None else "started_at")
        if ended is not None:
            if ended > now:
                raise FieldRefused(RefusalCode.FUTURE_DATE, "ended_at")
            if started is not None and ended < started:
                raise FieldRefused(RefusalCode.ENDED_BEFORE_STARTED, "ended_at")
        return started, ended, day


class _Quantity:
    """Reads the quantity of some activities."""

    def __init__(self, spec: QuantitySpec, positions: dict[str, int]) -> None:
        self.activities = frozenset(spec.activities)
        self.field = "quantity"
        self._between = spec.between
        self._get = None if spec.between else _getter(spec, positions)
        self._values = spec.values
        self._suffix = spec.strip_suffix
        self._unit = spec.unit if isinstance(spec.unit, str) else None
        self._unit_get = None if isinstance(spec.unit, str) else _text("unit", spec.unit, positions)
        self._maximum = Decimal(spec.maximum)
        self._maximum_text = spec.maximum

    def read(self, values: Values, started: int | None, ended: int | None) -> tuple[int, str, str, str]:
        """Return (micro base units, dimension, digits, unit)."""
        if self._get is None:
            if started is None or ended is None:
                raise FieldRefused(RefusalCode.MISSING_FIELD, "started_at" if started is None else "ended_at")
            return (ended - started) * MICRO, "time", str(ended - started), "second"
        name = self._unit
        if self._unit_get is not None:
            name = self._unit_get(values)
        unit = UNITS.get(name or "")
        if unit is None or name is None:
            raise FieldRefused(RefusalCode.UNKNOWN_VALUE, "unit")
        text = self._get(values)
        text = "" if text is None else text.strip()
        if self._suffix:
            text = text.removesuffix(self._suffix).strip()
        text = self._values.get(text, text)
        if not text:
            raise FieldRefused(RefusalCode.MISSING_FIELD, "quantity")
        micro, digits = _parse_quantity(text, unit.factor)
        if micro < 0:
            raise FieldRefused(RefusalCode.NEGATIVE_QUANTITY, "quantity")
        if micro > self._maximum * unit.factor * MICRO:
            raise FieldRefused(RefusalCode.QUANTITY_TOO_LARGE, "quantity", limit=self._maximum_text)
        return micro, unit.dimension, digits, name


@lru_cache(maxsize=65_536)
def _parse_quantity(text: str, factor: int) -> tuple[int, str]:
    """Return (micro base units, plain digits). Raises FieldRefused."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if _DECIMAL.fullmatch(text) is None:
        raise FieldRefused(RefusalCode.BAD_NUMBER, "quantity")
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise FieldRefused(RefusalCode.BAD_NUMBER, "quantity") from None
    plain = f"{exact:f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    # Floor: digits beyond a millionth of the base unit never earn anything.
    return int((exact * factor * MICRO).to_integral_value(rounding="ROUND_FLOOR")), plain


def _getter(spec: FieldSpec, positions: dict[str, int]) -> Getter:
    if spec.constant is not None:
        constant = spec.constant
        return lambda _values: constant
    if spec.column is not None:
        at = positions[spec.column]
        return lambda values: values[at]
    places = [positions[column] for column in spec.columns]

    def join(values: Values) -> str | None:
        parts = [values[place] for place in places]
        if any(part is None or not part.strip() for part in parts):
            return None
        return "|".join([part.strip() for part in parts if part is not None])

    return join


def _text(
    name: str, spec: FieldSpec, positions: dict[str, int], mismatch: RefusalCode = RefusalCode.UNKNOWN_VALUE
) -> Getter:
    get = _getter(spec, positions)
    pattern = None if spec.pattern is None else re.compile(spec.pattern)
    length_max, optional, values, otherwise, suffix = (
        spec.length_max,
        spec.optional,
        spec.values,
        spec.otherwise,
        spec.strip_suffix,
    )

    def read(row: Values) -> str | None:
        text = get(row)
        text = "" if text is None else text.strip()
        if not text:
            if optional:
                return None
            raise FieldRefused(RefusalCode.MISSING_FIELD, name)
        if len(text) > length_max:
            raise FieldRefused(RefusalCode.FIELD_TOO_LARGE, name, limit=length_max)
        if not text.isprintable() and (_CONTROL.search(text) or not _is_text(text)):
            raise FieldRefused(RefusalCode.CONTROL_CHARACTER, name)
        if suffix:
            text = text.removesuffix(suffix)
        if values:
            mapped = values.get(text, otherwise)
            if mapped is None:
                raise FieldRefused(RefusalCode.UNKNOWN_VALUE, name)
            return mapped
        if pattern is not None and pattern.fullmatch(text) is None:
            raise FieldRefused(mismatch, name)
        return text

    return read


def _identifier(name: str, spec: FieldSpec, positions: dict[str, int]) -> Callable[[Values], str | None]:
    """Return the function that reads an identifier in the form in which it is compared, but for its case.

    Its pattern is matched against that form. A source id keeps its case here, for a pattern may ask for it; whether
    the case counts is the hashes' business (`ledger.standard.identifiers`).
    """
    read = _text(name, spec.model_copy(update={"pattern": None}), positions)
    pattern = None if spec.pattern is None or spec.values else re.compile(spec.pattern)
    mismatch = RefusalCode.UNKNOWN_VALUE if name == "device" else RefusalCode.BAD_IDENTIFIER
    is_upper = spec.case == "ignore" and name != "source_id"
    optional = spec.optional

    def identifier(row: Values) -> str | None:
        text = read(row)
        if text is None:
            return None
        text = normalise(text, keep_case=True)
        if not text:
            if optional:
                return None
            raise FieldRefused(RefusalCode.MISSING_FIELD, name)
        if pattern is not None and pattern.fullmatch(text) is None:
            raise FieldRefused(mismatch, name)
        return text.upper() if is_upper else text

    return identifier


def _is_text(text: str) -> bool:
    """Return whether UTF-8 can hold it: a lone surrogate (from JSON's escapes) is no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _activity(spec: FieldSpec, positions: dict[str, int]) -> Callable[[Values], str]:
    read = _text("activity", spec, positions, RefusalCode.UNKNOWN_ACTIVITY)

    def activity(values: Values) -> str:
        try:
            found = read(values)
        except FieldRefused as refused:
            if refused.code is RefusalCode.UNKNOWN_VALUE:
                raise FieldRefused(RefusalCode.UNKNOWN_ACTIVITY, "activity") from None
            raise
        if found is None:
            raise FieldRefused(RefusalCode.MISSING_FIELD, "activity")
        return found

    return activity


def _zone(name: str) -> tzinfo:
    # The People's Republic has kept UTC+8 without daylight saving since 1991: a fixed offset is several times faster.
    return CITY_TZ if name in ("Asia/Shanghai", "Asia/Chongqing", "PRC") else ZoneInfo(name)


def _time(name: str, spec: FieldSpec, positions: dict[str, int], zone: tzinfo) -> Callable[[Values], int | None]:
    get = _getter(spec, positions)
    optional = spec.optional
    formats = spec.formats or ("iso",)

    @lru_cache(maxsize=16_384)
    def parse(text: str) -> int:
        if len(text) <= 40:
            for form in formats:
                stamp = _parse_time(text, form, zone)
                if stamp is not None:
                    return stamp
        raise FieldRefused(RefusalCode.BAD_DATE, name)

    def read(values: Values) -> int | None:
        text = get(values)
        text = "" if text is None else text.strip()
        if not text:
            if optional:
                return None
            raise FieldRefused(RefusalCode.MISSING_FIELD, name)
        return parse(text)

    return read


def _parse_time(text: str, form: str, zone: tzinfo) -> int | None:
    try:
        if form == "unix":
            found = datetime.fromtimestamp(int(text), UTC) if re.fullmatch(r"[0-9]{9,11}", text) else None
            return None if found is None else int(found.timestamp())
        if form == "excel":
            if re.fullmatch(r"[0-9]{4,6}(\.[0-9]+)?", text) is None:
                return None
            seconds = (Decimal(text) * DAY_S).to_integral_value(rounding="ROUND_HALF_UP")
            civil_time = _EXCEL_EPOCH + timedelta(seconds=int(seconds))
        elif form == "iso":
            civil_time = datetime.fromisoformat(text)
        else:
            civil_time = datetime.strptime(text, form)  # noqa: DTZ007  # the mapping's zone is set below
        if civil_time.tzinfo is None:
            civil_time = civil_time.replace(tzinfo=zone)
        if not 1990 <= civil_time.year <= 2200:
            return None
        return int(civil_time.timestamp())
    except (ValueError, OverflowError, OSError):
        return None


def _revision(spec: FieldSpec, positions: dict[str, int], zone: tzinfo) -> Callable[[Values], int | None]:
    if spec.kind in ("time", "date"):
        return _time("revision", spec, positions, zone)
    read = _text("revision", spec, positions)

    def number(values: Values) -> int | None:
        text = read(values)
        if text is None:
            return None
        if re.fullmatch(r"[0-9]{1,18}", text) is None:
            raise FieldRefused(RefusalCode.BAD_NUMBER, "revision")
        return int(text)

    return number


def _extra(name: str, spec: FieldSpec, positions: dict[str, int], zone: tzinfo) -> Getter:
    if spec.kind == "text":
        return _text(name, spec, positions)
    if spec.kind in ("time", "date"):
        read_time = _time(name, spec, positions, zone)

        def stamp(values: Values) -> str | None:
            found = read_time(values)
            return None if found is None else moment_text(found)

        return stamp
    read = _text(name, spec, positions)

    def decimal(values: Values) -> str | None:
        text = read(values)
        if text is not None and _DECIMAL.fullmatch(text) is None:
            raise FieldRefused(RefusalCode.BAD_NUMBER, name)
        return text

    return decimal
