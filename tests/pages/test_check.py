"""A sceptic checks a receipt and a forged one: on the page, by file, and with the saved page and no network."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.integration.ledger_api.served import Served
from tests.pages.browser import View
from tests.pages.conftest import Open
from tests.pages.test_public import PAIRWISE

UNSEALED = "回执自洽，但未经签封"


@pytest.fixture(scope="module")
def receipt(city: Served) -> dict[str, Any]:
    headers = city.token("wang", "resident:self")
    answer = city.get(f"/v1/orders/{city.orders[0]}/receipt", headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def forged(receipt: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(receipt)
    changed["event"]["args"]["fen"] = "99999999"
    return changed


def paste(page: Page, content: str) -> None:
    page.get_by_label("或者粘贴回执内容").fill(content)
    page.get_by_role("button", name="核验").click()


def test_a_receipt_holds_and_the_page_says_what_it_proves(visit: Open, receipt: dict[str, Any]) -> None:
    visitor = visit(View(360))
    page = visitor.go("/check")
    paste(page, json.dumps(receipt))
    expect(page.get_by_role("heading", name=UNSEALED)).to_be_visible()
    expect(page.get_by_text("对怀疑运营方的人，它证明不了什么")).to_be_visible()
    expect(page.locator("#fact-order")).to_have_text(receipt["event"]["args"]["orderId"])
    expect(page.locator("li.good")).to_have_count(4)
    expect(page.locator('[data-step="seals"]')).to_contain_text("没有可信的多数签封")
    assert visitor.axe() == []
    assert visitor.overflow() == 0
    visitor.look("check-holds")


def test_a_forged_receipt_fails_at_the_step_that_was_forged(visit: Open, receipt: dict[str, Any]) -> None:
    visitor = visit(View(768, "large"))
    page = visitor.go("/check")
    paste(page, json.dumps(forged(receipt)))
    expect(page.get_by_role("heading", name="回执不成立")).to_be_visible()
    expect(page.locator('[data-failed="path"]')).to_be_visible()
    expect(page.locator("#detail")).to_contain_text("event.args: fen: the proof says 100, the receipt 99999999")
    expect(page.locator('[data-step="header"] [data-state="holds"]').last).to_be_visible()
    expect(page.locator('[data-step="seals"] [data-state="open"]').last).to_be_visible()
    assert visitor.axe() == []
    visitor.look("check-forged")
    paste(page, "hello")
    expect(page.locator('[data-failed="format"]')).to_be_visible()


def test_a_file_is_checked_and_nothing_is_sent(visit: Open, receipt: dict[str, Any], tmp_path: Path) -> None:
    visitor = visit()
    page = visitor.go("/check")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(receipt), encoding="utf-8")
    page.get_by_label("选择回执文件").set_input_files(path)
    expect(page.get_by_role("heading", name=UNSEALED)).to_be_visible()
    assert [url for url in sent if "/assets/" not in url] == []


def test_the_saved_page_runs_from_a_disk_without_a_network(
    visit: Open, receipt: dict[str, Any], tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.go("/check")
    with page.expect_download() as started:
        page.get_by_role("link", name="保存核验页").click()
    kept = tmp_path / "kept.html"
    started.value.save_as(kept)
    visitor.context.set_offline(True)
    page.goto(kept.as_uri())
    paste(page, json.dumps(receipt))
    expect(page.get_by_role("heading", name=UNSEALED)).to_be_visible()
    paste(page, json.dumps(forged(receipt)))
    expect(page.get_by_role("heading", name="回执不成立")).to_be_visible()
    visitor.look("check-saved")


def test_without_javascript_the_page_names_the_command(visit: Open) -> None:
    page = visit(java_script_enabled=False).go("/check")
    expect(page.get_by_text("tongdui verify receipt.json")).to_be_visible()


@pytest.mark.parametrize("view", PAIRWISE, ids=str)
def test_the_checker_in_pairs_of_views(visit: Open, view: View) -> None:
    visitor = visit(view)
    visitor.go("/check")
    visitor.look("check")
    assert visitor.overflow() == 0
    assert visitor.axe() == []
