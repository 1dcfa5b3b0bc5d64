"""``issuers check`` as a clerk reads it: both languages, nothing unseen, nothing stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from issuers.rules.rulebook import RULEBOOKS
from issuers.sources.mapping import FOLDER
from tests.e2e.runs import tongdui_here
from tests.integration.issuers.test_chain import HEADER

ROWS = (
    "0001,5101000000001,某,图书角,社区服务,2026-05-06 09:00,2026-05-06 11:00,2,协会",
    "0001,5101000000002,某,图书角,社区服务,2026-08-06 09:00,2026-08-06 11:00,2,协会",
    "0002,5101000000003,某,图书角,社区服务,2026-08-06 08:00,2026-08-06 20:00,12,协会",
    "0003,51010000000x3,某,图书角,社区服务,2026-08-06 08:00,2026-08-06 20:00,12,\x1b[31m协会",
)


@pytest.fixture
def checked(tmp_path: Path) -> tuple[str, ...]:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "\n".join(ROWS) + "\n", encoding="gb18030")
    mapping, rules = FOLDER / "volunteer-csv.yaml", RULEBOOKS / "volunteer-1.yaml"
    where = ("--mapping", str(mapping), "--rules", str(rules), "--state-dir", str(tmp_path / "state"))
    return ("issuers", "check", str(path), *where)


def test_a_clerk_sees_the_day_and_owner_of_each_deed_in_both_languages(
    checked: tuple[str, ...], tmp_path: Path
) -> None:
    shown = tongdui_here(*checked, COLUMNS="200")
    assert shown.code == 1
    for said in (
        "4 条记录：2 条将授予 100.00 积分",
        "4 records: 2 would be granted 100.00 points, 0 would wait, 1 would be held, 1 would be refused",
        "归属 owner: 5101000000001",
        "日期 day: 2026-05-06",
        "记录编号重复",
        "Record numbers repeat",
        "编号格式不符合约定",
        "The identifier does not have the agreed form",
        "20.00",
        "51010000000x3 (行 row 4)",
        "达到上限的人 people who reach a cap: 1",
        "另一人 another person",
    ):
        assert said in shown.out, said
    assert "\x1b" not in shown.out, "no cell speaks to the terminal"
    assert not (tmp_path / "state" / "books.db").exists(), "nothing is stored"


def test_machines_get_all_of_it(checked: tuple[str, ...]) -> None:
    found = tongdui_here(*checked, "--json", "--first", "2").last
    assert (found["rows"], found["would_grant_minor"], found["held"]) == (4, "10000", 1)
    assert found["minted"] == [
        {"programme": "volunteer", "amount_minor": "10000", "value_fen": "2000", "deeds": 2, "people": 2}
    ]
    assert [(one["day"], one["owner"], one["outcome"]) for one in found["first_rows"]] == [
        ("2026-05-06", "5101000000001", "grant"),
        ("2026-08-06", "5101000000002", "hold"),
    ]
    assert found["reasons"]["bad_identifier"][1].startswith("编号格式不符合约定")
    assert [one["code"] for one in found["notices"]] == ["numbers_repeat"]
