"""On SQLite, what is found by its key alone lies in the key's own tree: one descent instead of two."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _rebuild(with_rowid=False)


def downgrade() -> None:
    """Undo."""
    _rebuild(with_rowid=True)


def _rebuild(*, with_rowid: bool) -> None:
    """Copy both tables: SQLite cannot change how a table is kept."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_table(
        "new_issuance_usage",
        sa.Column("resident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=12), nullable=False),
        sa.Column("points_minor", sa.BigInteger(), nullable=False),
        sa.Column("quantity_micro", sa.BigInteger(), nullable=False),
        sa.Column("deeds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resident_id", "scope", "period", name=op.f("pk_issuance_usage")),
        sqlite_with_rowid=with_rowid,
    )
    op.create_table(
        "new_source_ids",
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("source_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.resident_id"], name=op.f("fk_source_ids_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("programme", "source_hmac", name=op.f("pk_source_ids")),
        sqlite_with_rowid=with_rowid,
    )
    for table, key in (("issuance_usage", "resident_id, scope, period"), ("source_ids", "programme, source_hmac")):
        op.execute(f"INSERT INTO new_{table} SELECT * FROM {table} ORDER BY {key}")
        op.drop_table(table)  # and its indexes
        op.rename_table(f"new_{table}", table)
    op.create_index("ix_source_ids_resident_id", "source_ids", ["resident_id"], unique=False)
    op.create_index(
        "ix_source_ids_frozen",
        "source_ids",
        ["programme", "source_hmac"],
        unique=False,
        sqlite_where=sa.text("state = 'frozen'"),
    )
