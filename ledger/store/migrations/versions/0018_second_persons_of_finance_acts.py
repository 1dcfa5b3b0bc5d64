"""An appropriation waits for a second person of the finance bureau, who is written beside the first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("finance_acts", sa.Column("confirmed_by", sa.String(length=320), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("finance_acts", "confirmed_by")
