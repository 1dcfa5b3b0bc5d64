"""Second clerks of orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("redemption_orders", sa.Column("approver", sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Undo. Warning: drops what the revision added, with its data."""
    op.drop_column("redemption_orders", "approver")
