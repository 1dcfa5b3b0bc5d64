"""Grants change in place: what waits is a queue of its own, a batch knows its leaves, no index covers either."""

from __future__ import annotations

import struct
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_LEAF = struct.Struct(">32s32s32s20sQI")
_READY_MAX = 5_000
# Random bytes: to try and compress them is wasted.
_UNCOMPRESSED = (
    ("issuance_batches", "packed"),
    ("issuance_batches", "leaves"),
    ("issuance_ready", "leaves"),
    ("outbox_messages", "payload"),
    ("outbox_transactions", "raw"),
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "issuance_ready",
        sa.Column("ready_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("grants", sa.Integer(), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("ready_id", name=op.f("pk_issuance_ready")),
    )
    op.create_index("ix_issuance_ready_programme", "issuance_ready", ["programme", "ready_id"], unique=False)
    op.add_column("issuance_batches", sa.Column("leaves", sa.LargeBinary(), server_default="", nullable=False))
    _fill()
    op.drop_index(
        "ix_issuance_grants_ready",
        table_name="issuance_grants",
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.drop_index("ix_issuance_grants_batch", table_name="issuance_grants")
    if op.get_bind().dialect.name == "postgresql":
        # Room for a second version of each row on its own page, for each is changed once, when it gets its batch.
        op.execute("ALTER TABLE issuance_grants SET (fillfactor = 50)")
        for table, column in _UNCOMPRESSED:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Undo. Nothing is lost: grants still say where they are."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE issuance_grants RESET (fillfactor)")
        for table, column in _UNCOMPRESSED:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTENDED")
    op.create_index("ix_issuance_grants_batch", "issuance_grants", ["programme", "batch_number"], unique=False)
    op.create_index(
        "ix_issuance_grants_ready",
        "issuance_grants",
        ["programme", "grant_id"],
        unique=False,
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.drop_column("issuance_batches", "leaves")
    op.drop_index("ix_issuance_ready_programme", table_name="issuance_ready")
    op.drop_table("issuance_ready")


def _fill() -> None:
    """Write the leaves of the batches there are, and queue the grants that are ready."""
    connection = op.get_bind()
    columns = "programme, batch_number, grant_id, commitment, activity, account, amount_minor, rulebook_version"
    batched = connection.execute(
        sa.text(
            f"SELECT {columns} FROM issuance_grants WHERE batch_number IS NOT NULL "
            "ORDER BY programme, batch_number, batch_position"
        )
    ).all()
    for (programme, number), rows in groupby(batched, key=lambda row: (row[0], row[1])):
        connection.execute(
            sa.text("UPDATE issuance_batches SET leaves = :leaves WHERE programme = :programme AND number = :number"),
            {"leaves": b"".join(map(_leaf, rows)), "programme": programme, "number": number},
        )
    ready = connection.execute(
        sa.text(f"SELECT {columns} FROM issuance_grants WHERE state = 'ready' ORDER BY programme, grant_id")
    ).all()
    for programme, rows in groupby(ready, key=lambda row: row[0]):
        leaves = list(map(_leaf, rows))
        for start in range(0, len(leaves), _READY_MAX):
            part = leaves[start : start + _READY_MAX]
            connection.execute(
                sa.text("INSERT INTO issuance_ready (programme, grants, leaves) VALUES (:programme, :grants, :leaves)"),
                {"programme": programme, "grants": len(part), "leaves": b"".join(part)},
            )


def _leaf(row: Any) -> bytes:
    _, _, grant_id, commitment, activity, account, amount, version = row
    return _LEAF.pack(bytes(grant_id), bytes(commitment), activity.encode(), bytes(account), amount, version)
