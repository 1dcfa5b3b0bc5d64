"""The printed slip: one page a resident without a phone takes to the merchant. Large type, Chinese first, English below.

Self-contained HTML with the QR code as inline SVG: it prints on any machine and asks the network for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from io import BytesIO

import segno

from ledger.standard.quarters import CITY_TZ
from redemption.codes import QR_PREFIX, grouped


@dataclass(frozen=True, slots=True)
class SlipLine:
    """What was taken from one programme, in points as text (``12.50``)."""

    programme_zh: str
    programme_en: str
    points: str


@dataclass(frozen=True, slots=True)
class SlipContent:
    """All that a slip says. There is no name and no account on it: who holds the slip gets the goods."""

    code: str
    order_id: str
    merchant_zh: str
    merchant_en: str
    address_zh: str
    address_en: str
    title_zh: str
    title_en: str
    quantity: int
    lines: Sequence[SlipLine]
    expires_at: int


def qr_svg(code: str, *, scale: int = 6) -> str:
    """Return the QR code of a slip's code as an SVG element (error correction M, quiet zone 4)."""
    out = BytesIO()
    segno.make(QR_PREFIX + code, error="m", micro=False).save(
        out, kind="svg", scale=scale, border=4, xmldecl=False, svgns=True, title="QR", nl=False
    )
    return out.getvalue().decode()


def slip_html(slip: SlipContent) -> str:
    """Return the slip as one HTML page."""
    until = datetime.fromtimestamp(slip.expires_at, CITY_TZ)
    rows = "".join(
        f"<tr><td>{escape(line.programme_zh)}<br><small>{escape(line.programme_en)}</small></td>"
        f"<td class=n>{escape(line.points)} 积分</td></tr>"
        for line in slip.lines
    )
    return f"""<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>兑付凭单 Redemption slip</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{{font:20px/1.5 "Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;max-width:32rem;margin:1rem auto;padding:0 1rem;color:#111}}
h1{{font-size:30px;margin:.2em 0}} small{{font-size:15px;color:#444}} table{{width:100%;border-collapse:collapse}}
td{{border-top:1px solid #999;padding:.3em 0;vertical-align:top}} .n{{text-align:right;white-space:nowrap}}
.code{{font:700 34px/1.3 ui-monospace,Consolas,monospace;letter-spacing:.08em;text-align:center}}
.qr{{text-align:center}} .qr svg{{width:14rem;height:14rem}} .what{{font-size:26px;font-weight:700}}
@media print{{body{{margin:0}}}}
</style></head><body>
<h1>兑付凭单<br><small>Redemption slip</small></h1>
<p class="what">{escape(slip.title_zh)} × {slip.quantity}<br><small>{escape(slip.title_en)}</small></p>
<p>商户:<b>{escape(slip.merchant_zh)}</b><br>{escape(slip.address_zh)}<br><small>{escape(slip.merchant_en)}, {escape(slip.address_en)}</small></p>
<div class="qr">{qr_svg(slip.code)}</div>
<p class="code">{grouped(slip.code)}</p>
<p>请把本单交给商户扫码或念出上面的代码,当面领取。<br><small>Hand this slip to the merchant, who scans it or types the code.</small></p>
<table>{rows}</table>
<p>请于 <b>{until:%Y年%m月%d日 %H:%M}</b> 前领取;每单只能使用一次,请妥善保管。<br>
<small>Collect before {until:%d %B %Y, %H:%M}. Valid once: keep it like cash.</small></p>
<p><small>指令 Order {escape(slip.order_id)}</small></p>
</body></html>
"""
