from __future__ import annotations

from pathlib import Path

import pytest

from ledger.gateway import GatewayHealth
from ledger.indexer.check import Difference, ProjectionCheck
from ledger.outbox.liveness import Waiting, judge
from ledger.standard.ids import ProgrammeSlug
from tongdui.invariants import checks_of
from tongdui.readiness import LAG_BLOCKS_MAX, of_drops, of_health

NOTHING = Waiting(0, 0, None, None, None, 0, None, None)
SENT = Waiting(3, 9_000_000, 7, b"\xab" * 32, 1_000, 0, None, None)


def health(**changes: object) -> GatewayHealth:
    values: dict[str, object] = {
        "is_running": True,
        "final_height": 500,
        "projected_height": 500,
        "alarms": (),
        "trouble": None,
        "liveness": judge(NOTHING, 500, 90, 0, 0, 20),
    }
    return GatewayHealth(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, []),
        ({"projected_height": 500 - LAG_BLOCKS_MAX}, []),
        ({"projected_height": 499 - LAG_BLOCKS_MAX}, ["projection"]),
        ({"alarms": ("reorganised",)}, ["alarms"]),
        ({"is_running": False}, ["workers"]),
        ({"trouble": "the node is away"}, []),
        ({"liveness": judge(SENT, 500, 90, 5, 0, 20)}, []),
        ({"liveness": judge(SENT, 500, 90, 25, 0, 20)}, ["liveness"]),
        ({"liveness": judge(SENT, 500, 0, 25, 0, 20)}, ["liveness"]),
    ],
)
def test_each_condition_is_judged_for_itself(changes: dict[str, object], wrong: list[str]) -> None:
    checks = of_health(health(**changes), needs_workers=True)
    assert [check.name for check in checks if not check.ok] == wrong


def test_a_process_without_workers_needs_none() -> None:
    assert "workers" not in [check.name for check in of_health(health(is_running=False), needs_workers=False)]


@pytest.mark.parametrize(
    ("what", "group"),
    [
        ("supply of 1", "supply"),
        ("sum of balances of 1", "supply"),
        ("position of 4294967297", "position"),
        ("sum of positions", "position"),
        ("appropriated of programme 1", "funding"),
        ("paid of programme 1", "funding"),
        ("balance of 0xab of 1", "balance"),
        ("something new", "supply"),
    ],
)
def test_a_difference_fails_its_own_rule_and_is_named(what: str, group: str) -> None:
    checks = checks_of(ProjectionCheck(7, 10, (Difference(what, 1, 2),)))
    assert [check.name for check in checks if not check.ok] == [group]
    assert f"{what}: projected 1, on chain 2" in next(check.detail for check in checks if not check.ok)


def test_without_differences_every_rule_holds() -> None:
    assert all(check.ok for check in checks_of(ProjectionCheck(7, 10, ())))


def test_files_that_stand_aside_are_told_of_and_stop_no_request(tmp_path: Path) -> None:
    assert of_drops({}) == []
    folders = {ProgrammeSlug(slug): tmp_path / slug for slug in ("traffic", "volunteer")}
    [check] = of_drops(folders)
    assert (check.ok, check.detail) == (True, "no file set aside")
    (tmp_path / "traffic" / ".refused").mkdir(parents=True)
    for name in ("a.csv", "a.csv.report.json", "b.csv"):
        (tmp_path / "traffic" / ".refused" / name).write_text("")
    [check] = of_drops(folders)
    assert (check.ok, check.detail) == (True, "files set aside: traffic 2")
