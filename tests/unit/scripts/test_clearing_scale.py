"""The amounts and batches of the clearing measurement."""

from __future__ import annotations

import random

import pytest

from scripts.clearing_scale import batches, shared_out


@pytest.mark.parametrize(("total", "count"), [(1, 1), (7, 7), (100_000, 3), (3_000_000, 3_000)])
def test_shares_are_positive_and_sum_to_the_total(total: int, count: int) -> None:
    shares = shared_out(total, count, random.Random(7))
    assert len(shares) == count
    assert sum(shares) == total
    assert min(shares) >= 1


def test_shares_follow_the_seed() -> None:
    assert shared_out(10**6, 30, random.Random(1)) == shared_out(10**6, 30, random.Random(1))
    assert shared_out(10**6, 30, random.Random(1)) != shared_out(10**6, 30, random.Random(2))


def test_batches_hold_every_item_once() -> None:
    assert [list(batch) for batch in batches(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches([], 3)) == []
