"""Voids of batch numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "issuance_voids",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=128), nullable=False),
        sa.Column("signer", sa.LargeBinary(length=20), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("problem", sa.String(length=512), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "number", name=op.f("pk_issuance_voids")),
    )
    op.create_index(op.f("ix_issuance_voids_state"), "issuance_voids", ["state"], unique=False)


def downgrade() -> None:
    """Undo. Warning: drops what the revision added, with its data."""
    op.drop_index(op.f("ix_issuance_voids_state"), table_name="issuance_voids")
    op.drop_table("issuance_voids")
