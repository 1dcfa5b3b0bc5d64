"""Large refunds wait for a second login."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "refund_proposals",
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("keep_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.String(length=320), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=True),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_refund_proposals")),
    )
    op.create_index(op.f("ix_refund_proposals_merchant_id"), "refund_proposals", ["merchant_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_refund_proposals_merchant_id"), table_name="refund_proposals")
    op.drop_table("refund_proposals")
