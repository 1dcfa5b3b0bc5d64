"""Create all tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "balances",
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor >= 0 AND amount_minor < 4611686018427387904", name=op.f("ck_balances_range")),
        sa.PrimaryKeyConstraint("account", "token_id", name=op.f("pk_balances")),
        sqlite_with_rowid=False,
    )
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
        "chain_events",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("topics", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_chain_events")),
    )
    op.create_table(
        "chain_holds",
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("holder", sa.LargeBinary(length=20), nullable=False),
        sa.Column("merchant", sa.BigInteger(), nullable=True),
        sa.Column("lots", sa.LargeBinary(), nullable=False),
        sa.Column("capture_by", sa.BigInteger(), nullable=True),
        sa.Column("is_cancellable", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("kept_lots", sa.Integer(), nullable=False),
        sa.Column("last_amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("opened_block", sa.BigInteger(), nullable=False),
        sa.Column("closed_block", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_chain_holds")),
    )
    op.create_table(
        "chain_merchants",
        sa.Column("merchant", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(length=20), nullable=False),
        sa.Column("scope", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("merchant", name=op.f("pk_chain_merchants")),
    )
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
        sa.PrimaryKeyConstraint("programme", name=op.f("pk_chain_programmes")),
    )
    op.create_table(
        "entries",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("side", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("delta_minor", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.LargeBinary(length=32), nullable=True),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", "side", name=op.f("pk_entries")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_entries_account", "entries", ["account", "block_number", "log_index"], unique=False)
    op.create_table(
        "flows",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "kind", name=op.f("pk_flows")),
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
        "idempotency_keys",
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("operation", sa.String(length=160), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "identity_looks",
        sa.Column("look_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(length=160), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("look_id", name=op.f("pk_identity_looks")),
    )
    op.create_index("ix_identity_looks_resident_id", "identity_looks", ["resident_id", "looked_at"], unique=False)
    op.create_table(
        "issuance_batches",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("quarter", sa.Integer(), nullable=False),
        sa.Column("validity_quarters", sa.Integer(), nullable=False),
        sa.Column("grants", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("evidence_root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("signer", sa.LargeBinary(length=20), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "number", name=op.f("pk_issuance_batches")),
    )
    op.create_index(op.f("ix_issuance_batches_state"), "issuance_batches", ["state"], unique=False)
    op.create_table(
        "issuance_corrections",
        sa.Column(
            "correction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("previous_content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("delta_minor", sa.BigInteger(), nullable=False),
        sa.Column("grant_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("correction_id", name=op.f("pk_issuance_corrections")),
    )
    op.create_index(
        "ix_issuance_corrections_record", "issuance_corrections", ["record_id", "previous_content_hash"], unique=False
    )
    op.create_table(
        "issuance_counters",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("next_value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_issuance_counters")),
    )
    op.create_table(
        "issuance_deliveries",
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("mapping", sa.String(length=64), nullable=False),
        sa.Column("mapping_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_issuance_deliveries")),
        sa.UniqueConstraint(
            "programme", "content_sha256", name=op.f("uq_issuance_deliveries_programme_content_sha256")
        ),
    )
    op.create_table(
        "issuance_grants",
        sa.Column("grant_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("revoked_minor", sa.BigInteger(), nullable=False),
        sa.Column("activity", sa.String(length=64), nullable=False),
        sa.Column("rulebook_version", sa.Integer(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("batch_number", sa.BigInteger(), nullable=True),
        sa.Column("batch_position", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_issuance_grants")),
    )
    op.create_index("ix_issuance_grants_batch", "issuance_grants", ["programme", "batch_number"], unique=False)
    op.create_index(
        "ix_issuance_grants_ready",
        "issuance_grants",
        ["programme", "grant_id"],
        unique=False,
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(op.f("ix_issuance_grants_record_id"), "issuance_grants", ["record_id"], unique=False)
    op.create_table(
        "issuance_records",
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("dedupe_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("source_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=True),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("activity", sa.String(length=64), nullable=False),
        sa.Column("deed_day", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("quantity_micro", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("device_hmac", sa.LargeBinary(length=32), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=True),
        sa.Column("pending_until", sa.BigInteger(), nullable=True),
        sa.Column("granted_minor", sa.BigInteger(), nullable=False),
        sa.Column("counted_micro", sa.BigInteger(), nullable=False),
        sa.Column("grants_made", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_issuance_records")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_issuance_records_dedupe_key")),
    )
    op.create_index(
        "ix_issuance_records_device",
        "issuance_records",
        ["device_hmac", "deed_day"],
        unique=False,
        sqlite_where=sa.text("device_hmac IS NOT NULL"),
        postgresql_where=sa.text("device_hmac IS NOT NULL"),
    )
    op.create_index(
        "ix_issuance_records_fingerprint",
        "issuance_records",
        ["fingerprint"],
        unique=False,
        sqlite_where=sa.text("fingerprint IS NOT NULL"),
        postgresql_where=sa.text("fingerprint IS NOT NULL"),
    )
    op.create_index(
        "ix_issuance_records_open",
        "issuance_records",
        ["programme", "status", "record_id"],
        unique=False,
        sqlite_where=sa.text("status <> 'accepted'"),
        postgresql_where=sa.text("status <> 'accepted'"),
    )
    op.create_index(
        "ix_issuance_records_resident_day",
        "issuance_records",
        ["resident_id", "deed_day"],
        unique=False,
        sqlite_where=sa.text("started_at IS NOT NULL"),
        postgresql_where=sa.text("started_at IS NOT NULL"),
    )
    op.create_index(
        "ix_issuance_records_source_hmac",
        "issuance_records",
        ["source_hmac"],
        unique=False,
        sqlite_where=sa.text("status = 'awaiting_link'"),
        postgresql_where=sa.text("status = 'awaiting_link'"),
    )
    op.create_table(
        "issuance_refusals",
        sa.Column(
            "refusal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.Column("field", sa.String(length=128), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("reason_en", sa.Text(), nullable=False),
        sa.Column("reason_zh", sa.Text(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("refusal_id", name=op.f("pk_issuance_refusals")),
    )
    op.create_index("ix_issuance_refusals_programme", "issuance_refusals", ["programme", "refusal_id"], unique=False)
    op.create_table(
        "issuance_reviews",
        sa.Column(
            "review_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("screen", sa.String(length=64), nullable=False),
        sa.Column("reason_en", sa.Text(), nullable=False),
        sa.Column("reason_zh", sa.Text(), nullable=False),
        sa.Column("other_programme", sa.BigInteger(), nullable=True),
        sa.Column("other_record_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("approver_first", sa.String(length=128), nullable=True),
        sa.Column("approver_second", sa.String(length=128), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_issuance_reviews")),
    )
    op.create_index(op.f("ix_issuance_reviews_record_id"), "issuance_reviews", ["record_id"], unique=False)
    op.create_index("ix_issuance_reviews_state", "issuance_reviews", ["state", "programme", "review_id"], unique=False)
    op.create_table(
        "issuance_revocations",
        sa.Column(
            "revocation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("grant_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("revoked_total_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason_code", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.String(length=128), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("revocation_id", name=op.f("pk_issuance_revocations")),
    )
    op.create_index(op.f("ix_issuance_revocations_grant_id"), "issuance_revocations", ["grant_id"], unique=False)
    op.create_index(op.f("ix_issuance_revocations_state"), "issuance_revocations", ["state"], unique=False)
    op.create_table(
        "issuance_rulebooks",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rulebook_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "version", name=op.f("pk_issuance_rulebooks")),
    )
    op.create_table(
        "issuance_tallies",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "kind", name=op.f("pk_issuance_tallies")),
    )
    op.create_table(
        "issuance_usage",
        sa.Column("resident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=12), nullable=False),
        sa.Column("points_minor", sa.BigInteger(), nullable=False),
        sa.Column("quantity_micro", sa.BigInteger(), nullable=False),
        sa.Column("deeds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resident_id", "scope", "period", name=op.f("pk_issuance_usage")),
    )
    op.create_table(
        "issuer_keys",
        sa.Column("programme", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(length=20), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("programme", "key", name=op.f("pk_issuer_keys")),
    )
    op.create_table(
        "merchants",
        sa.Column("merchant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name_zh", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("address_zh", sa.String(length=400), nullable=False),
        sa.Column("address_en", sa.String(length=400), nullable=False),
        sa.Column("signer_name", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchants")),
    )
    op.create_table(
        "order_nonces",
        sa.Column("holder", sa.LargeBinary(length=20), nullable=False),
        sa.Column("word", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("lots", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("holder", "word", "nonce", name=op.f("pk_order_nonces")),
        sa.UniqueConstraint("order_id", name=op.f("uq_order_nonces_order_id")),
    )
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
        "outbox_transactions",
        sa.Column(
            "transaction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("relayer", sa.LargeBinary(length=20), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("gas", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=True),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_outbox_transactions")),
        sa.UniqueConstraint("hash", name=op.f("uq_outbox_transactions_hash")),
    )
    op.create_index("ix_outbox_transactions_relayer_nonce", "outbox_transactions", ["relayer", "nonce"], unique=False)
    op.create_index("ix_outbox_transactions_state", "outbox_transactions", ["state", "relayer", "nonce"], unique=False)
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
        "positions",
        sa.Column("participant", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position_fen", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("participant", name=op.f("pk_positions")),
    )
    op.create_table(
        "projected_blocks",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parent_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", name=op.f("pk_projected_blocks")),
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
    op.create_table(
        "redemption_batches",
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("batch", name=op.f("pk_redemption_batches")),
    )
    op.create_table(
        "redemption_cursor",
        sa.Column("cursor_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id", name=op.f("pk_redemption_cursor")),
    )
    op.create_table(
        "relayers",
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_relayers")),
    )
    op.create_table(
        "residents",
        sa.Column("resident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("identity_hmac", sa.LargeBinary(length=32), nullable=True),
        sa.Column("identity_key_version", sa.Integer(), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("account_key", sa.LargeBinary(), nullable=True),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("profile", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("resident_id", name=op.f("pk_residents")),
        sa.UniqueConstraint("account", name=op.f("uq_residents_account")),
        sa.UniqueConstraint("identity_hmac", name=op.f("uq_residents_identity_hmac")),
    )
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
    op.create_table(
        "successors",
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("successor", sa.LargeBinary(length=20), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_successors")),
    )
    op.create_table(
        "supplies",
        sa.Column("token_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("supply_minor", sa.BigInteger(), nullable=False),
        sa.Column("escrowed_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("supply_minor >= 0 AND escrowed_minor >= 0", name=op.f("ck_supplies_range")),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_supplies")),
    )
    op.create_index(op.f("ix_supplies_programme"), "supplies", ["programme"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("dedupe_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "dedupe_hmac", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "withdrawn_tokens",
        sa.Column("token_id", sa.String(length=160), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_withdrawn_tokens")),
    )
    op.create_table(
        "api_subjects",
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("bound_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.resident_id"], name=op.f("fk_api_subjects_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_api_subjects")),
    )
    op.create_index(op.f("ix_api_subjects_resident_id"), "api_subjects", ["resident_id"], unique=False)
    op.create_table(
        "desk_pins",
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(length=255), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.resident_id"], name=op.f("fk_desk_pins_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("resident_id", name=op.f("pk_desk_pins")),
    )
    op.create_table(
        "offers",
        sa.Column("offer_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("title_zh", sa.String(length=200), nullable=False),
        sa.Column("title_en", sa.String(length=200), nullable=False),
        sa.Column("description_zh", sa.Text(), nullable=False),
        sa.Column("description_en", sa.Text(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("stock_total", sa.BigInteger(), nullable=True),
        sa.Column("stock_reserved", sa.BigInteger(), nullable=False),
        sa.Column("stock_taken", sa.BigInteger(), nullable=False),
        sa.Column("per_resident_max", sa.Integer(), nullable=True),
        sa.Column("opens_at", sa.BigInteger(), nullable=True),
        sa.Column("closes_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price_fen > 0", name=op.f("ck_offers_price")),
        sa.CheckConstraint(
            "stock_reserved >= 0 AND stock_taken >= 0 AND (stock_total IS NULL OR stock_reserved + stock_taken <= stock_total)",
            name=op.f("ck_offers_stock"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.merchant_id"], name=op.f("fk_offers_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint("offer_id", name=op.f("pk_offers")),
    )
    op.create_index("ix_offers_merchant_id", "offers", ["merchant_id", "status"], unique=False)
    op.create_table(
        "outbox_messages",
        sa.Column(
            "message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("dedupe_key", sa.String(length=160), nullable=False),
        sa.Column("is_order", sa.Boolean(), nullable=False),
        sa.Column("target", sa.LargeBinary(length=20), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("gas", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=True),
        sa.Column("transaction_id", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["outbox_transactions.transaction_id"],
            name=op.f("fk_outbox_messages_transaction_id_outbox_transactions"),
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_outbox_messages")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outbox_messages_dedupe_key")),
        sa.UniqueConstraint("order_id", name=op.f("uq_outbox_messages_order_id")),
    )
    op.create_index("ix_outbox_messages_state", "outbox_messages", ["state", "is_order", "message_id"], unique=False)
    op.create_index("ix_outbox_messages_transaction_id", "outbox_messages", ["transaction_id"], unique=False)
    op.create_table(
        "source_claims",
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("source_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("original", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.resident_id"], name=op.f("fk_source_claims_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("programme", "source_hmac", "resident_id", name=op.f("pk_source_claims")),
    )
    op.create_table(
        "source_ids",
        sa.Column("programme", sa.BigInteger(), nullable=False),
        sa.Column("source_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.resident_id"], name=op.f("fk_source_ids_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("programme", "source_hmac", name=op.f("pk_source_ids")),
    )
    op.create_index("ix_source_ids_resident_id", "source_ids", ["resident_id"], unique=False)
    op.create_table(
        "desk_approvals",
        sa.Column("approval_id", sa.String(length=40), nullable=False),
        sa.Column("desk_id", sa.String(length=64), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("approver", sa.String(length=255), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.offer_id"], name=op.f("fk_desk_approvals_offer_id_offers")),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.resident_id"], name=op.f("fk_desk_approvals_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_desk_approvals")),
    )
    op.create_table(
        "redemption_orders",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request_key", sa.String(length=160), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.LargeBinary(length=20), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.String(length=40), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("value_fen", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("capture_by", sa.BigInteger(), nullable=True),
        sa.Column("is_cancellable", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reject_code", sa.Integer(), nullable=True),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("kept_lots", sa.Integer(), nullable=True),
        sa.Column("kept_last_minor", sa.BigInteger(), nullable=True),
        sa.Column("stock_state", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("desk_id", sa.String(length=64), nullable=True),
        sa.Column("clerk", sa.String(length=255), nullable=True),
        sa.Column("handed_over_at", sa.BigInteger(), nullable=True),
        sa.Column("handed_over_by", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("final_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("paid_fen >= 0 AND paid_fen <= value_fen", name=op.f("ck_redemption_orders_paid")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_redemption_orders_quantity")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.merchant_id"], name=op.f("fk_redemption_orders_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.offer_id"], name=op.f("fk_redemption_orders_offer_id_offers")),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents.resident_id"], name=op.f("fk_redemption_orders_resident_id_residents")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_redemption_orders")),
        sa.UniqueConstraint("order_id", name=op.f("uq_redemption_orders_order_id")),
        sa.UniqueConstraint("request_key", name=op.f("uq_redemption_orders_request_key")),
    )
    op.create_index("ix_redemption_orders_merchant_id", "redemption_orders", ["merchant_id", "sequence"], unique=False)
    op.create_index("ix_redemption_orders_resident_id", "redemption_orders", ["resident_id", "sequence"], unique=False)
    op.create_index("ix_redemption_orders_state", "redemption_orders", ["state", "deadline"], unique=False)
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
    op.create_table(
        "redemption_lots",
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["redemption_orders.order_id"], name=op.f("fk_redemption_lots_order_id_redemption_orders")
        ),
        sa.PrimaryKeyConstraint("order_id", "place", name=op.f("pk_redemption_lots")),
    )
    op.create_table(
        "redemption_slips",
        sa.Column("slip_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code_hmac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("used_by", sa.String(length=255), nullable=True),
        sa.Column("is_replaced", sa.Boolean(), nullable=False),
        sa.Column("issued_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["redemption_orders.order_id"], name=op.f("fk_redemption_slips_order_id_redemption_orders")
        ),
        sa.PrimaryKeyConstraint("slip_id", name=op.f("pk_redemption_slips")),
        sa.UniqueConstraint("code_hmac", name=op.f("uq_redemption_slips_code_hmac")),
    )
    op.create_index(op.f("ix_redemption_slips_order_id"), "redemption_slips", ["order_id"], unique=False)


def downgrade() -> None:
    """Undo. Warning: drops what the revision added, with its data."""
    op.drop_index(op.f("ix_redemption_slips_order_id"), table_name="redemption_slips")
    op.drop_table("redemption_slips")
    op.drop_table("redemption_lots")
    op.drop_table("redemption_actions")
    op.drop_index("ix_redemption_orders_state", table_name="redemption_orders")
    op.drop_index("ix_redemption_orders_resident_id", table_name="redemption_orders")
    op.drop_index("ix_redemption_orders_merchant_id", table_name="redemption_orders")
    op.drop_table("redemption_orders")
    op.drop_table("desk_approvals")
    op.drop_index("ix_source_ids_resident_id", table_name="source_ids")
    op.drop_table("source_ids")
    op.drop_table("source_claims")
    op.drop_index("ix_outbox_messages_transaction_id", table_name="outbox_messages")
    op.drop_index("ix_outbox_messages_state", table_name="outbox_messages")
    op.drop_table("outbox_messages")
    op.drop_index("ix_offers_merchant_id", table_name="offers")
    op.drop_table("offers")
    op.drop_table("desk_pins")
    op.drop_index(op.f("ix_api_subjects_resident_id"), table_name="api_subjects")
    op.drop_table("api_subjects")
    op.drop_table("withdrawn_tokens")
    op.drop_table("tombstones")
    op.drop_index(op.f("ix_supplies_programme"), table_name="supplies")
    op.drop_table("supplies")
    op.drop_table("successors")
    op.drop_index(op.f("ix_revocations_leaf"), table_name="revocations")
    op.drop_table("revocations")
    op.drop_table("residents")
    op.drop_table("relayers")
    op.drop_table("redemption_cursor")
    op.drop_table("redemption_batches")
    op.drop_table("projection_cursor")
    op.drop_table("projected_blocks")
    op.drop_table("positions")
    op.drop_index("ix_position_changes_participant", table_name="position_changes")
    op.drop_table("position_changes")
    op.drop_index("ix_outbox_transactions_state", table_name="outbox_transactions")
    op.drop_index("ix_outbox_transactions_relayer_nonce", table_name="outbox_transactions")
    op.drop_table("outbox_transactions")
    op.drop_index(op.f("ix_order_outcomes_order_id"), table_name="order_outcomes")
    op.drop_table("order_outcomes")
    op.drop_table("order_nonces")
    op.drop_table("merchants")
    op.drop_table("issuer_keys")
    op.drop_table("issuance_usage")
    op.drop_table("issuance_tallies")
    op.drop_table("issuance_rulebooks")
    op.drop_index(op.f("ix_issuance_revocations_state"), table_name="issuance_revocations")
    op.drop_index(op.f("ix_issuance_revocations_grant_id"), table_name="issuance_revocations")
    op.drop_table("issuance_revocations")
    op.drop_index("ix_issuance_reviews_state", table_name="issuance_reviews")
    op.drop_index(op.f("ix_issuance_reviews_record_id"), table_name="issuance_reviews")
    op.drop_table("issuance_reviews")
    op.drop_index("ix_issuance_refusals_programme", table_name="issuance_refusals")
    op.drop_table("issuance_refusals")
    op.drop_index(
        "ix_issuance_records_source_hmac",
        table_name="issuance_records",
        sqlite_where=sa.text("status = 'awaiting_link'"),
        postgresql_where=sa.text("status = 'awaiting_link'"),
    )
    op.drop_index(
        "ix_issuance_records_resident_day",
        table_name="issuance_records",
        sqlite_where=sa.text("started_at IS NOT NULL"),
        postgresql_where=sa.text("started_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_issuance_records_open",
        table_name="issuance_records",
        sqlite_where=sa.text("status <> 'accepted'"),
        postgresql_where=sa.text("status <> 'accepted'"),
    )
    op.drop_index(
        "ix_issuance_records_fingerprint",
        table_name="issuance_records",
        sqlite_where=sa.text("fingerprint IS NOT NULL"),
        postgresql_where=sa.text("fingerprint IS NOT NULL"),
    )
    op.drop_index(
        "ix_issuance_records_device",
        table_name="issuance_records",
        sqlite_where=sa.text("device_hmac IS NOT NULL"),
        postgresql_where=sa.text("device_hmac IS NOT NULL"),
    )
    op.drop_table("issuance_records")
    op.drop_index(op.f("ix_issuance_grants_record_id"), table_name="issuance_grants")
    op.drop_index(
        "ix_issuance_grants_ready",
        table_name="issuance_grants",
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.drop_index("ix_issuance_grants_batch", table_name="issuance_grants")
    op.drop_table("issuance_grants")
    op.drop_table("issuance_deliveries")
    op.drop_table("issuance_counters")
    op.drop_index("ix_issuance_corrections_record", table_name="issuance_corrections")
    op.drop_table("issuance_corrections")
    op.drop_index(op.f("ix_issuance_batches_state"), table_name="issuance_batches")
    op.drop_table("issuance_batches")
    op.drop_index("ix_identity_looks_resident_id", table_name="identity_looks")
    op.drop_table("identity_looks")
    op.drop_index(op.f("ix_idempotency_keys_created_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index(op.f("ix_funding_events_programme"), table_name="funding_events")
    op.drop_table("funding_events")
    op.drop_table("flows")
    op.drop_index("ix_entries_account", table_name="entries")
    op.drop_table("entries")
    op.drop_table("chain_programmes")
    op.drop_table("chain_merchants")
    op.drop_table("chain_holds")
    op.drop_table("chain_events")
    op.drop_index(op.f("ix_chain_batches_block_number"), table_name="chain_batches")
    op.drop_table("chain_batches")
    op.drop_table("balances")
