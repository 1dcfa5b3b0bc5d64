"""All records and grants of a resident are found by an index, for the wallet and for an erasure."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_issuance_grants_resident_id", "issuance_grants", ["resident_id"], unique=False)
    _index_records("resident_id IS NOT NULL")


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_issuance_grants_resident_id", table_name="issuance_grants")
    _index_records("started_at IS NOT NULL")


def _index_records(condition: str) -> None:
    op.drop_index("ix_issuance_records_resident_day", table_name="issuance_records")
    op.create_index(
        "ix_issuance_records_resident_day",
        "issuance_records",
        ["resident_id", "deed_day"],
        unique=False,
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )
