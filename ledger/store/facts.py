"""A count of the changes that decisions on records rest on, kept by triggers of a SQLite file.

Who judges on a snapshot learns behind the write lock whether something other than new records has come meanwhile. It is
the database that counts, so that no writer can forget to. PostgreSQL locks the rows instead, and has no triggers.
"""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from ledger.errors import InvariantViolation

_COUNTER = "facts"
_WATCHED = (
    ("source_ids", "insert", "INSERT"),
    ("source_ids", "update", "UPDATE"),
    ("source_ids", "delete", "DELETE"),
    ("residents", "update", "UPDATE OF status, account"),
    ("residents", "delete", "DELETE"),
    ("issuance_records", "update", "UPDATE"),
    ("issuance_records", "delete", "DELETE"),
)


def facts_changed(session: Session) -> int:
    """Return how often links, residents or known records were changed, as the session's snapshot shows it.

    Raises InvariantViolation where nobody counts.
    """
    sql = "SELECT next_value FROM issuance_counters WHERE name = ?"
    found = session.connection().exec_driver_sql(sql, (_COUNTER,)).scalar_one_or_none()
    if found is None:
        raise InvariantViolation("this SQLite file does not count changed facts; bring its schema to the newest one")
    return int(found)


def count_changed_facts(connection: Connection) -> None:
    """Let a SQLite file count. What exists is left."""
    connection.exec_driver_sql("INSERT OR IGNORE INTO issuance_counters (name, next_value) VALUES (?, 0)", (_COUNTER,))
    for table, name, change in _WATCHED:
        connection.exec_driver_sql(
            f"CREATE TRIGGER IF NOT EXISTS facts_{table}_{name} AFTER {change} ON {table} BEGIN "
            f"UPDATE issuance_counters SET next_value = next_value + 1 WHERE name = '{_COUNTER}'; END"
        )
