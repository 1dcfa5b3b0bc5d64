"""Schema versions: one line of Alembic revisions for SQLite and PostgreSQL alike."""

from ledger.store.migrations.run import differences, head, upgrade

__all__ = ["differences", "head", "upgrade"]
