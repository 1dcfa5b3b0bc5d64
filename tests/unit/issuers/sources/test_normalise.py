"""Mapping applied: every field's refusals, units, dates and zones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pydantic
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault, RefusalCode
from issuers.sources.normalise import Normaliser
from issuers.sources.readers.rows import Row
from tests.unit.issuers.build import NOW, mapping

GOOD = {
    "id": "r1",
    "who": "p1",
    "what": "work",
    "when": "2026-08-01 09:00",
    "until": "2026-08-01 12:00",
    "amount": "2.5",
}


def read(changes: dict[str, str | None] | None = None, **spec: Any) -> Deed | Fault:
    """Normalise the good row with some changes."""
    one = mapping(**spec)
    values = {**GOOD, **(changes or {})}
    return Normaliser(one).deed(Row(1, 2, tuple(values.get(column) for column in one.columns)), NOW)


def test_a_good_row_becomes_a_deed() -> None:
    """Times in the city's zone, quantity in micro base units, the record in RFC 8785 form."""
    found = read()
    assert isinstance(found, Deed)
    assert (found.record_id, found.source_id, found.activity) == ("r1", "p1", "WORK")
    assert found.started_at == int(datetime(2026, 8, 1, 1, tzinfo=UTC).timestamp())
    assert found.quantity_micro == 9_000 * 10**6
    record = json.loads(found.canonical)
    assert found.canonical == rfc8785.dumps(record)
    assert record["started_at"] == "2026-08-01T09:00:00+08:00"
    assert record["day"] == "2026-08-01"
    assert record["quantity"] == "2.5"


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"id": ""}, "record_id", RefusalCode.MISSING_FIELD),
        ({"who": None}, "source_id", RefusalCode.MISSING_FIELD),
        ({"who": "x" * 300}, "source_id", RefusalCode.FIELD_TOO_LARGE),
        ({"who": "a\x00b"}, "source_id", RefusalCode.CONTROL_CHARACTER),
        ({"who": "a\ud800b"}, "source_id", RefusalCode.CONTROL_CHARACTER),
        ({"what": "play"}, "activity", RefusalCode.UNKNOWN_ACTIVITY),
        ({"when": "yesterday"}, "started_at", RefusalCode.BAD_DATE),
        ({"when": "2026-02-30 09:00"}, "started_at", RefusalCode.BAD_DATE),
        ({"when": "0001-01-01 09:00"}, "started_at", RefusalCode.BAD_DATE),
        ({"when": "2026-10-01 09:00", "until": ""}, "started_at", RefusalCode.FUTURE_DATE),
        ({"until": "2026-10-01 09:00"}, "ended_at", RefusalCode.FUTURE_DATE),
        ({"until": "2026-08-01 08:00"}, "ended_at", RefusalCode.ENDED_BEFORE_STARTED),
        ({"amount": "-2"}, "quantity", RefusalCode.NEGATIVE_QUANTITY),
        ({"amount": "two"}, "quantity", RefusalCode.BAD_NUMBER),
        ({"amount": "NaN"}, "quantity", RefusalCode.MISSING_FIELD),
        ({"amount": "inf"}, "quantity", RefusalCode.BAD_NUMBER),
        ({"amount": "1e9"}, "quantity", RefusalCode.BAD_NUMBER),
        ({"amount": "9" * 15}, "quantity", RefusalCode.QUANTITY_TOO_LARGE),
        ({"amount": ""}, "quantity", RefusalCode.MISSING_FIELD),
        ({"amount": "3.5"}, "quantity", RefusalCode.HOURS_EXCEED_SPAN),
    ],
)
def test_each_fault_has_its_field_and_code(changes: dict[str, str | None], field: str, code: RefusalCode) -> None:
    """One wrong field, one refusal that names it."""
    found = read(changes)
    assert isinstance(found, Fault)
    assert (found.row, found.line, found.field, found.code) == (1, 2, field, code)
    english, chinese = found.reason()
    assert english
    assert chinese
    assert "?" not in english


def test_full_width_digits_and_suffixes_are_numbers() -> None:
    """Exports write ２．５小时."""
    found = read({"amount": "２．５小时"}, quantity=[{"column": "amount", "unit": "hour", "strip_suffix": "小时"}])
    assert isinstance(found, Deed)
    assert found.quantity_micro == 9_000 * 10**6


@pytest.mark.parametrize(
    ("text", "formats", "expected"),
    [
        ("2026/8/1 9:00", ["%Y/%m/%d %H:%M"], "2026-08-01T09:00:00+08:00"),
        ("2026年08月01日 09:00", ["iso", "%Y年%m月%d日 %H:%M"], "2026-08-01T09:00:00+08:00"),
        ("2026-08-01T01:00:00Z", ["iso"], "2026-08-01T09:00:00+08:00"),
        ("1785546000", ["unix"], "2026-08-01T09:00:00+08:00"),
        ("46235.375", ["excel"], "2026-08-01T09:00:00+08:00"),
    ],
)
def test_forms_of_time(text: str, formats: list[str], expected: str) -> None:
    """Each agreed form gives the same moment."""
    fields = {**mapping().model_dump()["fields"], "started_at": {"column": "when", "formats": formats}}
    found = read({"when": text}, fields=fields)
    assert isinstance(found, Deed), found
    assert json.loads(found.canonical)["started_at"] == expected


def test_a_source_in_another_zone_is_dated_by_the_city() -> None:
    """29 August, 18:00 in San Francisco is 30 August in Chengdu."""
    found = read({"when": "2026-08-29 18:00", "until": "2026-08-29 21:00"}, time_zone="America/Los_Angeles")
    assert isinstance(found, Deed)
    assert json.loads(found.canonical)["day"] == "2026-08-30"


def test_units_by_column_and_by_activity() -> None:
    """Grams and jin become the same base; another activity reads another column."""
    fields = {**mapping().model_dump()["fields"], "activity": {"column": "what", "pattern": "[A-Z]+"}}
    quantity = [
        {"constant": "1", "unit": "trip", "activities": ["RIDE"]},
        {"column": "amount", "unit": {"column": "unit", "values": {"kg": "kilogram", "斤": "jin"}}},
    ]
    kilos = read({"what": "GLASS", "unit": "kg", "amount": "1.5"}, fields=fields, quantity=quantity)
    jin = read({"what": "GLASS", "unit": "斤", "amount": "3"}, fields=fields, quantity=quantity)
    ride = read({"what": "RIDE", "amount": ""}, fields=fields, quantity=quantity)
    lb = read({"what": "GLASS", "unit": "lb"}, fields=fields, quantity=quantity)
    assert isinstance(kilos, Deed)
    assert isinstance(jin, Deed)
    assert isinstance(ride, Deed)
    assert kilos.quantity_micro == jin.quantity_micro == 1_500 * 10**6
    assert (ride.quantity_micro, ride.dimension) == (10**6, "count")
    assert isinstance(lb, Fault)
    assert (lb.field, lb.code) == ("unit", RefusalCode.UNKNOWN_VALUE)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fields": {"record_id": {"column": "id"}}}, "source_id is not mapped"),
        ({"quantity": []}, "no quantity"),
        ({"time_zone": "Mars/Olympus"}, "unknown time zone"),
        ({"format": "xml"}, "names the element"),
        ({"format": "pdf"}, "csv"),
        ({"quantity": [{"column": "amount", "unit": "parsec"}]}, "unknown unit"),
        ({"quantity": [{"column": "amount", "constant": "1"}]}, "exactly one"),
    ],
)
def test_mappings_that_cannot_work_are_refused(changes: dict[str, Any], complaint: str) -> None:
    """Before any file is read."""
    with pytest.raises(pydantic.ValidationError, match=complaint):
        mapping(**changes)


@given(st.fixed_dictionaries({name: st.none() | st.text(max_size=40) for name in GOOD}))
def test_any_row_is_a_deed_or_a_fault(row: dict[str, str | None]) -> None:
    """Whatever stands in a row, nothing is raised, and a deed's record is canonical."""
    found = read(row)
    if isinstance(found, Deed):
        assert found.canonical == rfc8785.dumps(json.loads(found.canonical))
        assert found.quantity_micro >= 0
    else:
        assert isinstance(found, Fault)
