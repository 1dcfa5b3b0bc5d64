"""Batches are full, of one validity, in an order that says nothing, and are numbered once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from issuers.batches.evidence import grant_ids, tree_of, unpack_leaves
from issuers.batches.packing import GRANTS_MAX, pack_batches, quarter_of, store_batches, validity_of, waits_for_signer
from issuers.states import BatchState
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import ProgrammeId, token_id
from ledger.standard.quarters import NEVER, expiry_quarter
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceBatchRow
from tests.unit.issuers.build import NOW, leaves_of, rulebook

PROGRAMME = ProgrammeId(9)


def test_only_full_batches_are_made_unless_the_rest_is_flushed() -> None:
    leaves = leaves_of(2 * GRANTS_MAX + 3)
    made, left = pack_batches(PROGRAMME, leaves, {1: 4}, NOW, flush=False)
    assert ([row.grants for row in made], len(left)) == ([GRANTS_MAX, GRANTS_MAX], 3)
    batched = [grant for row in made for grant in grant_ids(row.leaves)]
    assert sorted([*batched, *(leaf.grant_id for leaf in left)]) == [leaf.grant_id for leaf in leaves]
    made, left = pack_batches(PROGRAMME, leaves, {1: 4}, NOW, flush=True)
    assert ([row.grants for row in made], left) == ([GRANTS_MAX, GRANTS_MAX, 3], [])


def test_nothing_makes_no_batch() -> None:
    assert pack_batches(PROGRAMME, [], {1: 4}, NOW, flush=True) == ([], [])


def test_points_of_different_validity_do_not_share_a_batch() -> None:
    """Two versions of equal validity do: a batch has one quarter, not one rulebook."""
    leaves = [*leaves_of(2, 1), *leaves_of(3, 2, first=2), *leaves_of(4, 3, first=5)]
    made, _ = pack_batches(PROGRAMME, leaves, {1: 4, 2: None, 3: 4}, NOW, flush=True)
    found = Counter({row.validity_quarters: row.grants for row in made})
    assert found == {4: 6, -1: 3}
    assert {row.validity_quarters: row.quarter for row in made} == {4: quarter_of(4, NOW), -1: NEVER}


def test_a_batch_says_of_its_leaves_what_they_come_to() -> None:
    leaves = leaves_of(5)
    [row], _ = pack_batches(PROGRAMME, leaves, {1: 4}, NOW, flush=True)
    inside = unpack_leaves(row.leaves)
    assert sorted(inside) == leaves
    assert row.amount_minor == sum(leaf.amount_minor for leaf in leaves)
    assert row.evidence_root == tree_of(inside, token_id(PROGRAMME, row.quarter)).root
    assert row.packed == b"".join(leaf.account + leaf.amount_minor.to_bytes(8, "big") for leaf in inside)
    assert (row.state, row.attempt, row.signature, row.reason) == (BatchState.PREPARED, 0, None, None)


def test_the_order_within_a_batch_is_not_that_of_the_records() -> None:
    """Two batches of the same grants differ from the records' order and from each other (of 500! orders)."""
    leaves = leaves_of(GRANTS_MAX)
    orders = [grant_ids(pack_batches(PROGRAMME, leaves, {1: 4}, NOW, flush=True)[0][0].leaves) for _ in range(2)]
    assert len({tuple(order) for order in (*orders, [leaf.grant_id for leaf in leaves])}) == 3


@pytest.mark.parametrize(
    ("moment", "quarter"),
    [((2026, 9, 30, 23, 59), (2026 - 2000) * 4 + 3), ((2026, 10, 1, 0, 0), (2026 - 2000) * 4 + 4)],
)
def test_the_quarter_is_the_citys_at_the_grant(moment: tuple[int, int, int, int, int], quarter: int) -> None:
    """Midnight of UTC+8 counts, whatever the date in Greenwich."""
    at = datetime(*moment, tzinfo=CITY_TZ)
    assert quarter_of(4, int(at.timestamp())) == expiry_quarter(at.date(), 4) == quarter + 4


def test_validity_follows_from_the_rulebook_version() -> None:
    books = [
        rulebook({"unit": "hour", "points_per_unit": "1"}, version=1, validity_quarters=4),
        rulebook({"unit": "hour", "points_per_unit": "1"}, version=2, validity_quarters="never"),
    ]
    assert validity_of(books) == {1: 4, 2: None}


def test_numbers_are_given_once_and_go_on_where_they_stopped(database: Database) -> None:
    numbers = []
    for count in (2, 1):
        made, _ = pack_batches(PROGRAMME, leaves_of(count * GRANTS_MAX), {1: 4}, NOW, flush=True)
        with database.transaction() as session:
            store_batches(session, PROGRAMME, made)
        numbers.append([row.number for row in made])
    assert numbers == [[1, 2], [3]]


def test_nothing_more_is_batched_while_a_batch_says_why_it_is_not_signed(database: Database) -> None:
    made, _ = pack_batches(PROGRAMME, leaves_of(1), {1: 4}, NOW, flush=True)
    with database.transaction() as session:
        store_batches(session, PROGRAMME, made)
        assert not waits_for_signer(session, PROGRAMME)
        row = session.get_one(IssuanceBatchRow, (PROGRAMME, 1))
        row.reason = "the signer is away"
        session.flush()
        assert waits_for_signer(session, PROGRAMME)
        assert not waits_for_signer(session, ProgrammeId(8))
        row.state = BatchState.QUEUED
        session.flush()
        assert not waits_for_signer(session, PROGRAMME)
