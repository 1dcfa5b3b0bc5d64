"""Shops apply, are approved and registered; their payees, contacts and notices; whose an office's act is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    _applications()
    _people_and_money()
    op.add_column("finance_acts", sa.Column("office", sa.String(length=64), server_default="finance", nullable=False))


def _applications() -> None:
    op.create_table(
        "merchant_applications",
        sa.Column("sequence", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("application_id", sa.String(length=40), nullable=False),
        sa.Column("licence", sa.String(length=18), nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("address_zh", sa.String(length=400), nullable=False),
        sa.Column("address_en", sa.String(length=400), nullable=False),
        sa.Column("scope_names", sa.Text(), nullable=False),
        sa.Column("scope", sa.LargeBinary(length=32), nullable=False),
        sa.Column("own_key", sa.LargeBinary(length=20), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=True),
        sa.Column("applied_by", sa.String(length=320), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=320), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("chain_key", sa.LargeBinary(length=20), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_merchant_applications")),
        sa.UniqueConstraint("application_id", name=op.f("uq_merchant_applications_application_id")),
        sa.UniqueConstraint("merchant_id", name=op.f("uq_merchant_applications_merchant_id")),
    )
    op.create_index(op.f("ix_merchant_applications_applied_by"), "merchant_applications", ["applied_by"], unique=False)
    op.create_index("ix_merchant_applications_state", "merchant_applications", ["state", "sequence"], unique=False)
    op.create_index(
        "uq_merchant_applications_live_licence",
        "merchant_applications",
        ["licence"],
        unique=True,
        sqlite_where=sa.text("state NOT IN ('refused', 'withdrawn')"),
        postgresql_where=sa.text("state NOT IN ('refused', 'withdrawn')"),
    )


def _people_and_money() -> None:
    op.create_table(
        "merchant_contacts",
        sa.Column("merchant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant_contacts")),
    )
    op.create_table(
        "merchant_notices",
        sa.Column("notice_id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("contact", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_merchant_notices")),
    )
    op.create_index("ix_merchant_notices_merchant_id", "merchant_notices", ["merchant_id", "notice_id"], unique=False)
    op.create_table(
        "merchant_payees",
        sa.Column("payee_id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("proposed_by", sa.String(length=320), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=320), nullable=True),
        sa.Column("effective_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=320), nullable=True),
        sa.PrimaryKeyConstraint("payee_id", name=op.f("pk_merchant_payees")),
    )
    op.create_index("ix_merchant_payees_merchant_id", "merchant_payees", ["merchant_id", "payee_id"], unique=False)
    op.create_index(
        "uq_merchant_payees_proposed",
        "merchant_payees",
        ["merchant_id"],
        unique=True,
        sqlite_where=sa.text("state = 'proposed'"),
        postgresql_where=sa.text("state = 'proposed'"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("finance_acts", "office")
    op.drop_index(
        "uq_merchant_payees_proposed",
        table_name="merchant_payees",
        sqlite_where=sa.text("state = 'proposed'"),
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.drop_index("ix_merchant_payees_merchant_id", table_name="merchant_payees")
    op.drop_table("merchant_payees")
    op.drop_index("ix_merchant_notices_merchant_id", table_name="merchant_notices")
    op.drop_table("merchant_notices")
    op.drop_table("merchant_contacts")
    op.drop_index(
        "uq_merchant_applications_live_licence",
        table_name="merchant_applications",
        sqlite_where=sa.text("state NOT IN ('refused', 'withdrawn')"),
        postgresql_where=sa.text("state NOT IN ('refused', 'withdrawn')"),
    )
    op.drop_index("ix_merchant_applications_state", table_name="merchant_applications")
    op.drop_index(op.f("ix_merchant_applications_applied_by"), table_name="merchant_applications")
    op.drop_table("merchant_applications")
