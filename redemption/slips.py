"""The printed slip that a resident without a phone takes to the merchant: large type, Chinese first, English below.

Self-contained HTML with the QR code as inline SVG: it prints on any machine and asks the network for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ledger.standard.civil_time import city_moment
from ledger.standard.ids import OrderIdText
from redemption.codes import QR_PREFIX, grouped

_TEMPLATES = Environment(loader=PackageLoader("redemption", ""), autoescape=True, undefined=StrictUndefined)


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
    order_id: OrderIdText
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
    return _TEMPLATES.get_template("slip.html").render(
        slip=slip,
        code=grouped(slip.code),
        qr=Markup(qr_svg(slip.code)),  # noqa: S704  (drawn here from a code of our own alphabet)
        until=city_moment(slip.expires_at),
    )
