"""The finance bureau's acts are announced before they are carried out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "finance_acts",
        sa.Column("act_key", sa.String(140), primary_key=True),
        sa.Column("function", sa.String(64), nullable=False),
        sa.Column("calldata", sa.LargeBinary(), nullable=False),
        sa.Column("gas", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(512)),
        sa.Column("ready_at", sa.BigInteger()),
        sa.Column("subject", sa.String(320), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_finance_acts_state", "finance_acts", ["state"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("finance_acts")
