"""Slips are found by when they were made: six digits stand for one of the last quarter of an hour."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index(op.f("ix_redemption_slips_created_at"), "redemption_slips", ["created_at"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_redemption_slips_created_at"), table_name="redemption_slips")
