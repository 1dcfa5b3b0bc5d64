"""The wallet as a resident uses it, from the first sign-in to a refund: without JavaScript, and with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Page, expect

from ledger_api.pages.shell.preferences import SIZES
from tests.eventually import eventually
from tests.integration.ledger_api.served import Served
from tests.integration.ledger_api.test_issuing import GREEN, row
from tests.pages.browser import View, Visitor
from tests.pages.conftest import Open
from tests.pages.test_public import LEAST, PAIRWISE, measures

PASSWORD = "rice, noodles and eggs"
OFFER = "metro-single"
PAGES = (
    "/wallet",
    "/wallet/shop",
    f"/wallet/shop/{OFFER}",
    f"/wallet/shop/{OFFER}/check?quantity=1&programme=2&mode=redeem",
    "/wallet/exchange",
    "/wallet/exchange/check?from=2&to=4&amount=20",
    "/wallet/orders",
    "/wallet/history",
    "/wallet/earned",
    "/wallet/links",
    "/wallet/mine",
    "/wallet/mine/pin",
    "/wallet/mine/erase",
    "/account",
)


def join(visitor: Visitor, name: str, document: str) -> Page:
    """Make a login and become a resident, by the pages' own forms."""
    page = visitor.go("/join")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("main form button").click()
    page.locator("#document_number").fill(document)
    page.locator("main form button").click()
    expect(page).to_have_url(re.compile("/wallet/links"))
    return page


def sign_in(visitor: Visitor, name: str) -> Page:
    page = visitor.go("/sign-in")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("main form button").click()
    expect(page).to_have_url(re.compile("/wallet"))
    return page


def link(page: Page, source: str) -> None:
    page.goto("/wallet/links")
    page.locator("#programme").select_option(str(GREEN))
    page.locator("#source_id").fill(source)
    page.locator("main form.stack button").click()
    expect(page.get_by_role("status")).to_be_visible()


def earn(city: Served, folder: Path, source: str) -> None:
    """Let the agency's record of 12 kg of paper come in."""
    path = folder / f"{source}.jsonl"
    path.write_text(row(f"REC-{source[-4:]}", "RECYCLE-PAPER", "12", user=source) + "\n")
    report = city.city.issuers.ingest_file(GREEN, path)
    assert not report.refusals, report


def wait_for(page: Page, path: str, text: str) -> None:
    """Look again, as somebody without JavaScript would, until a page says something."""

    def shown() -> str:
        page.goto(path)
        return page.locator("main").inner_text()

    eventually(shown, lambda found: text in found, timeout_s=30)


def pay(page: Page) -> str:
    """Buy a ticket with green points and return the order's address."""
    page.goto(f"/wallet/shop/{OFFER}")
    page.locator("input[name=programme][value='2']").check()
    page.locator("main form.stack button").click()
    page.get_by_role("button", name="确认支付").click()
    expect(page).to_have_url(re.compile("/wallet/orders/0x"))
    return page.url


def shop_of(city: Served) -> tuple[int, dict[str, str]]:
    offers = city.get("/v1/offers", limit=100).json()["items"]
    [merchant] = [one["merchant"] for one in offers if one["offer_id"] == OFFER]
    return merchant, city.token("owner", f"merchant:{merchant}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


def test_from_joining_to_a_refund_without_javascript(visit: Open, city: Served, folder: Path) -> None:
    visitor = visit(View(360), java_script_enabled=False)
    page = join(visitor, "xiuying", "510107195403072222")
    link(page, "zd_00000001")
    earn(city, folder, "zd_00000001")
    wait_for(page, "/wallet", "120")
    # See why.
    page.goto("/wallet/earned")
    page.get_by_role("link", name="为什么？").first.click()
    expect(page.get_by_role("heading", name="怎么算出来的")).to_be_visible()
    wait_for(page, page.url, "保存回执")
    # Exchange, with rounding and expiry shown first.
    page.goto("/wallet/exchange")
    page.locator("#to").select_option("4")
    page.locator("#amount").fill("20")
    page.get_by_role("button", name="看看能换多少").click()
    expect(page.get_by_text("互换不改变到期日")).to_be_visible()
    page.get_by_role("button", name="确认互换").click()
    wait_for(page, page.url, "已完成")
    # Pay: choose, check, confirm; the page waits by itself.
    order = pay(page)
    expect(page.get_by_role("button", name="出示兑换码")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="出示兑换码").click()
    code = page.locator(".code-text").first.inner_text()
    # The shop hands over, and later gives the points back.
    merchant, owner = shop_of(city)
    answer = city.post(f"/v1/merchants/{merchant}/codes", {"code": code}, owner)
    assert answer.status_code in (200, 202), answer.text
    expect(page.get_by_role("heading", name="已取货")).to_be_visible(timeout=30_000)
    number = order.rpartition("/")[2]
    body = {"keep_fen": "0", "reason": "brought back unused"}
    answer = city.post(f"/v1/merchants/{merchant}/orders/{number}/refund", body, owner)
    assert answer.status_code == 202, answer.text
    wait_for(page, order, "已退还")
    page.goto("/wallet/history")
    expect(page.get_by_text("退还", exact=True).first).to_be_visible()
    # Leave.
    page.get_by_role("button", name="退出").click()
    page.goto("/wallet")
    expect(page).to_have_url(re.compile("/sign-in"))


@pytest.fixture(scope="module")
def rider(browser: Any, city: Served) -> str:
    """A resident with points, who has bought something; returns the login's name."""
    visitor = Visitor.open(browser, city.url, View())
    page = join(visitor, "rider", "510107199901013333")
    page.goto("/wallet/mine")
    account = page.locator("main p.mono").inner_text()
    for programme in (GREEN, 4, 5):
        city.grant(account, programme, 123_456)
    wait_for(page, "/wallet", "61.72 元")
    page.goto(pay(page))
    expect(page.get_by_role("button", name="出示兑换码")).to_be_visible(timeout=30_000)
    visitor.check()
    visitor.close()
    return "rider"


def test_with_javascript_an_order_shows_its_end_by_itself(visit: Open, rider: str) -> None:
    visitor = visit(View(768))
    page = sign_in(visitor, rider)
    pay(page)
    expect(page.get_by_role("button", name="出示兑换码")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="出示兑换码").click()
    expect(page.locator(".code .qr")).to_be_visible()
    visitor.look("wallet-code")
    assert visitor.axe() == []
    assert visitor.overflow() == 0


@pytest.mark.parametrize("view", PAIRWISE, ids=str)
def test_the_wallet_in_pairs_of_views(visit: Open, rider: str, view: View) -> None:
    visitor = visit(view)
    sign_in(visitor, rider)
    for path in PAGES:
        visitor.go(path)
        visitor.look(f"own-{re.sub(r'[^a-z]+', '-', path.partition('?')[0].strip('/'))}")
        assert visitor.overflow() == 0, path
        assert visitor.axe() == [], path
        visitor.check()


@pytest.mark.parametrize("path", ["/wallet", "/wallet/shop", "/wallet/exchange/check?from=2&to=4&amount=20"])
def test_the_edition_for_the_elderly_keeps_its_numbers_in_the_wallet(visit: Open, rider: str, path: str) -> None:
    visitor = visit(View(360))
    sign_in(visitor, rider)
    for size in SIZES:
        visitor.context.add_cookies([{"name": "tongdui_size", "value": size, "url": visitor.url}])
        found = measures(visitor.go(path))
        least_type, least_target = LEAST[size]
        assert found["type"] >= least_type, size
        assert found["line"] >= 1.5, size
        assert found["target"] >= least_target, size
        assert found["broken"] == [], size
        assert visitor.overflow() == 0, size


def test_two_browsers_know_nothing_of_each_other_and_signing_out_ends_only_one(visit: Open, rider: str) -> None:
    phone, computer = visit(View(360)), visit()
    first, second = sign_in(phone, rider), sign_in(computer, rider)
    stranger = visit()
    stranger.go("/wallet")
    expect(stranger.page).to_have_url(re.compile(r"/sign-in\?next=%2Fwallet"))
    first.get_by_role("button", name="退出").click()
    first.goto("/wallet")
    expect(first).to_have_url(re.compile("/sign-in"))
    second.goto("/wallet")
    expect(second.get_by_role("heading", name="我的钱包", level=1)).to_be_visible()


def test_a_stolen_or_replayed_form_does_nothing(visit: Open, rider: str) -> None:
    """With another's token it is refused; sent twice it is one order."""
    visitor, thief = visit(), visit()
    page = sign_in(visitor, rider)
    page.goto(f"/wallet/shop/{OFFER}/check?quantity=1&programme=2&mode=hold")
    fields = page.evaluate("Object.fromEntries(new FormData(document.querySelector('main form.stack')))")
    path = f"/wallet/shop/{OFFER}/pay"
    join(thief, "thief", "510107199901014444")
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert thief.context.request.post(path, form=fields, headers=headers).status == 403
    away = {"Sec-Fetch-Site": "cross-site"}
    assert visitor.context.request.post(path, form=fields, headers=away).status == 403
    answers = [visitor.context.request.post(path, form=fields, headers=headers, max_redirects=0) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]


def test_without_a_network_the_wallet_shows_what_it_last_knew_if_one_asked_for_that(visit: Open, rider: str) -> None:
    visitor = visit(View(360))
    page = sign_in(visitor, rider)
    expect(page.locator("[data-offline]")).to_be_hidden()
    page.goto("/wallet/mine")
    page.get_by_role("button", name="存在这部手机上").click()
    expect(page.get_by_role("heading", name="我的钱包", level=1)).to_be_visible()
    page.goto("/wallet")  # through the worker, which keeps it
    visitor.context.set_offline(True)
    page.goto("/wallet")
    expect(page.locator("[data-offline]")).to_be_visible()
    expect(page.get_by_role("heading", name="各项目的积分")).to_be_visible()
    visitor.context.set_offline(False)
    page.goto("/wallet")
    page.get_by_role("button", name="退出").click()
    expect(page).to_have_url(re.compile("/$"))
    visitor.context.set_offline(True)
    with pytest.raises(Error):
        page.goto("/wallet")
    visitor.context.set_offline(False)
    visitor.complaints.clear()  # the browser says of each missing answer that it is missing
