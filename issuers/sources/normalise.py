"""Mapping applied: rows of text become deeds, or faults that name field and reason. Pure; ``now`` is passed in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import orjson

from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault, FieldRefused, RefusalCode
from issuers.rules.units import MICRO
from issuers.sources.mapping import FieldSpec, Mapping
from issuers.sources.quantities import Quantity, decimal_of
from issuers.sources.readers.rows import RAW_KEPT_MAX, Row
from issuers.sources.texts import Values, dated_shape, getter, is_marked, plain, scientific_part, shape_of
from issuers.sources.times import time_reader, zone_of
from ledger.standard.civil_time import civil_day, day_text, moment_text
from ledger.standard.identifiers import normalise

Reader = Callable[[Values], str | None]
"""Reads a field's text, None where an optional one is empty. Raises FieldRefused."""
Positions = dict[str, int]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GUARDS: Final = "'’‘`“\""
"""What keeps a spreadsheet from changing a number; a mapping names it (`prefix_guards`), for it is no part of one."""
_DOUBTED = re.compile(f"[-*:?日{_GUARDS}]")
_MASKED = re.compile(r"\*{2}|\?{2}")
"""Stars that hide a number's digits, and question marks for lost characters: several people have such a one."""
_LOST: Final = "锟斤拷"
"""What U+FFFD becomes when its UTF-8 is read as GBK."""
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
        fields = _Fields(mapping, positions)
        self._record_id = fields.identifier("record_id", mapping.fields["record_id"])
        self._source_id = fields.identifier("source_id", mapping.fields["source_id"])
        self._activity = fields.activity(mapping.fields["activity"])
        self._times = {
            name: time_reader(name, mapping.fields[name], mapping, positions, fields.zone)
            for name in ("started_at", "ended_at", "day")
            if name in mapping.fields
        }
        revision = mapping.fields.get("revision")
        self._revision = None if revision is None else fields.revision(revision)
        device = mapping.fields.get("device")
        self._device = None if device is None else fields.identifier("device", device)
        self._extras = [
            (name, fields.further(name, spec)) for name, spec in mapping.fields.items() if name not in RESERVED
        ]
        self._quantities = [
            Quantity(
                spec,
                None if spec.between else getter(spec, mapping, positions),
                None if isinstance(spec.unit, str) else fields.text("unit", spec.unit),
            )
            for spec in mapping.quantity
        ]

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


class _Fields:
    """Makes the readers of a mapping's fields."""

    def __init__(self, mapping: Mapping, positions: Positions) -> None:
        self._mapping = mapping
        self._positions = positions
        self.zone = zone_of(mapping.time_zone)

    def text(self, name: str, spec: FieldSpec, mismatch: RefusalCode = RefusalCode.UNKNOWN_VALUE) -> Reader:
        """A field of text: bounded, printable, by its table of values or its pattern."""
        get = getter(spec, self._mapping, self._positions)
        pattern = None if spec.pattern is None else re.compile(spec.pattern)
        length_max, optional, values, otherwise, suffix = (
            spec.length_max,
            spec.optional,
            spec.values,
            spec.otherwise,
            spec.strip_suffix,
        )

        encodings = ", ".join(self._mapping.encodings)

        def read(row: Values) -> str | None:
            text = get(row)
            if not text:
                if optional:
                    return None
                raise FieldRefused(RefusalCode.MISSING_FIELD, name)
            if len(text) > length_max:
                raise FieldRefused(RefusalCode.FIELD_TOO_LARGE, name, limit=length_max)
            if not text.isprintable() and (_CONTROL.search(text) or not _is_text(text)):
                raise FieldRefused(RefusalCode.CONTROL_CHARACTER, name)
            if not text.isascii() and _LOST in text:
                raise FieldRefused(RefusalCode.WRONG_ENCODING, name, expected=encodings)
            if suffix:
                text = text.removesuffix(suffix)
            if values:
                mapped = values.get(text)
                if mapped is None:
                    mapped = values.get(plain(text), otherwise)
                if mapped is None:
                    raise FieldRefused(RefusalCode.UNKNOWN_VALUE, name)
                return mapped
            if pattern is not None and pattern.fullmatch(text) is None:
                raise FieldRefused(mismatch, name, shape=shape_of(text))
            return text

        return read

    def identifier(self, name: str, spec: FieldSpec) -> Reader:
        """An identifier in the form in which it is compared, but for its case.

        Its pattern is matched against that form. A source id keeps its case here, for a pattern may ask for it; whether
        the case counts is the hashes' business (`ledger.standard.identifiers`).
        """
        read = self.text(name, spec.model_copy(update={"pattern": None}))
        pattern = None if spec.pattern is None or spec.values else re.compile(spec.pattern)
        mismatch = RefusalCode.UNKNOWN_VALUE if name == "device" else RefusalCode.BAD_IDENTIFIER
        is_upper = spec.case == "ignore" and name != "source_id"
        optional = spec.optional
        of_workbook = (
            self._mapping.format == "xlsx" and spec.column is not None and spec.column not in self._mapping.time_columns
        )

        # Where a mapping gives a pattern it has said what a number looks like, a date among them.
        is_doubted = pattern is None or of_workbook

        def identifier(row: Values) -> str | None:
            text = read(row)
            if text is None:
                return None
            if not text.isascii() and is_marked(text):
                raise FieldRefused(RefusalCode.BAD_IDENTIFIER, name, shape=shape_of(text))
            text = normalise(text, keep_case=True)
            if not text:
                if optional:
                    return None
                raise FieldRefused(RefusalCode.MISSING_FIELD, name)
            if "E" in text or "e" in text:
                ruined = scientific_part(text)
                if ruined is not None:
                    raise FieldRefused(RefusalCode.RUINED_IDENTIFIER, name, shape=ruined)
            if is_doubted and not (text.isalnum() and text.isascii()) and _DOUBTED.search(text):
                _check_identifier(name, text, of_workbook=of_workbook)
            if pattern is not None and pattern.fullmatch(text) is None:
                raise FieldRefused(mismatch, name, shape=shape_of(text))
            return text.upper() if is_upper else text

        return identifier

    def activity(self, spec: FieldSpec) -> Callable[[Values], str]:
        """The activity, which is never empty."""
        read = self.text("activity", spec, RefusalCode.UNKNOWN_ACTIVITY)

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

    def revision(self, spec: FieldSpec) -> Callable[[Values], int | None]:
        """A record's revision: a time, or a whole number."""
        if spec.kind in ("time", "date"):
            return time_reader("revision", spec, self._mapping, self._positions, self.zone)
        read = self.text("revision", spec)

        def number(values: Values) -> int | None:
            text = read(values)
            if text is None:
                return None
            if re.fullmatch(r"[0-9]{1,18}", text) is None:
                raise FieldRefused(RefusalCode.BAD_NUMBER, "revision", shape=shape_of(text))
            return int(text)

        return number

    def further(self, name: str, spec: FieldSpec) -> Reader:
        """A further field, of its kind."""
        if spec.kind == "text":
            return self.text(name, spec)
        if spec.kind in ("time", "date"):
            read_time = time_reader(name, spec, self._mapping, self._positions, self.zone)

            def stamp(values: Values) -> str | None:
                found = read_time(values)
                return None if found is None else moment_text(found)

            return stamp
        read = self.text(name, spec)

        def decimal(values: Values) -> str | None:
            text = read(values)
            if text is not None and decimal_of(text) is None:
                raise FieldRefused(RefusalCode.BAD_NUMBER, name, shape=shape_of(text))
            return text

        return decimal


def _check_identifier(name: str, text: str, *, of_workbook: bool) -> None:
    """Raise FieldRefused for what a spreadsheet has made a date of, or keeps from being one."""
    dated = dated_shape(text, of_workbook=of_workbook)
    if dated is not None:
        raise FieldRefused(RefusalCode.RUINED_IDENTIFIER, name, shape=dated)
    if text[0] in _GUARDS or _MASKED.search(text):
        raise FieldRefused(RefusalCode.BAD_IDENTIFIER, name, shape=shape_of(text))


def _is_text(text: str) -> bool:
    """Return whether UTF-8 can hold it: a lone surrogate (from JSON's escapes) is no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
