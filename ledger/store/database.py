"""One database: SQLite for the embedded default, PostgreSQL for a city. The same statements run on both.

A writer takes its lock at once (``BEGIN IMMEDIATE`` in SQLite), so that a transaction never fails half way for a lock
that another took meanwhile. A reader sees one snapshot for as long as it lasts.

An error's text names the statement and never its values: workers log errors, and values are keys and people's data.

Warning: no network call belongs inside ``transaction()``; it holds the only write lock of a SQLite file.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session

from ledger.errors import ConfigurationError, InvariantViolation, Unavailable
from ledger.store.base import Base
from ledger.store.facts import count_changed_facts
from ledger.store.writers import WriterQueue

WRITE_OPTION = "tongdui_write"
BUSY_TIMEOUT_MS = 30_000
_CHECKPOINT_PAGES = 16_384  # 64 MiB of log
_PREFER_INDEXES = "SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
_USED_S, _IDLE_S = "tongdui used", 1.0
_FEW = 100
"""On PostgreSQL, up to so many rows a statement each, all in one round trip, costs less than a temporary table, whose
file and rows in the catalogue take two milliseconds and somebody's vacuum."""
SQLITE_PARAMETERS_MAX = 30_000  # SQLite's default limit of host parameters is 32,766 since 3.32


class NestedTransaction(InvariantViolation):
    """A thread opened a write transaction inside its own: it would wait for itself."""

    def __init__(self) -> None:
        super().__init__("a write transaction is already open in this thread; pass its session on instead")


class DatabaseUnavailable(Unavailable):
    """The database cannot be opened: its server does not answer or refuses us, or its file is locked."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"the database {url} cannot be opened: {reason}")


class Database:
    """A database by URL: ``sqlite:///path/to/file.db``, ``sqlite://`` (memory) or ``postgresql://user:pw@host/name``."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = make_url(url)
        backend = self.url.get_backend_name()
        if backend == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
            self.engine = create_engine(self.url, pool_size=pool_size, max_overflow=10, hide_parameters=True)
            _ping_idle_ones(self.engine)
        elif backend == "sqlite":
            self.engine = _sqlite_engine(self.url, pool_size)
        else:
            raise ConfigurationError(f"database URL {url!r}: use sqlite:///FILE or postgresql://…")
        self._writer = WriterQueue(_sqlite_file(self.url)) if backend == "sqlite" else None
        self._thread = threading.local()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self._writer is not None

    @property
    def is_file(self) -> bool:
        """Whether this is a SQLite file: readers see a snapshot of it while one writes. In memory there is but one
        connection."""
        return self.is_sqlite and _sqlite_file(self.url) is not None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a write transaction; commit at the end of the block, roll back on any exception.

        Raises:
            NestedTransaction: this thread already holds one.
        """
        if getattr(self._thread, "writing", False):
            raise NestedTransaction
        if self._writer is not None:
            self._writer.acquire()
        self._thread.writing = True
        try:
            engine = self.engine.execution_options(**{WRITE_OPTION: True})
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        finally:
            self._thread.writing = False
            if self._writer is not None:
                self._writer.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a read-only snapshot."""
        engine: Engine = self.engine
        if not self.is_sqlite:
            engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with Session(engine, expire_on_commit=False) as session:
            yield session

    def create_all(self) -> None:
        """Create every table known to ``Base`` (tests; an installation runs ``ledger.store.migrations.upgrade``)."""
        with self.engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
            create_tables(connection)

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()
        if self._writer is not None:
            self._writer.close()


def _sqlite_file(url: Any) -> Path | None:
    return Path(url.database) if url.database and url.database != ":memory:" else None


def import_models() -> None:
    """Import every module of ``ledger.store.models`` so that ``Base.metadata`` is complete."""
    import importlib
    import pkgutil

    from ledger.store import models

    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"{models.__name__}.{module.name}")


def create_tables(connection: Connection) -> None:
    """Create every table known to ``Base``, and what counts changed facts in a SQLite file."""
    import_models()
    Base.metadata.create_all(connection)
    if connection.dialect.name == "sqlite":
        count_changed_facts(connection)


def _ping_idle_ones(engine: Engine) -> None:
    """Ask a pooled connection whether it lives before it is used again, unless it was used a moment ago.

    SQLAlchemy's ``pool_pre_ping`` asks every time, which is one of some ten round trips of a group of reads. One that
    dies within that moment fails its transaction, as any does that dies later; the pool is then emptied.
    """

    @event.listens_for(engine, "checkin")
    def _note(_dbapi_connection: Any, record: Any) -> None:
        record.info[_USED_S] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ping(dbapi_connection: Any, record: Any, _proxy: Any) -> None:
        used_s = record.info.get(_USED_S)
        if used_s is None or time.monotonic() - used_s < _IDLE_S:
            return
        try:
            engine.dialect.do_ping(dbapi_connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def _sqlite_engine(url: Any, pool_size: int) -> Engine:
    if _sqlite_file(url) is not None:
        engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=10,
            hide_parameters=True,
            connect_args={"check_same_thread": False},
        )
    else:
        from sqlalchemy.pool import StaticPool

        engine = create_engine(
            url, poolclass=StaticPool, hide_parameters=True, connect_args={"check_same_thread": False}
        )

    @event.listens_for(engine, "connect")
    def _configure(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # we emit BEGIN ourselves, below
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        _log_ahead(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # see ledger.store.forgetting
        # A transaction's worth: another process's commit makes all of it worthless. Each connection has its own.
        cursor.execute("PRAGMA cache_size=-24576")
        # Pages of indexes by hash change again and again: the fewer checkpoints, the fewer times each is written back.
        cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITE_OPTION, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _log_ahead(cursor: sqlite3.Cursor) -> None:
    """Let a SQLite file log ahead. SQLite does not wait by itself while another process changes the mode too."""
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1_000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _columns_sql(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def prefer_indexes(session: Session) -> None:
    """On PostgreSQL, do not let the planner read a whole table in this transaction where an index will do.

    For look-ups by key of tables that grow for ever: of one that has just grown it has no statistics, and a plan that
    it keeps may be from a time when the table was small. What a chunk costs must not grow with the history.
    Plans that must read a whole (small) table then look so dear that compiling them would seem worth while, so no JIT.
    """
    if not _is_sqlite(session):
        session.connection().exec_driver_sql(_PREFER_INDEXES)


def bulk_insert(
    session: Session,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    along: str | None = None,
) -> None:
    """Insert ``rows`` (tuples in the order of ``columns``): COPY in PostgreSQL, one prepared statement in SQLite.

    ``along``: a column of hashes with an index. PostgreSQL, which inserts into each index row by row, gets the rows in
    its order: one finds the pages of the tree that the one before has just used.

    Raises:
        sqlalchemy.exc.IntegrityError | psycopg.errors.UniqueViolation: a row exists already; the transaction is lost.
    """
    if not rows:
        return
    connection = session.connection()
    if _is_sqlite(session):
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({_columns_sql(columns)}) VALUES ({marks})',
            list(rows),
        )
        return
    if along is not None:
        rows = sorted(rows, key=itemgetter(columns.index(along)))
    _copy(connection, f'"{table.name}"', table, columns, rows)


def bulk_insert_new(
    session: Session,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> int:
    """Insert the rows that break no unique key, leave the others out, and return how many went in."""
    if not rows:
        return 0
    connection = session.connection()
    names = _columns_sql(columns)
    if _is_sqlite(session):
        before = int(connection.exec_driver_sql("SELECT total_changes()").scalar_one())
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING',
            list(rows),
        )
        return int(connection.exec_driver_sql("SELECT total_changes()").scalar_one()) - before
    if len(rows) <= _FEW:
        sql = f"{_insert_sql(table, columns)} ON CONFLICT DO NOTHING"
        return connection.exec_driver_sql(sql, list(rows)).rowcount
    staging = _staging(connection, table, columns)
    _copy(connection, staging, table, columns, rows)
    done = connection.exec_driver_sql(
        f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM {staging} ON CONFLICT DO NOTHING'
    )
    connection.exec_driver_sql(f"DROP TABLE {staging}")
    return done.rowcount


def bulk_add(
    session: Session,
    table: Table,
    keys: Sequence[str],
    adds: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    replaces: Sequence[str] = (),
) -> None:
    """Add signed amounts to counters: insert each row, or add its ``adds`` columns to (and set its ``replaces``
    columns of) the row of the same ``keys``. Rows are tuples of keys, then adds, then replaces; keys must not repeat.
    """
    if not rows:
        return
    columns = [*keys, *adds, *replaces]
    names = _columns_sql(columns)
    sets = ", ".join(
        [f'"{name}" = "{table.name}"."{name}" + excluded."{name}"' for name in adds]
        + [f'"{name}" = excluded."{name}"' for name in replaces]
    )
    conflict = f"ON CONFLICT ({_columns_sql(keys)}) DO UPDATE SET {sets}"
    connection = session.connection()
    # Sorted by key: concurrent writers lock rows in one order, and the tree is walked once from left to right.
    ordered = sorted(rows, key=lambda row: row[: len(keys)])
    if _is_sqlite(session):
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) {conflict}', ordered)
        return
    if len(rows) <= _FEW:
        connection.exec_driver_sql(f"{_insert_sql(table, columns)} {conflict}", ordered)
        return
    staging = _staging(connection, table, columns)
    _copy(connection, staging, table, columns, ordered)
    connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM {staging} {conflict}')
    connection.exec_driver_sql(f"DROP TABLE {staging}")


def bulk_add_existing(
    session: Session, table: Table, keys: Sequence[str], adds: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Add signed amounts to counters of rows that exist; returns how many there were. As ``bulk_add``, but a negative
    amount is never tried as a new row, which a CHECK would refuse before the conflict is seen."""
    return _update_existing(session, table, keys, adds, rows, is_sum=True)


def bulk_set_existing(
    session: Session, table: Table, keys: Sequence[str], sets: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Set the ``sets`` columns of rows that exist; returns how many there were. Rows are tuples of keys, then sets;
    keys must not repeat."""
    return _update_existing(session, table, keys, sets, rows, is_sum=False)


def _update_existing(
    session: Session,
    table: Table,
    keys: Sequence[str],
    changed: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    is_sum: bool,
) -> int:
    """Give the ``changed`` columns of rows that exist new values, or with ``is_sum`` add to them."""
    if not rows:
        return 0
    connection = session.connection()
    ordered = sorted(rows, key=lambda row: row[: len(keys)])
    if _is_sqlite(session):
        before = int(connection.exec_driver_sql("SELECT total_changes()").scalar_one())
        values = ", ".join(f'"{name}" = "{name}" + ?' if is_sum else f'"{name}" = ?' for name in changed)
        where = " AND ".join(f'"{name}" = ?' for name in keys)
        swapped = [(*row[len(keys) :], *row[: len(keys)]) for row in ordered]
        connection.exec_driver_sql(f'UPDATE "{table.name}" SET {values} WHERE {where}', swapped)
        return int(connection.exec_driver_sql("SELECT total_changes()").scalar_one()) - before
    columns = [*keys, *changed]
    prefer_indexes(session)
    staging = _staging(connection, table, columns)
    _copy(connection, staging, table, columns, ordered)
    old = 'target."{0}" + ' if is_sum else ""
    values = ", ".join(f'"{name}" = {old.format(name)}{staging}."{name}"' for name in changed)
    where = " AND ".join(f'target."{name}" = {staging}."{name}"' for name in keys)
    done = connection.exec_driver_sql(f'UPDATE "{table.name}" AS target SET {values} FROM {staging} WHERE {where}')
    connection.exec_driver_sql(f"DROP TABLE {staging}")
    return done.rowcount


def fetch_by_keys(
    session: Session,
    table: Table,
    columns: Sequence[str],
    key: str,
    values: Sequence[Any],
    *,
    where: dict[str, Any] | None = None,
    lock: bool = False,
) -> list[tuple[Any, ...]]:
    """Select ``columns`` of the rows whose ``key`` is one of ``values`` (any number), and that equal ``where``.

    With ``lock`` the rows stay locked until the transaction ends, taken in the order of the key.
    """
    wanted = list(dict.fromkeys(values))
    if not wanted:
        return []
    connection = session.connection()
    fixed = dict(where or {})
    sql = f'SELECT {_columns_sql(columns)} FROM "{table.name}" WHERE '
    found: list[tuple[Any, ...]] = []
    if _is_sqlite(session):
        sql += "".join(f'"{name}" = ? AND ' for name in fixed)
        for start in range(0, len(wanted), SQLITE_PARAMETERS_MAX):
            part = wanted[start : start + SQLITE_PARAMETERS_MAX]
            marks = ",".join("?" * len(part))
            found += map(
                tuple,
                connection.exec_driver_sql(f'{sql}"{key}" IN ({marks})', (*fixed.values(), *part)),
            )
        return found
    if len(wanted) > _FEW:
        prefer_indexes(session)
    sql += "".join(f'"{name}" = %s AND ' for name in fixed)
    suffix = f' ORDER BY "{key}" FOR UPDATE' if lock else ""
    found += map(tuple, connection.exec_driver_sql(f'{sql}"{key}" = ANY(%s){suffix}', (*fixed.values(), wanted)))
    return found


def fetch_by_pairs(
    session: Session,
    table: Table,
    columns: Sequence[str],
    keys: tuple[str, str],
    pairs: Sequence[tuple[str, str]],
) -> list[tuple[Any, ...]]:
    """Select ``columns`` of the rows whose two ``keys`` (text) are one of ``pairs``: at most some hundreds."""
    wanted = list(dict.fromkeys(pairs))
    if not wanted:
        return []
    connection = session.connection()
    names = ", ".join(f'found."{name}"' for name in columns)
    on = f'ON found."{keys[0]}" = asked.a AND found."{keys[1]}" = asked.b'
    if _is_sqlite(session):
        marks = ", ".join(["(?, ?)"] * len(wanted))
        # A cross join is never turned round: each pair is looked up, and the table is not read whole.
        sql = f'WITH asked(a, b) AS (VALUES {marks}) SELECT {names} FROM asked CROSS JOIN "{table.name}" AS found {on}'
        return list(map(tuple, connection.exec_driver_sql(sql, tuple(part for pair in wanted for part in pair))))
    sql = f'SELECT {names} FROM unnest(%s::text[], %s::text[]) AS asked(a, b) JOIN "{table.name}" AS found {on}'
    lists = ([first for first, _ in wanted], [second for _, second in wanted])
    return list(map(tuple, connection.exec_driver_sql(sql, lists)))


def lease_clause(session: Session) -> str:
    """Return the SQL suffix that lets several workers take different rows (nothing in SQLite: one writer at a time)."""
    return "" if _is_sqlite(session) else " FOR UPDATE SKIP LOCKED"


def _staging(connection: Connection, table: Table, columns: Sequence[str]) -> str:
    name = f'"staging_{table.name}"'
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS "
        f'SELECT {_columns_sql(columns)} FROM "{table.name}" WITH NO DATA'
    )
    return name


def _insert_sql(table: Table, columns: Sequence[str]) -> str:
    marks = ", ".join(["%s"] * len(columns))
    return f'INSERT INTO "{table.name}" ({_columns_sql(columns)}) VALUES ({marks})'


def _copy(
    connection: Connection,
    target: str,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """COPY rows into ``target``, which has ``table``'s columns: in binary, which spares both ends the digits."""
    raw: Any = connection.connection.driver_connection
    types = _copy_types(table, tuple(columns))
    form = "" if types is None else " (FORMAT BINARY)"
    with (
        raw.cursor() as cursor,
        cursor.copy(f"COPY {target} ({_columns_sql(columns)}) FROM STDIN{form}") as copy,
    ):
        if types is not None:
            copy.set_types(types)
        write = copy.write_row
        for row in rows:
            write(row)


@lru_cache(maxsize=256)
def _copy_types(table: Table, columns: tuple[str, ...]) -> list[str] | None:
    """Return the types' names for a binary COPY; None where one has no exact binary form here, such as NUMERIC."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = [_COPY_TYPES.get(table.c[name].type.compile(dialect).split("(")[0]) for name in columns]
    return None if None in types else cast(list[str], types)


_COPY_TYPES = {
    "BIGINT": "int8",
    "BIGSERIAL": "int8",
    "INTEGER": "int4",
    "BOOLEAN": "bool",
    "BYTEA": "bytea",
    "VARCHAR": "varchar",
    "TEXT": "text",
}
