from __future__ import annotations

from datetime import datetime

from lxml import etree, html

from ledger.standard.civil_time import CITY_TZ
from redemption.slips import SlipContent, SlipLine, qr_svg, slip_html

EXPIRES = int(datetime(2026, 11, 27, 18, 30, tzinfo=CITY_TZ).timestamp())


def content(title: str = "大米 5 公斤") -> SlipContent:
    return SlipContent(
        code="7K2QF9XM4D",
        order_id="0x" + "11" * 32,
        merchant_zh="红旗粮油店",
        merchant_en="Hongqi Grocery",
        address_zh="人民南路 1 号",
        address_en="1 Renmin South Road",
        title_zh=title,
        title_en="Rice, 5 kg",
        quantity=2,
        lines=[SlipLine("志愿服务", "Volunteering", "140.00")],
        expires_at=EXPIRES,
    )


def test_a_slip_says_all_that_both_sides_need() -> None:
    text = html.fromstring(slip_html(content())).text_content()
    for part in ("大米 5 公斤 × 2", "红旗粮油店", "7K2QF-9XM4D", "140.00 积分", "2026-11-27 18:30", "0x1111"):
        assert part in text


def test_a_slip_asks_the_network_for_nothing() -> None:
    page = html.fromstring(slip_html(content()))
    assert not page.xpath("//script | //link | //img | //iframe")
    assert "http" not in slip_html(content()).replace("http://www.w3.org/2000/svg", "")


def test_a_merchants_text_cannot_become_markup() -> None:
    page = slip_html(content("<script>alert(1)</script>"))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_code_is_drawn_as_svg_with_a_quiet_zone() -> None:
    svg = etree.fromstring(qr_svg("7K2QF9XM4D"))
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    # Version 1 has 21 modules, and four of quiet zone on each side, at six units a module.
    assert svg.get("width") == str((21 + 8) * 6)
