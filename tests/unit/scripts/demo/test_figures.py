"""What points can buy, before and after: a pure count over wallets."""

from __future__ import annotations

from scripts.demo.figures import Price, Useful, useful_points

PARS = {1: 20_000_000, 2: 5_000_000, 5: 0}
PRICES = [Price(7, 1_000), Price(8, 200)]
OWN = {1: {7}}


def test_alone_a_programme_buys_only_in_its_own_shops() -> None:
    # 50 points of programme 1 are 10 yuan: just enough for its own shop's cheapest thing.
    assert useful_points([{1: 5_000}], PARS, PRICES, OWN) == {1: Useful(5_000, 5_000, 5_000)}
    assert useful_points([{1: 4_999}], PARS, PRICES, OWN) == {1: Useful(4_999, 0, 4_999)}


def test_a_programme_without_shops_buys_nothing_alone() -> None:
    assert useful_points([{2: 100_000}], PARS, PRICES, OWN) == {2: Useful(100_000, 0, 100_000)}


def test_together_small_change_adds_up() -> None:
    # 1 yuan of each: neither buys the 2-yuan thing alone, both do together.
    found = useful_points([{1: 500, 2: 2_000}], PARS, PRICES, OWN)
    assert found == {1: Useful(500, 0, 500), 2: Useful(2_000, 0, 2_000)}
    assert useful_points([{1: 500}, {2: 2_000}], PARS, PRICES, OWN) == {1: Useful(500, 0, 0), 2: Useful(2_000, 0, 0)}


def test_points_without_value_are_not_counted() -> None:
    assert useful_points([{5: 9_000, 1: 5_000}], PARS, PRICES, OWN) == {1: Useful(5_000, 5_000, 5_000)}


def test_values_are_rounded_down_once_for_the_whole_wallet() -> None:
    # Half a fen twice is a fen together: 2 × 0.10 yuan-points at 0.05 make 199.5 fen with the rest, 200 with both.
    prices = [Price(8, 200)]
    assert useful_points([{1: 998, 2: 8}], PARS, prices, {})[1].after == 998
    assert useful_points([{1: 998, 2: 6}], PARS, prices, {})[1].after == 0
