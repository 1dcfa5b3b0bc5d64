"""The desk serves a resident without a phone: from the look-up to the slip to the goods; it needs no JavaScript."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.eventually import eventually
from tests.integration.ledger_api.served import Served
from tests.pages.browser import View
from tests.pages.conftest import Open
from tests.pages.staff import make_login, sign_in
from tests.pages.test_counter import SHOP, read_back

DOCUMENT, PIN = "510107194508152345", "592014"
VIEWS = [View(360, "large"), View(768, "normal", "en", "dark"), View(1280, "large", "en"), View(1280)]


@pytest.fixture(scope="module")
def desk(city: Served) -> Served:
    """A resident with points who never signs in, and two clerks of one desk."""
    _, resident = city.resident("grandmother", DOCUMENT)
    city.grant(resident["account"], 1, 90_000)
    make_login(city, "desk.chen", "desk:shuangnan")
    make_login(city, "desk.zhou", "desk:shuangnan")
    make_login(city, "till.sun", f"merchant:{SHOP}:till")
    supply = lambda: next(  # noqa: E731
        (one["amount"]["minor"] for one in wallet(city, resident["resident_id"])), ""
    )
    eventually(supply, lambda found: found == "90000")
    return city


def resident_id(city: Served) -> str:
    """Return the number on the resident's card."""
    found: str = city.resident("grandmother", DOCUMENT)[1]["resident_id"]
    return found


def wallet(city: Served, resident_id: str) -> list[dict[str, dict[str, str]]]:
    headers = city.token("looker", "desk:shuangnan")
    found: list[dict[str, dict[str, str]]] = city.get(f"/v1/desk/residents/{resident_id}/wallet", headers).json()[
        "lots"
    ]
    return found


def test_from_look_up_to_slip_to_goods_without_javascript(visit: Open, desk: Served) -> None:
    clerk = visit(View(1280), java_script_enabled=False)
    sign_in(clerk, "desk.chen")
    page = clerk.page
    page.goto("/desk")
    page.get_by_label("号码", exact=True).fill(DOCUMENT)
    page.get_by_role("button", name="查找").click()
    expect(page.get_by_text("900 积分")).to_be_visible()
    clerk.look("desk-resident")
    page.get_by_role("link", name="设新密码").click()
    page.get_by_label("新密码，六位数字").fill(PIN)
    page.get_by_label("再输一次").fill(PIN)
    page.get_by_role("button", name="设置密码").click()
    expect(page.get_by_text("密码已生效")).to_be_visible()
    card = page.url.split("/residents/")[1].split("/")[0]

    other = visit(View(360), java_script_enabled=False)
    sign_in(other, "desk.zhou")
    page = other.page
    page.goto("/desk")
    page.get_by_label("积分卡").check()
    page.get_by_label("号码", exact=True).fill(card)
    page.get_by_role("button", name="查找").click()
    page.get_by_role("link", name="大米 5 公斤").click()
    expect(page.get_by_text("140 积分")).to_be_visible()
    other.look("desk-offer")
    page.get_by_label("居民的六位密码").fill("111112")
    page.get_by_role("button", name="下单并打印凭条").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("居民的六位密码").fill(PIN)
    page.get_by_role("button", name="下单并打印凭条").click()
    expect(page.get_by_text("有效。请打印交给居民。")).to_be_visible(timeout=20_000)
    code = page.locator(".paper .code").inner_text()
    page.goto("/desk/queue")
    expect(page.get_by_text("已付款，待领取")).to_be_visible()

    till = visit(View(360))
    sign_in(till, "till.sun")
    page = till.go(f"/counter/{SHOP}")
    page.locator("#code").fill(code)
    page.get_by_role("button", name="查验").click()
    page.get_by_role("button", name="确认交货").click()
    expect(page.get_by_role("heading", name="已收款")).to_be_visible()
    other.page.goto("/desk/queue")
    expect(other.page.get_by_text("已领取")).to_be_visible()


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_desk_s_pages_in_pairs(visit: Open, desk: Served, view: View) -> None:
    visitor = visit(view)
    sign_in(visitor, "desk.chen")
    page = visitor.go("/desk")
    page.locator("#who").fill(DOCUMENT)
    page.locator("main form button.button").first.click()
    page.wait_for_url("**/desk/residents/*")
    home = page.url.removeprefix(desk.url)
    for name, path in {
        "find": "/desk",
        "resident": home,
        "offer": f"{home}/offers/rice-5kg",
        "exchange": f"{home}/exchange?source=1&target=4&amount=10",
        "pin": f"{home}/pin",
        "queue": "/desk/queue",
        "looks": "/desk/looks",
    }.items():
        visitor.go(path)
        visitor.look(f"desk-{name}")
        assert visitor.overflow() == 0, path
        assert visitor.axe() == [], path
        visitor.check()


def test_a_slip_is_read_back_from_paper(visit: Open, desk: Served) -> None:
    first, second = (desk.token(name, "desk:shuangnan") for name in ("clerk-1", "clerk-2"))
    wish = {"resident_id": resident_id(desk), "offer": "eggs-10", "quantity": 1}
    approval = desk.post("/v1/desk/approvals", wish, second).json()["approval_id"]
    proof = {"kind": "second_clerk", "approval_id": approval}
    placed = desk.post("/v1/desk/orders", {**wish, "proof": proof}, first)
    assert placed.status_code == 202, placed.text
    visitor = visit(View(1280))
    sign_in(visitor, "desk.zhou")
    page = visitor.go(f"/desk/slips/{placed.json()['slip']['slip_id']}")
    expect(page.locator(".paper .qr")).to_be_visible()
    code = page.locator(".paper .code").inner_text().replace("-", "")
    assert visitor.axe() == []
    found = read_back(visitor)
    assert found["text"] == f"TONGDUI:{code}"
    assert isinstance(found["mm"], float)
    assert found["mm"] >= 25
    visitor.look("paper-slip")
