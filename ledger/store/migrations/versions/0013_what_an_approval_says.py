"""An approval says what a held record is: a deed of its own, or a correction of the record whose number it has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Whoever has approved so far has approved a deed."""
    op.add_column("issuance_reviews", sa.Column("verdict", sa.String(length=64), nullable=True))
    op.execute("UPDATE issuance_reviews SET verdict = 'deed' WHERE approver_first IS NOT NULL")


def downgrade() -> None:
    """Undo."""
    op.drop_column("issuance_reviews", "verdict")
