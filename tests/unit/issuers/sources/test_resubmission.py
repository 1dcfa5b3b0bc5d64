"""A corrected row reads as its file would: dots are paths in JSON, and parts of names in tables."""

from __future__ import annotations

from typing import Any

import pytest

from issuers.rules.deeds import Deed
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import Limits
from issuers.sources.readers.json_documents import rows_of
from issuers.sources.readers.rows import Row
from issuers.sources.resubmission import corrected
from tests.unit.issuers.build import NOW, mapping

PARTS = {"id": "r1", "who": "p1", "what": "work", "when": "2026-08-31 09:00", "amount": "2"}


def deed_of(given: Any, values: dict[str, str]) -> Deed:
    """Read corrected values as the pipeline does."""
    plain, document = corrected(given, values)
    [row] = rows_of([document], plain, Limits(), 0)
    assert isinstance(row, Row)
    read = Normaliser(plain).deed(row, NOW)
    assert isinstance(read, Deed), read
    return read


def test_a_tables_row_reads_as_it_would_from_its_file() -> None:
    read = deed_of(mapping(), PARTS)
    assert (read.record_id, read.source_id, read.activity, read.quantity_micro) == ("r1", "p1", "WORK", 7_200 * 10**6)


@pytest.mark.parametrize("form", ["csv", "tsv", "xlsx", "xml"])
def test_a_dot_in_a_tables_column_is_no_path(form: str) -> None:
    fields = mapping().model_dump()["fields"]
    fields["record_id"]["column"] = "no. of record"
    given = mapping(format=form, fields=fields, records="record" if form == "xml" else "")
    values = PARTS | {"no. of record": "r9"}
    assert deed_of(given, values).record_id == "r9"


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_dot_in_a_json_column_is_a_path(form: str) -> None:
    fields = mapping().model_dump()["fields"]
    fields["record_id"]["column"] = "head.id"
    fields["source_id"]["column"] = "head.who"
    given = mapping(format=form, fields=fields)
    plain, document = corrected(given, {"head.id": "r9", "head.who": "p9"})
    assert document == {"head": {"id": "r9", "who": "p9"}}
    assert (plain.format, plain.records) == ("json", "")
    assert deed_of(given, PARTS | {"head.id": "r9", "head.who": "p9"}).source_id == "p9"


def test_every_place_that_names_a_column_is_renamed() -> None:
    """Also columns that stand for one field together, and the column that names a quantity's unit."""
    fields = mapping().model_dump()["fields"]
    fields["started_at"] = {"columns": ["on.day", "at.time"], "optional": True}
    quantity = [{"column": "a.mount", "unit": {"column": "u.nit", "values": {"h": "hour"}}}]
    plain, document = corrected(mapping(fields=fields, quantity=quantity), {"a.mount": "2", "u.nit": "h"})
    assert set(document) == {"a․mount", "u․nit"}
    [read] = plain.quantity
    assert read.column == "a․mount"
    assert not isinstance(read.unit, str)
    assert read.unit.column == "u․nit"
    assert plain.fields["started_at"].columns == ("on․day", "at․time")
