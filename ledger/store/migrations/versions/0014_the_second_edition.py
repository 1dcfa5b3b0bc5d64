"""The projection of the contracts' second edition: claims by age, cycles, locks, what is owed, successions.

The chain of a first edition is another chain, and its projection says nothing of this one; so what is projected is
dropped, and projected anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_CHANGED = (
    "projection_cursor",
    "chain_programmes",
    "issuer_keys",
    "position_changes",
    "funding_events",
    "chain_batches",
    "order_outcomes",
    "revocations",
)
_ADDED = (
    "chain_claims",
    "payouts",
    "chain_cycles",
    "chain_dues",
    "order_locks",
    "collections",
    "chain_successions",
)
_EMPTIED = (
    "entries",
    "balances",
    "supplies",
    "flows",
    "chain_merchants",
    "positions",
    "chain_holds",
    "successors",
    "redemption_batches",
    "chain_events",
    "projected_blocks",
)


def upgrade() -> None:
    """Apply."""
    _drop(_CHANGED)
    _create_new_a()
    _create_new_b()
    _create_new_c()
    _create_new_d()
    _create_new_e()


def downgrade() -> None:
    """Undo."""
    _drop((*_CHANGED, *_ADDED))
    _create_old_a()
    _create_old_b()
    _create_old_c()


def _drop(tables: tuple[str, ...]) -> None:
    for table in tables:
        op.drop_table(table)  # and its indexes
    for table in _EMPTIED:
        op.execute(f"DELETE FROM {table}")


def _create_new_a() -> None:
    op.create_table(
        "chain_batches",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("quarter", sa.Integer(), nullable=True),
        sa.Column("evidence_root", sa.LargeBinary(length=32), nullable=True),
        sa.Column("grants", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("signer", sa.LargeBinary(length=20), nullable=True),
        sa.Column("word", sa.LargeBinary(length=32), nullable=True),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "number", name=op.f("pk_chain_batches")),
    )
    op.create_index(op.f("ix_chain_batches_block_number"), "chain_batches", ["block_number"], unique=False)
    op.create_table(
        "chain_claims",
        sa.Column("merchant", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("matured_fen", sa.BigInteger(), nullable=False),
        sa.Column("younger_fen", sa.BigInteger(), nullable=False),
        sa.Column("youngest_fen", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", name=op.f("pk_chain_claims")),
    )
    op.create_table(
        "chain_cycles",
        sa.Column("cycle", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("due_by", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cycle", name=op.f("pk_chain_cycles")),
    )
    op.create_table(
        "chain_dues",
        sa.Column("cycle", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fen", sa.BigInteger(), nullable=False),
        sa.Column("older_fen", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cycle", "programme", name=op.f("pk_chain_dues")),
    )


def _create_new_b() -> None:
    op.create_table(
        "chain_programmes",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("par_microfen", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("spend_scope", sa.LargeBinary(length=32), nullable=False),
        sa.Column("rulebook_version", sa.BigInteger(), nullable=False),
        sa.Column("rulebook_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("appropriated_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("spendable_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("frozen_until", sa.BigInteger(), nullable=False),
        sa.Column("mint_ceiling_fen", sa.BigInteger(), nullable=False),
        sa.Column("revoke_ceiling_fen", sa.BigInteger(), nullable=False),
        sa.Column("due_fen", sa.BigInteger(), nullable=False),
        sa.Column("due_older_fen", sa.BigInteger(), nullable=False),
        sa.Column("waived_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", name=op.f("pk_chain_programmes")),
    )
    op.create_table(
        "chain_successions",
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("new_account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("requested_by", sa.LargeBinary(length=20), nullable=False),
        sa.Column("confirmed_by", sa.LargeBinary(length=20), nullable=True),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_chain_successions")),
    )
    op.create_table(
        "collections",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("debtor", sa.LargeBinary(length=20), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_collections")),
    )
    op.create_index(op.f("ix_collections_debtor"), "collections", ["debtor"], unique=False)


def _create_new_c() -> None:
    op.create_table(
        "funding_events",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("fiscal_year", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("document_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("payment_reference", sa.LargeBinary(length=32), nullable=True),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_funding_events")),
    )
    op.create_index(op.f("ix_funding_events_programme"), "funding_events", ["programme"], unique=False)
    op.create_table(
        "issuer_keys",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(length=20), nullable=False),
        sa.Column("active_from", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "key", name=op.f("pk_issuer_keys")),
    )
    op.create_table(
        "order_locks",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("merchant", sa.BigInteger(), nullable=False),
        sa.Column("delta_fen", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("complaint_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_order_locks")),
    )
    op.create_index(op.f("ix_order_locks_merchant"), "order_locks", ["merchant"], unique=False)
    op.create_index(op.f("ix_order_locks_order_id"), "order_locks", ["order_id"], unique=False)


def _create_new_d() -> None:
    op.create_table(
        "order_outcomes",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("holder", sa.LargeBinary(length=20), nullable=True),
        sa.Column("merchant", sa.BigInteger(), nullable=True),
        sa.Column("from_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_in", sa.BigInteger(), nullable=True),
        sa.Column("to_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_out", sa.BigInteger(), nullable=True),
        sa.Column("fen", sa.BigInteger(), nullable=True),
        sa.Column("kept_lots", sa.Integer(), nullable=True),
        sa.Column("kept_last_minor", sa.BigInteger(), nullable=True),
        sa.Column("is_by_arbiter", sa.Boolean(), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_order_outcomes")),
    )
    op.create_index(op.f("ix_order_outcomes_order_id"), "order_outcomes", ["order_id"], unique=False)
    op.create_table(
        "payouts",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("merchant", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("payment_reference", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_payouts")),
    )
    op.create_index(op.f("ix_payouts_merchant"), "payouts", ["merchant"], unique=False)
    op.create_table(
        "position_changes",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("participant", sa.BigInteger(), nullable=False),
        sa.Column("delta_fen", sa.BigInteger(), nullable=False),
        sa.Column("position_fen", sa.BigInteger(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=64), nullable=True),
        sa.Column("reference", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_position_changes")),
    )
    op.create_index(
        "ix_position_changes_participant", "position_changes", ["participant", "block_number"], unique=False
    )


def _create_new_e() -> None:
    op.create_table(
        "projection_cursor",
        sa.Column("cursor_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("deployment_salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("ledger", sa.LargeBinary(length=20), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("maturity_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id", name=op.f("pk_projection_cursor")),
    )
    op.create_table(
        "revocations",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("grant_index", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("revoked_total_minor", sa.BigInteger(), nullable=False),
        sa.Column("taken_minor", sa.BigInteger(), nullable=False),
        sa.Column("owed_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_revocations")),
    )
    op.create_index(op.f("ix_revocations_account"), "revocations", ["account"], unique=False)
    op.create_index("ix_revocations_batch", "revocations", ["programme", "number"], unique=False)


def _create_old_a() -> None:
    op.create_table(
        "chain_batches",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("quarter", sa.Integer(), nullable=True),
        sa.Column("evidence_root", sa.LargeBinary(length=32), nullable=True),
        sa.Column("grants", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("signer", sa.LargeBinary(length=20), nullable=True),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "number", name=op.f("pk_chain_batches")),
    )
    op.create_index(op.f("ix_chain_batches_block_number"), "chain_batches", ["block_number"], unique=False)
    op.create_table(
        "chain_programmes",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("par_microfen", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("spend_scope", sa.LargeBinary(length=32), nullable=False),
        sa.Column("rulebook_version", sa.BigInteger(), nullable=False),
        sa.Column("rulebook_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("appropriated_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("spendable_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("programme", name=op.f("pk_chain_programmes")),
    )
    op.create_table(
        "funding_events",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("fiscal_year", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("document_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_funding_events")),
    )
    op.create_index(op.f("ix_funding_events_programme"), "funding_events", ["programme"], unique=False)
    op.create_table(
        "issuer_keys",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(length=20), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "key", name=op.f("pk_issuer_keys")),
    )


def _create_old_b() -> None:
    op.create_table(
        "order_outcomes",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("holder", sa.LargeBinary(length=20), nullable=True),
        sa.Column("merchant", sa.BigInteger(), nullable=True),
        sa.Column("from_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_in", sa.BigInteger(), nullable=True),
        sa.Column("to_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_out", sa.BigInteger(), nullable=True),
        sa.Column("fen", sa.BigInteger(), nullable=True),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_order_outcomes")),
    )
    op.create_index(op.f("ix_order_outcomes_order_id"), "order_outcomes", ["order_id"], unique=False)
    op.create_table(
        "position_changes",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("participant", sa.BigInteger(), nullable=False),
        sa.Column("delta_fen", sa.BigInteger(), nullable=False),
        sa.Column("position_fen", sa.BigInteger(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_position_changes")),
    )
    op.create_index(
        "ix_position_changes_participant", "position_changes", ["participant", "block_number"], unique=False
    )
    op.create_table(
        "projection_cursor",
        sa.Column("cursor_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("deployment_salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("ledger", sa.LargeBinary(length=20), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id", name=op.f("pk_projection_cursor")),
    )


def _create_old_c() -> None:
    op.create_table(
        "revocations",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("taken_minor", sa.BigInteger(), nullable=False),
        sa.Column("shortfall_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_revocations")),
    )
    op.create_index(op.f("ix_revocations_leaf"), "revocations", ["leaf"], unique=False)
