"""When spending ends: of programmes that are closing already, computed from their events.

The ledger lets the points of a closing programme be spent for 365 days from the block that closed it, and says so in no
event of its own; the projection keeps every event of programmes, with the time of its block.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_CLOSING = 2
_SPENDING_AFTER_CLOSING_S = 365 * 86_400
"""As the contracts of this revision have it."""


def upgrade() -> None:
    """Apply."""
    op.add_column("chain_programmes", sa.Column("spendable_until", sa.BigInteger(), server_default="0", nullable=False))
    connection = op.get_bind()
    events = connection.execute(
        sa.text("SELECT topics, data, block_timestamp FROM chain_events WHERE name = 'ProgrammeStateSet'")
    ).all()
    for topics, data, closed_at in events:
        programme, state = int.from_bytes(bytes(topics)[32:64], "big"), int.from_bytes(bytes(data)[:32], "big")
        if state == _CLOSING:
            connection.execute(
                sa.text("UPDATE chain_programmes SET spendable_until = :until WHERE programme = :programme"),
                {"until": closed_at + _SPENDING_AFTER_CLOSING_S, "programme": programme},
            )


def downgrade() -> None:
    """Undo."""
    op.drop_column("chain_programmes", "spendable_until")
