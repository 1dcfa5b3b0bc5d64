"""The page's pictures as inline SVG: pure functions from figures to text. Widths follow the figures, never taste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO

import segno

from scripts.demo.page_content import PageContent, Programme, Words

COLOURS = {
    "volunteer": "#c8423b",
    "environmental": "#2c8a57",
    "traffic": "#2868b0",
    "culture": "#8a4fb0",
    "residence": "#7d838c",
}
SHOP_COLOUR = "#b9770e"
OTHER_COLOUR = "#555b63"


def colour(slug: str) -> str:
    """Return a programme's colour; programmes without a colour of their own are dark grey."""
    return COLOURS.get(slug, OTHER_COLOUR)


def points(minor: int) -> str:
    """Return minor units as points with thousands separators and no needless decimals: ``1,234.5``."""
    whole, rest = divmod(abs(minor), 100)
    decimals = f".{rest:02d}".rstrip("0") if rest else ""
    return f"{'−' if minor < 0 else ''}{whole:,}{decimals}"


def yuan(fen: int) -> str:
    """Return fen as yuan with two decimals and no sign of currency: ``1,234.50``."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'−' if fen < 0 else ''}{whole:,}.{rest:02d}"


def percent(ppm: int) -> str:
    """Return millionths as a percentage with one decimal, rounded half up: ``98.7%``."""
    tenths = (abs(ppm) + 500) // 1000
    return f"{'−' if ppm < 0 else ''}{tenths // 10}.{tenths % 10}%"


def par(par_microfen: int) -> str:
    """Return a par as yuan a point, without needless zeros: ``0.2``."""
    text = f"{par_microfen // 100_000_000}.{par_microfen % 100_000_000:08d}".rstrip("0")
    return text.rstrip(".")


def qr(content: str) -> str:
    """Return a QR code as inline SVG that scales with its box (error correction M, quiet zone 4)."""
    out = BytesIO()
    segno.make(content, error="m", micro=False).save(
        out, kind="svg", border=4, xmldecl=False, svgns=True, omitsize=True, nl=False, light="#fff", dark="#111"
    )
    return out.getvalue().decode()


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a stacked bar."""

    label: Words
    minor: int
    tone: str
    sign: str


def came(programme: Programme) -> list[Segment]:
    """Return what added to a programme's points, as segments of the upper bar."""
    movement = programme.movement
    return [
        Segment(Words("授予", "granted"), movement.granted, "t-main", "+"),
        Segment(Words("换入", "exchanged in"), movement.exchanged_in, "t-mid", "+"),
        Segment(Words("退还", "refunded"), movement.refunded, "t-soft", "+"),
    ]


def went(programme: Programme) -> list[Segment]:
    """Return what took from them and what is left, as segments of the lower bar (as long as the upper)."""
    movement = programme.movement
    return [
        Segment(Words("尚存", "outstanding"), movement.outstanding, "t-left", "="),
        Segment(Words("换出", "exchanged out"), movement.exchanged_out, "t-out", "−"),
        Segment(Words("兑付", "redeemed"), movement.redeemed, "t-spent", "−"),
        Segment(Words("冲正", "revoked"), movement.revoked, "t-revoked", "−"),
        Segment(Words("过期", "expired"), movement.expired, "t-expired", "−"),
    ]


def reach_before(page_content: PageContent) -> str:
    """Draw every programme as an island with the shops of its own field."""
    valued = [p for p in page_content.programmes if p.reach is not None]
    return _reach(valued, joined=False, shops=[p.reach.shops_before for p in valued if p.reach])


def reach_after(page_content: PageContent) -> str:
    """Draw the same programmes around one ledger, each of them good in every shop."""
    valued = [p for p in page_content.programmes if p.reach is not None]
    return _reach(valued, joined=True, shops=[len(page_content.merchants)])


def _reach(programmes: Sequence[Programme], *, joined: bool, shops: Sequence[int]) -> str:
    """400 × 250 picture: programmes on the left, their shops (one square each) on the right."""
    row = 250 / max(1, len(programmes))
    parts = []
    for place, programme in enumerate(programmes):
        y = row * (place + 0.5)
        parts.append(_label(programme.name, 4, y - 4))
        parts.append(f'<circle cx="150" cy="{y:.1f}" r="15" fill="{colour(programme.slug)}"/>')
        if joined:
            parts.append(_curve(165, y, 232, 125, colour(programme.slug)))
        else:
            parts.append(_line(165, y, 262, y, colour(programme.slug)))
            parts.append(_shops(266, y, shops[place], colour(programme.slug), columns=5))
    if joined:
        parts.append('<circle cx="256" cy="125" r="27" fill="#1d2733"/>')
        parts.append(
            '<text x="256" y="131" text-anchor="middle" fill="#fff" font-size="18" font-weight="700">通兑</text>'
        )
        parts.append(_line(283, 125, 302, 125, "#1d2733"))
        parts.append(_shops(308, 125, shops[0], SHOP_COLOUR, columns=4))
    return f'<svg viewBox="0 0 400 250" role="img" aria-hidden="true">{"".join(parts)}</svg>'


def _shops(x: float, y_middle: float, count: int, fill: str, *, columns: int) -> str:
    rows = -(-count // columns)
    top = y_middle - rows * 23 / 2
    squares = []
    for number in range(count):
        left = x + (number % columns) * 23
        upper = top + (number // columns) * 23
        squares.append(
            f'<g transform="translate({left:.1f} {upper:.1f})"><path d="M1 8 4 1h12l3 7z" fill="{fill}"/>'
            f'<path d="M3 9h14v10H3z" fill="{fill}" opacity=".55"/><path d="M8 12h4v7H8z" fill="#fff"/></g>'
        )
    if not count:
        squares.append(f'<text x="{x}" y="{y_middle + 6:.1f}" font-size="17" fill="#8a8f98">—</text>')
    return "".join(squares)


@dataclass(frozen=True, slots=True)
class Ribbon:
    """A flow between two boxes of neighbouring columns; indexes into their columns' boxes."""

    source: int
    target: int
    fen: int
    fill: str


@dataclass(frozen=True, slots=True)
class Box:
    """One participant in one column of the flow picture."""

    name: Words
    fen: int
    fill: str


def flows(page_content: PageContent) -> str:
    """Draw who pays whom: the programme of origin, the programme whose points were paid with, the shop.

    A ribbon's thickness is its fen; one scale for the whole picture. What a programme received by exchange and its
    holders have not spent yet ends at its box.
    """
    valued = [p for p in page_content.programmes if p.par_microfen]
    shops = [m for m in page_content.merchants if any(f.merchant_id == m.merchant_id for f in page_content.redemptions)]
    place = {p.slug: n for n, p in enumerate(valued)}
    shop_place = {m.merchant_id: n for n, m in enumerate(shops)}
    first = [
        Ribbon(place[f.from_slug], place[f.to_slug], f.fen, colour(f.from_slug))
        for f in page_content.exchanges
        if f.fen > 0
    ]
    second = [
        Ribbon(place[f.slug], shop_place[f.merchant_id], f.fen, colour(f.slug))
        for f in page_content.redemptions
        if f.fen > 0
    ]
    left = [Box(p.name, _sum(first, source=n), colour(p.slug)) for n, p in enumerate(valued)]
    middle = [
        Box(p.name, max(_sum(first, target=n), _sum(second, source=n)), colour(p.slug)) for n, p in enumerate(valued)
    ]
    right = [Box(m.name, _sum(second, target=n), SHOP_COLOUR) for n, m in enumerate(shops)]
    height = max(420, 46 * max(len(right), len(valued)))
    scale = min(_scale(boxes, height) for boxes in (left, middle, right))
    columns = [_stack(boxes, height, scale) for boxes in (left, middle, right)]
    parts = [
        _ribbons(first, columns[0], columns[1], scale, 12, 112),
        _ribbons(second, columns[1], columns[2], scale, 124, 215),
    ]
    for x, boxes, tops in ((0, left, columns[0]), (112, middle, columns[1]), (215, right, columns[2])):
        for box, top in zip(boxes, tops, strict=True):
            if box.fen:
                parts.append(_box(box, x, top, max(2.0, box.fen * scale)))
    return f'<svg class="flow" viewBox="0 0 372 {height + 26}" role="img" aria-hidden="true">{"".join(parts)}</svg>'


_GAP = 34.0
"""Room for a box's two lines of text, so that thin boxes never write over each other."""


def _sum(ribbons: Sequence[Ribbon], *, source: int | None = None, target: int | None = None) -> int:
    return sum(
        r.fen for r in ribbons if (source is None or r.source == source) and (target is None or r.target == target)
    )


def _scale(boxes: Sequence[Box], height: float) -> float:
    shown = [box for box in boxes if box.fen]
    total = sum(box.fen for box in shown)
    return (height - _GAP * len(shown)) / total if total else 1.0


def _stack(boxes: Sequence[Box], height: float, scale: float) -> list[float]:
    shown = [box for box in boxes if box.fen]
    used = sum(max(2.0, box.fen * scale) for box in shown)
    gap = (height - used) / max(1, len(shown))
    tops = []
    y = 22.0
    for box in boxes:
        tops.append(y)
        if box.fen:
            y += max(2.0, box.fen * scale) + gap
    return tops


def _ribbons(
    ribbons: Sequence[Ribbon], left: Sequence[float], right: Sequence[float], scale: float, x0: float, x1: float
) -> str:
    out: dict[int, float] = {}
    into: dict[int, float] = {}
    parts = []
    for ribbon in sorted(ribbons, key=lambda r: (r.source, r.target)):
        width = max(0.8, ribbon.fen * scale)
        a = left[ribbon.source] + out.get(ribbon.source, 0.0)
        b = right[ribbon.target] + into.get(ribbon.target, 0.0)
        out[ribbon.source] = out.get(ribbon.source, 0.0) + ribbon.fen * scale
        into[ribbon.target] = into.get(ribbon.target, 0.0) + ribbon.fen * scale
        middle = (x0 + x1) / 2
        parts.append(
            f'<path d="M{x0:.1f} {a:.1f}C{middle:.1f} {a:.1f} {middle:.1f} {b:.1f} {x1:.1f} {b:.1f}'
            f'V{b + width:.1f}C{middle:.1f} {b + width:.1f} {middle:.1f} {a + width:.1f} {x0:.1f} {a + width:.1f}Z"'
            f' fill="{ribbon.fill}" opacity=".38"/>'
        )
    return "".join(parts)


def _box(box: Box, x: float, y: float, height: float) -> str:
    label_x = x + 17
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="12" height="{height:.1f}" rx="1.5" fill="{box.fill}"/>'
        f'<g font-size="13" class="halo">'
        f'<text x="{label_x:.1f}" y="{y + 4:.1f}" class="zh-s" font-weight="700">{escape(box.name.zh)}</text>'
        f'<text x="{label_x:.1f}" y="{y + 4:.1f}" class="en-only" font-weight="700">{escape(box.name.en)}</text>'
        f'<text x="{label_x:.1f}" y="{y + 18:.1f}" font-size="12" class="num">¥{yuan(box.fen)}</text></g>'
    )


def _label(name: Words, x: float, y: float) -> str:
    return (
        f'<text x="{x}" y="{y:.1f}" font-size="17" font-weight="700" class="zh-s">{escape(name.zh)}</text>'
        f'<text x="{x}" y="{y + 19:.1f}" font-size="14" class="en-s" fill="#5d6570">{escape(name.en)}</text>'
    )


def _line(x0: float, y0: float, x1: float, y1: float, stroke: str) -> str:
    return f'<path d="M{x0} {y0:.1f}L{x1} {y1:.1f}" stroke="{stroke}" stroke-width="4" stroke-linecap="round"/>'


def _curve(x0: float, y0: float, x1: float, y1: float, stroke: str) -> str:
    middle = (x0 + x1) / 2
    return (
        f'<path d="M{x0} {y0:.1f}C{middle} {y0:.1f} {middle} {y1:.1f} {x1} {y1:.1f}"'
        f' stroke="{stroke}" stroke-width="5" fill="none" stroke-linecap="round"/>'
    )
