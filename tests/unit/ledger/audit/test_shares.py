"""What each debtor of a cycle pays: exact to the fen, by largest remainder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.shares import split
from tests.unit.ledger.standard.vectors import load

DEBTS = st.lists(st.one_of(st.integers(0, 50), st.integers(0, 2**60)), min_size=1, max_size=8)


@given(DEBTS, st.data())
def test_shares_sum_to_the_total_and_none_exceeds_its_debt(debts: list[int], data: st.DataObject) -> None:
    if not sum(debts):
        return
    total = data.draw(st.integers(1, sum(debts)))
    shares = split(total, debts)
    assert sum(shares) == total
    assert all(0 <= share <= debt for share, debt in zip(shares, debts, strict=True))


def test_leftover_fen_go_to_the_largest_remainders_and_ties_to_the_earlier() -> None:
    assert split(10, [10, 10, 10]) == [4, 3, 3]
    assert split(3, [1, 5]) == [1, 2]
    assert split(2, [1, 1, 1]) == [1, 1, 0]


def test_the_shared_dues_are_these() -> None:
    for vector in load("clearing.json")["dues"]:
        assert split(int(vector["total"]), [int(debt) for debt in vector["debts"]]) == [
            int(due) for due in vector["dues"]
        ]
