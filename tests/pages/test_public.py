"""The pages that everybody can open, in every language, size, colour and width."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ledger_api.pages.shell.preferences import SIZES
from tests.integration.ledger_api.served import Served
from tests.pages.browser import View
from tests.pages.conftest import Open

WIDTHS = (360, 768, 1280)
EVERY = [View(*one) for one in itertools.product(WIDTHS, ("normal", "large"), ("zh-CN", "en"), ("light", "dark"))]
MAIN = ("/", "/book")
REST = ("/book/programmes/2", "/book/orders", "/book/orders?id=5", "/help", "/nowhere")
PAIRWISE = [
    View(360, "normal", "zh-CN", "light"),
    View(360, "large", "en", "dark"),
    View(768, "large", "zh-CN", "dark"),
    View(768, "normal", "en", "light"),
    View(1280, "large", "en", "light"),
    View(1280, "normal", "zh-CN", "dark"),
]


def name_of(path: str) -> str:
    return path.strip("/").replace("/", "-").replace("?", "-").replace("=", "-") or "first"


@pytest.mark.parametrize("view", EVERY, ids=str)
def test_main_pages_in_every_view(visit: Open, view: View) -> None:
    visitor = visit(view)
    for path in MAIN:
        visitor.go(path)
        visitor.look(name_of(path))
        assert visitor.overflow() == 0, path
        assert visitor.axe() == [], path
        visitor.check()


@pytest.mark.parametrize("view", PAIRWISE, ids=str)
def test_the_other_pages_in_pairs(visit: Open, city: Served, view: View) -> None:
    visitor = visit(view)
    for path in (*REST, f"/book/orders/{city.orders[0]}"):
        visitor.go(path)
        visitor.look(name_of(path)[:24])
        assert visitor.overflow() == 0, path
        assert visitor.axe() == [], path
        visitor.check()


MEASURES = """() => {
  const px = (element, name) => parseFloat(getComputedStyle(element)[name]);
  const all = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.getClientRects().length > 0);
  const texts = all('main p, main li, main dd, main dt, main td');
  const lines = texts.filter((one) => !one.matches('.figure, .sign'));
  const targets = all('button, .button, .main-nav a, .help, main input, summary');
  const boxes = targets.map((one) => one.getBoundingClientRect());
  const isBroken = (one) => one.getClientRects().length > 1 || one.scrollWidth > one.clientWidth + 1
    || one.getBoundingClientRect().height > 2 * px(one, 'lineHeight') - 1
    || one.getBoundingClientRect().right > document.documentElement.clientWidth;
  return {
    type: Math.min(...texts.map((one) => px(one, 'fontSize'))),
    line: Math.min(...lines.map((one) => px(one, 'lineHeight') / px(one, 'fontSize'))),
    target: Math.min(...boxes.map((box) => Math.min(box.height, box.width))),
    broken: all('.amount, .figure').filter(isBroken).map((one) => one.textContent),
  };
}"""
LEAST = {"normal": (15, 44), "large": (18, 60), "larger": (24, 60), "largest": (30, 60)}
"""Pixels of type and of a target, by size."""


def measures(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(MEASURES)
    return found


@pytest.mark.parametrize("path", [*MAIN, "/book/programmes/2"])
def test_the_edition_for_the_elderly_keeps_its_numbers(visit: Open, path: str) -> None:
    """18 px and more, up to 30 by the size control; lines of 1.5; targets of 60 px; no money cut or broken."""
    for size in SIZES:
        visitor = visit(View(360, size))
        found = measures(visitor.go(path))
        least_type, least_target = {"normal": (15, 44), "large": (18, 60), "larger": (24, 60), "largest": (30, 60)}[
            size
        ]
        assert found["type"] >= least_type, size
        assert found["line"] >= 1.5, size
        assert found["target"] >= least_target, size
        assert found["broken"] == [], size
        assert visitor.overflow() == 0, size
        visitor.look(f"size-{name_of(path)}")


@pytest.mark.parametrize("width", [480, 768, 1152])
def test_no_money_is_cut_where_cards_stand_side_by_side(visit: Open, width: int) -> None:
    for size in SIZES:
        visitor = visit(View(width, size))
        for path in ("/", "/book/programmes/2"):
            assert measures(visitor.go(path))["broken"] == [], (size, path)
            assert visitor.overflow() == 0, (size, path)


def test_size_and_language_are_chosen_by_hand_and_kept(visit: Open) -> None:
    visitor = visit()
    page = visitor.go("/book")
    page.get_by_role("button", name="长辈版").click()
    expect(page.locator("html")).to_have_class("size-large")
    page.get_by_role("button", name="大一点").click()
    expect(page.locator("html")).to_have_class("size-larger")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url.endswith("/book")
    page.get_by_role("link", name="Home").click()
    expect(page.locator("html")).to_have_class("size-larger")
    page.get_by_role("button", name="Normal type").click()
    expect(page.locator("html")).to_have_class("size-normal")


def test_everything_works_without_javascript(visit: Open, city: Served) -> None:
    visitor = visit(java_script_enabled=False)
    page = visitor.page
    page.goto("/")
    page.get_by_role("link", name="看公开账本").click()
    page.get_by_role("link", name="绿色环保").first.click()
    expect(page.get_by_text("从哪里来，到哪里去")).to_be_visible()
    page.goto("/book/orders")
    page.get_by_label("指令编号").fill(city.orders[0])
    page.get_by_role("button", name="查询").click()
    expect(page.get_by_role("heading", name="已完成")).to_be_visible()
    expect(page.get_by_text("互换", exact=True)).to_be_visible()


def test_the_book_adds_up(visit: Open) -> None:
    """What came, less what went, is what is outstanding, as the page itself shows it."""
    page = visit().go("/book/programmes/2")
    rows = page.locator("table.sum tr").all()
    signed = [(row.locator("td").first.inner_text(), row.locator("td").last.inner_text()) for row in rows]
    minor = [round(float(text.replace(",", "")) * 100) * (-1 if sign == "−" else 1) for sign, text in signed]
    assert sum(minor[:-1]) == minor[-1] > 0


def test_one_s_choice_is_worth_nothing_in_another_browser(visit: Open) -> None:
    visit().go("/").get_by_role("button", name="长辈版").click()
    expect(visit().go("/").locator("html")).to_have_class("size-normal")


def test_another_site_can_neither_frame_a_page_nor_send_its_forms(visit: Open, city: Served) -> None:
    visitor = visit()
    page = visitor.page
    port = city.url.rpartition(":")[2]
    elsewhere = f"http://localhost:{port}"
    page.route(
        "**/attack",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f'<iframe src="{city.url}/book"></iframe><form method="post" action="{city.url}/preferences">'
            '<input name="size" value="largest"><button>go</button></form>',
        ),
    )
    page.goto(f"{elsewhere}/attack")
    assert [frame.url for frame in page.frames[1:]] in ([], ["chrome-error://chromewebdata/"])
    page.get_by_role("button", name="go").click()
    expect(page.get_by_text("表单不是由本页面提交的")).to_be_visible()
    expect(visitor.page.locator("html")).to_have_class("size-normal")
    visitor.complaints.clear()  # the attacker's page broke our policy, as it should
