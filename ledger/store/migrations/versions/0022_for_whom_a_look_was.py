"""A look at a person says for which institution it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("identity_looks", sa.Column("institution", sa.String(length=160), nullable=False, server_default=""))


def downgrade() -> None:
    """Undo."""
    op.drop_column("identity_looks", "institution")
