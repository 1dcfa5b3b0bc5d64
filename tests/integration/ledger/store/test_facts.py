"""SQLite files count the changes that decisions rest on, however they were made."""

from __future__ import annotations

from pathlib import Path

import alembic.command
import pytest
from sqlalchemy import text

from ledger.errors import InvariantViolation
from ledger.store.database import WRITE_OPTION, Database
from ledger.store.facts import facts_changed
from ledger.store.migrations import run, upgrade

RECORD = (
    "INSERT INTO issuance_records (record_id, programme, dedupe_key, content_hash, source_hmac, delivery_id, "
    "row_number, status, activity, deed_day, quantity_micro, granted_minor, counted_micro, grants_made, "
    "created_at, updated_at) "
    "VALUES (1, 1, x'01', x'01', x'01', 1, 1, 'held', 'A', 1, 1, 0, 0, 0, 1, 1)"
)
RESIDENT = (
    "INSERT INTO residents (resident_id, identity_key_version, account, status, created_at) "
    "VALUES (7, 1, x'11', 'active', 1)"
)
LINK = (
    "INSERT INTO source_ids (programme, source_hmac, key_version, resident_id, state, linked_at, updated_at) "
    "VALUES (1, x'02', 1, 7, 'linked', 1, 1)"
)


@pytest.fixture(params=["upgrade", "create_all"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path}/facts.db")
    if request.param == "upgrade":
        upgrade(made)
    else:
        made.create_all()
    return made


def change(database: Database, statement: str) -> int:
    """Return by how much the count moved."""
    with database.transaction() as session:
        before = facts_changed(session)
        session.execute(text(statement))
        return facts_changed(session) - before


def test_what_a_decision_rests_on_is_counted(database: Database) -> None:
    assert change(database, RESIDENT) == 0, "nobody has linked anything yet"
    assert change(database, LINK) == 1
    assert change(database, RECORD) == 0, "new records are found by their place"
    for statement in (
        "UPDATE source_ids SET state = 'frozen'",
        "UPDATE residents SET status = 'frozen'",
        "UPDATE residents SET account = x'12'",
        "UPDATE issuance_records SET granted_minor = 5",
        "DELETE FROM issuance_records",
        "DELETE FROM source_ids",
        "DELETE FROM residents",
    ):
        assert change(database, statement) == 1, statement
    database.close()


def test_what_it_does_not_rest_on_is_not(database: Database) -> None:
    change(database, RESIDENT)
    assert change(database, "UPDATE residents SET profile = x'01'") == 0
    database.close()


def test_both_ways_to_make_a_file_make_the_same_triggers(tmp_path: Path) -> None:
    found = []
    for name in ("upgrade", "create_all"):
        database = Database(f"sqlite:///{tmp_path}/{name}.db")
        upgrade(database, by_revisions=True) if name == "upgrade" else database.create_all()
        with database.read() as session:
            found.append(set(session.scalars(text("SELECT sql FROM sqlite_master WHERE type = 'trigger'"))))
        database.close()
    assert found[0] == found[1]
    assert len(found[0]) == 7


def test_a_file_that_does_not_count_is_refused(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/old.db")
    upgrade(database, by_revisions=True)
    with database.engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
        alembic.command.downgrade(run._config(connection), "0009")
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")) == 0
        with pytest.raises(InvariantViolation, match="newest"):
            facts_changed(session)
    upgrade(database)
    with database.read() as session:
        assert facts_changed(session) == 0
    database.close()
