"""Rows that are written in bulk have the columns of their tables, but for those that the database or time fills."""

from __future__ import annotations

import pytest

from issuers.records.rows import GRANT_COLUMNS, READY, NewRecord, NewRefusal, NewReview
from issuers.states import GrantState
from ledger.store.base import Base
from ledger.store.database import import_models

import_models()
DECIDED = ("approver_first", "approver_second", "note", "decided_at")


@pytest.mark.parametrize(
    ("table", "columns", "later"),
    [
        ("issuance_records", NewRecord._fields, set()),
        ("issuance_grants", GRANT_COLUMNS, set()),
        ("issuance_refusals", NewRefusal._fields, {"refusal_id"}),
        (
            "issuance_reviews",
            NewReview._fields,
            {"review_id", "approver_first", "approver_second", "verdict", "note", "decided_at"},
        ),
    ],
)
def test_fields_are_columns(table: str, columns: tuple[str, ...], later: set[str]) -> None:
    assert len(set(columns)) == len(columns)
    assert set(columns) == {column.name for column in Base.metadata.tables[table].columns} - later


def test_a_new_grant_is_ready_and_in_no_batch() -> None:
    assert READY == (GrantState.READY, None, None)
