"""Netting: what every party must compute alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clearing.netting import Open, Payment, PositionsUnbalanced, net, open_sums, split_by_largest_remainder
from ledger.standard.ids import POOL, TREASURY
from ledger.standard.ids import merchant_participant as m
from ledger.standard.ids import programme_participant as p


def test_positions_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(PositionsUnbalanced):
        net({p(1): -5, m(1): 4})


def test_pool_and_treasury_are_no_debtors_and_the_pool_pays_first() -> None:
    positions = {p(1): -30, p(2): 5, m(1): 15, m(2): 10, POOL: -4, TREASURY: 4}
    assert open_sums(positions) == Open({1: 30}, {1: 15, 2: 10}, 4)
    assert net(positions) == [Payment(1, 1, 11), Payment(1, 2, 10)]
    assert net({p(1): -1, m(1): 5, POOL: -4}) == [Payment(1, 1, 1)]


def test_what_lies_in_the_pool_already_is_due_from_nobody() -> None:
    sums = open_sums({p(1): -7, p(2): 10, m(1): 5, POOL: -8})
    assert sums.due_fen == 0
    assert net({p(1): -7, p(2): 10, m(1): 5, POOL: -8}) == []


def test_one_debtor_pays_each_merchant() -> None:
    assert net({p(1): -30, m(2): 10, m(1): 20}) == [Payment(1, 1, 20), Payment(1, 2, 10)]


def test_a_creditor_among_programmes_carries_its_credit_forward() -> None:
    # The debts are 300, the merchants' total is 200: each debtor pays two thirds of its debt.
    assert net({p(1): -150, p(2): -150, p(3): 100, m(1): 200}) == [Payment(1, 1, 100), Payment(2, 1, 100)]


def test_the_largest_remainder_gets_the_odd_fen_and_ties_go_to_whoever_comes_first() -> None:
    assert split_by_largest_remainder(10, {1: 1, 2: 1, 3: 1}) == {1: 4, 2: 3, 3: 3}
    assert split_by_largest_remainder(10, {1: 10, 2: 35, 3: 55}) == {1: 1, 2: 4, 3: 5}
    assert split_by_largest_remainder(10, {3: 1, 1: 1, 2: 1}) == {3: 4, 1: 3, 2: 3}
    assert split_by_largest_remainder(0, {1: 10}) == {1: 0}


def test_merchants_are_filled_by_id_from_debtors_by_id() -> None:
    assert net({p(1): -10, p(2): -20, m(1): 15, m(2): 15}) == [Payment(1, 1, 10), Payment(2, 1, 5), Payment(2, 2, 15)]


@given(
    st.dictionaries(st.integers(1, 20), st.integers(1, 10**9), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 10**6)), max_size=10, unique_by=lambda pair: pair[0]),
)
def test_every_merchant_gets_all_and_no_debtor_pays_more_than_it_owes(
    debts: dict[int, int], claims: list[tuple[int, int]]
) -> None:
    total = sum(fen for _, fen in claims)
    positions: dict[int, int] = {}
    positions.update({p(one): -fen for one, fen in debts.items()})
    positions.update({m(one): fen for one, fen in claims})
    credit = sum(debts.values()) - total
    if credit < 0:
        positions[p(1)] = positions.get(p(1), 0) + credit
    elif credit > 0:
        positions[p(99)] = credit
    payments = net(positions)
    got: dict[int, int] = {}
    paid: dict[int, int] = {}
    for payment in payments:
        got[payment.merchant] = got.get(payment.merchant, 0) + payment.fen
        paid[payment.programme] = paid.get(payment.programme, 0) + payment.fen
    assert got == dict(claims)
    assert all(fen <= -positions[p(one)] for one, fen in paid.items())
    assert len(payments) <= max(0, len(debts) + len(claims))
