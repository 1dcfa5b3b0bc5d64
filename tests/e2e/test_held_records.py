"""Held records by commands alone: numbers that begin anew, seen by clerks who know no SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.runs import tongdui
from tests.integration.issuers.test_chain import HEADER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def export(path: Path, person: str, day: str) -> str:
    line = f"0001,{person},某,图书角,社区服务,{day} 09:00,{day} 11:00,2,协会\n"
    path.write_text(HEADER + line, encoding="gb18030")
    return str(path)


def test_clerks_see_both_records_and_decide(tmp_path: Path) -> None:
    where = ("--state-dir", str(tmp_path / "state"), "--json")
    assert tongdui("deploy", *where).code == 0
    first = export(tmp_path / "q1.csv", "5101000000001", "2026-05-06")
    second = export(tmp_path / "q2.csv", "5101000000002", "2026-08-06")
    ingest = tongdui("issuers", "ingest", "volunteer", first, second, "--mapping", "volunteer-csv", *where)
    assert ingest.code == 0, ingest.err
    assert ingest.last["counts"]["held"] == 1, ingest.last
    [held] = tongdui("issuers", "reviews", "volunteer", *where).last["items"]
    number = str(held["review_id"])
    shown = tongdui("issuers", "review", "volunteer", number, "--by", "Chen", *where)
    assert (shown.last["held"]["file"], shown.last["other"]["file"]) == ("q2.csv", "q1.csv")
    assert "5101000000001" in shown.err
    assert "5101000000002" in shown.err
    approve = ("issuers", "approve", "volunteer", number, *where)
    assert tongdui(*approve, "--by", "Chen").last["status"] == "first"
    assert tongdui(*approve, "--by", "Chen").code == 3, "one person is not two"
    assert tongdui(*approve, "--by", "Zhou").last["status"] == "awaiting_link"
    assert tongdui("issuers", "reject", "volunteer", number, "--by", "Zhou", *where).code == 3
    assert tongdui("issuers", "reviews", "volunteer", *where).last["items"] == []
