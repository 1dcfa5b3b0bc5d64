"""What a city has after years, put straight into the tables: residents who have spent all, and movements of the past.

Everything sums up to nothing (balances of 0, movements that cancel each other), so that the projection equals the chain
as before. The movements lie in blocks before the chain's first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, cast

from sqlalchemy import Table, select, text

from ledger.standard.civil_time import DAY_S
from ledger.store.database import Database, bulk_insert
from ledger.store.models.api import ApiSubjectRow
from ledger.store.models.projection import BalanceRow, EntryRow
from ledger.store.models.residents import ResidentRow

_RESIDENTS, _SUBJECTS = cast(Table, ResidentRow.__table__), cast(Table, ApiSubjectRow.__table__)
_BALANCES, _ENTRIES = cast(Table, BalanceRow.__table__), cast(Table, EntryRow.__table__)
_CHUNK = 50_000
_BLOCK_ENTRIES = 100
_MINOR = 100
_RESIDENT_COLUMNS = ["resident_id", "identity_hmac", "identity_key_version", "account", "status", "created_at"]
_ENTRY_COLUMNS = [column.name for column in _ENTRIES.columns]


def add_residents(database: Database, count: int, token_ids: Sequence[int], now: int) -> None:
    """Add residents with a sign-in each and an empty lot of every token id."""
    for start in range(0, count, _CHUNK):
        people = [
            (int.from_bytes(os.urandom(7), "big"), os.urandom(32), 1, os.urandom(20), "active", now)
            for _ in range(min(_CHUNK, count - start))
        ]
        with database.transaction() as session:
            bulk_insert(session, _RESIDENTS, _RESIDENT_COLUMNS, people)
            subjects = [(f"urn:padding {start + number}", one[0], now) for number, one in enumerate(people)]
            bulk_insert(session, _SUBJECTS, ["subject", "resident_id", "bound_at"], subjects)
            lots = sorted((one[3], token, 0) for one in people for token in token_ids)
            bulk_insert(session, _BALANCES, ["account", "token_id", "amount_minor"], lots)


def add_history(database: Database, count: int, token_ids: Sequence[int], now: int) -> None:
    """Add movements of all accounts that have balances, as many for each: what came in at once went out."""
    with database.read() as session:
        accounts = [bytes(one) for one in session.scalars(select(BalanceRow.account).distinct())]
    rows = _movements(accounts, count - count % 2, token_ids, now - DAY_S)
    while chunk := list(islice(rows, _CHUNK)):
        with database.transaction() as session:
            bulk_insert(session, _ENTRIES, _ENTRY_COLUMNS, chunk)


def settle(database: Database) -> None:
    """Let PostgreSQL look at tables that have grown by so much, as its own vacuum would in a while."""
    if not database.is_sqlite:
        with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _movements(
    accounts: Sequence[bytes], count: int, token_ids: Sequence[int], until: int
) -> Iterator[tuple[Any, ...]]:
    first = -(count // _BLOCK_ENTRIES) - 1
    for number in range(count):
        pair, is_out = divmod(number, 2)
        block, place = divmod(number, _BLOCK_ENTRIES)
        account = accounts[pair % len(accounts)]
        delta, kind = (-_MINOR, "redeem") if is_out else (_MINOR, "mint")
        reference, seconds = pair.to_bytes(32, "big"), until - count // _BLOCK_ENTRIES + block
        token = token_ids[pair % len(token_ids)]
        # In the order of the table's columns.
        yield first + block, place, is_out, account, token, delta, kind, reference, reference, seconds
