"""Logins with name and password, sessions, what sign-ins have used up, and subjects whose tokens are withdrawn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "logins",
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.String(length=320), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("password_set_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_logins")),
        sa.UniqueConstraint("name", name=op.f("uq_logins_name")),
    )
    op.create_index(op.f("ix_logins_merchant_id"), "logins", ["merchant_id"])
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("idle_s", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_sessions_secret_hash")),
    )
    op.create_index(op.f("ix_sessions_subject"), "sessions", ["subject"])
    op.create_index(op.f("ix_sessions_ends_at"), "sessions", ["ends_at"])
    op.create_table(
        "sign_in_marks",
        sa.Column("mark", sa.LargeBinary(length=32), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_sign_in_marks")),
    )
    op.create_index(op.f("ix_sign_in_marks_until_ms"), "sign_in_marks", ["until_ms"])
    op.create_table(
        "withdrawn_subjects",
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("issued_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_withdrawn_subjects")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("withdrawn_subjects")
    op.drop_index(op.f("ix_sign_in_marks_until_ms"), table_name="sign_in_marks")
    op.drop_table("sign_in_marks")
    op.drop_index(op.f("ix_sessions_ends_at"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_subject"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_logins_merchant_id"), table_name="logins")
    op.drop_table("logins")
