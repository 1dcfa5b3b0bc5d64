"""What `make gas` calls a regression, and how it reckons the floor."""

from __future__ import annotations

import json

from scripts.gas import CHECK, SNAPSHOT, TOLERANCE, Figure, Spent, above_the_bar, bar_of, floor_of, regressions

LINE = Figure(gas=1_010, floor=900, openzeppelin=2_000)


def test_one_percent_more_is_borne_and_no_more() -> None:
    assert TOLERANCE == 0.01
    assert regressions({"mint": LINE}, {"mint": 1_000}) == []
    (found,) = regressions({"mint": Figure(1_011, 900, 2_000)}, {"mint": 1_000})
    assert "1,011" in found
    assert "1,000" in found


def test_less_is_no_regression() -> None:
    assert regressions({"mint": LINE}, {"mint": 5_000}) == []


def test_a_figure_without_a_snapshot_and_one_that_is_gone_are_found() -> None:
    assert regressions({"mint": LINE}, {}) == ["mint is not in the snapshot"]
    assert regressions({}, {"mint": 1_000}) == ["mint is in the snapshot and was not measured"]


def test_the_floor_shares_what_a_batch_pays_once() -> None:
    spent = Spent(gas=10**6, unavoidable=21_000, logs={})
    assert floor_of(spent, 10, once=5_000, each=22_100, refund=0) == 24_700
    assert floor_of(spent, 3, once=0, each=1, refund=0) == 7_001


def test_the_floor_is_refunded_at_most_a_fifth() -> None:
    spent = Spent(gas=10**6, unavoidable=20_000, logs={})
    assert floor_of(spent, 10, once=0, each=8_000, refund=500) == 9_500
    assert floor_of(spent, 10, once=0, each=8_000, refund=4_800) == 8_000


def test_the_committed_snapshot_names_every_operation() -> None:
    expected = {"mint_new", "mint_existing", "mint_new_lot", "redeem", "exchange", "exchange_capped", "hold", "capture"}
    assert set(json.loads(SNAPSHOT.read_text(encoding="utf-8"))) == expected | {CHECK}


def test_the_bar_is_openzeppelin_s_and_rises_by_the_check_s_cost_alone() -> None:
    figures = {
        "redeem": Figure(100, 0, 100),
        "exchange": Figure(130, 0, 100),
        "hold": Figure(101, 0, 100),
        CHECK: Figure(30, 0, 0),
    }
    assert (bar_of("redeem", figures), bar_of("exchange", figures)) == (100, 130)
    (found,) = above_the_bar(figures)
    assert found.startswith("hold costs 101 gas")
    assert len(above_the_bar(figures | {CHECK: Figure(29, 0, 0)})) == 2
