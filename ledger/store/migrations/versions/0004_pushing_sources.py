"""Pushing sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "webhook_sources",
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("mapping", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system", name=op.f("pk_webhook_sources")),
    )
    op.create_table(
        "webhook_secrets",
        sa.Column(
            "secret_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["system"], ["webhook_sources.system"], name=op.f("fk_webhook_secrets_system_webhook_sources")
        ),
        sa.PrimaryKeyConstraint("secret_id", name=op.f("pk_webhook_secrets")),
    )
    op.create_index(op.f("ix_webhook_secrets_system"), "webhook_secrets", ["system"], unique=False)
    op.create_index("ix_issuance_refusals_delivery", "issuance_refusals", ["delivery_id", "refusal_id"], unique=False)


def downgrade() -> None:
    """Undo. Warning: drops what the revision added, with its data."""
    op.drop_index("ix_issuance_refusals_delivery", table_name="issuance_refusals")
    op.drop_index(op.f("ix_webhook_secrets_system"), table_name="webhook_secrets")
    op.drop_table("webhook_secrets")
    op.drop_table("webhook_sources")
