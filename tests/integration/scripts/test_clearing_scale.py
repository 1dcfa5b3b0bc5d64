"""A clearing cycle on a real chain, at a small size."""

from __future__ import annotations

from scripts.clearing_scale import run


def test_a_small_city_is_cleared_to_the_fen() -> None:
    """One opening, a payment from each of 3 debtors, and 70 merchants in 3 payouts."""
    scale = run(merchants=70, programmes=3, payouts=30, seed=5)
    assert (scale.merchants, scale.programmes, scale.transactions) == (70, 3, 7)
    assert scale.positions_sum_fen == 0
    assert 0 < scale.gas_max < scale.gas_total < 7 * scale.gas_max
