"""Rows of a mapped class, written in bulk: tuples in the order of its table's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from ledger.store.database import bulk_insert


def table_of(row: type[Any]) -> Table:
    """Return the table of a mapped class."""
    return cast(Table, row.__table__)


def insert(session: Session, row_class: type[Any], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of a mapped class."""
    table = table_of(row_class)
    bulk_insert(session, table, [column.name for column in table.columns], rows)
