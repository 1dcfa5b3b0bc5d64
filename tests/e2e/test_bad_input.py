"""Bad input from end to end: each fault is refused with file, line, field and reason, and nothing else is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.standard.civil_time import CITY_TZ
from tests.e2e.runs import Ended, count, tongdui, tongdui_here
from tongdui.clock import let_time_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NOW = datetime(2026, 9, 1, 9, tzinfo=CITY_TZ)
HEADER = "记录编号,志愿者编号,姓名,志愿服务项目,服务类别,服务开始时间,服务结束时间,服务时间（小时）,记录单位"


def row(number: int, **changes: str) -> str:
    """Return a good record, with changes."""
    start = datetime(2026, 8, 1, 9, tzinfo=CITY_TZ) + timedelta(days=number % 25)
    values = {
        "记录编号": f"ZY2026{number:07d}",
        "志愿者编号": f"5101{number:09d}",
        "姓名": "王秀英",
        "志愿服务项目": "社区图书角",
        "服务类别": "社区服务",
        "服务开始时间": f"{start:%Y-%m-%d %H:%M}",
        "服务结束时间": f"{start + timedelta(hours=2):%Y-%m-%d %H:%M}",
        "服务时间（小时）": "2",
        "记录单位": "锦江区社工服务中心",
    } | changes
    return ",".join(values.values())


def content(rows: Sequence[str], encoding: str = "gb18030") -> bytes:
    """Return a file."""
    return ("\r\n".join([HEADER, *rows]) + "\r\n").encode(encoding)


FUTURE = {"服务开始时间": "2026-10-11 09:00", "服务结束时间": "2026-10-11 11:00"}


def good(first: int) -> list[str]:
    """Return five good records that no other test sends."""
    return [row(number) for number in range(first, first + 5)]


def bad(first: int, **changes: str) -> str:
    """Return a spoiled record."""
    return row(first + 8, **changes)


CASES: dict[str, tuple[Callable[[int], bytes], str, int]] = {
    # (the file, the refusal's code, how many good records it still brings)
    "truncated": (lambda n: content(good(n))[:-40], "truncated_file", 4),
    "unknown activity": (lambda n: content([*good(n), bad(n, 服务类别="打麻将")]), "unknown_activity", 5),
    "negative hours": (lambda n: content([bad(n, **{"服务时间（小时）": "-2"}), *good(n)]), "negative_quantity", 5),
    "a date in the future": (lambda n: content([*good(n)[:2], bad(n, **FUTURE), *good(n)[2:]]), "future_date", 5),
    "a huge field": (lambda n: content([bad(n, 志愿服务项目="公益" * 40_000), *good(n)]), "field_too_large", 5),
    "wrong encoding": (lambda n: content(good(n), "utf-8"), "wrong_encoding", 0),
    "a broken character": (lambda n: content(good(n))[:-9], "wrong_encoding", 4),
    "no records": (lambda _: b"", "empty_file", 0),
    "another table": (lambda _: b"a,b\r\n1,2\r\n", "header_mismatch", 0),
}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty city that lives on the simulated date."""
    state_dir = tmp_path_factory.mktemp("city")
    let_time_run(state_dir, NOW)
    assert tongdui("deploy", "--state-dir", str(state_dir)).code == 0
    return state_dir


def ingest(city: Path, *files: Path) -> Ended:
    return tongdui_here("issuers", "ingest", "volunteer", *map(str, files), "--state-dir", str(city), "--json")


def awaiting_link(city: Path) -> int:
    """Return how many records wait for a person, without a process for the question."""
    return count(city / "books.db", "SELECT count(*) FROM issuance_records WHERE status = 'awaiting_link'")


def counted(city: Path) -> dict[str, Any]:
    found = tongdui_here("issuers", "counts", "--state-dir", str(city), "--json")
    assert found.code == 0, found.err
    counts: dict[str, Any] = found.last["programmes"]["volunteer"]
    return counts


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_named_and_its_neighbours_are_taken(name: str, city: Path, tmp_path: Path) -> None:
    make, code, taken = CASES[name]
    number = list(CASES).index(name)
    before = awaiting_link(city)
    file = tmp_path / f"zyfw-{number}.csv"
    file.write_bytes(make(100 * number + 1))
    ended = ingest(city, file)
    assert ended.code == 1, ended.err
    assert ended.last["deliveries"][0]["refusals"] == {code: 1}
    assert ended.last["counts"]["awaiting_link"] - before == taken


def test_refusals_say_where_and_why_but_show_nothing(city: Path, tmp_path: Path) -> None:
    file = tmp_path / "shown.csv"
    file.write_bytes(content([*good(2_001), bad(2_001, **{"服务时间（小时）": "两小时"})]))
    assert ingest(city, file).code == 1
    listed = tongdui_here("refusals", "volunteer", "--limit", "1000", "--state-dir", str(city), "--json").last["items"]
    [found] = [one for one in listed if one["file"] == "shown.csv"]
    assert (found["line"], found["field"], found["code"]) == (7, "quantity", "bad_number")
    assert found["reason_zh"]
    assert found["reason_en"]
    shown = json.dumps(listed, ensure_ascii=False)
    assert "两小时" not in shown
    assert "王秀英" not in shown


def test_the_same_record_in_two_files_counts_once(city: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_bytes(content(good(3_001)))
    second.write_bytes(content([*good(3_001)[3:], row(3_050)]))
    before = counted(city)["awaiting_link"]
    assert ingest(city, first).code == 0
    ended = ingest(city, second)
    assert ended.code == 1
    assert ended.last["deliveries"][0]["refusals"] == {"duplicate_record": 2}
    assert ended.last["counts"]["awaiting_link"] == before + 6
    again = ingest(city, second)
    assert again.last["deliveries"][0]["outcome"] == "exists"
    assert again.last["counts"]["records"] == ended.last["counts"]["records"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("issuers", "ingest", "volunteer", "nowhere.csv"), 3, "nowhere.csv does not exist"),
        (("issuers", "ingest", "volunteer"), 2, "--rest"),
        (("issuers", "ingest", "karma", "pyproject.toml"), 3, "karma"),
        (("issuers", "ingest", "volunteer", "pyproject.toml"), 3, "mapping"),
        (("issuers", "check", "pyproject.toml", "--mapping", "no.yaml", "--rules", "no.yaml"), 3, "no.yaml"),
        (("issuers", "explain", "0x12"), 2, "64"),
        (("issuers", "explain", "0x" + "00" * 32), 3, "grant"),
        (("issuers", "void", "volunteer", "999999", "--reason", "none"), 3, "no batch 999999"),
        (("signer", "serve", "nowhere"), 3, "signer.yaml"),
        (("refusals", "karma"), 3, "karma"),
        (("audit", "--rpc", "ftp://x"), 2, "http://"),
        (("audit", "--rpc", "http://127.0.0.1:1"), 2, "--deployment"),
        (("audit", "--deployment", "none.json"), 3, "none.json"),
        (("verify", "none.json"), 3, "none.json"),
        (("verify", "pyproject.toml"), 3, "not JSON"),
        (("token", "bob"), 2, "--role"),
        (("token", "bob", "--role", "king"), 2, "king"),
        (("token", "bob", "--scope", "everything"), 2, "everything"),
    ],
)
def test_wrong_input_is_one_line_and_an_exit_code(arguments: tuple[str, ...], code: int, says: str, city: Path) -> None:
    where = () if arguments[0] in ("verify", "signer") else ("--state-dir", str(city))
    ended = tongdui_here(*arguments, *where, "--json")
    assert ended.code == code, ended.err
    assert says in ended.last["error"]["message"]
    [line] = ended.err.strip().splitlines()
    assert line.startswith("error: ")


def test_a_file_where_the_state_should_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "city").write_text("no folder")
    for command in (("status",), ("demo",), ("deploy",)):
        ended = tongdui(*command, "--state-dir", str(tmp_path / "city"), "--json")
        assert ended.code == 3
        assert "city" in ended.last["error"]["message"]
        assert len(ended.err.strip().splitlines()) == 1


def test_a_setting_that_is_nonsense_is_named(tmp_path: Path) -> None:
    ended = tongdui("status", "--state-dir", str(tmp_path), "--json", TONGDUI_PORT="abc")
    assert ended.code == 3
    assert "TONGDUI_PORT" in ended.last["error"]["message"]


def test_a_node_that_is_not_there_is_unavailable(city: Path) -> None:
    deployment = city / "deployment.json"
    ended = tongdui("audit", "--rpc", "http://127.0.0.1:1", "--deployment", str(deployment), "--json")
    assert ended.code == 4, ended.err
    assert ended.last["ok"] is False


def test_a_city_in_use_is_unavailable_and_unharmed(city: Path) -> None:
    from filelock import FileLock

    with FileLock(city / "chain" / "engine.lock"):
        ended = tongdui("status", "--state-dir", str(city), "--json")
    assert ended.code == 4, ended.err
    assert tongdui("status", "--state-dir", str(city), "--json").code == 0
