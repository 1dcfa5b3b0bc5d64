"""The public book: sums and rules for everybody, one order by its full id, and nothing of anybody."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.standard.contract import REJECTION_CODES, rejection_word
from ledger_api.pages.shell.words import load
from ledger_api.ports import Check, InvariantReport, OrderOnChain
from tests.unit.ledger_api.api import Api
from tongdui.invariants import _GROUPS

ORDER = "0x" + "ab" * 32


def outcome(code: int = 0, kind: str = "redeem") -> OrderOnChain:
    return OrderOnChain(kind, code, None if code else 1_250, 6, b"\1" * 32, b"\2" * 32)


def test_the_book_shows_programmes_with_the_funding_behind_them(people: Any) -> None:
    page = people.get("/book").text
    assert "志愿服务" in page
    assert "所有净头寸之和" in page
    assert "<svg" in page
    assert "<table>" in page


def test_a_broken_rule_is_said_in_words_with_its_age(api: Api, people: Any) -> None:
    api.report = InvariantReport(7, api.world.now - 7_200, (Check("supply", True, ""), Check("position", False, "1")))
    page = people.get("/book").text
    assert "有规则不成立，正在处理" in page
    assert "第 7 个区块，2 小时前" in page
    assert "所有净头寸之和为零：不成立" in page


def test_every_rule_that_is_checked_has_words(people: Any) -> None:
    texts = load("en").texts
    for name, _ in (*_GROUPS, ("alarm", "")):
        assert f"check_names.{name}" in texts


def test_every_rejection_has_words() -> None:
    for code in REJECTION_CODES:
        assert f"order.reasons.{rejection_word(code)}" in load("en").texts


def test_a_programme_shows_its_lots_batches_and_flows(people: Any) -> None:
    page = people.get("/book/programmes/1").text
    for words in ("从哪里来，到哪里去", "批次与到期", "发放批", "可以在商户兑付"):
        assert words in page


def test_an_order_is_found_by_its_full_id_without_account_and_lots(api: Api, people: Any) -> None:
    api.chain.orders[bytes.fromhex(ORDER[2:])] = outcome()
    answer = people.get("/book/orders", params={"id": f" {ORDER.upper().replace('X', 'x')} "})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/book/orders/{ORDER}")
    page = people.get(answer.headers["location"]).text
    assert "已完成" in page
    assert "12.50 元" in page
    assert page.count("0x") == page.count(ORDER) + 1  # what is said of ids; no account, no other hash


def test_a_rejected_order_says_why(api: Api, people: Any) -> None:
    api.chain.orders[bytes.fromhex(ORDER[2:])] = outcome(code=8)
    page = people.get(f"/book/orders/{ORDER}").text
    assert "未执行" in page
    assert "积分不够" in page


def test_an_unknown_order_says_up_to_where_was_looked(people: Any) -> None:
    page = people.get(f"/book/orders/{ORDER}").text
    assert "链上没有这条指令" in page
    assert "到第 7 个区块为止" in page


@pytest.mark.parametrize("given", ["5", "0x12", ORDER[:-1], ORDER + "0", "<script>alert(1)</script>"])
def test_a_part_of_an_id_finds_nothing_and_is_shown_as_text(people: Any, given: str) -> None:
    answer = people.get("/book/orders", params={"id": given})
    assert answer.status_code == 422
    assert "请改正以下内容" in answer.text
    assert "<script>" not in answer.text
