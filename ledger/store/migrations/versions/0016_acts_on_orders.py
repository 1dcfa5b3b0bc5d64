"""Acts on orders have their client's id, an amount, and an outcome; one of an order is under way at a time. Desks and
those who exchange find their own orders again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Of several acts of one order that were queued, the last is under way: the chain takes one of them."""
    op.create_table(
        "redemption_acts",
        sa.Column("act_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("act", sa.String(length=64), nullable=False),
        sa.Column("act_key", sa.String(length=160)),
        sa.Column("keep_fen", sa.BigInteger()),
        sa.Column("fen", sa.BigInteger(), nullable=False),
        sa.Column("left_fen", sa.BigInteger(), nullable=False),
        sa.Column("kept_lots", sa.Integer(), nullable=False),
        sa.Column("kept_last_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("failure", sa.String(length=400)),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("requested_by", sa.String(length=320), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["redemption_orders.order_id"], name=op.f("fk_redemption_acts_order_id_redemption_orders")
        ),
        sa.PrimaryKeyConstraint("act_id", name=op.f("pk_redemption_acts")),
        sa.UniqueConstraint("requested_by", "act_key", name=op.f("uq_redemption_acts_requested_by_act_key")),
    )
    op.execute(
        "INSERT INTO redemption_acts (order_id, act, fen, left_fen, kept_lots, kept_last_minor, state, failure, reason,"
        " requested_by, created_at, updated_at)"
        " SELECT a.order_id, a.kind, 0, 0, a.kept_lots, a.kept_last_minor,"
        " CASE WHEN a.state <> 'queued' THEN a.state WHEN a.action_id = (SELECT max(b.action_id)"
        " FROM redemption_actions b WHERE b.order_id = a.order_id AND b.state = 'queued') THEN 'under_way'"
        " ELSE 'failed' END, CASE WHEN a.state = 'failed' THEN 'the chain did not say why' END,"
        " a.reason, a.requested_by, a.created_at, a.updated_at FROM redemption_actions a ORDER BY a.action_id"
    )
    op.create_index("ix_redemption_acts_order_id", "redemption_acts", ["order_id", "act_id"])
    op.create_index(
        "uq_redemption_acts_under_way",
        "redemption_acts",
        ["order_id"],
        unique=True,
        sqlite_where=sa.text("state = 'under_way'"),
        postgresql_where=sa.text("state = 'under_way'"),
    )
    op.drop_table("redemption_actions")
    op.create_index("ix_redemption_orders_desk_id", "redemption_orders", ["desk_id", "sequence"])
    op.create_table(
        "exchange_orders",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("holder", sa.LargeBinary(length=20), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_exchange_orders")),
        sa.UniqueConstraint("order_id", name=op.f("uq_exchange_orders_order_id")),
    )
    op.create_index("ix_exchange_orders_holder", "exchange_orders", ["holder", "sequence"])
    # A packed exchange order begins with its holder's 20 bytes.
    op.execute(
        "INSERT INTO exchange_orders (order_id, holder, created_at) SELECT order_id, substr(payload, 1, 20), created_at"
        " FROM outbox_messages WHERE kind = 'exchange' AND order_id IS NOT NULL ORDER BY message_id"
    )


def downgrade() -> None:
    """Undo. Warning: an act that was asked for twice is kept once, and hand-overs are dropped."""
    op.drop_table("exchange_orders")
    op.drop_index("ix_redemption_orders_desk_id", "redemption_orders")
    op.create_table(
        "redemption_actions",
        sa.Column(
            "action_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("kept_lots", sa.Integer(), nullable=False),
        sa.Column("kept_last_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["redemption_orders.order_id"], name=op.f("fk_redemption_actions_order_id_redemption_orders")
        ),
        sa.PrimaryKeyConstraint("action_id", name=op.f("pk_redemption_actions")),
        sa.UniqueConstraint(
            "order_id",
            "kind",
            "kept_lots",
            "kept_last_minor",
            name=op.f("uq_redemption_actions_order_id_kind_kept_lots_kept_last_minor"),
        ),
    )
    op.execute(
        "INSERT INTO redemption_actions (order_id, kind, kept_lots, kept_last_minor, state, reason, requested_by,"
        " created_at, updated_at) SELECT order_id, act, kept_lots, kept_last_minor,"
        " CASE WHEN state = 'under_way' THEN 'queued' ELSE state END, reason, substr(requested_by, 1, 255), created_at,"
        " updated_at FROM redemption_acts WHERE act_id IN (SELECT max(act_id) FROM redemption_acts"
        " WHERE act IN ('capture', 'release', 'refund') GROUP BY order_id, act, kept_lots, kept_last_minor)"
        " ORDER BY act_id"
    )
    op.drop_table("redemption_acts")
