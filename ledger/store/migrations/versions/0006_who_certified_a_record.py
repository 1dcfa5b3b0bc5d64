"""Who certified a record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "issuance_certifications",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("certifier", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("deed_day", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_issuance_certifications")),
    )
    op.create_index(
        "ix_issuance_certifications_certifier",
        "issuance_certifications",
        ["programme", "certifier", "deed_day"],
        unique=False,
    )
    op.create_index(
        "ix_issuance_certifications_subject",
        "issuance_certifications",
        ["programme", "subject", "deed_day"],
        unique=False,
    )


def downgrade() -> None:
    """Undo. Warning: drops what the revision added, with its data."""
    op.drop_index("ix_issuance_certifications_subject", table_name="issuance_certifications")
    op.drop_index("ix_issuance_certifications_certifier", table_name="issuance_certifications")
    op.drop_table("issuance_certifications")
