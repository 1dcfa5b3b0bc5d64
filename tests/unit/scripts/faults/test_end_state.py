"""Two runs are compared by what people have, what became of each row, and what is on chain."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from scripts.faults.end_state import Damage, EndState, damage

ROW = (1, "a.csv", 1)
REFUSED = (1, "a.csv", 2)
GOOD = EndState(
    records={ROW: ("accepted", None, 100)},
    refusals=Counter({(REFUSED, "bad_date"): 1}),
    unreasoned=0,
    deliveries={(1, "a.csv"): ("done", 2)},
    granted=Counter({("99", 100): 1}),
    minted=Counter({("99", 100): 1}),
    balances={("99", 7): 100},
    orders=Counter({("99", "redeem", 0): 1}),
    revoked=Counter({("98", 50, 0): 1}),
    told=Counter({("99", "paid"): 1}),
    acts=Counter({("99", "refund", "done", 100): 1}),
    unended=0,
)


def test_a_run_that_ends_as_the_undisturbed_one_is_not_damaged() -> None:
    assert damage(GOOD, replace(GOOD)).is_none


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # A grant that never landed: missing beside the undisturbed run and beside the issuers' own books.
        ({"minted": Counter()}, Damage(2, 0, 0)),
        ({"minted": Counter({("99", 100): 2})}, Damage(0, 2, 0)),
        ({"orders": Counter()}, Damage(1, 0, 0)),
        ({"orders": Counter({("99", "redeem", 0): 2})}, Damage(0, 1, 0)),
        ({"balances": {}}, Damage(1, 0, 0)),
        ({"balances": {("99", 7): 100, ("98", 7): 1}}, Damage(0, 1, 0)),
        ({"records": {ROW: ("held", "overlap", 0)}}, Damage(0, 0, 1)),
        ({"refusals": Counter()}, Damage(0, 0, 1)),
        ({"refusals": Counter({(REFUSED, "bad_date"): 2})}, Damage(0, 0, 1)),
        ({"unreasoned": 3}, Damage(0, 0, 3)),
        ({"revoked": Counter()}, Damage(1, 0, 0)),
        ({"revoked": Counter({("98", 50, 0): 2})}, Damage(0, 1, 0)),
        ({"told": Counter({("99", "placed"): 1})}, Damage(0, 0, 1)),
        ({"acts": Counter()}, Damage(1, 0, 0)),
        ({"acts": Counter({("99", "refund", "done", 100): 2})}, Damage(0, 1, 0)),
        ({"unended": 2}, Damage(0, 0, 2)),
        ({"deliveries": {(1, "a.csv"): ("reading", 1)}}, Damage(0, 0, 1)),
    ],
)
def test_every_difference_counts(changed: dict[str, object], expected: Damage) -> None:
    found = damage(GOOD, replace(GOOD, **changed))  # type: ignore[arg-type]
    assert found == expected
    assert not found.is_none
    assert found.details, "and an example is told"
