"""What a database keeps of rows after they were deleted or overwritten, and how far that is undone.

SQLite (``PRAGMA secure_delete``, set on every connection) overwrites what is deleted; its write-ahead log still has the
pages as they were, until a checkpoint cuts it off. PostgreSQL keeps the former rows until a vacuum, and bytes of theirs
inside pages until these are written anew. Its archived log, its replicas and all backups keep them for as long as
their own rules say: that is the operator's to bound, and docs/privacy.md says so.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from ledger.store.database import Database

_TABLES: Final = (
    "residents",
    "source_claims",
    "source_ids",
    "source_link_events",
    "source_decisions",
    "api_subjects",
    "idempotency_keys",
    "issuance_records",
    "issuance_grants",
    "issuance_refusals",
    "issuance_usage",
    "issuance_certifications",
    "redemption_acts",
    "redemption_slips",
    "desk_pins",
    "tombstones",
)
_WAIT_MS: Final = 2_000


def forget_deleted(database: Database) -> bool:
    """Let a database forget what was deleted so far, as far as it can; returns whether it did.

    False: somebody reads a snapshot in which it is still there. Call it again later, outside any transaction.
    """
    if database.is_sqlite:
        return _cut_log(database) if database.is_file else True
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in _TABLES:
            connection.execute(text(f'VACUUM "{name}"'))
    return True


def _cut_log(database: Database) -> bool:
    """Write the log back and cut it to nothing."""
    connection = database.engine.raw_connection()
    try:
        cursor = connection.cursor()
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout={_WAIT_MS}")
        try:
            is_busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={before}")
        return not is_busy
    finally:
        connection.close()
