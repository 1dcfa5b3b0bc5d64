"""Whether a block's statements look rows up, or read tables as a whole: what it costs must not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from ledger.store.database import Database


@contextmanager
def no_table_of_sqlite_read_whole(database: Database, *tables: str) -> Iterator[None]:
    """Fail if a statement of the block, in whatever session, would read one of ``tables`` of a SQLite file whole,
    or if none looks anything up."""
    asked: dict[str, Any] = {}

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked[statement] = parameters

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all() for one, values in asked.items()]
    steps = [str(step[3]) for plan in plans for step in plan]
    assert any(step.startswith("SEARCH") for step in steps)
    assert [step for step in steps if step.startswith("SCAN") and any(name in step for name in tables)] == []


@contextmanager
def no_table_read_whole(session: Session, *tables: str) -> Iterator[None]:
    """Fail if a statement of the block reads one of ``tables`` whole, or if none looks anything up.

    PostgreSQL counts scans. SQLite is asked how it would run each statement again, and may scan no table at all.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        names = ", ".join(f"'{name}'" for name in tables)
        counts = f"SELECT sum(seq_scan), sum(idx_scan) FROM pg_stat_xact_user_tables WHERE relname IN ({names})"
        before = connection.exec_driver_sql(counts).one()
        yield
        after = connection.exec_driver_sql(counts).one()
        assert (after[0] - before[0], after[1] - before[1] > 0) == (0, True)
        return
    raw: Any = connection.connection.driver_connection
    told: list[str] = []
    raw.set_trace_callback(told.append)
    try:
        yield
    finally:
        raw.set_trace_callback(None)
    asked = {one[:60]: one for one in told if one.startswith(("SELECT", "UPDATE", "DELETE"))}
    steps = [str(row[3]) for one in asked.values() for row in raw.execute(f"EXPLAIN QUERY PLAN {one}")]
    assert any(step.startswith("SEARCH") for step in steps)
    whole = [step for step in steps if step.startswith("SCAN") and not step.endswith("CONSTANT ROW")]
    assert [step for step in whole if "VIRTUAL TABLE" not in step] == []  # such as the JSON of what is asked for
