"""Shifts at a shop's counter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "till_shifts",
        sa.Column("shift_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.merchant_id"], name=op.f("fk_till_shifts_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint("shift_id", name=op.f("pk_till_shifts")),
    )
    op.create_index("ix_till_shifts_merchant_id", "till_shifts", ["merchant_id", "shift_id"])
    op.create_index(
        "uq_till_shifts_open",
        "till_shifts",
        ["merchant_id", "subject"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("till_shifts")
