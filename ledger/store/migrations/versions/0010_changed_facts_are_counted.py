"""On SQLite, triggers count changes of links, residents and known records, so that chunks are judged on a snapshot."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_WATCHED = (
    ("source_ids", "insert", "INSERT"),
    ("source_ids", "update", "UPDATE"),
    ("source_ids", "delete", "DELETE"),
    ("residents", "update", "UPDATE OF status, account"),
    ("residents", "delete", "DELETE"),
    ("issuance_records", "update", "UPDATE"),
    ("issuance_records", "delete", "DELETE"),
)


def upgrade() -> None:
    """Apply."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("INSERT INTO issuance_counters (name, next_value) VALUES ('facts', 0)")
    for table, name, change in _WATCHED:
        op.execute(
            f"CREATE TRIGGER facts_{table}_{name} AFTER {change} ON {table} BEGIN "
            "UPDATE issuance_counters SET next_value = next_value + 1 WHERE name = 'facts'; END"
        )


def downgrade() -> None:
    """Undo."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, name, _ in _WATCHED:
        op.execute(f"DROP TRIGGER facts_{table}_{name}")
    op.execute("DELETE FROM issuance_counters WHERE name = 'facts'")
