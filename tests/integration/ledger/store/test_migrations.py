"""Revisions that move data leave it as it was."""

from __future__ import annotations

import alembic.command
from sqlalchemy import text

from ledger.store.database import WRITE_OPTION, Database
from ledger.store.migrations import differences, run, upgrade

_RESIDENT = (
    "INSERT INTO residents (resident_id, identity_key_version, account, status, created_at) "
    "VALUES (:id, 1, :account, 'active', 0)"
)
_SOURCE = "INSERT INTO source_ids VALUES (1, :hmac, 1, :id, :state, 5, 6)"
_USAGE = "INSERT INTO issuance_usage VALUES (:id, '1:VOL.SERVICE', :period, 100, 3600, 1)"
_TABLES = ("source_ids", "issuance_usage", "residents")


def _content(database: Database) -> list[list[tuple[object, ...]]]:
    with database.read() as session:
        return [sorted(map(tuple, session.execute(text(f"SELECT * FROM {name}")).all())) for name in _TABLES]


def _move(database: Database, revision: str) -> None:
    move = alembic.command.downgrade if revision < "0009" else alembic.command.upgrade
    with database.engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
        move(run._config(connection), revision)


def test_tables_that_are_rebuilt_keep_every_row(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database)
    with database.transaction() as session:
        for number in range(1, 301):
            session.execute(text(_RESIDENT), {"id": number, "account": number.to_bytes(20, "big")})
            state = "frozen" if number % 7 == 0 else "linked"
            hmac = number.to_bytes(2, "big") * 16
            session.execute(text(_SOURCE), {"hmac": hmac, "id": number, "state": state})
            session.execute(text(_USAGE), {"id": number, "period": f"D2026{number:04d}"})
    before = _content(database)
    assert [len(rows) for rows in before] == [300, 300, 300]
    for revision in ("0008", "0009", "head"):
        _move(database, revision)
        assert _content(database) == before
    assert differences(database) == []
    database.close()
