"""A shop's shift: gun, six digits and camera; PAID; a payment in doubt that is found again; a refund; the books."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.eventually import eventually
from tests.integration.ledger_api.served import Served
from tests.pages.browser import View, Visitor, launch
from tests.pages.conftest import Open
from tests.pages.staff import film, make_login, sign_in

SHOP = 1
STAFF = {"till.zhang": f"merchant:{SHOP}:till", "back.li": f"merchant:{SHOP}:refunds", "boss.zhao": f"merchant:{SHOP}"}
VIEWS = [
    View(360),
    View(360, "large", "en", "dark"),
    View(768, "large"),
    View(1280, "normal", "en", "dark"),
]


@pytest.fixture(scope="module")
def shop(city: Served) -> Served:
    for name, scope in STAFF.items():
        make_login(city, name, scope)
    return city


def sale(city: Served, offer: str = "noodles-1kg", mode: str = "redeem", *, is_final: bool = True) -> dict[str, str]:
    """Buy as a resident with the API; return the order and the code on the resident's screen."""
    headers, _ = city.resident("wang", "510107195403071234")
    placed = city.post("/v1/redemptions", {"offer": offer, "mode": mode}, headers)
    assert placed.status_code == 202, placed.text
    order_id = placed.json()["order_id"]
    if is_final:
        city.wait(order_id, headers)
    slip = city.post(f"/v1/redemptions/{order_id}/code", None, headers).json()
    code: dict[str, str] = city.get(f"/v1/slips/{slip['slip_id']}", headers).json()
    return {"order_id": order_id, **code}


def at_counter(visit: Open, view: View | None = None, name: str = "till.zhang", **options: object) -> Visitor:
    visitor = visit(view or View(360), **options)
    sign_in(visitor, name)
    visitor.go(f"/counter/{SHOP}")
    return visitor


def test_a_scanner_gun_types_and_a_tap_hands_over(visit: Open, shop: Served) -> None:
    bought = sale(shop)
    visitor = at_counter(visit)
    page = visitor.page
    expect(page.locator("#code")).to_be_focused()
    page.keyboard.type(bought["qr_content"])
    page.keyboard.press("Enter")
    expect(page.get_by_text("可以交货")).to_be_visible()
    visitor.look("counter-check")
    page.get_by_role("button", name="确认交货").click()
    expect(page.get_by_role("heading", name="已收款")).to_be_visible()
    expect(page.get_by_text("8.00 元")).to_be_visible()
    visitor.look("counter-paid")
    assert visitor.axe() == []
    assert visitor.overflow() == 0
    page.mouse.click(20, 20)
    expect(page.locator("#code")).to_be_focused()
    expect(page.get_by_text("已收款，已交货").first).to_be_visible()


def test_six_digits_work_without_javascript(visit: Open, shop: Served) -> None:
    bought = sale(shop)
    page = at_counter(visit, java_script_enabled=False).page
    page.locator("#code").fill(bought["digits"])
    page.get_by_role("button", name="查验").click()
    page.get_by_role("button", name="确认交货").click()
    expect(page.get_by_role("heading", name="已收款")).to_be_visible()
    page.get_by_role("link", name="点一下继续").click()
    expect(page.locator("#code")).to_be_visible()


def test_a_payment_in_doubt_is_found_after_a_reload(visit: Open, shop: Served) -> None:
    """The page is reloaded while the hold that was handed over is still being captured."""
    bought = sale(shop, mode="hold")
    page = at_counter(visit).page
    page.locator("#code").fill(bought["code"])
    page.get_by_role("button", name="查验").click()
    page.get_by_role("button", name="确认交货").click()
    page.reload()
    page.goto(f"/counter/{SHOP}")
    line = page.locator(f'a[href$="{bought["order_id"]}"]')
    expect(line).to_be_visible()
    eventually(lambda: page.reload() and line.inner_text(), lambda text: "已收款，已交货" in text)
    page.locator("#code").fill(bought["code"])
    page.get_by_role("button", name="查验").click()
    expect(page.get_by_role("alert")).to_be_visible()


def test_a_refund_takes_two_taps_and_its_own_right(visit: Open, shop: Served) -> None:
    bought = sale(shop)
    till = at_counter(visit)
    till.go(f"/counter/{SHOP}/sales/{bought['order_id']}")
    expect(till.page.get_by_role("link", name="退还")).to_have_count(0)
    visitor = at_counter(visit, name="back.li")
    page = visitor.page
    page.goto(f"/counter/{SHOP}/sales/{bought['order_id']}")
    page.get_by_role("link", name="退还").click()
    visitor.look("counter-refund")
    assert visitor.axe() == []
    page.get_by_role("button", name="商品有问题").click()
    eventually(lambda: page.reload() and page.locator("main").inner_text(), lambda text: "已退还" in text)


def test_part_of_a_hold_is_kept(visit: Open, shop: Served) -> None:
    bought = sale(shop, mode="hold")
    page = at_counter(visit).page
    page.goto(f"/counter/{SHOP}/sales/{bought['order_id']}")
    page.get_by_label("商户收取（元）").fill("5")
    page.get_by_role("button", name="收取这一部分").click()
    eventually(lambda: page.reload() and page.locator("main").inner_text(), lambda text: "已付款，未交货" in text)
    expect(page.get_by_text("5.00 元").first).to_be_visible()


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_shops_pages_in_pairs(visit: Open, shop: Served, view: View) -> None:
    bought = sale(shop)
    visitor = at_counter(visit, view, "boss.zhao")
    sales = f"/counter/{SHOP}/sales/{bought['order_id']}"
    paths = ("", "/shift", "/takings", "/offers", "/offers/rice-5kg", "/statement")
    for path in (*(f"/counter/{SHOP}{one}" for one in paths), sales, f"{sales}/refund"):
        visitor.go(path)
        visitor.look(
            "counter-" + (path.split("/")[3] if path.count("/") > 2 else "till") + ("-r" if "refund" in path else "")
        )
        assert visitor.overflow() == 0, path
        assert visitor.axe() == [], path
        visitor.check()


def test_the_camera_reads_a_customer_s_screen(browser: Browser, shop: Served, tmp_path: Path) -> None:
    bought = sale(shop)
    seen = film(tmp_path / "screen.y4m", bought["qr_content"])
    launched = launch(
        browser.browser_type,
        f"--use-file-for-fake-video-capture={seen}",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    )
    visitor = Visitor.open(launched, shop.url, View(360), permissions=["camera"])
    try:
        sign_in(visitor, "till.zhang")
        page = visitor.go(f"/counter/{SHOP}")
        page.get_by_role("button", name="打开摄像头").click()
        expect(page.get_by_text("可以交货")).to_be_visible(timeout=20_000)
        page.get_by_role("button", name="确认交货").click()
        expect(page.get_by_role("heading", name="已收款")).to_be_visible()
        visitor.check()
    finally:
        visitor.close()
        launched.close()


def test_a_photo_without_a_code_is_said_to_have_none(visit: Open, shop: Served) -> None:
    page = at_counter(visit).page
    blank = {"name": "blank.png", "mimeType": "image/png", "buffer": page.screenshot()}
    page.locator("[data-photo]").set_input_files(blank)
    expect(page.get_by_text("照片里没有认出码")).to_be_visible(timeout=20_000)
    page.locator("[data-photo]").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_text("照片里没有认出码")).to_be_visible()


def test_a_camera_that_is_refused_leaves_the_field(visit: Open, shop: Served) -> None:
    page = at_counter(visit).page
    page.get_by_role("button", name="打开摄像头").click()
    expect(page.get_by_text("这里用不了摄像头")).to_be_visible()
    expect(page.locator("#code")).to_be_visible()


READ_BACK = """async ([selector, script]) => {
  const { default: jsQR } = await import(script);
  const drawn = document.querySelector(selector);
  const box = drawn.getBoundingClientRect();
  const picture = new Image();
  picture.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(drawn))}`;
  await picture.decode();
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 700;
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, 700, 700);
  context.translate(350, 350);
  context.rotate(6 * Math.PI / 180);
  context.filter = 'blur(2px)';
  context.drawImage(picture, -280, -280, 560, 560);
  const { data } = context.getImageData(0, 0, 700, 700);
  return { text: jsQR(data, 700, 700)?.data, mm: box.width / 96 * 25.4 };
}"""


def read_back(visitor: Visitor) -> dict[str, object]:
    """Return what a decoder reads of the page's printed code after blur and a turn of 6 degrees, and its width."""
    visitor.page.emulate_media(media="print")
    digest = visitor.page.locator('link[href*="/assets/"]').first.get_attribute("href").split("/")[2]  # type: ignore[union-attr]
    found: dict[str, object] = visitor.page.evaluate(READ_BACK, [".paper .qr", f"/assets/{digest}/jsqr.js"])
    return found


def test_a_fixed_code_is_read_back_from_paper(visit: Open, shop: Served) -> None:
    visitor = at_counter(visit, View(1280), "boss.zhao")
    visitor.go(f"/counter/{SHOP}/offers/rice-5kg")
    found = read_back(visitor)
    assert found["text"] == f"{shop.url}/o/rice-5kg"
    assert isinstance(found["mm"], float)
    assert found["mm"] >= 25
    visitor.look("paper-code")


def test_without_a_network_the_counter_says_that_it_cannot_confirm(visit: Open, shop: Served) -> None:
    visitor = at_counter(visit)
    page = visitor.page
    page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    visitor.context.set_offline(True)
    page.locator("#code").fill("123456")
    page.get_by_role("button", name="查验").click()
    expect(page.get_by_role("heading", name="没有网络")).to_be_visible()
    expect(page.get_by_text("先不要交货")).to_be_visible()
    visitor.look("counter-offline")
    assert visitor.axe() == []
    visitor.context.set_offline(False)
    page.get_by_role("link").click()
    expect(page.locator("#code")).to_be_visible()
    visitor.complaints.clear()  # that there was no network is an error to the console
