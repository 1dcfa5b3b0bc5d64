"""Tombstones that guessing does not open, and erasures that the workers go over. The old ones, which nothing read and
which any guess confirmed, are removed; what time an erasure had becomes its month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.standard.civil_time import month_start

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.drop_table("tombstones")
    op.create_table(
        "tombstones",
        sa.Column("tag", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_tombstones")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasures",
        sa.Column("resident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("programmes", sa.String(length=400), nullable=False),
        sa.Column("is_swept", sa.Boolean(), nullable=False),
        sa.Column("again_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resident_id", name=op.f("pk_erasures")),
    )
    residents = sa.table(
        "residents", sa.column("resident_id", sa.BigInteger()), sa.column("erased_at", sa.BigInteger())
    )
    erased = op.get_bind().execute(sa.select(residents).where(residents.c.erased_at.is_not(None))).all()
    for resident_id, at in erased:
        op.execute(residents.update().where(residents.c.resident_id == resident_id).values(erased_at=month_start(at)))


def downgrade() -> None:
    """Undo."""
    op.drop_table("erasures")
    op.drop_table("tombstones")
    op.create_table(
        "tombstones",
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("dedupe_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "dedupe_hmac", name=op.f("pk_tombstones")),
    )
