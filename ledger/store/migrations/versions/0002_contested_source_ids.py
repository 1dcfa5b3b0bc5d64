"""Contested source ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "source_decisions",
        sa.Column(
            "decision_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("source_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("decider_first", sa.String(length=320), nullable=False),
        sa.Column("decider_second", sa.String(length=320), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_source_decisions")),
    )
    op.create_index(
        "ix_source_decisions_source", "source_decisions", ["programme", "source_hmac", "state"], unique=False
    )
    op.create_table(
        "source_link_events",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("source_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=True),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=True),
        sa.Column("happened_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_source_link_events")),
    )
    op.create_index("ix_source_link_events_source", "source_link_events", ["programme", "source_hmac"], unique=False)
    op.add_column("source_claims", sa.Column("proof", sa.String(length=64), server_default="bare", nullable=False))
    op.create_index("ix_source_claims_resident_id", "source_claims", ["resident_id", "claimed_at"], unique=False)
    op.create_index(
        "ix_source_claims_waiting",
        "source_claims",
        ["programme", "source_hmac"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_source_ids_frozen",
        "source_ids",
        ["programme", "source_hmac"],
        unique=False,
        sqlite_where=sa.text("state = 'frozen'"),
        postgresql_where=sa.text("state = 'frozen'"),
    )


def downgrade() -> None:
    """Undo. Warning: drops what the revision added, with its data."""
    op.drop_index(
        "ix_source_ids_frozen",
        table_name="source_ids",
        sqlite_where=sa.text("state = 'frozen'"),
        postgresql_where=sa.text("state = 'frozen'"),
    )
    op.drop_index(
        "ix_source_claims_waiting",
        table_name="source_claims",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index("ix_source_claims_resident_id", table_name="source_claims")
    op.drop_column("source_claims", "proof")
    op.drop_index("ix_source_link_events_source", table_name="source_link_events")
    op.drop_table("source_link_events")
    op.drop_index("ix_source_decisions_source", table_name="source_decisions")
    op.drop_table("source_decisions")
