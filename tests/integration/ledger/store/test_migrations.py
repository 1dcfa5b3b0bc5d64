"""Revisions that move data leave it as it was."""

from __future__ import annotations

import re
from pathlib import Path

import alembic.command
from sqlalchemy import text

from ledger.standard.contract import SPENDING_AFTER_CLOSING_S
from ledger.standard.keccak import keccak256
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


def _move(database: Database, revision: str, *, down: bool) -> None:
    move = alembic.command.downgrade if down else alembic.command.upgrade
    with database.engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
        move(run._config(connection), revision)


def test_tables_that_are_rebuilt_keep_every_row(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    upgrade(database, by_revisions=True)
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
        _move(database, revision, down=revision == "0008")
        assert _content(database) == before
    assert differences(database) == []
    database.close()


_PROGRAMME = (
    "INSERT INTO chain_programmes (programme, par_microfen, flags, state, spend_scope, rulebook_version, "
    "appropriated_fen, paid_fen) VALUES (:programme, 1, 14, :state, :scope, 0, 0, 0)"
)
_EVENT = (
    "INSERT INTO chain_events (block_number, log_index, contract, name, topics, data, block_timestamp) "
    "VALUES (:block, 0, 'PointsLedger', :name, :topics, :data, :time)"
)


def test_when_spending_ends_is_computed_for_what_was_projected_before(empty_database_url: str) -> None:
    """Active, closing and closed programmes, projected by a release that did not know the column."""
    database = Database(empty_database_url)
    upgrade(database, by_revisions=True)
    _move(database, "0011", down=True)
    states = {1: [(1, 1_000)], 2: [(1, 1_000), (2, 2_000_000)], 3: [(1, 1_000), (2, 3_000_000), (3, 60_000_000)]}
    block = 0
    with database.transaction() as session:
        for programme, events in states.items():
            values = {"programme": programme, "state": events[-1][0], "scope": bytes(32)}
            session.execute(text(_PROGRAMME), values)
            for name, words in [("RulebookSet", [2, 7]), *[("ProgrammeStateSet", [state]) for state, _ in events]]:
                block += 1
                time = dict(events).get(words[0], 5) if name == "ProgrammeStateSet" else 9_000_000
                topics = keccak256(name.encode()) + programme.to_bytes(32, "big")
                data = b"".join(word.to_bytes(32, "big") for word in words)
                row = {"block": block, "name": name, "topics": topics, "data": data, "time": time}
                session.execute(text(_EVENT), row)
    _move(database, "0012", down=False)
    with database.transaction() as session:
        query = text("SELECT programme, spendable_until FROM chain_programmes ORDER BY programme")
        until = {row.programme: row.spendable_until for row in session.execute(query)}
        assert until == {1: 0, 2: 2_000_000 + SPENDING_AFTER_CLOSING_S, 3: 3_000_000 + SPENDING_AFTER_CLOSING_S}
    upgrade(database)
    assert differences(database) == []
    database.close()


def _as_it_is(database: Database) -> dict[str, object]:
    """Return what a SQLite file holds: tables, columns, keys, indexes with their conditions, triggers, rows."""
    with database.read() as session:

        def ask(query: str) -> list[tuple[object, ...]]:
            return [tuple(row) for row in session.execute(text(query))]

        found: dict[str, object] = {"without row ids": sorted(ask("SELECT name, wr, strict FROM pragma_table_list"))}
        for (table,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'"):
            found[f"{table}: columns"] = sorted(
                ask(f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')")
            )
            found[f"{table}: foreign keys"] = sorted(
                ask(f'SELECT "from", "table", "to", on_delete FROM pragma_foreign_key_list(\'{table}\')')
            )
            for name, unique, partial in ask(f"SELECT name, \"unique\", partial FROM pragma_index_list('{table}')"):
                condition = ask(f"SELECT sql FROM sqlite_master WHERE name = '{name}'")
                columns = ask(f"SELECT name FROM pragma_index_info('{name}')")
                named = name if condition != [(None,)] else columns  # what comes with a key has a number only
                found[f"{table}: {named}"] = (unique, partial, condition, columns)
            found[f"{table}: rows"] = sorted(ask(f'SELECT * FROM "{table}"'))
        found["triggers"] = sorted(ask("SELECT sql FROM sqlite_master WHERE type = 'trigger'"))
        found["checks"] = sorted(
            (name, *sorted(re.findall(r"CONSTRAINT (\w+) CHECK \((.*)\)", str(sql))))
            for name, sql in ask("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        )
    return found


def test_an_empty_file_gets_what_all_revisions_give(tmp_path: Path) -> None:
    at_once, by_revisions = (Database(f"sqlite:///{tmp_path}/{name}.db") for name in ("at-once", "by-revisions"))
    upgrade(at_once)
    upgrade(by_revisions, by_revisions=True)
    left, right = _as_it_is(at_once), _as_it_is(by_revisions)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert value == right[name], name
    for database in (at_once, by_revisions):
        upgrade(database)  # and neither has anything to be done
        assert differences(database) == []
        database.close()
