"""The demo tells one story, whatever happens to it on the way."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.runs import (
    balances,
    count,
    demo,
    figures,
    height,
    kill,
    node_of,
    start_demo,
    tongdui,
    tongdui_here,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SLUGS = {"volunteer", "environmental", "traffic", "culture", "residence"}


def test_the_summary_says_what_it_must(undisturbed: Path) -> None:
    summary = json.loads((undisturbed / "summary.json").read_text())
    assert summary["ok"] is True
    assert set(summary["programmes"]) == SLUGS
    for counts in summary["programmes"].values():
        parts = ("accepted", "refused", "awaiting_link", "held", "waiting")
        assert counts["records"] == sum(counts[part] for part in parts) > 0
        assert counts["minted_minor"] >= counts["outstanding_minor"] > 0 or counts["minted_minor"] > 0
    assert summary["programmes"]["environmental"]["held"] > 0
    assert summary["exchanged_fen"] > 0
    assert summary["redeemed_fen"] > 0
    assert summary["positions_sum_fen"] == 0
    assert summary["audit"]["verdict"] == "PASS"
    assert summary["audit"]["events"] > 0
    assert summary["audit"]["blocks"] > 0
    page = Path(summary["page"]).read_text()
    assert "PASS" in page
    assert "FAIL" in page
    assert "balance in lots of programme 1" in page, "the forged balance has a name"


def test_its_figures_are_those_of_the_auditor(undisturbed: Path) -> None:
    summary = json.loads((undisturbed / "summary.json").read_text())
    ended = tongdui("audit", "--state-dir", str(undisturbed), "--json")
    assert ended.code == 0, ended.err
    report = ended.last
    assert report["verdict"] == "PASS"
    assert int(report["exchanged_fen"]) == summary["exchanged_fen"]
    assert int(report["redeemed_fen"]) - int(report["refunded_fen"]) == summary["redeemed_fen"]
    for slug, counts in summary["programmes"].items():
        assert int(report["programmes"][slug]["minted"]) == counts["minted_minor"]
        assert int(report["programmes"][slug]["outstanding"]) == counts["outstanding_minor"]


def test_the_receipt_holds_offline_and_a_changed_one_does_not(undisturbed: Path, tmp_path: Path) -> None:
    receipt, deployment = undisturbed / "receipt.json", undisturbed / "deployment.json"
    ended = tongdui_here("verify", str(receipt), "--deployment", str(deployment), "--json")
    assert ended.code == 0, ended.err
    assert ended.last["ok"] is True
    content = json.loads(receipt.read_text())
    content["event"]["args"]["fen"] = str(int(content["event"]["args"]["fen"]) + 1)
    (tmp_path / "more.json").write_text(json.dumps(content))
    changed = tongdui("verify", str(tmp_path / "more.json"), "--json")
    assert changed.code == 1
    assert changed.last["ok"] is False


def test_a_second_run_mints_nothing_twice(undisturbed: Path) -> None:
    before, blocks = balances(undisturbed), height(undisturbed)
    again = demo(undisturbed)
    assert again.code == 0, again.err[-3000:]
    assert figures(again.last) == figures(json.loads((undisturbed / "summary.json").read_text()))
    assert balances(undisturbed) == before
    assert height(undisturbed) == blocks
    assert again.last["seconds"] < 60


def test_another_size_in_the_same_folder_is_refused(undisturbed: Path) -> None:
    ended = tongdui("demo", "--state-dir", str(undisturbed), "--people", "241", "--json")
    assert ended.code == 2
    assert "--state-dir" in ended.last["error"]["message"]


def _books(state_dir: Path, query: str) -> int:
    return count(state_dir / "books.db", query)


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "while the contracts are deployed": lambda at: height(at) >= 2,
    "while records are read": lambda at: _books(at, "SELECT count(*) FROM issuance_records") > 0,
    "while batches land": lambda at: _books(at, "SELECT count(*) FROM chain_batches") > 0,
    "while many exchange": lambda at: _books(at, "SELECT count(*) FROM outbox_messages WHERE kind = 'exchange'") > 3,
    "while many spend": lambda at: _books(at, "SELECT count(*) FROM redemption_orders") > 10,
}


def _same_as_undisturbed(state_dir: Path, undisturbed: Path) -> None:
    ended = demo(state_dir)
    assert ended.code == 0, ended.err[-3000:]
    assert figures(ended.last) == figures(json.loads((undisturbed / "summary.json").read_text()))
    assert balances(state_dir) == balances(undisturbed)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again_it_ends_as_if_nothing_had_been(moment: str, undisturbed: Path, tmp_path: Path) -> None:
    process = start_demo(tmp_path)
    assert wait_until(process, lambda: MOMENTS[moment](tmp_path)), f"the demo was over before it was killed {moment}"
    kill(process)
    _same_as_undisturbed(tmp_path, undisturbed)


def test_a_killed_node_is_replaced_and_loses_nothing(undisturbed: Path, tmp_path: Path) -> None:
    process = start_demo(tmp_path)
    assert wait_until(process, lambda: MOMENTS["while many spend"](tmp_path)), "the demo was over before its node died"
    node = node_of(process)
    assert node is not None
    os.kill(node, signal.SIGKILL)
    # It heals and ends well, or says what is wrong: run again, it ends well in any case.
    process.wait(timeout=240)
    _same_as_undisturbed(tmp_path, undisturbed)


STUMBLES: tuple[Callable[[Path], bool], ...] = (
    lambda at: _books(at, "SELECT count(*) FROM residents") > 0,
    lambda at: _books(at, "SELECT count(*) FROM redemption_orders") > 0,
    lambda at: _books(at, "SELECT count(*) FROM redemption_acts") > 0,
    lambda at: _books(at, "SELECT count(*) FROM issuance_revocations") > 0,
)


def test_killed_again_and_again_it_still_ends_the_same(undisturbed: Path, tmp_path: Path) -> None:
    for reached in STUMBLES:
        process = start_demo(tmp_path)
        assert wait_until(process, lambda reached=reached: reached(tmp_path)), "the demo was over too soon"  # type: ignore[misc]
        kill(process)
    _same_as_undisturbed(tmp_path, undisturbed)
