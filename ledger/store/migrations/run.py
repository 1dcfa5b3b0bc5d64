"""Bring a database to the newest schema, and say how it differs from the models."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import alembic.command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from ledger.store.base import Base
from ledger.store.database import WRITE_OPTION, Database, create_tables, import_models

_FOLDER = Path(__file__).parent
_LOCK = 0x746F6E67  # "tong": gateways that start at once migrate one after the other


def upgrade(database: Database, *, by_revisions: bool = False) -> None:
    """Bring the schema to the newest revision; harmless if it is there already. One transaction: all or nothing.

    An empty SQLite file gets the tables as they are by now, which takes a third of the time of all revisions
    (``by_revisions`` runs them all the same). A PostgreSQL database always runs them: some say how it is to store what
    the models do not speak of.
    """
    with database.engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        elif not by_revisions and not inspect(connection).get_table_names():
            create_tables(connection)
            alembic.command.stamp(_config(connection), "head")
            return
        alembic.command.upgrade(_config(connection), "head")


def head() -> str:
    """Return the newest revision."""
    return ScriptDirectory.from_config(_config(None)).get_current_head() or ""


def differences(database: Database) -> list[Any]:
    """Return what would have to change in the database to match the models, in Alembic's terms; empty is right."""
    import_models()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": include_name})
        return list(compare_metadata(context, Base.metadata))


def generate(message: str, *, is_initial: bool) -> Path:
    """Write a revision that takes the newest schema to the models (with ``is_initial``: from nothing).

    For developers: look at the file before it is committed.
    """
    import_models()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/scratch.sqlite3")
        if not is_initial:
            upgrade(database, by_revisions=True)
        with database.engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
            number = len(list((_FOLDER / "versions").glob("[0-9]*.py"))) + 1
            script = alembic.command.revision(
                _config(connection), message, autogenerate=True, rev_id=f"{1 if is_initial else number:04d}"
            )
        database.close()
    if script is None or isinstance(script, list):
        raise RuntimeError("alembic wrote no revision")
    return Path(script.path)


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave out what is not ours: a database may hold other tables."""
    return kind != "table" or name in Base.metadata.tables


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config
