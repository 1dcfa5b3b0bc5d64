"""Points are taken back from the latest grant first: cancelled before it is in a batch, revoked afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import select

from issuers.records import sql
from issuers.records.revoking import take_back
from issuers.records.rows import GRANT_COLUMNS, READY, GrantPlace, NewGrant
from issuers.states import GrantState, RevocationState
from ledger.errors import InvariantViolation
from ledger.standard.ids import AccountBytes, ProgrammeId
from ledger.store.database import Database, bulk_insert
from ledger.store.models.issuance import IssuanceGrantRow, IssuanceRevocationRow

RECORD, NOW = 5, 1_000
BATCHED = GrantPlace(GrantState.BATCHED, 3, 0)
OLD, NEW = b"\x01" * 32, b"\x02" * 32


def store(database: Database, *grants: tuple[bytes, int, GrantPlace]) -> None:
    """Store grants of the record, each made a second after the one before."""
    rows = [
        NewGrant(
            grant_id,
            ProgrammeId(1),
            RECORD,
            7,
            AccountBytes(b"\x11" * 20),
            amount,
            0,
            "WORK",
            1,
            bytes(32),
            bytes(32),
            "",
            at,
        )
        + place
        for at, (grant_id, amount, place) in enumerate(grants)
    ]
    with database.transaction() as session:
        bulk_insert(session, sql.GRANTS, GRANT_COLUMNS, rows)


def take(database: Database, amount: int) -> list[bytes]:
    with database.transaction() as session:
        return take_back(session, RECORD, amount, reason_code=1, by="clerk", note=None, now=NOW)


def found(database: Database) -> tuple[Sequence[tuple[str, int]], Sequence[tuple[bytes, int, str]]]:
    """(state, revoked) of each grant, oldest first, and (grant, total, state) of each revocation."""
    with database.read() as session:
        grants = session.scalars(select(IssuanceGrantRow).order_by(IssuanceGrantRow.created_at)).all()
        wanted = session.scalars(select(IssuanceRevocationRow).order_by(IssuanceRevocationRow.revocation_id)).all()
    return (
        [(grant.state, grant.revoked_minor) for grant in grants],
        [(bytes(one.grant_id), one.revoked_total_minor, one.state) for one in wanted],
    )


def test_a_whole_grant_that_is_ready_is_cancelled_without_a_trace_on_the_chain(database: Database) -> None:
    store(database, (OLD, 100, READY))
    assert take(database, 100) == [OLD]
    assert found(database) == ([(GrantState.CANCELLED, 100)], [])


def test_a_part_of_a_ready_grant_is_revoked_for_its_leaf_stays(database: Database) -> None:
    store(database, (OLD, 100, READY))
    assert take(database, 40) == [OLD]
    assert found(database) == ([(GrantState.READY, 40)], [(OLD, 40, RevocationState.WANTED)])


def test_the_latest_grant_gives_first_and_totals_only_rise(database: Database) -> None:
    store(database, (OLD, 100, BATCHED), (NEW, 50, BATCHED))
    assert take(database, 30) == [NEW]
    assert take(database, 30) == [NEW, OLD]
    assert found(database) == (
        [(GrantState.BATCHED, 10), (GrantState.BATCHED, 50)],
        [(NEW, 30, RevocationState.WANTED), (NEW, 50, RevocationState.WANTED), (OLD, 10, RevocationState.WANTED)],
    )


def test_what_was_cancelled_gives_nothing_more(database: Database) -> None:
    store(database, (OLD, 100, BATCHED), (NEW, 50, READY))
    assert take(database, 50) == [NEW]
    assert take(database, 10) == [OLD]


def test_more_than_the_grants_hold_cannot_be_taken_back_and_nothing_is(database: Database) -> None:
    store(database, (OLD, 100, BATCHED))
    with pytest.raises(InvariantViolation, match="20 minor more"):
        take(database, 120)
    assert found(database) == ([(GrantState.BATCHED, 0)], [])
